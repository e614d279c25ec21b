package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/hub/memcluster"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/pusher"
	"github.com/belfryhq/belfry/server"
)

// evidence is all that shows a verdict.
func evidence(v explain.Verdict) string { return strings.Join(v.Evidence, "\n") }

func TestExplainNamesAnEventThatIsNotSentAnyMore(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres", "redis"} {
		t.Run(name, func(t *testing.T) { explainEnded(t, backends[name](t)) })
	}
}

func explainEnded(t *testing.T, cfg server.BackendConfig) {
	e := explaining(t, cfg, func(c *server.Config) { c.NoWorkers = true })
	token := e.sender()

	// No worker came in time.
	expires := time.Now().Add(time.Second)
	late := explain.Question{ID: e.send(token, `{"event":"order.paid","channels":["orders"],"data":`+payload+`,"expires_in":1}`)}
	e.says(explain.NoWorker, late)
	e.eventually("it is past its time", func() bool { return time.Now().After(expires.Add(100 * time.Millisecond)) })
	stop := e.worker("default")
	v := e.says(explain.Expired, late, "it expired at "+expires.UTC().Format("2006-01-02T15:04"), "before a worker came to it")
	if !strings.Contains(v.Fix, "expires_in") || !strings.Contains(evidence(v), "queued in default") {
		t.Errorf("fix %q, evidence %q", v.Fix, v.Evidence)
	}
	stop()

	// Somebody cleared the queue.
	cleared := explain.Question{ID: e.send(token, `{"event":"order.paid","channels":["orders"],"data":`+payload+`}`)}
	e.eventually("the worker is gone", func() bool { return e.ask(cleared).Code == explain.NoWorker })
	if n, err := e.other.Queue.Clear(t.Context(), "default"); n != 1 || err != nil {
		t.Fatalf("cleared %d, %v", n, err)
	}
	v = e.says(explain.Lost, cleared, "is in no queue any more", "nothing says that it was sent")
	if !strings.Contains(v.Fix, "queue:clear") {
		t.Errorf("fix %q", v.Fix)
	}
}

// slow is a broadcaster's target that answers when it is told to.
type slow struct {
	*httptest.Server
	came    chan string // the name of each event, when it came
	release chan int    // statuses to answer with
}

