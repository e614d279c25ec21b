package identity_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
)

func TestAddingUsers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		user, generated, err := f.Add(t.Context(), identity.NewUser{Email: " Ada@Example.test ", Roles: []string{"editor", "admin", "editor"}})
		must(t, err)
		want := &belfry.User{ID: "1", Email: "Ada@Example.test", Name: "Ada", Roles: []string{"admin", "editor"}}
		if !reflect.DeepEqual(user, want) {
			t.Errorf("added %+v, want %+v", user, want)
		}
		if len(generated) != 19 || strings.Count(generated, "-") != 3 {
			t.Errorf("generated password %q", generated)
		}
		if _, err := f.Login(t.Context(), identity.LoginAttempt{Email: "ADA@example.TEST", Password: generated}); err != nil {
			t.Errorf("sign in with the generated password: %v", err)
		}
		_, _, err = f.Add(t.Context(), identity.NewUser{Email: "ada@EXAMPLE.test", Password: password})
		wantCode(t, err, belfry.CodeConflict)
		got, err := f.User(t.Context(), "1")
		if must(t, err); !reflect.DeepEqual(got, want) {
			t.Errorf("found %+v, want %+v", got, want)
		}
		account, err := f.ByEmail(t.Context(), "ADA@EXAMPLE.TEST")
		if must(t, err); account.ID != "1" || !account.Created.Equal(f.clock.Now()) || !account.LastLogin.Equal(f.clock.Now()) {
			t.Errorf("found by email %+v", account)
		}
	})
}

func TestRefusedUsers(t *testing.T) {
	f := newFixture(t, "")
	for name, n := range map[string]identity.NewUser{
		"no email":           {},
		"no address":         {Email: "ada"},
		"a name and address": {Email: "Ada <ada@example.test>"},
		"a zero byte":        {Email: "ada\x00@example.test"},
		"a long email":       {Email: strings.Repeat("a", 250) + "@example.test"},
		"a short password":   {Email: "a@example.test", Password: "äöüäöü7"},
		"a long password":    {Email: "a@example.test", Password: strings.Repeat("x", 1001)},
		"a role with spaces": {Email: "a@example.test", Roles: []string{"the boss"}},
		"an empty role":      {Email: "a@example.test", Roles: []string{""}},
		"a name with a bell": {Email: "a@example.test", Name: "A\a"},
	} {
		_, _, err := f.Add(t.Context(), n)
		if belfry.CodeOf(err) != belfry.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIDsAreText(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.add("a@example.test")
		for _, id := range []string{"", "01", "1abc", "1.0", " 1", "+1", "-1", "0", "99999999999999999999", "1\x00"} {
			_, err := f.User(t.Context(), id)
			wantCode(t, err, belfry.CodeNotFound)
			wantCode(t, f.SetRoles(t.Context(), id, nil), belfry.CodeNotFound)
		}
	})
}

func TestAnIDIsNeverUsedTwice(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		must(t, f.Remove(t.Context(), f.add("a@example.test").ID))
		if again := f.add("a@example.test"); again.ID != "2" {
			t.Errorf("the next user got the id %s", again.ID)
		}
	})
}

func TestListingUsers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for n := range 12 {
			f.add(fmt.Sprintf("u%d@example.test", n), "all", []string{"even", "odd"}[n%2])
		}
		ids := func(q identity.Query) (ids []string) {
			found, err := f.Users(t.Context(), q)
			must(t, err)
			for _, a := range found {
				if len(a.Roles) != 2 {
					t.Errorf("user %s has the roles %v", a.ID, a.Roles)
				}
				ids = append(ids, a.ID)
			}
			return ids
		}
		for _, c := range []struct {
			q    identity.Query
			want []string
		}{
			{identity.Query{Limit: 2}, []string{"1", "2"}},
			{identity.Query{After: "9"}, []string{"10", "11", "12"}},
			{identity.Query{Role: "odd", Limit: 3}, []string{"2", "4", "6"}},
			{identity.Query{Role: "odd", After: "6"}, []string{"8", "10", "12"}},
			{identity.Query{Role: "none"}, nil},
		} {
			if got := ids(c.q); !slices.Equal(got, c.want) {
				t.Errorf("%+v gives %v, want %v", c.q, got, c.want)
			}
		}
	})
}

func TestChangesOfRolesAreLogged(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		told := 0
		i := f.another(func(c *identity.Config) { c.Changed = func() { told++ } })
		id := f.add("a@example.test", "editor").ID
		must(t, i.SetRoles(t.Context(), id, []string{"editor"})) // nothing new
		roles, err := i.ChangeRoles(t.Context(), id, []string{"admin", "author"}, []string{"editor", "stranger"})
		if must(t, err); !slices.Equal(roles, []string{"admin", "author"}) {
			t.Errorf("roles are %v", roles)
		}
		must(t, i.SetRoles(t.Context(), id, nil))
		wantCode(t, i.SetRoles(t.Context(), id, []string{"no role"}), belfry.CodeInvalid)
		wantCode(t, i.SetRoles(t.Context(), "77", nil), belfry.CodeNotFound)
		want := []identity.Change{{Seq: 1, UserID: id, Kind: identity.ChangeRoles}, {Seq: 2, UserID: id, Kind: identity.ChangeRoles}}
		if got := f.changes(); !slices.Equal(got, want) || told != 2 {
			t.Errorf("the log has %+v, told %d times", got, told)
		}
		if last, err := f.LastChange(t.Context()); err != nil || last != 2 {
			t.Errorf("the last change is %d, %v", last, err)
		}
		user, err := f.User(t.Context(), id)
		if must(t, err); user.Roles == nil || len(user.Roles) != 0 {
			t.Errorf("roles are %#v", user.Roles)
		}
	})
}

