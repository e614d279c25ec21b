package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/web"
)

// door is the door for events, with a gate that knows tokens by name.
type door struct {
	t       testing.TB
	handler http.Handler
	queue   *jobs
	kept    map[string]web.KeptEvent
	sent    *target
}

// callers are who the bearer tokens stand for.
var callers = map[string]gate.Caller{
	"app":     {Kind: gate.Token, User: user("7"), Token: token("3", "7", "", nil, identity.ScopeEvents)},
	"other":   {Kind: gate.Token, User: user("8"), Token: token("4", "8", "", nil, identity.ScopeEvents)},
	"bound":   {Kind: gate.Token, User: user("7"), Token: token("5", "7", "2", []string{"orders.*", "news"}, identity.ScopeEvents)},
	"orphan":  {Kind: gate.Token, User: user("7"), Token: token("6", "7", "gone", nil, identity.ScopeEvents)},
	"reader":  {Kind: gate.Token, User: user("7"), Token: token("9", "7", "", nil, identity.ScopeNotifications)},
	"admin":   {Kind: gate.Token, User: user("1", belfry.RoleAdmin), Token: token("1", "1", "", nil, identity.ScopeAdmin, identity.ScopeEvents)},
	"person":  {Kind: gate.Session, User: user("7")},
	"console": {Kind: gate.Session, User: user("1", belfry.RoleAdmin)},
}

func user(id string, roles ...string) *belfry.User { return &belfry.User{ID: id, Roles: roles} }

func token(id, owner, app string, channels []string, scopes ...string) *identity.Token {
	t := &identity.Token{ID: id, User: user(owner), Name: "t" + id, App: app, Channels: channels, Scopes: scopes}
	if owner == "1" {
		t.User.Roles = []string{belfry.RoleAdmin}
	}
	return t
}

type fakeGate struct{}

func (fakeGate) Caller(r *http.Request) (gate.Caller, error) {
	c, ok := callers[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	if !ok {
		return gate.Caller{Kind: gate.Guest}, nil
	}
	return c, nil
}

func (fakeGate) Fail(w http.ResponseWriter, _ *http.Request, _ gate.Caller, err error) {
	status, problem := gate.Explain(err)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(problem)
}

// jobs is a queue.
type jobs struct {
	mu  sync.Mutex // guards all below
	all []belfry.Job
	err error
}

func (q *jobs) Enqueue(_ context.Context, tx *store.Tx, list ...belfry.Job) ([]string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return nil, q.err
	}
	q.all = append(q.all, list...)
	return nil, nil
}

// target is a driver.
type target struct {
	err  error
	last belfry.Event
}

func (*target) Name() string                { return "target" }
func (*target) Check(context.Context) error { return nil }
func (d *target) Send(_ context.Context, events []belfry.Event) ([]belfry.Outcome, error) {
	if d.err != nil {
		return nil, d.err
	}
	d.last = events[0]
	return []belfry.Outcome{{ID: events[0].ID, Receipt: &belfry.Receipt{Matched: 3, Written: 3}}}, nil
}

func eventApps(id string) *belfry.App {
	switch id {
	case "", "1":
		return &belfry.App{ID: "1", Limits: belfry.DefaultLimits()}
	case "2":
		return &belfry.App{ID: "2", Limits: belfry.DefaultLimits()}
	}
	return nil
}

func newDoor(t testing.TB) *door {
	db, err := store.Open(store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, queue: &jobs{}, sent: &target{}, kept: map[string]web.KeptEvent{}}
	b := broadcast.New(broadcast.Config{Driver: d.sent, Apps: eventApps, Queue: d.queue, DB: db})
	d.handler = web.NewEvents(web.EventsConfig{Gate: fakeGate{}, Broadcast: b, Apps: eventApps,
		MaxBody: func() int64 { return 20 << 10 },
		Kept: func(_ context.Context, id string) (web.KeptEvent, error) {
			k, ok := d.kept[id]
			if !ok {
				return k, belfry.Errorf(belfry.CodeNotFound, "none")
			}
			return k, nil
		}})
	return d
}

// answer is what the door gave.
type answer struct {
	Status int `json:"-"`
	header http.Header
	text   string

	ID      string          `json:"id"`
	State   string          `json:"status"`
	Receipt *belfry.Receipt `json:"receipt"`
	Error   string          `json:"error"`
	Code    string          `json:"code"`
}

