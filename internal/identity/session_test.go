package identity_test

import (
	"slices"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
)

func TestGuests(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		guest, err := f.StartSession(t.Context())
		must(t, err)
		found, err := f.another().Session(t.Context(), guest.Cookie)
		must(t, err)
		if found.User != nil || found.ID != guest.ID || !found.ChecksCSRF(guest.CSRF) {
			t.Errorf("another server finds %+v of %+v", found, guest)
		}
		var n int
		if err := f.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM sessions`).Scan(&n); err != nil || n != 0 {
			t.Errorf("a guest made %d rows, %v", n, err)
		}
		must(t, f.Logout(t.Context(), found))
		f.clock.pass(25 * time.Hour)
		_, err = f.Session(t.Context(), guest.Cookie)
		wantCode(t, err, belfry.CodeUnauthenticated)
	})
}

func TestForgedCookies(t *testing.T) {
	f := newFixture(t, "")
	f.add("a@example.test")
	guest, err := f.StartSession(t.Context())
	must(t, err)
	s := f.login("a@example.test")
	flipped := []byte(guest.Cookie)
	flipped[3] ^= 1
	long := make([]byte, 5000)
	for _, cookie := range []string{"", "g", "s", "x", string(flipped), guest.Cookie[:len(guest.Cookie)-4], "s" + guest.Cookie[1:], "g" + s.Cookie[1:],
		s.Cookie + "A", s.ID, "s" + s.ID, string(long), "s\x00"} {
		_, err := f.Session(t.Context(), cookie)
		if belfry.CodeOf(err) != belfry.CodeUnauthenticated {
			t.Errorf("cookie %.60q: %v", cookie, err)
		}
	}
}

func TestCSRFTokens(t *testing.T) {
	f := newFixture(t, "")
	f.add("a@example.test")
	one, two := f.login("a@example.test"), f.login("a@example.test")
	if !one.ChecksCSRF(one.CSRF) || one.ChecksCSRF(two.CSRF) || one.ChecksCSRF("") || one.ChecksCSRF(one.CSRF+"A") {
		t.Error("a session takes another CSRF token than its own")
	}
	if (&identity.Session{}).ChecksCSRF("") {
		t.Error("a session without a CSRF token takes the empty one")
	}
}

func TestSessionsEnd(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.add("a@example.test")
		idle := f.login("a@example.test")
		f.clock.pass(2*time.Hour + time.Minute)
		_, err := f.Session(t.Context(), idle.Cookie)
		wantCode(t, err, belfry.CodeUnauthenticated)

		busy := f.login("a@example.test")
		for range 30 * 24 {
			if _, err := f.Session(t.Context(), busy.Cookie); err != nil {
				t.Fatal(err)
			}
			f.clock.pass(time.Hour)
		}
		f.clock.pass(time.Minute)
		_, err = f.Session(t.Context(), busy.Cookie)
		wantCode(t, err, belfry.CodeUnauthenticated)

		must(t, f.Clean(t.Context()))
		var n int
		if err := f.db.QueryRow(t.Context(), `SELECT COUNT(*) FROM sessions`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d sessions are left, %v", n, err)
		}
	})
}

func TestUseIsNotedOnceAMinute(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.add("a@example.test")
		s := f.login("a@example.test")
		seen := func() (millis int64) {
			_, err := f.Session(t.Context(), s.Cookie)
			must(t, err)
			must(t, f.db.QueryRow(t.Context(), `SELECT seen FROM sessions`).Scan(&millis))
			return millis - s.Created.UnixMilli()
		}
		for _, want := range []int64{0, 0, 60_000, 60_000, 120_000, 120_000} {
			if got := seen(); got != want {
				t.Errorf("seen at %d ms, want %d", got, want)
			}
			f.clock.pass(30 * time.Second)
		}
	})
}

func TestSigningOut(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.add("a@example.test").ID
		one, two := f.login("a@example.test"), f.login("a@example.test")
		must(t, f.Logout(t.Context(), one))
		must(t, f.Logout(t.Context(), one)) // nothing new
		must(t, f.Logout(t.Context(), nil))
		_, err := f.Session(t.Context(), one.Cookie)
		wantCode(t, err, belfry.CodeUnauthenticated)
		if _, err = f.Session(t.Context(), two.Cookie); err != nil {
			t.Errorf("the other session: %v", err)
		}
		want := []identity.Change{{Seq: 1, UserID: id, SessionID: one.ID, Kind: identity.ChangeSession}}
		if got := f.changes(); !slices.Equal(got, want) {
			t.Errorf("the log has %+v", got)
		}
	})
}

func TestASessionSeesNewRolesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.add("a@example.test").ID
		s := f.login("a@example.test")
		must(t, f.another().SetRoles(t.Context(), id, []string{"editor", "Author", "über"}))
		found, err := f.Session(t.Context(), s.Cookie)
		if must(t, err); !slices.Equal(found.User.Roles, []string{"Author", "editor", "über"}) {
			t.Errorf("roles are %v", found.User.Roles)
		}
	})
}

func TestCookiesAreNotKept(t *testing.T) {
	f := newFixture(t, "")
	f.add("a@example.test")
	s := f.login("a@example.test")
	var id string
	must(t, f.db.QueryRow(t.Context(), `SELECT id FROM sessions`).Scan(&id))
	if id != s.ID || id == s.Cookie || len(id) != 64 {
		t.Errorf("the session is kept as %q", id)
	}
}
