package identity_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
)

func TestSigningIn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.add("a@example.test", "editor")
		guest, err := f.StartSession(t.Context())
		must(t, err)
		s, err := f.Login(t.Context(), identity.LoginAttempt{Email: "A@example.test", Password: password, Previous: guest.Cookie})
		must(t, err)
		if s.User == nil || s.User.ID != "1" || !s.User.Is("editor") || s.Cookie == "" || s.Cookie == guest.Cookie || s.CSRF == guest.CSRF {
			t.Errorf("signed in as %+v", s)
		}
		again, err := f.Login(t.Context(), identity.LoginAttempt{Email: "a@example.test", Password: password, Previous: s.Cookie})
		must(t, err)
		_, err = f.Session(t.Context(), s.Cookie)
		wantCode(t, err, belfry.CodeUnauthenticated)
		if want := []identity.Change{{Seq: 1, UserID: "1", SessionID: s.ID, Kind: identity.ChangeSession}}; !slices.Equal(f.changes(), want) {
			t.Errorf("the log has %+v", f.changes())
		}
		found, err := f.another().Session(t.Context(), again.Cookie)
		if must(t, err); found.User.ID != "1" || found.CSRF != again.CSRF || found.ID != again.ID || found.Cookie != "" {
			t.Errorf("another server finds %+v", found)
		}
	})
}

func TestUnknownUsersAndWrongPasswordsLookAlike(t *testing.T) {
	f := newFixture(t, "")
	f.add("a@example.test")
	_, wrong := f.Login(t.Context(), identity.LoginAttempt{Email: "a@example.test", Password: "wrong password"})
	for _, a := range []identity.LoginAttempt{
		{Email: "b@example.test", Password: password},
		{Email: "no email", Password: password},
		{Email: "a\x00@example.test", Password: password},
		{Email: "a@example.test", Password: ""},
		{Email: "a@example.test", Password: strings.Repeat("x", 2000)},
	} {
		_, err := f.Login(t.Context(), a)
		wantCode(t, err, belfry.CodeUnauthenticated)
		if fmt.Sprint(err) != fmt.Sprint(wrong) {
			t.Errorf("%q: %v, but a wrong password gives %v", a.Email, err, wrong)
		}
	}
	if s := f.Stats().Logins; s != (identity.LoginStats{Wrong: 6}) {
		t.Errorf("counted %+v", s)
	}
}

// Time is spent on hashing: an unknown user, too, costs one hash of today's cost.
func TestUnknownUsersTakeAsLong(t *testing.T) {
	f := newFixture(t, "")
	f.add("a@example.test")
	for _, email := range []string{"a@example.test", "b@example.test", "no email"} {
		before := f.Stats().Hashed
		_, err := f.Login(t.Context(), identity.LoginAttempt{Email: email, Password: "wrong password"})
		wantCode(t, err, belfry.CodeUnauthenticated)
		if got := f.Stats().Hashed - before; got != 1 {
			t.Errorf("%s: %d hashes", email, got)
		}
	}
}

func TestPauseGrowsWithWrongPasswords(t *testing.T) {
	f := newFixture(t, "")
	f.add("a@example.test")
	try := func(secret, address string) (wait time.Duration) {
		_, err := f.Login(t.Context(), identity.LoginAttempt{Email: "a@example.test", Password: secret, Address: address})
		if limited, ok := errors.AsType[*identity.LimitError](err); ok {
			wantCode(t, err, belfry.CodeRateLimited)
			return limited.After
		}
		if secret == password {
			must(t, err)
		}
		return 0
	}
	for n := range 4 {
		if wait := try("wrong password", "192.0.2.1"); wait != 0 {
			t.Fatalf("attempt %d waits %v", n+1, wait)
		}
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		want *= time.Second
		if wait := try(password, "192.0.2.1"); wait != want {
			t.Errorf("waits %v, want %v", wait, want)
		}
		if wait := try(password, "192.0.2.1"); wait != want {
			t.Errorf("an early attempt made it %v, want %v still", wait, want)
		}
		f.clock.pass(want)
		if wait := try("wrong password", "192.0.2.1"); wait != 0 {
			t.Errorf("after %v it waits %v more", want, wait)
		}
	}
	if wait := try(password, "192.0.2.2"); wait != 0 {
		t.Errorf("the owner, elsewhere, waits %v: a lock-out", wait)
	}
	f.clock.pass(30 * time.Second)
	if wait := try(password, "192.0.2.1"); wait != 0 {
		t.Errorf("the owner, at the same address, waits %v after the pause", wait)
	}
	f.clock.pass(16 * time.Minute)
	for n := range 4 {
		if wait := try("wrong password", "192.0.2.1"); wait != 0 {
			t.Errorf("after a quarter of an hour, attempt %d waits %v", n+1, wait)
		}
	}
}