func TestDisabledUsers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.add("a@example.test").ID
		s := f.login("a@example.test")
		plain, _, err := f.AddToken(t.Context(), identity.NewToken{UserID: id, Scopes: []string{identity.ScopeEvents}})
		must(t, err)
		must(t, f.SetDisabled(t.Context(), id, true))
		must(t, f.SetDisabled(t.Context(), id, true)) // nothing new
		_, err = f.Session(t.Context(), s.Cookie)
		wantCode(t, err, belfry.CodeUnauthenticated)
		_, err = f.Token(t.Context(), plain)
		wantCode(t, err, belfry.CodeUnauthenticated)
		_, err = f.User(t.Context(), id)
		wantCode(t, err, belfry.CodeForbidden)
		_, err = f.Login(t.Context(), identity.LoginAttempt{Email: "a@example.test", Password: password})
		wantCode(t, err, belfry.CodeForbidden)
		_, err = f.Login(t.Context(), identity.LoginAttempt{Email: "a@example.test", Password: "wrong password"})
		wantCode(t, err, belfry.CodeUnauthenticated)

		must(t, f.SetDisabled(t.Context(), id, false))
		_, err = f.Session(t.Context(), s.Cookie)
		wantCode(t, err, belfry.CodeUnauthenticated) // it had ended
		_, err = f.Token(t.Context(), plain)
		must(t, err)
		f.login("a@example.test")
		want := []identity.Change{{Seq: 1, UserID: id, Kind: identity.ChangeDisabled}, {Seq: 2, UserID: id, Kind: identity.ChangeEnabled}}
		if got := f.changes(); !slices.Equal(got, want) {
			t.Errorf("the log has %+v", got)
		}
	})
}

func TestARemovedUserLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.add("a@example.test", "editor").ID
		s := f.login("a@example.test")
		plain, _, err := f.AddToken(t.Context(), identity.NewToken{UserID: id, Scopes: []string{identity.ScopeEvents}})
		must(t, err)
		must(t, f.Remove(t.Context(), id))
		wantCode(t, f.Remove(t.Context(), id), belfry.CodeNotFound)
		_, err = f.Session(t.Context(), s.Cookie)
		wantCode(t, err, belfry.CodeUnauthenticated)
		_, err = f.Token(t.Context(), plain)
		wantCode(t, err, belfry.CodeUnauthenticated)
		for _, table := range []string{"users", "user_roles", "sessions", "api_tokens"} {
			var n int
			if err := f.db.QueryRow(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s has %d rows, %v", table, n, err)
			}
		}
		if got := f.changes(); !slices.Equal(got, []identity.Change{{Seq: 1, UserID: id, Kind: identity.ChangeRemoved}}) {
			t.Errorf("the log has %+v", got)
		}
	})
}

func TestExportHasAllButSecrets(t *testing.T) {
	f := newFixture(t, "")
	id := f.add("a@example.test", "editor").ID
	s := f.login("a@example.test")
	plain, _, err := f.AddToken(t.Context(), identity.NewToken{UserID: id, Name: "orders", Scopes: []string{identity.ScopeEvents}})
	must(t, err)
	export, err := f.Export(t.Context(), id)
	must(t, err)
	for _, want := range []string{`"email":"a@example.test"`, `"editor"`, `"orders"`, `"192.0.2.1"`} {
		if !strings.Contains(string(export), want) {
			t.Errorf("the export lacks %s: %s", want, export)
		}
	}
	for _, secret := range []string{"argon2", s.Cookie, s.ID, plain[len(plain)-20:]} {
		if strings.Contains(string(export), secret) {
			t.Errorf("the export holds %s: %s", secret, export)
		}
	}
}

// A reader that follows the log while many write must see every entry.
func TestChangesAreSeenInOrder(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const writers, each = 6, 10
		var writing sync.WaitGroup
		for n := range writers {
			id := f.add(fmt.Sprintf("u%d@example.test", n)).ID
			writing.Go(func() {
				for k := range each {
					if err := f.SetRoles(t.Context(), id, []string{fmt.Sprint("r", k)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		var after int64
		for after < writers*each && !t.Failed() {
			found, err := f.Changes(t.Context(), after, 7)
			must(t, err)
			for _, c := range found {
				if c.Seq != after+1 {
					t.Fatalf("saw %d after %d", c.Seq, after)
				}
				after = c.Seq
			}
		}
		writing.Wait()
	})
}
