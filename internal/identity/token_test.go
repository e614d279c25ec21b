package identity_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
)

func TestTokens(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.add("a@example.test", "manager").ID
		plain, made, err := f.AddToken(t.Context(), identity.NewToken{UserID: id, Name: "orders", App: "1001",
			Scopes: []string{identity.ScopeNotifications, identity.ScopeEvents, identity.ScopeEvents}, Channels: []string{"private-order.*", "news"}})
		must(t, err)
		if !strings.HasPrefix(plain, "belfry_"+made.ID+"_") || len(plain) < 40 {
			t.Errorf("the token is %q", plain)
		}
		got, err := f.Token(t.Context(), plain)
		must(t, err)
		want := &identity.Token{ID: "1", Name: "orders", App: "1001", Scopes: []string{"events", "notifications"}, Channels: []string{"private-order.*", "news"},
			Created: f.clock.Now(), Expires: f.clock.Now().AddDate(1, 0, 0), LastUsed: f.clock.Now(),
			User: &belfry.User{ID: id, Name: "a", Email: "a@example.test", Roles: []string{"manager"}}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("found %+v, want %+v", got, want)
		}
		for _, wrong := range []string{"", "belfry_", "belfry_1", "belfry_1_", plain + "a", plain[:len(plain)-1], strings.Replace(plain, "_1_", "_01_", 1),
			strings.Replace(plain, "_1_", "_2_", 1), strings.ToUpper(plain), "belfry_1_" + strings.Repeat("x", 9000)} {
			_, err := f.Token(t.Context(), wrong)
			if belfry.CodeOf(err) != belfry.CodeUnauthenticated {
				t.Errorf("token %.60q: %v", wrong, err)
			}
		}
		var kept string
		must(t, f.db.QueryRow(t.Context(), `SELECT hash FROM api_tokens`).Scan(&kept))
		if strings.Contains(kept, plain[9:]) {
			t.Errorf("the secret is kept: %q", kept)
		}
		f.clock.pass(366 * 24 * time.Hour)
		_, err = f.Token(t.Context(), plain)
		wantCode(t, err, belfry.CodeUnauthenticated)
	})
}

func TestRevokingTokens(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.add("a@example.test").ID
		plain, made, err := f.AddToken(t.Context(), identity.NewToken{UserID: id, Scopes: []string{identity.ScopeEvents}})
		must(t, err)
		elsewhere := f.another()
		for _, i := range []*identity.Identity{f.Identity, elsewhere} {
			if _, err := i.Token(t.Context(), plain); err != nil {
				t.Fatal(err)
			}
		}
		must(t, f.RevokeToken(t.Context(), made.ID))
		wantCode(t, f.RevokeToken(t.Context(), made.ID), belfry.CodeNotFound)
		wantCode(t, f.RevokeToken(t.Context(), "x"), belfry.CodeNotFound)
		_, err = f.Token(t.Context(), plain)
		wantCode(t, err, belfry.CodeUnauthenticated)
		f.clock.pass(time.Second)
		_, err = elsewhere.Token(t.Context(), plain)
		wantCode(t, err, belfry.CodeUnauthenticated)
		want := []identity.Change{{Seq: 1, UserID: id, SessionID: made.SessionID(), Kind: identity.ChangeSession}}
		if got := f.changes(); !slices.Equal(got, want) {
			t.Errorf("the log has %+v", got)
		}
	})
}

// Who closes connections for a change must not have their pages authorized again
// by what was known before it.
func TestTokensHeedTheChangesThatWereRead(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.add("a@example.test", "editor").ID
		plain, _, err := f.AddToken(t.Context(), identity.NewToken{UserID: id, Scopes: []string{identity.ScopeNotifications}})
		must(t, err)
		elsewhere := f.another()
		if got, err := elsewhere.Token(t.Context(), plain); err != nil || !got.User.Is("editor") {
			t.Fatalf("found %+v, %v", got, err)
		}
		must(t, f.SetRoles(t.Context(), id, nil))
		if changes, err := elsewhere.Changes(t.Context(), 0, 10); err != nil || len(changes) != 1 {
			t.Fatalf("the log has %+v, %v", changes, err)
		}
		if got, err := elsewhere.Token(t.Context(), plain); err != nil || got.User.Is("editor") {
			t.Errorf("found %+v, %v", got, err)
		}
	})
}

