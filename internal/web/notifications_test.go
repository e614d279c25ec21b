package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/web"
)

// board is the door for notifications. Its users are 1, a manager, and 7; "own"
// is a token of 7's, "wrong" one that lacks the scope.
type board struct {
	t       testing.TB
	handler http.Handler
	engine  *notify.Notify
	jobs    *jobs
}

var boardCallers = map[string]gate.Caller{
	"manager": {Kind: gate.Session, User: user("1", belfry.RoleManager)},
	"person":  {Kind: gate.Session, User: user("7")},
	"own":     {Kind: gate.Token, User: user("7"), Token: token("3", "7", "", nil, identity.ScopeNotifications)},
	"wrong":   {Kind: gate.Token, User: user("1", belfry.RoleAdmin), Token: token("4", "1", "", nil, identity.ScopeEvents)},
}

type boardGate struct{ fakeGate }

func (boardGate) Caller(r *http.Request) (gate.Caller, error) {
	return boardCallers[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")], nil
}

// household are the users 1 and 7, of whom 1 is an editor.
type household struct{}

func (household) Next(_ context.Context, a notify.Audience, after string, limit int) (found []belfry.User, err error) {
	for _, id := range []string{"1", "7"} {
		if id > after && (a.IDs == nil || slices.Contains(a.IDs, id)) && (a.Roles == nil || id == "1") {
			found = append(found, belfry.User{ID: id, Name: "User " + id})
		}
	}
	return found, nil
}

func (h household) Count(ctx context.Context, a notify.Audience) (int, error) {
	found, err := h.Next(ctx, a, "", 9)
	return len(found), err
}

func (household) Unknown(_ context.Context, ids, roles []string) (unknownIDs, unknownRoles []string, err error) {
	odd := func(known ...string) func(string) bool {
		return func(s string) bool { return slices.Contains(known, s) }
	}
	return slices.DeleteFunc(slices.Clone(ids), odd("1", "7")), slices.DeleteFunc(slices.Clone(roles), odd("editor")), nil
}

type silence struct{}

func (silence) Enqueue(context.Context, *store.Tx, belfry.Event, string) error { return nil }
func (silence) PublishMany(_ context.Context, events []belfry.Event) ([]belfry.Outcome, []error) {
	return make([]belfry.Outcome, len(events)), make([]error, len(events))
}

func newBoard(t testing.TB) *board {
	db, err := store.Open(store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := &board{t: t, jobs: &jobs{}}
	b.engine = notify.New(notify.Config{DB: db, Jobs: b.jobs, Broadcast: silence{}, Recipients: household{}})
	b.handler = web.NewNotifications(web.NotificationsConfig{Gate: boardGate{}, Notify: b.engine})
	return b
}

// reply is an answer with its members.
type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (r reply) fields() string {
	faults, _ := r.body["fields"].(map[string]any)
	return strings.Join(slices.Sorted(maps.Keys(faults)), " ")
}

func (b *board) ask(as, method, path, body string, headers ...string) reply {
	b.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+as)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	answer := reply{status: w.Code, header: w.Header(), text: w.Body.String()}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &answer.body); err != nil {
			b.t.Fatalf("%s %s: %s", method, path, w.Body)
		}
	}
	return answer
}

// work does the jobs that there are.
func (b *board) work() {
	b.t.Helper()
	for len(b.jobs.all) > 0 {
		job := b.jobs.all[0]
		b.jobs.all = b.jobs.all[1:]
		if err := b.engine.Do(b.t.Context(), job); err != nil {
			b.t.Fatal(err)
		}
	}
}

const goodNotification = `{"title":"Hi <b>","message":"a & b","target":{"type":"all"},"send":true,"category":"c","data":{"x":1}}`

