package identity_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
)

func link(t *testing.T, f *fixture) string {
	t.Helper()
	token, err := f.SetupLink(t.Context())
	must(t, err)
	return token
}

func TestTheFirstAdmin(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.add("someone@example.test", "editor")
		old, token := link(t, f), link(t, f)
		admin := identity.NewUser{Email: "root@example.test", Password: password}
		wantCode(t, f.CheckSetup(t.Context(), "guess"), belfry.CodeForbidden)
		wantCode(t, second(f.Setup(t.Context(), "guess", admin)), belfry.CodeForbidden)
		wantCode(t, second(f.Setup(t.Context(), token, identity.NewUser{Email: "root@example.test"})), belfry.CodeInvalid)
		wantCode(t, second(f.Setup(t.Context(), token, identity.NewUser{Email: "someone@example.test", Password: password})), belfry.CodeConflict)
		must(t, f.CheckSetup(t.Context(), token)) // a mistake does not spend it
		user, err := f.Setup(t.Context(), token, admin)
		if must(t, err); !slices.Equal(user.Roles, []string{"admin"}) {
			t.Errorf("made %+v", user)
		}
		admin.Email = "second@example.test"
		for _, spent := range []string{token, old} {
			wantCode(t, second(f.Setup(t.Context(), spent, admin)), belfry.CodeForbidden)
		}
		if again := link(t, f); again != "" {
			t.Errorf("with an admin there is a link still: %q", again)
		}
	})
}

func TestASetupLinkHoldsAnHour(t *testing.T) {
	f := newFixture(t, "")
	token := link(t, f)
	f.clock.pass(time.Hour)
	wantCode(t, f.CheckSetup(t.Context(), token), belfry.CodeForbidden)
	wantCode(t, second(f.Setup(t.Context(), token, identity.NewUser{Email: "root@example.test", Password: password})), belfry.CodeForbidden)
}

func TestASetupLinkEndsWithAnAdminMadeElsewhere(t *testing.T) {
	f := newFixture(t, "")
	token := link(t, f)
	f.add("root@example.test", "admin")
	wantCode(t, f.CheckSetup(t.Context(), token), belfry.CodeForbidden)
}

func TestOneSetupOfManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		tokens := []string{link(t, f), link(t, f)}
		var made atomic.Int32
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				_, err := f.Setup(t.Context(), tokens[n%2], identity.NewUser{Email: fmt.Sprintf("u%d@example.test", n), Password: password})
				if err == nil {
					made.Add(1)
				} else if belfry.CodeOf(err) != belfry.CodeForbidden {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 {
			t.Errorf("%d first admins were made", made.Load())
		}
	})
}