func (d *door) ask(method, path, who, body string, headers ...string) answer {
	d.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+who)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	a := answer{Status: w.Code, header: w.Header(), text: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		d.t.Fatalf("%s %s answered %d %q", method, path, w.Code, w.Body)
	}
	if (w.Code >= 400) != (a.Error != "" && a.Code != "") {
		d.t.Errorf("%s %s answered %d %s", method, path, w.Code, w.Body)
	}
	return a
}

func (d *door) post(who, body string, headers ...string) answer {
	d.t.Helper()
	return d.ask("POST", "/api/events", who, body, headers...)
}

const good = `{"event": "e", "channels": ["news"], "data": {"n": 1}}`

func TestAnEventIsQueued(t *testing.T) {
	d := newDoor(t)
	a := d.post("app", `{"event":"e","channels":["private-user.7","b"],"data":{"n":1},"queue":"high","delay":"90s","now":false,
		"exclude_socket_id":null,"expires_in":3600,"with_id":true,"tries":4,"condition":"occupied","connection":"database"}`, "X-Socket-ID", "1.2")
	if a.Status != 202 || a.ID == "" || a.State != "queued" || a.header.Get("Location") != "/api/events/"+a.ID || a.text != `{"id":"`+a.ID+`","status":"queued"}`+"\n" {
		t.Fatalf("%d %s", a.Status, a.text)
	}
	job := d.queue.all[0]
	var e belfry.Event
	if err := json.Unmarshal(job.Payload, &e); err != nil {
		t.Fatal(err)
	}
	if job.ID != a.ID || job.Queue != "high" || job.Tries != 4 || job.RunAt.Sub(e.Accepted).Seconds() < 89 || e.App != "1" || e.ExcludeSocket != "1.2" ||
		e.Expires.Sub(e.Accepted).Seconds() != 3600 || e.Condition != "occupied" || e.Origin != "token 3 (t3)" || string(e.Data) != `{"event_id":"`+a.ID+`","n":1}` {
		t.Errorf("job %+v, event %+v", job, e)
	}
	if a := d.post("app", `{"event":"e","channels":["a"],"exclude_socket_id":"3.4"}`, "X-Socket-ID", "undefined"); a.Status != 202 {
		t.Errorf("%+v", a)
	}
}

func TestNowAnswersWithAReceipt(t *testing.T) {
	d := newDoor(t)
	a := d.post("console", `{"event":"e","channels":["a"],"data":"text","now":true,"app":"2"}`)
	if a.Status != 200 || a.State != "sent" || a.Receipt == nil || a.Receipt.Matched != 3 || d.sent.last.App != "2" || d.sent.last.ID != a.ID {
		t.Errorf("%+v, sent %+v", a, d.sent.last)
	}
	d.sent.err = errors.New("dial tcp 10.0.0.1: refused")
	if a := d.post("app", `{"event":"e","channels":["a"],"now":true}`); a.Status != 503 || a.Code != "unavailable" || strings.Contains(a.text, "10.0.0.1") {
		t.Errorf("%+v", a)
	}
}

func TestFaultsOfTheBodyAreNamed(t *testing.T) {
	d := newDoor(t)
	for body, says := range map[string][]string{
		``:                                  {"not JSON"},
		`{"event": "e",` + "\n" + `  nope}`: {"line 2, column 3"},
		`[]`:                                {"must be a JSON object"},
		`"x"`:                               {"must be a JSON object"},
		good + good:                         {"not JSON"},
		"{\"event\":\"\xff\"}":              {"UTF-8"},
		`{}`:                                {"event: it is missing", "channels: it is missing"},
		`{"event":1,"channels":"a","delay":"soon","now":"yes","tries":0}`: {"event: it must be a string", "channels: it must be an array", "delay: it must be a time", "now: it must be true", "tries: it must"},
		`{"event":"e","channels":["a",1]}`:                                {"channels: it must be an array of strings"},
		`{"event":"e","channels":["a",null]}`:                             {"channels: it must be an array of strings"},
		`{"event":"e","channels":[]}`:                                     {"channels: name at least one"},
		`{"event":"","channels":["a"]}`:                                   {"event: the event's name is missing"},
		`{"name":"e","channel":"a","Data":1,"zz":1}`:                      {"name: there is no such member; did you mean event?", "did you mean channels?", "did you mean data?", "zz: there is no such member"},
		`{"evnt":"e","excludeSocketId":null,"somethingelse":1}`:           {"did you mean event?", "did you mean exclude_socket_id?", "there are: app,"},
		`{"event":"e","event":"f","channels":["a"]}`:                      {"event: it stands twice"},
		`{"event":"e","channels":["a"],"delay":-1}`:                       {"delay:"},
		`{"event":"e","channels":["a"],"delay":"-5s"}`:                    {"delay:"},
		`{"event":"e","channels":["a"],"delay":1e300}`:                    {"delay:"},
		`{"event":"e","channels":["a"],"delay":"10000000h"}`:              {"delay:"},
		`{"event":"e","channels":["a"],"delay":"1m","expires_in":"30s"}`:  {"expires_in:"},
		`{"event":"e","channels":["a"],"delay":"1m","now":true}`:          {"delay:"},
		`{"event":"e","channels":["a"],"queue":"no/pe"}`:                  {"queue:"},
		`{"event":"e","channels":["a"],"connection":"sqs"}`:               {"connection:", "database"},
		`{"event":"e","channels":["a"],"exclude_socket_id":"x"}`:          {"exclude_socket_id:"},
		`{"event":"e","channels":["a"],"condition":"moon"}`:               {"condition:", "occupied"},
		`{"event":"e","channels":["a"],"data":[1],"with_id":true}`:        {"with_id:"},
		`{"event":"e","channels":["a b"]}`:                                {"not a legal name"},
	} {
		a := d.post("app", body)
		if a.Status != 400 || a.Code != "invalid" {
			t.Errorf("%s: %d %s", body, a.Status, a.text)
		}
		for _, part := range says {
			if !strings.Contains(a.Error, part) {
				t.Errorf("%s: %q says nothing of %q", body, a.Error, part)
			}
		}
	}
	if len(d.queue.all) != 0 {
		t.Errorf("%d events were accepted", len(d.queue.all))
	}
}