func TestManagersMakeAndUsersRead(t *testing.T) {
	b := newBoard(t)
	made := b.ask("manager", "POST", "/api/notifications", goodNotification)
	id, _ := made.body["id"].(string)
	if made.status != 201 || made.body["status"] != "sending" || made.header.Get("Location") != "/api/notifications/"+id || made.header.Get("ETag") != `"1"` {
		t.Fatalf("%d %s %v", made.status, made.text, made.header)
	}
	if by, _ := made.body["created_by"].(map[string]any); by["id"] != "1" {
		t.Errorf("made by %v", by)
	}
	b.work()
	list := b.ask("own", "GET", "/api/user/notifications?category=c&limit=5&q=HI", "")
	all, _ := list.body["notifications"].([]any)
	if list.status != 200 || len(all) != 1 || list.body["unread_count"] != 1.0 || list.body["state_version"] != 1.0 || list.body["next_cursor"] != nil {
		t.Fatalf("%d %s", list.status, list.text)
	}
	item, _ := all[0].(map[string]any)
	for member, want := range map[string]any{
		"id": id, "title": "Hi <b>", "title_html": "Hi &lt;b&gt;", "message_html": "a &amp; b", "type": "announcement", "priority": "medium",
		"importance": 50.0, "dismissible": true, "expires_at": nil, "read_at": nil, "icon": nil, "action_url": nil, "version": 1.0, "category": "c",
	} {
		if got, there := item[member]; got != want || !there {
			t.Errorf("%s is %v, want %v", member, got, want)
		}
	}
	if at, err := time.Parse("2006-01-02T15:04:05.000Z", fmt.Sprint(item["sent_at"])); err != nil || time.Since(at) > time.Minute {
		t.Errorf("sent_at %v", item["sent_at"])
	}
	for i, step := range []string{"read", "unread", "dismiss", "archive"} {
		r := b.ask("person", "POST", "/api/user/notifications/"+id+"/"+step, "")
		if n, _ := r.body["notification"].(map[string]any); r.status != 200 || n["version"] != float64(i+2) || r.body["state_version"] != float64(i+2) {
			t.Errorf("%s: %d %s", step, r.status, r.text)
		}
	}
	if r := b.ask("own", "GET", "/api/user/notifications?since=1&limit=1", ""); r.status != 200 || r.body["more"] != false || r.body["removed"] == nil {
		t.Errorf("since: %d %s", r.status, r.text)
	}
	if r := b.ask("manager", "DELETE", "/api/notifications/"+id, "", "If-Match", `"7"`); r.status != 409 {
		t.Errorf("delete of another revision: %d", r.status)
	}
	if r := b.ask("manager", "DELETE", "/api/notifications/"+id, "", "If-Match", `"1"`); r.status != 204 {
		t.Errorf("delete: %d %s", r.status, r.text)
	}
	if r := b.ask("manager", "GET", "/api/notifications/"+id, ""); r.status != 404 {
		t.Errorf("deleted: %d", r.status)
	}
}

func TestEachFaultOfABodyIsNamed(t *testing.T) {
	b := newBoard(t)
	past := time.Now().Add(-time.Hour).Format(time.RFC3339)
	for body, want := range map[string]string{
		`{}`: "message target title",
		`{"title":7,"message":null,"type":"x","target":{"type":"users","users":["7",9,"x"]},"data":[],"oops":1,"send":"yes"}`:                                  "data message oops send target.users[1] title type",
		`{"title":"t","message":"m","target":{"type":"users","users":["7","9"]},"action_url":"javascript:alert(1)","color":"red","expires_at":"` + past + `"}`: "action_url color expires_at target.users[1]",
		`{"title":"t","message":"m","target":{"type":"roles","roles":[]},"scheduled_at":"` + past + `"}`:                                                       "scheduled_at target.roles",
		`{"title":"t","title":"u","message":"m","target":"all","scheduled_at":"tomorrow","importance":1.5,"dismissible":null}`:                                 "dismissible importance scheduled_at target title",
		`{"title":"t","message":"m","target":{"type":"active","days":0,"extra":1}}`:                                                                            "target.days target.extra",
		`{"title":"` + strings.Repeat("x", 256) + `","message":"m","target":{"type":"none"}}`:                                                                  "target.type title",
	} {
		for _, path := range []string{"/api/notifications", "/api/notifications/check"} {
			r := b.ask("manager", "POST", path, body)
			if r.status != 422 || r.fields() != want || r.body["code"] != "invalid" {
				t.Errorf("%s: %s\nanswered %d %q %s\nwant %q", path, body, r.status, r.fields(), r.text, want)
			}
		}
	}
	if r := b.ask("manager", "POST", "/api/notifications/check", goodNotification); r.status != 204 || r.text != "" {
		t.Errorf("a good one: %d %s", r.status, r.text)
	}
	for _, body := range []string{``, `[]`, `{`, `"x"`, "{\"title\":\"\xff\"}"} {
		if r := b.ask("manager", "POST", "/api/notifications", body); r.status != 400 || strings.Contains(r.text, "channels") {
			t.Errorf("%q: %d %s", body, r.status, r.text)
		}
	}
	if r := b.ask("manager", "POST", "/api/notifications", `{"title":"`+strings.Repeat("x", 2<<20)+`"}`); r.status != 413 {
		t.Errorf("a huge body: %d", r.status)
	}
	if r := b.ask("manager", "GET", "/api/notifications", ""); !strings.Contains(r.text, `"notifications":[]`) {
		t.Errorf("something was stored: %s", r.text)
	}
	for path, want := range map[string]string{
		"/api/user/notifications?status=x&type=y&limit=200": "limit status type", "/api/user/notifications?limit=x": "limit",
		"/api/user/notifications?cursor=x": "cursor", "/api/user/notifications?since=-1": "since",
	} {
		if r := b.ask("person", "GET", path, ""); r.status != 422 || r.fields() != want {
			t.Errorf("%s: %d %s", path, r.status, r.text)
		}
	}
	for query, want := range map[string]string{"days=900": "days", "zone=Local": "zone", "zone=../etc/passwd": "zone", "zone=Mars/Olympus": "zone"} {
		if r := b.ask("manager", "GET", "/api/notifications/stats?"+query, ""); r.status != 422 || r.fields() != want {
			t.Errorf("stats?%s: %d %s", query, r.status, r.text)
		}
	}
}

