package web_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/web"
)

// boards are a private and a public dashboard over a database that is not there.
func boards(t *testing.T) *dashboard.Dashboards {
	t.Helper()
	database := "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "none.db"))
	set, err := dashboard.Compile([]dashboard.Spec{
		{Name: "default", Database: database, Figures: []dashboard.FigureSpec{{Name: "people", Kind: "rows", SQL: "SELECT 1"}}},
		{Name: "open", Database: database, Public: true, Figures: []dashboard.FigureSpec{
			{Name: "days", Kind: "series", SQL: "SELECT 1"}, {Name: "people", Kind: "rows", Personal: true, SQL: "SELECT 1"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := dashboard.New(dashboard.Config{Set: set,
		Publish: func(context.Context, string, string, json.RawMessage, string) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// boardsApp is the app that they are broadcast to.
func boardsApp() *belfry.App {
	return &belfry.App{ID: "1", Keys: []belfry.Credential{{Key: "k", Secret: "s"}}, Limits: belfry.DefaultLimits()}
}

func TestPublicDashboardsAreForEverybody(t *testing.T) {
	site := newSite(t)
	ask := func(path string, headers ...string) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequest("GET", path, nil)
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		return w
	}
	const open = web.DashboardCurrentPath + "?dashboard=open"
	w := ask(open)
	var v dashboard.View
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if v.Channel != "dashboard.open" || !v.Public || len(v.Figures) != 1 || strings.Contains(w.Body.String(), "people") {
		t.Errorf("a personal figure is shown: %s", w.Body)
	}
	if m := v.Meta["days"]; !m.Stale || m.AsOf != nil || !strings.Contains(w.Body.String(), `"days":null`) {
		t.Errorf("a figure without a database: %s", w.Body)
	}
	tag := w.Header().Get("ETag")
	if w := ask(open, "If-None-Match", `"other", W/`+tag); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("%s: %d %s", tag, w.Code, w.Body)
	}
	if w := ask(open+"&range=today", "If-None-Match", tag); w.Code != 200 {
		t.Errorf("another range: %d", w.Code)
	}
	// A token that is no good does not take away what everybody has.
	if w := ask(open, "Authorization", "Bearer belfry_none"); w.Code != 200 {
		t.Errorf("with a wrong token: %d", w.Code)
	}
	if w := ask(open + "&range=next_week"); w.Code != 400 || !strings.Contains(w.Body.String(), "last_30_days") {
		t.Errorf("unknown range: %d %s", w.Code, w.Body)
	}
	if w := ask(web.DashboardCurrentPath + "?range=next_week"); w.Code != 401 {
		t.Errorf("a private one: %d %s", w.Code, w.Body)
	}
	if w := ask(web.DashboardCurrentPath + "?dashboard=none"); w.Code != 404 || !strings.Contains(w.Body.String(), "you may see: open") {
		t.Errorf("one that there is not: %d %s", w.Code, w.Body)
	}
	if w := ask(web.DashboardsPath); w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"dashboards":[{"name":"open","title":"open","channel":"dashboard.open","public":true}]}` {
		t.Errorf("the list: %d %s", w.Code, w.Body)
	}
	r := httptest.NewRequest("POST", web.DashboardsPath, nil)
	w = httptest.NewRecorder()
	if site.ServeHTTP(w, r); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestFiguresAreAsDescribed(t *testing.T) {
	schemas := describe(t).Components.Schemas
	view, err := boards(t).Current(t.Context(), "open", "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(view)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Figures []map[string]any
		Meta    map[string]map[string]any
	}
	var members map[string]any
	if json.Unmarshal(text, &got) != nil || json.Unmarshal(text, &members) != nil {
		t.Fatalf("%s", text)
	}
	info := map[string]any{}
	if text, err = json.Marshal(dashboard.Info{}); err != nil || json.Unmarshal(text, &info) != nil {
		t.Fatalf("%s", text)
	}
	for name, has := range map[string]map[string]any{"DashboardFigures": members, "DashboardFigure": got.Figures[0], "DashboardStale": got.Meta["days"], "Dashboard": info} {
		if a, b := slices.Sorted(maps.Keys(has)), slices.Sorted(maps.Keys(schemas[name].Properties)); !slices.Equal(a, b) {
			t.Errorf("%s has %q, described are %q", name, a, b)
		}
	}
}
