package web_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/internal/web"
)

// description reads the description as clients get it.
type description struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		OperationID string
		Summary     string
		Responses   map[string]json.RawMessage
		RequestBody json.RawMessage
	}
	Components struct{ Schemas map[string]schema }
	text       string
}

type schema struct {
	Type                 any
	Required             []string
	Enum                 []string
	AdditionalProperties *bool
	Properties           map[string]schema
}

func describe(t *testing.T) (d description) {
	t.Helper()
	w := httptest.NewRecorder()
	newSite(t).ServeHTTP(w, httptest.NewRequest("GET", "/api/openapi.json", nil))
	d.text = w.Body.String()
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != 200 || !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Fatalf("%d %v %.100s", w.Code, err, w.Body)
	}
	return d
}

// newSite is everything that the server has for browsers and applications.
func newSite(t *testing.T) http.Handler {
	t.Helper()
	db, err := store.Open(store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	people, err := identity.New(identity.Config{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gate.New(gate.Config{Identity: people})
	if err != nil {
		t.Fatal(err)
	}
	a, err := authz.New(authz.Config{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	b := broadcast.New(broadcast.Config{Driver: &target{}, Apps: eventApps, Queue: &jobs{}})
	in := ingest.New(ingest.Config{DB: db})
	in.SetSecrets([]string{"a-secret-of-more-than-sixteen"})
	return web.New(web.Config{
		Ingest:  web.NewIngest(web.IngestConfig{Address: g.Address, Take: in.Take}),
		Version: "1.2.3", Gate: g, Identity: people,
		Dashboards: web.NewDashboards(web.DashboardsConfig{Gate: g, Dashboards: boards(t), App: boardsApp,
			Authorizer: func() web.DashboardAuthorizer { return a }}),
		Events:        web.NewEvents(web.EventsConfig{Gate: g, Broadcast: b, Apps: eventApps}),
		Notifications: web.NewNotifications(web.NotificationsConfig{Gate: g, Notify: notify.New(notify.Config{DB: db})}),
	})
}

func TestTheDescriptionIsWhole(t *testing.T) {
	d := describe(t)
	seen := map[string]bool{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			if op.OperationID == "" || seen[op.OperationID] || op.Summary == "" || len(op.Responses) == 0 {
				t.Errorf("%s %s: %+v", method, path, op)
			}
			seen[op.OperationID] = true
		}
	}
	for _, piece := range strings.Split(d.text, `"$ref":"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(piece, `"`)
		if _, ok := d.Components.Schemas[name]; !ok {
			t.Errorf("no schema %s", name)
		}
	}
	for name, s := range d.Components.Schemas {
		for _, required := range s.Required {
			if _, ok := s.Properties[required]; !ok {
				t.Errorf("%s requires %s, which it does not have", name, required)
			}
		}
	}
}

// Every path that is described is served, with the methods that are described
// and no others.
func TestDescribedRoutesAreServed(t *testing.T) {
	d, site := describe(t), newSite(t)
	for path, described := range d.Paths {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			w := httptest.NewRecorder()
			site.ServeHTTP(w, httptest.NewRequest(strings.ToUpper(method), strings.ReplaceAll(path, "{id}", "x"), strings.NewReader("{}")))
			got := w.Code
			switch op, ok := described[method]; {
			case !ok && got != 404 && got != 405:
				t.Errorf("%s %s answered %d, but is not described", method, path, got)
			case ok && path == web.IngestPath:
				if got != 403 {
					t.Errorf("%s %s without a signature answered %d", method, path, got)
				}
			case ok && op.Responses["401"] != nil && got != 401, ok && op.Responses["401"] == nil && got != 200:
				t.Errorf("%s %s answered %d to nobody", method, path, got)
			}
		}
	}
}

// Every member of the body that is described is read, as the described type,
// and no other.
func TestDescribedMembersAreRead(t *testing.T) {
	d, door := describe(t), newDoor(t)
	s := d.Components.Schemas["Event"]
	for name, member := range s.Properties {
		body := map[string]any{"event": "e", "channels": []string{"a"}, name: map[string]any{"wrong": 1}}
		text, _ := json.Marshal(body)
		a := door.post("app", string(text))
		if name == "data" {
			if a.Status != 202 {
				t.Errorf("data: %s", a.text)
			}
			continue
		}
		if a.Status != 400 || !strings.HasPrefix(a.Error, name+": it must be") {
			t.Errorf("%s of a wrong type: %s", name, a.text)
		}
		nullable := strings.Contains(fmt.Sprint(member.Type), "null")
		body[name] = nil
		text, _ = json.Marshal(body)
		if a := door.post("app", string(text)); (a.Status == 202) != nullable {
			t.Errorf("%s: null answered %s", name, a.text)
		}
		if slices.Contains(s.Required, name) {
			delete(body, name)
			text, _ = json.Marshal(body)
			if a := door.post("app", string(text)); a.Status != 400 {
				t.Errorf("without %s: %s", name, a.text)
			}
		}
	}
	a := door.post("app", `{"event":"e","channels":["a"],"somethingelse":1}`)
	_, known, _ := strings.Cut(a.Error, "there are: ")
	if want := strings.Join(slices.Sorted(maps.Keys(s.Properties)), ", "); known != want || *s.AdditionalProperties {
		t.Errorf("the door knows %s, the description %s", known, want)
	}
}

// The answers have the members that are described, and no others.
func TestDescribedAnswersAreGiven(t *testing.T) {
	schemas := describe(t).Components.Schemas
	for name, v := range map[string]any{"Accepted": broadcast.Accepted{}, "Receipt": belfry.Receipt{}, "EventStep": trace.Step{}, "User": belfry.User{}, "Problem": gate.Problem{},
		"DashboardChangeTaken": ingest.Result{}} {
		var members []string
		for f := range reflect.TypeOf(v).Fields() {
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "-" {
				members = append(members, tag)
			}
		}
		slices.Sort(members)
		if got := slices.Sorted(maps.Keys(schemas[name].Properties)); !slices.Equal(got, members) {
			t.Errorf("%s has %q, described are %q", name, members, got)
		}
	}
	door := newDoor(t)
	id := door.post("app", good).ID
	door.kept[id] = web.KeptEvent{State: "delayed", Queue: "q", Tries: 1}
	var state map[string]any
	if err := json.Unmarshal([]byte(door.ask("GET", "/api/events/"+id, "app", "").text), &state); err != nil {
		t.Fatal(err)
	}
	for member := range state {
		if _, ok := schemas["EventState"].Properties[member]; !ok {
			t.Errorf("the state has %s, which is not described", member)
		}
	}
	for _, step := range []string{trace.Accepted, trace.Queued, trace.Published, trace.Failed, trace.Retrying, trace.GaveUp, trace.Skipped, trace.Sent, trace.Webhook, trace.Refused} {
		if !slices.Contains(schemas["EventStep"].Properties["what"].Enum, step) {
			t.Errorf("step %s is not described", step)
		}
	}
}
