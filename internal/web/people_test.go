package web_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/web"
)

// town is a site with real users, and a bearer token of each kind.
type town struct {
	t       *testing.T
	handler http.Handler
	bearers map[string]string
}

func newTown(t *testing.T) *town {
	t.Helper()
	db, err := store.Open(store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	people, err := identity.New(identity.Config{DB: db, Hashing: identity.Hashing{Memory: 64, Time: 1}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gate.New(gate.Config{Identity: people})
	if err != nil {
		t.Fatal(err)
	}
	b := &town{t: t, handler: web.New(web.Config{Gate: g, Identity: people}), bearers: map[string]string{"nobody": ""}}
	for _, u := range []struct {
		name, scope string
		roles       []string
	}{
		{"manager", identity.ScopeManageNotifications, []string{belfry.RoleManager}},
		{"admin", identity.ScopeManageNotifications, []string{belfry.RoleAdmin}},
		{"narrow", identity.ScopeNotifications, []string{belfry.RoleManager}}, // lacks the scope
		{"person", identity.ScopeNotifications, []string{"editor"}},
		{"gone", "", []string{"editor", "left"}},
	} {
		made, _, err := people.Add(t.Context(), identity.NewUser{Email: u.name + "@example.test", Name: "The " + u.name, Roles: u.roles, Password: "correct horse"})
		if err != nil {
			t.Fatal(err)
		}
		if u.scope == "" {
			if err := people.SetDisabled(t.Context(), made.ID, true); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if b.bearers[u.name], _, err = people.AddToken(t.Context(), identity.NewToken{UserID: made.ID, Scopes: []string{u.scope}}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *town) get(as, path string) (status int, text string) {
	b.t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	if bearer := b.bearers[as]; bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestManagersFindUsers(t *testing.T) {
	b := newTown(t)
	for path, want := range map[string]string{
		"/api/users":              "1 2 3 4 false",
		"/api/users?q=PERSON":     "4 false",
		"/api/users?q=3":          "3 false",
		"/api/users?q=the&ids=4":  "4 false",
		"/api/users?limit=2":      "1 2 true",
		"/api/users?ids=4,1,5,99": "1 4 false",
		"/api/users?q=gone":       "false",
		"/api/users?q=%25":        "false",
	} {
		status, text := b.get("manager", path)
		var found web.FoundUsers
		if err := json.Unmarshal([]byte(text), &found); err != nil || status != 200 || found.Users == nil {
			t.Errorf("%s: %d %s", path, status, text)
		}
		got := ""
		for _, u := range found.Users {
			got += u.ID + " "
		}
		if got += fmt.Sprint(found.More); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if _, text := b.get("admin", "/api/users?q=person"); strings.TrimSpace(text) != `{"users":[{"id":"4","name":"The person","email":"person@example.test"}],"more":false}` {
		t.Errorf("the answer holds more or less than id, name and email: %s", text)
	}
	if status, text := b.get("manager", "/api/users/roles"); status != 200 ||
		strings.TrimSpace(text) != `{"roles":[{"role":"admin","users":1},{"role":"editor","users":1},{"role":"manager","users":2}]}` {
		t.Errorf("roles: %d %s", status, text)
	}
}

func TestOthersFindNoUsers(t *testing.T) {
	b := newTown(t)
	for as, want := range map[string]int{"nobody": 401, "person": 403, "narrow": 403} {
		for _, path := range []string{"/api/users", "/api/users?q=manager", "/api/users?ids=1", "/api/users?ids=4", "/api/users/roles", "/api/users?q=" + strings.Repeat("x", 200)} {
			status, text := b.get(as, path)
			if status != want || strings.Contains(text, "example.test") || strings.Contains(text, "editor") {
				t.Errorf("%s got %d for %s: %s", as, status, path, text)
			}
		}
	}
	for _, path := range []string{"/api/users/1", "/api/users/", "/api/users/roles/editor"} {
		if status, _ := b.get("manager", path); status != 404 {
			t.Errorf("%s answered %d", path, status)
		}
	}
}

func TestSearchesAmongUsersAreBounded(t *testing.T) {
	b := newTown(t)
	for _, query := range []string{
		"q=" + strings.Repeat("x", 101), "q=a%00b", "q=%ff", "limit=0", "limit=51", "limit=x", "ids=" + strings.Repeat("1,", 100) + "1",
	} {
		if status, text := b.get("manager", "/api/users?"+query); status != 400 || !strings.Contains(text, `"invalid"`) {
			t.Errorf("%s: %d %s", query, status, text)
		}
	}
}

func TestDescribedUsersAreGiven(t *testing.T) {
	b, schemas := newTown(t), describe(t).Components.Schemas
	for name, path := range map[string]string{"FoundUsers": "/api/users", "Roles": "/api/users/roles"} {
		var body map[string]any
		if _, text := b.get("manager", path); json.Unmarshal([]byte(text), &body) != nil {
			t.Fatal(text)
		}
		if got, want := slices.Sorted(maps.Keys(body)), slices.Sorted(maps.Keys(schemas[name].Properties)); !slices.Equal(got, want) {
			t.Errorf("%s has %q, described are %q", name, got, want)
		}
	}
}