func TestOneAccountManyAddresses(t *testing.T) {
	f := newFixture(t, "")
	f.add("a@example.test")
	try := func(address string) error {
		_, err := f.Login(t.Context(), identity.LoginAttempt{Email: "a@example.test", Password: "wrong password", Address: address})
		return err
	}
	for n := range 40 {
		wantCode(t, try(fmt.Sprint("192.0.2.", n)), belfry.CodeUnauthenticated)
		if n > 10 { // each of them gets one guess only
			wantCode(t, try(fmt.Sprint("192.0.2.", n)), belfry.CodeRateLimited)
		}
	}
}

func TestOneAddressManyAccounts(t *testing.T) {
	f := newFixture(t, "")
	f.add("mine@example.test")
	limited := 0
	for n := range 40 {
		// Addresses of one /64 are one; a sign-in of one's own between buys nothing.
		a := identity.LoginAttempt{Email: fmt.Sprintf("u%d@example.test", n), Password: password, Address: fmt.Sprintf("2001:db8::%x", n+1)}
		if n%3 == 0 {
			a.Email = "mine@example.test"
		}
		_, err := f.Login(t.Context(), a)
		if belfry.CodeOf(err) == belfry.CodeRateLimited {
			limited++
		}
	}
	if limited < 8 {
		t.Errorf("of 40 attempts only %d were held up", limited)
	}
}

func TestManyAtOnceDoNotSlipThrough(t *testing.T) {
	f := newFixture(t, "")
	f.add("a@example.test")
	results := make(chan error)
	for range 30 {
		go func() {
			_, err := f.Login(context.Background(), identity.LoginAttempt{Email: "a@example.test", Password: "wrong password", Address: "192.0.2.1"})
			results <- err
		}()
	}
	tried := 0
	for range 30 {
		if belfry.CodeOf(<-results) == belfry.CodeUnauthenticated {
			tried++
		}
	}
	if tried != 4 {
		t.Errorf("%d of 30 guesses at once were looked at, want 4", tried)
	}
}

func TestPasswordsAreKeptAsCostlyHashes(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.add("a@example.test")
		kept := func() (hash string) {
			must(t, f.db.QueryRow(t.Context(), `SELECT password FROM users`).Scan(&hash))
			return hash
		}
		cheapest := kept()
		costly := f.another(func(c *identity.Config) { c.Hashing = identity.Hashing{} })
		if _, err := costly.Login(t.Context(), identity.LoginAttempt{Email: "a@example.test", Password: password}); err != nil {
			t.Fatal(err)
		}
		if now := kept(); !strings.HasPrefix(now, "$argon2id$v=19$m=19456,t=2,p=1$") || now == cheapest {
			t.Errorf("after a sign-in the password is kept as %.40s", now)
		}
		f.login("a@example.test")
	})
}

func TestWaitingForTheHasherEndsWithTheContext(t *testing.T) {
	f := newFixture(t, "")
	f.add("a@example.test")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Login(ctx, identity.LoginAttempt{Email: "a@example.test", Password: password})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled sign-in gives %v", err)
	}
	if s := f.Stats(); s.Logins.Failed != 1 || s.Hashing != 0 {
		t.Errorf("counted %+v", s)
	}
}

func TestChangingAPasswordEndsSessions(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.add("a@example.test").ID
		s := f.login("a@example.test")
		wantCode(t, second(f.SetPassword(t.Context(), id, "short")), belfry.CodeInvalid)
		generated, err := f.SetPassword(t.Context(), id, "")
		must(t, err)
		_, err = f.Session(t.Context(), s.Cookie)
		wantCode(t, err, belfry.CodeUnauthenticated)
		_, err = f.Login(t.Context(), identity.LoginAttempt{Email: "a@example.test", Password: password})
		wantCode(t, err, belfry.CodeUnauthenticated)
		_, err = f.Login(t.Context(), identity.LoginAttempt{Email: "a@example.test", Password: generated})
		must(t, err)
		if got := f.changes(); !slices.Equal(got, []identity.Change{{Seq: 1, UserID: id, Kind: identity.ChangePassword}}) {
			t.Errorf("the log has %+v", got)
		}
		wantCode(t, second(f.SetPassword(t.Context(), "77", "")), belfry.CodeNotFound)
	})
}

func second[T any](_ T, err error) error { return err }

func TestRunCleansHourly(t *testing.T) {
	f := newFixture(t, "")
	f.add("a@example.test")
	f.login("a@example.test")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