func TestEditsNameTheirRevision(t *testing.T) {
	b := newBoard(t)
	made := b.ask("manager", "POST", "/api/notifications", `{"title":"a","message":"m","target":{"type":"all"},"category":"c"}`, "Idempotency-Key", "k")
	path := "/api/notifications/" + fmt.Sprint(made.body["id"])
	if again := b.ask("manager", "POST", "/api/notifications", `{"title":"a","message":"m","target":{"type":"all"},"category":"c"}`, "Idempotency-Key", "k"); again.status != 201 ||
		again.text != made.text || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again: %d %s", again.status, again.text)
	}
	if other := b.ask("manager", "POST", "/api/notifications", `{}`, "Idempotency-Key", "k"); other.status != 409 {
		t.Errorf("another body: %d %s", other.status, other.text)
	}
	if r := b.ask("manager", "PATCH", path, `{"title":"b"}`); r.status != 422 || r.fields() != "revision" {
		t.Errorf("no revision: %d %s", r.status, r.text)
	}
	if r := b.ask("manager", "PATCH", path, `{"title":"b","category":null}`, "If-Match", `"1"`); r.status != 200 || r.header.Get("ETag") != `"2"` || r.body["category"] != nil || r.body["title"] != "b" {
		t.Errorf("changed: %d %s", r.status, r.text)
	}
	if r := b.ask("manager", "PATCH", path, `{"title":"c","revision":1}`); r.status != 409 || r.body["code"] != "conflict" {
		t.Errorf("another was faster: %d %s", r.status, r.text)
	}
	if r := b.ask("manager", "PATCH", path, `{"title":"c","revision":2,"send":true}`); r.status != 422 || r.fields() != "send" {
		t.Errorf("send in an edit: %d %s", r.status, r.text)
	}
	if r := b.ask("manager", "PATCH", path, `{"title":"c"}`, "If-Match", "x"); r.status != 422 {
		t.Errorf("odd If-Match: %d %s", r.status, r.text)
	}
	at := time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000Z")
	if r := b.ask("manager", "POST", path+"/schedule", `{"scheduled_at":"`+at+`"}`); r.status != 200 || r.body["status"] != "scheduled" || r.body["scheduled_at"] != at {
		t.Errorf("schedule: %d %s", r.status, r.text)
	}
	for _, body := range []string{``, `{}`, `{"scheduled_at":"x"}`, `{"scheduled_at":"2001-01-01T00:00:00Z"}`} {
		if r := b.ask("manager", "POST", path+"/schedule", body); r.status != 422 || r.fields() != "scheduled_at" {
			t.Errorf("schedule %s: %d %s", body, r.status, r.text)
		}
	}
	if r := b.ask("manager", "POST", path+"/cancel", ""); r.status != 200 || r.body["status"] != "cancelled" {
		t.Errorf("cancel: %d %s", r.status, r.text)
	}
	if r := b.ask("manager", "POST", path+"/send", ""); r.status != 409 {
		t.Errorf("send of a cancelled one: %d %s", r.status, r.text)
	}
	if r := b.ask("manager", "POST", "/api/notifications/preview", `{"target":{"type":"roles","roles":["editor"]}}`); r.status != 200 || r.body["recipients"] != 1.0 || r.body["online"] != 0.0 {
		t.Errorf("preview: %d %s", r.status, r.text)
	}
	if r := b.ask("manager", "POST", "/api/notifications/preview", `{"target":{"type":"users","users":["2"]}}`); r.status != 422 || r.fields() != "target.users[0]" {
		t.Errorf("preview: %d %s", r.status, r.text)
	}
}