func TestDurationsAreReadAsLaravelHasThem(t *testing.T) {
	d := newDoor(t)
	for written, seconds := range map[string]float64{`5`: 5, `"5"`: 5, `"5s"`: 5, `0.5`: 0.5, `"1m30s"`: 90, `"0s"`: 0, `0`: 0, `null`: 0} {
		a := d.post("app", `{"event":"e","channels":["a"],"delay":`+written+`}`)
		if a.Status != 202 {
			t.Errorf("%s: %+v", written, a)
			continue
		}
		job := d.queue.all[len(d.queue.all)-1]
		if seconds == 0 && !job.RunAt.IsZero() {
			t.Errorf("%s: runs at %s", written, job.RunAt)
		}
		if got := job.RunAt.Sub(job.Enqueued).Seconds(); seconds > 0 && (got < seconds || got > seconds+5) {
			t.Errorf("%s: waits %v s", written, got)
		}
	}
}

func TestWhoMayPublishWhat(t *testing.T) {
	d := newDoor(t)
	for _, c := range []struct {
		who, body string
		status    int
	}{
		{"nobody", good, 401},
		{"reader", good, 403},
		{"person", good, 403},
		{"app", good, 202},
		{"app", `{"event":"e","channels":["a"],"app":"1"}`, 202},
		{"app", `{"event":"e","channels":["a"],"app":"2"}`, 403},
		{"app", `{"event":"e","channels":["a"],"app":"9"}`, 403},
		{"bound", good, 202},
		{"bound", `{"event":"e","channels":["orders.1","news"],"app":"2"}`, 202},
		{"bound", `{"event":"e","channels":["orders.1","other"]}`, 403},
		{"bound", `{"event":"e","channels":["news"],"app":"1"}`, 403},
		{"orphan", good, 403},
		{"admin", `{"event":"e","channels":["a"],"app":"2"}`, 202},
		{"admin", `{"event":"e","channels":["a"],"app":"9"}`, 404},
		{"console", good, 202},
		{"admin", `{"event":"notification.sent","channels":["private-user.7"]}`, 403},
		{"admin", `{"event":"DashboardUpdated","channels":["private-dashboard"]}`, 403},
		{"app", `{"event":"pusher:ping","channels":["a"]}`, 403},
	} {
		if a := d.post(c.who, c.body); a.Status != c.status {
			t.Errorf("%s with %s: %d %s, want %d", c.who, c.body, a.Status, a.text, c.status)
		}
	}
	if last := d.queue.all[2]; !strings.Contains(string(last.Payload), `"app":"2"`) {
		t.Errorf("a bound token's event went to another app: %s", last.Payload)
	}
}

func TestSizes(t *testing.T) {
	d := newDoor(t)
	if a := d.post("app", `{"event":"e","channels":["a"],"data":"`+strings.Repeat("x", 10<<10)+`"}`); a.Status != 202 {
		t.Errorf("%d %.200s", a.Status, a.text)
	}
	for _, size := range []int{10<<10 + 1, 30 << 10} {
		if a := d.post("app", `{"event":"e","channels":["a"],"data":"`+strings.Repeat("x", size)+`"}`); a.Status != 413 || a.Code != "too_large" {
			t.Errorf("%d bytes: %d %.200s", size, a.Status, a.text)
		}
	}
}