func TestUseOfTokensIsNotedOnceAMinute(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		id := f.add("a@example.test").ID
		plain, _, err := f.AddToken(t.Context(), identity.NewToken{UserID: id, Scopes: []string{identity.ScopeEvents}})
		must(t, err)
		start := f.clock.Now()
		for _, want := range []time.Duration{0, 0, 60, 60, 120, 120} {
			_, err := f.Token(t.Context(), plain)
			must(t, err)
			all, err := f.Tokens(t.Context(), id)
			must(t, err)
			if got := all[0].LastUsed.Sub(start); len(all) != 1 || got != want*time.Second {
				t.Errorf("used at %v, want %v", got, want*time.Second)
			}
			f.clock.pass(30 * time.Second)
		}
	})
}

func TestRefusedTokens(t *testing.T) {
	f := newFixture(t, "")
	id := f.add("a@example.test").ID
	for _, c := range []struct {
		name string
		n    identity.NewToken
		code belfry.Code
	}{
		{"no scope", identity.NewToken{UserID: id}, belfry.CodeInvalid},
		{"an unknown scope", identity.NewToken{UserID: id, Scopes: []string{"event"}}, belfry.CodeInvalid},
		{"no user", identity.NewToken{UserID: "9", Scopes: []string{"events"}}, belfry.CodeNotFound},
		{"an end in the past", identity.NewToken{UserID: id, Scopes: []string{"events"}, Expires: f.clock.Now()}, belfry.CodeInvalid},
		{"an empty pattern", identity.NewToken{UserID: id, Scopes: []string{"events"}, Channels: []string{""}}, belfry.CodeInvalid},
		{"a scope over the user's roles", identity.NewToken{UserID: id, Scopes: []string{"admin"}}, belfry.CodeForbidden},
		{"another", identity.NewToken{UserID: id, Scopes: []string{"notifications:manage"}}, belfry.CodeForbidden},
	} {
		_, _, err := f.AddToken(t.Context(), c.n)
		if belfry.CodeOf(err) != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestScopesNeedTheirRoles(t *testing.T) {
	user := &belfry.User{Roles: []string{"manager"}}
	token := &identity.Token{User: user, Scopes: []string{"events", "notifications:manage", "admin"}}
	for scope, want := range map[string]bool{"events": true, "notifications:manage": true, "notifications": false, "admin": false} {
		if token.Allows(scope) != want {
			t.Errorf("a manager's token: %s is %v", scope, !want)
		}
	}
	user.Roles = []string{"admin"}
	for _, scope := range identity.Scopes() {
		if !token.Allows(scope) {
			t.Errorf("an admin's token with the scope admin lacks %s", scope)
		}
	}
	user.Roles = nil
	if token.Allows("notifications:manage") || token.Allows("admin") || !token.Allows("events") {
		t.Error("the token has not lost what its user's roles gave")
	}
}

func TestChannelPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, channel string
		want             bool
	}{
		{"news", "news", true}, {"news", "news2", false}, {"*", "anything", true}, {"private-*", "private-x", true},
		{"private-*", "private-", true}, {"private-*", "privat", false}, {"*.log", "a.log", true}, {"a*a", "a", false}, {"a*a", "aa", true},
		{"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false}, {"a**c", "ac", true}, {"a*bc*c", "abc", false}, {"a.c", "abc", false}, {"*b*", "abc", true},
	} {
		if got := (&identity.Token{Channels: []string{"other", c.pattern}}).MayPublish(c.channel); got != c.want {
			t.Errorf("%s and %s: %v", c.pattern, c.channel, got)
		}
	}
	if !(&identity.Token{}).MayPublish("anything") {
		t.Error("no patterns are not all channels")
	}
}