func TestNotificationsAreForThoseWhoMay(t *testing.T) {
	b := newBoard(t)
	for _, c := range []struct {
		as, method, path string
		status           int
	}{
		{"", "GET", "/api/user/notifications", 401}, {"", "POST", "/api/user/notifications/read-all", 401}, {"", "GET", "/api/notifications", 401},
		{"wrong", "GET", "/api/user/notifications", 403}, {"wrong", "GET", "/api/notifications", 403},
		{"person", "GET", "/api/notifications", 403}, {"person", "POST", "/api/notifications", 403}, {"person", "POST", "/api/notifications/check", 403}, {"own", "DELETE", "/api/notifications/x", 403},
		{"person", "DELETE", "/api/user/notifications", 405}, {"manager", "PUT", "/api/notifications/x", 405}, {"manager", "GET", "/api/notifications/x/send", 405},
		{"person", "HEAD", "/api/user/notifications", 200}, {"person", "GET", "/api/user/notifications/x", 404}, {"person", "POST", "/api/user/notifications/x/steal", 404},
	} {
		if r := b.ask(c.as, c.method, c.path, ""); r.status != c.status {
			t.Errorf("%q: %s %s: %d, want %d", c.as, c.method, c.path, r.status, c.status)
		}
	}
}

// The answers have the members that are described, and no others.
func TestDescribedNotificationsAreGiven(t *testing.T) {
	schemas := describe(t).Components.Schemas
	b := newBoard(t)
	made := b.ask("manager", "POST", "/api/notifications", goodNotification)
	b.work()
	id := fmt.Sprint(made.body["id"])
	for name, r := range map[string]reply{
		"Notification":         made,
		"NotificationPage":     b.ask("manager", "GET", "/api/notifications", ""),
		"NotificationStats":    b.ask("manager", "GET", "/api/notifications/"+id+"/stats", ""),
		"NotificationTotals":   b.ask("manager", "GET", "/api/notifications/stats", ""),
		"NotificationPreview":  b.ask("manager", "POST", "/api/notifications/preview", `{"target":{"type":"all"}}`),
		"MyNotifications":      b.ask("own", "GET", "/api/user/notifications", ""),
		"MissedNotifications":  b.ask("own", "GET", "/api/user/notifications?since=0", ""),
		"MarkedNotification":   b.ask("own", "POST", "/api/user/notifications/"+id+"/read", ""),
		"AllNotificationsRead": b.ask("own", "POST", "/api/user/notifications/read-all", ""),
		"NotificationState":    b.ask("own", "GET", "/api/user/notifications/unread-count", ""),
		"FieldProblem":         b.ask("manager", "POST", "/api/notifications", `{}`),
	} {
		got, want := slices.Sorted(maps.Keys(r.body)), slices.Sorted(maps.Keys(schemas[name].Properties))
		if !slices.Equal(got, want) {
			t.Errorf("%s has %q, described are %q", name, got, want)
		}
		if name == "MarkedNotification" {
			item, _ := r.body["notification"].(map[string]any)
			if got, want := slices.Sorted(maps.Keys(item)), slices.Sorted(maps.Keys(schemas["MyNotification"].Properties)); !slices.Equal(got, want) {
				t.Errorf("an item has %q, described are %q", got, want)
			}
		}
	}
	for member := range schemas["NotificationDraft"].Properties {
		r := b.ask("manager", "POST", "/api/notifications", `{"`+member+`":{"wrong":[]}}`)
		if strings.Contains(r.text, "no such member") && member != "target" {
			t.Errorf("%s is described and not known", member)
		}
	}
}