func slowTarget(t *testing.T) *slow {
	s := &slow{came: make(chan string, 10), release: make(chan int)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct{ Name string }
		body, _ := io.ReadAll(r.Body)
		json.Unmarshal(body, &e)
		s.came <- e.Name
		select {
		case status := <-s.release:
			w.WriteHeader(status)
			io.WriteString(w, "{}")
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// backend has events go to the target.
func (s *slow) backend() server.BackendConfig {
	at, _ := url.Parse(s.URL)
	port, _ := strconv.Atoi(at.Port())
	return server.BackendConfig{Broadcaster: "pusher", Target: server.Target{AppID: appID, Key: appKey, Secret: appSecret, Host: at.Hostname(), Port: port, Scheme: "http"}}
}

func TestExplainNamesAnEventThatWaits(t *testing.T) {
	target := slowTarget(t)
	e := explaining(t, target.backend(), func(c *server.Config) { c.Concurrency = 1 })
	token := e.sender()
	event := func(name, more string) explain.Question {
		return explain.Question{ID: e.send(token, `{"event":"`+name+`","channels":["orders"],"data":`+payload+more+`}`)}
	}
	first := event("first", "")
	if name := <-target.came; name != "first" {
		t.Fatalf("%s came", name)
	}
	e.says(explain.Waiting, first, "A worker is sending the event at the moment")
	second, third := event("second", ""), event("third", "")
	v := e.says(explain.Waiting, second, `waits in the queue "default" until a worker is free`, "1 other job waits there too")
	if !strings.Contains(evidence(v), "1 worker takes jobs from this queue") {
		t.Errorf("evidence %q", v.Evidence)
	}

	// One that no queue has is on its way too. It has a channel of its own, since
	// those of one channel go one after the other.
	done := make(chan struct{})
	go func() {
		defer close(done)
		if status, answer := e.request(e.http, "POST", "/api/events", `{"event":"now","channels":["news"],"data":{},"now":true}`, "Authorization", "Bearer "+token); status != 200 {
			t.Errorf("sent now: %d %s", status, answer)
		}
	}()
	if name := <-target.came; name != "now" {
		t.Fatalf("%s came", name)
	}
	w := e.connect(testApp())
	e.says(explain.Waiting, explain.Question{Socket: w.id, Event: "now", Channel: "news"}, "accepted and is being sent at the moment")

	// The target refuses: that is no wait any more.
	target.release <- 200
	target.release <- 200
	<-done
	for _, status := range []int{401, 413} {
		if name := <-target.came; name != "second" && name != "third" {
			t.Fatalf("%s came", name)
		}
		target.release <- status
	}
	e.says(explain.SentElsewhere, first)
	v = e.says(explain.JobFailed, second, "given up after 1 try", "refused the credentials (401)")
	if !strings.Contains(v.Fix, "queue:retry "+second.ID) {
		t.Errorf("fix %q", v.Fix)
	}
	e.says(explain.JobFailed, third, "too large", "(413)")
}

// lossy is a way to the server that may break after a publish went through, so
// that the worker does not hear of it.
type lossy struct {
	server.Realtime
	lost atomic.Int32 // answers that are to be lost
}

func (l *lossy) PublishEvent(ctx context.Context, app, id string, p pusher.Event) (belfry.Receipt, bool, error) {
	r, repeat, err := l.Realtime.PublishEvent(ctx, app, id, p)
	if err == nil && l.lost.Add(-1) >= 0 {
		return belfry.Receipt{}, false, belfry.Errorf(belfry.CodeUnavailable, "the answer was lost")
	}
	return r, repeat, err
}

func TestExplainNamesAnEventThatWasSentBefore(t *testing.T) {
	e := explaining(t, server.BackendConfig{}, func(c *server.Config) { c.NoWorkers, c.Trace.Rate = true, 1 })
	token := e.sender()
	w := e.connect(testApp())
	w.subscribe("orders")
	way := &lossy{}
	way.lost.Store(1)
	stop := e.lossyWorker(way)
	defer stop()
	event := `{"event":"order.paid","channels":["orders"],"data":` + payload + `,"tries":5}`
	twice := explain.Question{ID: e.send(token, event)}
	w.expect("order.paid", "orders")
	v := e.says(explain.Delivered, twice, "1 subscriber")
	e.eventually("the second try is told", func() bool {
		return strings.Contains(evidence(e.ask(twice)), "skipped: it was delivered already")
	})
	if v = e.ask(twice); v.Code != explain.Delivered {
		t.Errorf("said %s: %s", v.Code, v.Sentence)
	}

	// The same while there are so many events that its delivery is not among those
	// that are traced: what is skipped is.
	for attempt := 0; ; attempt++ {
		if attempt == 20 {
			t.Fatal("every event is traced")
		}
		e.crowd()
		way.lost.Store(1)
		id := e.send(token, event)
		w.expect("order.paid", "orders")
		var code explain.Code
		e.eventually("the second try is told", func() bool {
			v := e.ask(explain.Question{ID: id})
			code = v.Code
			return strings.Contains(evidence(v), "skipped: it was delivered already")
		})
		if code == explain.Delivered {
			continue // it was one of those that are traced
		}
		v := e.says(explain.Repeated, explain.Question{ID: id}, "was not sent a second time: it was delivered already")
		if !strings.Contains(v.Fix, "under this id before") {
			t.Errorf("fix %q", v.Fix)
		}
		break
	}
	w.close()
}

// lossyWorker runs a worker whose way to the server is lossy.
func (e *explained) lossyWorker(way *lossy) (stop func()) {
	e.t.Helper()
	link := server.NewLink(e.dir)
	notes := server.NewNotes(link)
	way.Realtime = link
	b, err := server.OpenBackend(server.BackendConfig{DataDir: e.dir}, server.Links{Realtime: way, App: e.app, Trace: notes.Tell})
	if err != nil {
		e.t.Fatal(err)
	}
	if err := b.Prepare(e.t.Context()); err != nil {
		e.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(e.t.Context())
	var both sync.WaitGroup
	both.Go(func() { notes.Run(ctx) })
	both.Go(func() {
		if _, err := b.Queue.Work(ctx, queue.Worker{Queues: []string{"default"}, Backoff: []time.Duration{time.Millisecond}}); err != nil {
			e.t.Error(err)
		}
	})
	return sync.OnceFunc(func() {
		cancel()
		both.Wait()
		link.Close()
		if err := b.Close(); err != nil {
			e.t.Error(err)
		}
	})
}

// crowd publishes more events than are traced whole.
func (e *explained) crowd() {
	e.t.Helper()
	for range 64 {
		e.paid("crowd")
	}
}

func TestExplainSaysThatAnEventWasNotTraced(t *testing.T) {
	e := explaining(t, server.BackendConfig{}, func(c *server.Config) { c.Trace.Rate = 1 })
	w := e.connect(testApp())
	w.subscribe("orders")
	e.crowd()
	var lost string
	for attempt := 0; lost == ""; attempt++ { // one in many is traced: it may be this one
		if attempt == 20 {
			t.Fatal("every event is traced")
		}
		if id := e.published("crowd"); e.ask(explain.Question{ID: id}).Code != explain.NobodyThere {
			lost = id
		}
	}
	v := e.says(explain.NotTraced, explain.Question{ID: lost}, "was not traced", "there were so many that one in")
	if !strings.Contains(v.Fix, "trace.events_per_second") {
		t.Errorf("fix %q", v.Fix)
	}
	// The crowd has gone, and it is not forgotten that there was one.
	quiet := time.Now().Add(2 * time.Second)
	e.eventually("it is quiet again", func() bool { return time.Now().After(quiet) })
	e.says(explain.NotTraced, explain.Question{Socket: w.id, Event: "order.shipped", Channel: "orders"}, "one in", "it may be one of the others")
}

func TestExplainSaysThatNothingIsTraced(t *testing.T) {
	e := explaining(t, server.BackendConfig{}, func(c *server.Config) { c.Trace.Off, c.NoWorkers = true, true })
	w := e.connect(testApp())
	w.subscribe("orders")
	id := e.published("orders")
	v := e.says(explain.NotTraced, explain.Question{ID: id}, "trace.enabled is false")
	if !strings.Contains(v.Fix, "trace.enabled: true") {
		t.Errorf("fix %q", v.Fix)
	}
	v = e.says(explain.NotTraced, explain.Question{Socket: w.id, Event: "order.paid", Channel: "orders"}, "trace.enabled is false")
	if !strings.Contains(evidence(v), "Socket "+w.id+" is connected to app 1001 now, and subscribed to orders.") {
		t.Errorf("evidence %q", v.Evidence)
	}
	e.says(explain.UnknownSocket, explain.Question{Socket: "1.1", Channel: "orders"}, "No open connection", "trace.enabled is false")
	e.says(explain.NoWorker, explain.Question{ID: e.queued(`{"event":"order.paid","channels":["orders"],"data":` + payload + `}`)}) // that is so at the moment
}

func TestExplainNamesAPageThatNobodyIsSignedInOn(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) { explainGuest(t, backends[name](t)) })
	}
}

func explainGuest(t *testing.T, cfg server.BackendConfig) {
	e := explaining(t, cfg, nil)
	ada := e.user("ada@example.test")
	own := "private-user." + ada
	w := e.connect(testApp())
	if status, _ := e.browser().authorize(w, own); status != http.StatusUnauthorized {
		t.Fatalf("authorized: %d", status)
	}
	other := e.connect(testApp())
	e.paid(own)
	v := e.says(explain.NotSignedIn, explain.Question{Socket: w.id, Event: "order.paid", Channel: own}, "was denied to somebody who was not signed in")
	if !strings.Contains(v.Fix, "Sign in on that page") {
		t.Errorf("fix %q", v.Fix)
	}
	e.says(explain.NotSignedIn, explain.Question{User: ada, Event: "order.paid", Channel: own}, "User "+ada+" has no connection", "socket "+w.id+" from 127.0.0.1", "asked for "+own)

	// Another page's question is not this one's.
	e.says(explain.NotSubscribed, explain.Question{Socket: other.id, Event: "order.paid", Channel: own})

	// A session that ends between two subscriptions.
	b, page := e.page("ada@example.test")
	b.listen(page, "private-system")
	if status, answer := b.post("/logout", nil); status >= 400 {
		t.Fatalf("logout: %d %s", status, answer)
	}
	if status, _ := b.authorize(page, own); status != http.StatusUnauthorized {
		t.Fatalf("authorized: %d", status)
	}
	e.paid(own)
	e.says(explain.NotSignedIn, explain.Question{Socket: page.id, Event: "order.paid", Channel: own}, "not signed in")
}

func TestExplainNamesEventsThatAreRefusedAtTheDoor(t *testing.T) {
	e := explaining(t, server.BackendConfig{}, func(c *server.Config) { c.Apps[0].Limits.EventData = 100 })
	w := e.connect(testApp())
	about := func(event, channel string) explain.Question {
		return explain.Question{Socket: w.id, Event: event, Channel: channel}
	}

	// With an app's key.
	for _, c := range []struct{ body, says string }{
		{`{"name":"order.paid","channels":["or ders"],"data":"hunter2"}`, "not a legal name"},
		{`{"name":"pusher:ping","channels":["orders"],"data":"hunter2"}`, "reserved"},
		{`{"name":"order.paid","channels":["orders"]}`, `"data" is missing`},
	} {
		if status, answer := e.call(testApp(), "POST", "/events", "", json.RawMessage(c.body)); status != 400 {
			t.Fatalf("%s: %d %s", c.body, status, answer)
		}
		v := e.says(explain.Refused, about("order.paid", "orders"), "from 127.0.0.1 was refused with 400", c.says)
		if !strings.Contains(evidence(v), "key "+appKey) {
			t.Errorf("evidence %q", v.Evidence)
		}
	}

	// With an API token, whose events have names that are known.
	token := e.sender()
	post := func(token, body string, want int) {
		t.Helper()
		if status, answer := e.request(e.http, "POST", "/api/events", body, "Authorization", "Bearer "+token); status != want {
			t.Fatalf("%s: %d %s", body, status, answer)
		}
	}
	event := func(name, more string) string {
		return `{"event":"` + name + `","channels":["orders"],"data":{"card":"hunter2"}` + more + `}`
	}
	post(token, event("queue", `,"queue":"slow"`), 400)
	v := e.says(explain.Refused, about("queue", "orders"), `there is no queue "slow"`, "400")
	if !strings.Contains(evidence(v), "token ") || !strings.Contains(evidence(v), "127.0.0.1") {
		t.Errorf("evidence %q", v.Evidence)
	}
	e.says(explain.Refused, explain.Question{ID: v.Event.ID}, `there is no queue "slow"`)
	post(token, `{"event":"large","channels":["orders"],"data":{"card":"hunter2`+strings.Repeat("x", 100)+`"}}`, 413)
	e.says(explain.OverLimit, about("large", "orders"), "limit event_data", "413")
	only, _, err := e.other.Identity.AddToken(t.Context(), identity.NewToken{UserID: e.user("scoped@example.test"), Scopes: []string{"events"}, Channels: []string{"allowed.*"}})
	if err != nil {
		t.Fatal(err)
	}
	post(only, event("channel", ""), 403)
	e.says(explain.Refused, about("channel", "orders"), `may not publish to "orders"`, "403")
	post(e.token(e.user("admin@example.test", belfry.RoleAdmin), "admin"), event("app", `,"app":"1011"`), 404)
	v = e.says(explain.NoSuchApp, about("app", "orders"), `no app "1011"`)
	if !strings.Contains(v.Fix, "app in POST /api/events") {
		t.Errorf("fix %q", v.Fix)
	}
	e.paid("orders") // and then one that is not taken
	if status, answer := e.call(testApp(), "POST", "/events", "", json.RawMessage(`{"name":"order.paid","channels":["orders"]}`)); status != 400 {
		t.Fatalf("%d %s", status, answer)
	}
	v = e.says(explain.NotSubscribed, about("order.paid", "orders"))
	if !strings.Contains(evidence(v), "After this event, at ") || !strings.Contains(evidence(v), "was refused with 400") {
		t.Errorf("evidence %q", v.Evidence)
	}
	post("no-such-token", event("unknown", ""), 401)
	e.says(explain.Refused, about("whatever", "orders"), "from 127.0.0.1 was refused with 401", "no API token")
}

func TestExplainNamesAConnectionToAnotherNode(t *testing.T) {
	net := &memcluster.Network{}
	nodes := []*memcluster.Node{net.Add(), net.Add()}
	var all []*explained
	for _, node := range nodes {
		t.Cleanup(node.Stop) // when both servers have ended
	}
	for _, node := range nodes {
		all = append(all, explaining(t, server.BackendConfig{}, func(c *server.Config) { c.LinkWith(node) }))
	}
	here, there := all[0], all[1]
	// Each has users of its own; the ids are the same.
	ada := here.user("ada@example.test")
	if other := there.user("ada@example.test"); other != ada {
		t.Fatalf("user %s and %s", ada, other)
	}
	own := "private-user." + ada
	b, w := there.page("ada@example.test")
	b.listen(w, own)
	status, answer := here.call(testApp(), "POST", "/events", "", map[string]any{"name": "order.paid", "channels": []string{own}, "data": payload, "receipt": true})
	var got struct{ ID string }
	if decode(t, answer, &got); status != 200 {
		t.Fatal(answer)
	}
	w.expect("order.paid", own) // it came all the same
	here.says(explain.OtherNode, explain.Question{ID: got.ID}, "Nobody on this server was subscribed to "+own, "1 connection is subscribed to it now")
	about := explain.Question{User: ada, Event: "order.paid", Channel: own}
	here.says(explain.OtherNode, about, "User "+ada+" is not connected to this server", "of 1 subscription to "+own+", 1 is on other servers")
	here.user("bob@example.test")
	b.listen(w, "private-system")
	beside, near := here.page("bob@example.test")
	beside.listen(near, "private-system")
	here.paid("private-system")
	near.expect("order.paid", "private-system")
	w.expect("order.paid", "private-system")
	about.Channel = "private-system"
	here.says(explain.OtherNode, about, "of 2 subscriptions to private-system, 1 is on other servers")
	v := here.says(explain.UnknownSocket, explain.Question{Socket: w.id, Event: "order.paid", Channel: own})
	if !strings.Contains(evidence(v), "may be on one of them") {
		t.Errorf("evidence %q", v.Evidence)
	}
	// The other server did not take the event in, and says so.
	v = there.says(explain.UnknownEvent, explain.Question{ID: got.ID})
	if !strings.Contains(evidence(v), "2 servers share the channels") {
		t.Errorf("evidence %q", v.Evidence)
	}
}
