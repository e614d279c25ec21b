package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/test/services"
)

// While the database is away every question gets a clear answer, and afterwards
// all is as it was.
func TestADatabaseThatIsAway(t *testing.T) {
	server := services.OwnPostgres(t)
	f := newFixture(t, server.Database(t))
	id := f.add("a@example.test").ID
	s := f.login("a@example.test")
	plain, _, err := f.AddToken(t.Context(), identity.NewToken{UserID: id, Scopes: []string{identity.ScopeEvents}})
	must(t, err)
	_, err = f.Token(t.Context(), plain)
	must(t, err)
	f.clock.pass(time.Minute)

	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for name, ask := range map[string]func() error{
		"session":  func() error { return second(f.Session(ctx, s.Cookie)) },
		"token":    func() error { return second(f.Token(ctx, plain)) },
		"user":     func() error { return second(f.User(ctx, id)) },
		"roles":    func() error { return f.SetRoles(ctx, id, []string{"editor"}) },
		"changes":  func() error { return second(f.Changes(ctx, 0, 10)) },
		"clean-up": func() error { return f.Clean(ctx) },
		"sign in": func() error {
			return second(f.Login(ctx, identity.LoginAttempt{Email: "a@example.test", Password: password}))
		},
	} {
		if err := ask(); belfry.CodeOf(err) != belfry.CodeUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	guest, err := f.StartSession(ctx)
	must(t, err)
	if _, err = f.Session(ctx, guest.Cookie); err != nil {
		t.Errorf("a guest: %v", err)
	}

	server.Start()
	for range 100 { // connections that died may each fail once more
		if _, err = f.Session(t.Context(), s.Cookie); err == nil {
			break
		}
	}
	must(t, err)
	_, err = f.Token(t.Context(), plain)
	must(t, err)
	f.login("a@example.test")
	if got := f.changes(); len(got) != 0 {
		t.Errorf("the log has %+v", got)
	}
}
