package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/server"
)

// ownDashboards read Belfry's own database: "default" is for managers, "staff"
// for the role staff, "wall" for everybody, and "secret" for nobody.
func ownDashboards(t *testing.T) (*server.Dashboards, *server.Rules) {
	t.Helper()
	count := dashboard.FigureSpec{Name: "users", Kind: "number", SQL: "SELECT count(*) FROM users"}
	names := dashboard.FigureSpec{Name: "people", Kind: "rows", Personal: true, SQL: "SELECT email FROM users"}
	var specs []dashboard.Spec
	for _, name := range []string{"default", "staff", "wall", "secret"} {
		specs = append(specs, dashboard.Spec{Name: name, Database: dashboard.Own, Public: name == "wall", Figures: []dashboard.FigureSpec{count, names}})
	}
	set, err := dashboard.Compile(specs)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := authz.Compile([]authz.Rule{
		{Name: "dashboard", Allow: "'manager' in user.roles"}, {Name: "dashboard.staff", Allow: "'staff' in user.roles"},
		{Name: "dashboard.wall", Allow: "false"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return set, rules
}

func TestFiguresAreForThoseWhoMayListen(t *testing.T) {
	for name, backend := range backends {
		if name == "redis" { // which only queues
			continue
		}
		t.Run(name, func(t *testing.T) {
			set, rules := ownDashboards(t)
			a := serveApplication(t, backend(t), func(c *server.Config) { c.Dashboards, c.Rules = set, rules })
			manager, staff := a.user("manager@example.test", belfry.RoleManager), a.user("staff@example.test", "staff")
			nobody := a.user("nobody@example.test")
			other, _, err := a.other.Identity.AddToken(t.Context(), identity.NewToken{UserID: manager, Scopes: []string{"dashboard"}, App: "another"})
			if err != nil {
				t.Fatal(err)
			}
			signedIn := func(email string) *http.Client {
				b := a.browser()
				b.signIn(email)
				return b.http
			}
			for _, c := range []struct {
				who               string
				client            *http.Client
				token             string
				main, staff, none int
				list              string
			}{
				{"a guest", a.http, "", 401, 401, 404, "wall"},
				{"a manager's page", signedIn("manager@example.test"), "", 200, 403, 404, "default wall"},
				{"a page of the staff", signedIn("staff@example.test"), "", 403, 200, 404, "staff wall"},
				{"a page without a right", signedIn("nobody@example.test"), "", 403, 403, 404, "wall"},
				{"a manager's token", a.http, a.token(manager, "dashboard"), 200, 403, 404, "default wall"},
				{"a manager's token for events", a.http, a.token(manager, "events", "notifications"), 403, 403, 404, "wall"},
				{"a manager's token of another app", a.http, other, 403, 403, 404, "wall"},
				{"a token without a right", a.http, a.token(nobody, "dashboard"), 403, 403, 404, "wall"},
				{"a token of the staff", a.http, a.token(staff, "dashboard"), 403, 200, 404, "staff wall"},
				{"a token that is none", a.http, "belfry_none", 401, 401, 401, ""},
			} {
				ask := func(query string) (int, string) {
					var headers []string
					if c.token != "" {
						headers = []string{"Authorization", "Bearer " + c.token}
					}
					return a.request(c.client, "GET", query, "", headers...)
				}
				for query, want := range map[string]int{"": c.main, "?dashboard=default": c.main, "?dashboard=staff": c.staff, "?dashboard=none": c.none,
					"?dashboard=wall": 200, "?dashboard=STAFF": c.none, "?dashboard=staff/../wall": c.none, "?dashboard=private-dashboard": c.none} {
					status, answer := ask("/api/dashboard/current" + query)
					if status != want {
						t.Errorf("%s: %q gives %d %s, want %d", c.who, query, status, answer, want)
					}
					if status == 404 && strings.Contains(answer, "default") != strings.Contains(c.list, "default") {
						t.Errorf("%s is told of dashboards that they may not see: %s", c.who, answer)
					}
					if shown := strings.Contains(answer, "@example.test"); shown != (status == 200 && query != "?dashboard=wall") {
						t.Errorf("%s: %q shows people: %s", c.who, query, answer)
					}
				}
				if status, _ := ask("/api/dashboard/current?dashboard=secret"); status == 200 {
					t.Errorf("%s sees what no rule is for", c.who)
				}
				var list struct{ Dashboards []dashboard.Info }
				if status, answer := ask("/api/dashboards"); status == 200 {
					decode(t, answer, &list)
				}
				var names []string
				for _, info := range list.Dashboards {
					names = append(names, info.Name)
				}
				if got := strings.Join(names, " "); got != c.list {
					t.Errorf("%s may see %q, want %q", c.who, got, c.list)
				}
			}
		})
	}
}

func TestDashboardsAreReloadedAndShowInHealth(t *testing.T) {
	set, _ := ownDashboards(t)
	written := &settings{next: server.Reloaded{Apps: []*belfry.App{testApp()}}}
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) {
		c.Settings, c.MetricsListen, c.Logger = written, "127.0.0.1:0", nil
	})
	current := func() (status int, v dashboard.View) {
		status, answer := a.request(a.http, "GET", "/api/dashboard/current?dashboard=wall", "")
		if status == http.StatusOK {
			decode(t, answer, &v)
		}
		return status, v
	}
	if status, _ := current(); status != http.StatusNotFound {
		t.Errorf("without dashboards: %d", status)
	}
	w := a.connect(testApp())
	w.emit("pusher:subscribe", "", map[string]any{"channel": "dashboard.wall"})
	w.expect("pusher_internal:subscription_succeeded", "dashboard.wall")
	written.next.Dashboards = set
	if _, err := a.server.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := w.expect(dashboard.EventName, "dashboard.wall").text(t)
	if !strings.Contains(text, `"reason":"reload"`) || strings.Contains(text, "people") {
		t.Errorf("after the reload: %s", text)
	}
	status, v := current()
	if status != http.StatusOK || !strings.Contains(string(v.Stats), `"users":0,`) {
		t.Errorf("%d %s", status, v.Stats)
	}
	health := func() (status int, d struct {
		Components map[string]struct{ Status, Error, Note string }
	}) {
		status, body := get(t, "http://"+a.server.MetricsAddr().String()+"/health", nil)
		decode(t, body, &d)
		return status, d
	}
	if _, h := health(); h.Components["dashboards"].Status != "up" {
		t.Errorf("%+v", h)
	}
	away, err := dashboard.Compile([]dashboard.Spec{{Name: "wall", Public: true, Database: "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "none.db")),
		Figures: []dashboard.FigureSpec{{Name: "users", Kind: "number", SQL: "SELECT count(*) FROM users"}}}})
	if err != nil {
		t.Fatal(err)
	}
	written.next.Dashboards = away
	if _, err := a.server.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.eventually("the file that is not there shows", func() bool {
		status, h := health()
		part := h.Components["dashboards"]
		return status == http.StatusServiceUnavailable && part.Status == "down" && strings.Contains(part.Error, "none.db")
	})
	if status, v := current(); status != http.StatusOK || !v.Meta["users"].Stale {
		t.Errorf("%d %+v", status, v)
	}
	if body := a.scrape(); !strings.Contains(body, `belfry_dashboard_figures_failing{dashboard="wall"}`) {
		t.Errorf("the metrics do not show the dashboard: %s", body)
	}
}

// An application that decides on channels itself decides on figures too.
func TestTheApplicationDecidesOnFigures(t *testing.T) {
	set, _ := ownDashboards(t)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "laravel=counselor" || r.FormValue("channel_name") != "private-dashboard" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, "{}")
	}))
	t.Cleanup(app.Close)
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) {
		c.Dashboards, c.Authorization.ChannelURL = set, app.URL
	})
	for cookie, want := range map[string]int{"laravel=counselor": 200, "laravel=student": 403, "": 403} {
		if status, answer := a.request(a.http, "GET", "/api/dashboard/current", "", "Cookie", cookie); status != want {
			t.Errorf("%q: %d %s, want %d", cookie, status, answer, want)
		}
	}
	_, answer := a.request(a.http, "GET", "/api/dashboards", "", "Cookie", "laravel=counselor")
	var list struct{ Dashboards []json.RawMessage }
	if decode(t, answer, &list); len(list.Dashboards) != 2 {
		t.Errorf("the list: %s", answer)
	}
}