func TestIdempotencyKeys(t *testing.T) {
	d := newDoor(t)
	first := d.post("app", good, "Idempotency-Key", "k")
	again := d.post("app", good, "Idempotency-Key", "k")
	if first.Status != 202 || again.Status != 202 || again.text != first.text || len(d.queue.all) != 1 ||
		first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%+v, then %+v; %d jobs", first, again, len(d.queue.all))
	}
	if a := d.post("app", strings.Replace(good, "1", "2", 1), "Idempotency-Key", "k"); a.Status != 409 || a.Code != "conflict" {
		t.Errorf("another body: %+v", a)
	}
	if a := d.post("app", good, "Idempotency-Key", "k", "X-Socket-ID", "1.2"); a.Status != 409 {
		t.Errorf("another socket: %+v", a)
	}
	if a := d.post("other", good, "Idempotency-Key", "k"); a.Status != 202 || a.ID == first.ID {
		t.Errorf("another token: %+v", a)
	}
	if a := d.post("app", good, "Idempotency-Key", strings.Repeat("k", 256)); a.Status != 400 {
		t.Errorf("a long key: %+v", a)
	}
	now := strings.Replace(good, "{", `{"now":true,`, 1)
	sent := d.post("app", now, "Idempotency-Key", "n")
	if a := d.post("app", now, "Idempotency-Key", "n"); a.Status != 200 || a.text != sent.text {
		t.Errorf("now: %+v, then %+v", sent, a)
	}
}

func TestAQueueOutOfReachAcceptsNothing(t *testing.T) {
	d := newDoor(t)
	d.queue.err = belfry.Errorf(belfry.CodeUnavailable, "the database cannot be reached")
	if a := d.post("app", good, "Idempotency-Key", "k"); a.Status != 503 || a.Code != "unavailable" {
		t.Errorf("%+v", a)
	}
	d.queue.err = nil
	if a := d.post("app", good, "Idempotency-Key", "k"); a.Status != 202 || a.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("the key was not free: %+v", a)
	}
}

func TestWhatBecameOfAnEvent(t *testing.T) {
	d := newDoor(t)
	get := func(who, id string) (a answer, state struct {
		Status, Event, Queue string
		Tries                int
		Timeline             []broadcast.Step
	}) {
		a = d.ask("GET", "/api/events/"+id, who, "")
		json.Unmarshal([]byte(a.text), &state)
		return a, state
	}
	id := d.post("app", `{"event":"e","channels":["a"],"data":{"pin":1234}}`).ID
	d.kept[id] = web.KeptEvent{State: "retrying", Queue: "default", Tries: 2}
	a, state := get("app", id)
	if a.Status != 200 || state.Status != "retrying" || state.Tries != 2 || len(state.Timeline) != 2 || state.Event != "e" || strings.Contains(a.text, "1234") {
		t.Errorf("%s", a.text)
	}
	delete(d.kept, id)
	if _, state := get("app", id); state.Status != "done" {
		t.Errorf("done elsewhere: %+v", state)
	}
	if a, _ := get("other", id); a.Status != 404 {
		t.Errorf("another's: %+v", a)
	}
	if a, _ := get("admin", id); a.Status != 200 {
		t.Errorf("an admin: %+v", a)
	}
	if a, _ := get("nobody", id); a.Status != 401 {
		t.Errorf("nobody: %+v", a)
	}
	if a, _ := get("app", "never"); a.Status != 404 {
		t.Errorf("never: %+v", a)
	}
	sent := d.post("app", `{"event":"e","channels":["a"],"now":true}`).ID
	if a, state := get("app", sent); a.Status != 200 || state.Status != "sent" || state.Timeline[1].Receipt.Written != 3 {
		t.Errorf("sent: %s", a.text)
	}
}

func TestOtherMethodsAndPaths(t *testing.T) {
	d := newDoor(t)
	if a := d.ask("GET", "/api/events", "app", ""); a.Status != 405 || a.header.Get("Allow") != "POST" {
		t.Errorf("%+v", a)
	}
	if a := d.ask("DELETE", "/api/events/x", "app", ""); a.Status != 405 || a.header.Get("Allow") != "GET" {
		t.Errorf("%+v", a)
	}
	if a := d.ask("GET", "/api/event", "app", ""); a.Status != 404 {
		t.Errorf("%+v", a)
	}
}
