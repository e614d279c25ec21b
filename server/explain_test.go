package server_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/pusher"
	"github.com/belfryhq/belfry/server"
)

// explained is a running server whose faults are to be named.
type explained struct {
	*application
	link *control.Client
}

func explaining(t *testing.T, cfg server.BackendConfig, change func(*server.Config)) *explained {
	t.Helper()
	return explainingOn(serveApplication(t, cfg, change))
}

func explainingOn(a *application) *explained {
	a.t.Helper()
	link, err := control.Dial(a.t.Context(), a.dir)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(link.Close)
	return &explained{a, link}
}

// ask asks over the control link, as belfry explain does.
func (e *explained) ask(q explain.Question) explain.Verdict {
	e.t.Helper()
	v, err := e.link.Explain(e.t.Context(), q)
	if err != nil {
		e.t.Fatal(err)
	}
	return v
}

// says asks until the cause is named in a sentence with the words, and checks
// that nothing that is secret is told.
func (e *explained) says(code explain.Code, q explain.Question, words ...string) explain.Verdict {
	e.t.Helper()
	var v explain.Verdict
	for deadline := time.Now().Add(2 * patience); ; {
		v = e.ask(q)
		said := func(word string) bool { return strings.Contains(v.Sentence, word) }
		if v.Code == code && !slices.ContainsFunc(words, func(word string) bool { return !said(word) }) {
			break
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("%+v: said %s: %s\n%s\nwant %s: %q", q, v.Code, v.Sentence, strings.Join(v.Evidence, "\n"), code, words)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-e.t.Context().Done():
		}
	}
	good := code == explain.Delivered || code == explain.SentElsewhere
	if v.Arrived != good || v.Sentence == "" || !good && v.Fix == "" {
		e.t.Errorf("%s: arrived %v, sentence %q, fix %q", code, v.Arrived, v.Sentence, v.Fix)
	}
	all, err := json.Marshal(v)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, secret := range []string{appSecret, "hunter2"} { // hunter2 stands in every payload
		if strings.Contains(string(all), secret) {
			e.t.Errorf("%s shows %q: %s", code, secret, all)
		}
	}
	return v
}

const payload = `{"card":"hunter2"}`

// queued sends an event through the queue with a token of a new user.
func (e *explained) queued(body string) (id string) {
	e.t.Helper()
	return e.send(e.sender(), body)
}

func (e *explained) sender() string {
	e.t.Helper()
	return e.token(e.user("sender"+belfry.NewID(time.Now())+"@example.test"), "events")
}

// paid publishes the event of most tests.
func (e *explained) paid(channel string) {
	e.t.Helper()
	e.publish(testApp(), channel, "order.paid", payload)
}

// published does the same and gives the event's id.
func (e *explained) published(channel string) (id string) {
	e.t.Helper()
	status, answer := e.call(testApp(), "POST", "/events", "", map[string]any{"name": "order.paid", "channels": []string{channel}, "data": payload, "receipt": true})
	var got struct{ ID string }
	if status != 200 || json.Unmarshal([]byte(answer), &got) != nil || got.ID == "" {
		e.t.Fatalf("publish: %d %s", status, answer)
	}
	return got.ID
}

func TestExplainNamesWhatAPublisherGetsWrong(t *testing.T) {
	e := explaining(t, server.BackendConfig{}, func(c *server.Config) {
		c.Apps[0].Limits.EventData = 100
		c.Apps = append(c.Apps, &belfry.App{ID: "1002", Keys: []belfry.Credential{{Key: "off", Secret: "off-secret"}}, Disabled: true, Limits: belfry.DefaultLimits()},
			&belfry.App{ID: "1003", Keys: []belfry.Credential{{Key: "few", Secret: "few-secret"}}, Limits: limited()})
	})
	id := e.user("ada@example.test")
	publish := func(change func(*belfry.App), data string) {
		t.Helper()
		app := testApp(change)
		if status, answer := e.call(app, "POST", "/events", "", map[string]any{"name": "order.paid", "channels": []string{"private-user." + id}, "data": data}); status == 200 {
			t.Fatalf("published: %s", answer)
		}
	}
	question := explain.Question{User: id, Event: "order.paid", Channel: "private-user." + id}
	publish(func(a *belfry.App) { a.ID = "1011" }, payload)
	e.says(explain.NoSuchApp, question, `no app "1011"`, "127.0.0.1")
	publish(func(a *belfry.App) { a.Keys[0].Key = "app-kex" }, payload)
	e.says(explain.NoSuchKey, question, `auth_key "app-kex"`, "401")
	publish(func(a *belfry.App) { a.Keys[0].Secret = "other" }, payload)
	e.says(explain.BadSignature, question, "signature mismatch")
	e.post(t, func(q url.Values, _ *string) { q.Set("auth_timestamp", "1000000000") })
	e.says(explain.BadSignature, question, "auth_timestamp 1000000000 is outside the window")
	e.post(t, func(_ url.Values, body *string) { *body += " " })
	e.says(explain.BadSignature, question, "body_md5 mismatch")
	publish(func(*belfry.App) {}, strings.Repeat("x", 101))
	e.says(explain.OverLimit, question, "limit event_data", "101", "413")
	publish(func(a *belfry.App) { a.ID, a.Keys = "1002", []belfry.Credential{{Key: "off", Secret: "off-secret"}} }, payload)
	question.App = "1002"
	e.says(explain.AppDisabled, question, "1002 is disabled")

	few := testApp(func(a *belfry.App) { a.ID, a.Keys = "1003", []belfry.Credential{{Key: "few", Secret: "few-secret"}} })
	question.App = "few" // by its key
	e.eventually("over the rate", func() bool {
		status, _ := e.call(few, "POST", "/events", "", map[string]any{"name": "order.paid", "channels": []string{"private-user." + id}, "data": payload})
		return status == http.StatusTooManyRequests
	})
	question.Event = "order.shipped" // which never got through
	e.says(explain.OverLimit, question, "limit http_requests_per_second", "429")
}

func limited() belfry.Limits {
	l := belfry.DefaultLimits()
	l.HTTPRequestsPerSecond = 1
	return l
}

// post publishes with a fault made after, or before, signing.
func (e *explained) post(t *testing.T, change func(q url.Values, body *string)) {
	t.Helper()
	body := `{"name":"order.paid","channels":["orders"],"data":"x"}`
	q, plain := url.Values{}, body
	q.Set("auth_timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	change(q, &body)
	app := testApp()
	status, answer := e.request(e.http, http.MethodPost, "/apps/"+appID+"/events?"+faultyQuery(app, q.Get("auth_timestamp"), plain), body)
	if status != http.StatusUnauthorized {
		t.Fatalf("answered %d %s", status, answer)
	}
}

func faultyQuery(app *belfry.App, timestamp, body string) string {
	q := "auth_key=" + app.Keys[0].Key + "&auth_timestamp=" + timestamp + "&auth_version=1.0&body_md5=" + md5Of(body)
	return q + "&auth_signature=" + pusher.Sign(app.Keys[0].Secret, pusher.RequestText("POST", "/apps/"+app.ID+"/events", pusher.ParseQuery(q, false), false))
}

func md5Of(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestExplainNamesBroadcastersThatBringNothingOut(t *testing.T) {
	for name, code := range map[string]explain.Code{"null": explain.BroadcasterNull, "log": explain.BroadcasterLog} {
		e := explaining(t, server.BackendConfig{Broadcaster: name}, nil)
		id := e.queued(`{"event":"order.paid","channels":["orders"],"data":` + payload + `}`)
		e.says(code, explain.Question{ID: id}, `"`+name+`"`)
		w := e.connect(testApp())
		w.subscribe("orders")
		e.says(code, explain.Question{Socket: w.id, Event: "order.paid", Channel: "orders"}, `"`+name+`"`)
	}
}

func TestExplainNamesWhereTheQueueHoldsAnEvent(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres", "redis"} {
		t.Run(name, func(t *testing.T) { explainQueue(t, backends[name](t)) })
	}
}

func explainQueue(t *testing.T, cfg server.BackendConfig) {
	cfg.Queues = []server.Queue{{Name: "default"}, {Name: "slow"}}
	e := explaining(t, cfg, func(c *server.Config) { c.NoWorkers = true })
	token := e.sender()
	event := func(more string) explain.Question {
		return explain.Question{ID: e.send(token, `{"event":"order.paid","channels":["orders"],"data":`+payload+more+`}`)}
	}
	first := event("")
	v := e.says(explain.NoWorker, first, `queue "default"`)
	if !strings.Contains(strings.Join(v.Evidence, "\n"), "No worker is alive") {
		t.Errorf("evidence %q", v.Evidence)
	}
	stop := e.worker("slow")
	slow := event(`,"queue":"default"`)
	v = e.says(explain.NoWorker, slow)
	if !strings.Contains(strings.Join(v.Evidence, "\n"), "1 worker is alive, and none of them names") {
		e.eventually("the worker is known", func() bool {
			return strings.Contains(strings.Join(e.ask(slow).Evidence, "\n"), "1 worker is alive, and none of them names")
		})
	}
	stop()
	if err := e.other.Queue.Pause(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	stop = e.worker("default")
	defer stop()
	e.says(explain.QueuePaused, first, `queue "default"`, "paused")
	if err := e.other.Queue.Continue(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	e.says(explain.NobodyThere, first, "Nobody was subscribed to orders")
	e.says(explain.Delayed, event(`,"delay":"1h"`), "delayed until")
	e.says(explain.ConditionNo, event(`,"condition":"occupied"`), `condition "occupied" said no`)
}

// worker runs a worker of another process on a queue until it is stopped.
func (e *explained) worker(name string) (stop func()) {
	e.t.Helper()
	ctx, cancel := context.WithCancel(e.t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := e.other.Queue.Work(ctx, queue.Worker{Queues: []string{name}})
		done <- err
	}()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			e.t.Error(err)
		}
	})
}

func TestExplainNamesWhyAnEventFailed(t *testing.T) {
	answer := make(chan int, 1)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status := <-answer
		answer <- status
		w.WriteHeader(status)
		w.Write([]byte("{}"))
	}))
	defer target.Close()
	at, _ := url.Parse(target.URL)
	port, _ := strconv.Atoi(at.Port())
	answer <- http.StatusInternalServerError
	e := explaining(t, server.BackendConfig{Broadcaster: "pusher",
		Target: server.Target{AppID: appID, Key: appKey, Secret: appSecret, Host: at.Hostname(), Port: port, Scheme: "http"}}, nil)
	token := e.sender()
	failed := explain.Question{ID: e.send(token, `{"event":"order.paid","channels":["orders"],"data":`+payload+`,"tries":1}`)}
	v := e.says(explain.JobFailed, failed, "given up after 1 try", "500")
	if !strings.Contains(v.Fix, "queue:retry "+failed.ID) {
		t.Errorf("fix %q", v.Fix)
	}
	retrying := explain.Question{ID: e.send(token, `{"event":"order.paid","channels":["orders"],"data":`+payload+`,"tries":50}`)}
	e.says(explain.Retrying, retrying, "500", "next try")
	<-answer
	answer <- http.StatusOK
	if err := e.other.Queue.Retry(t.Context(), failed.ID); err != nil {
		t.Fatal(err)
	}
	e.says(explain.SentElsewhere, failed, "pusher")
	w := e.connect(testApp())
	w.subscribe("orders")
	e.says(explain.SentElsewhere, explain.Question{Socket: w.id, Event: "order.paid", Channel: "orders"})
}

func TestExplainNamesSubscribersThatAreNot(t *testing.T) {
	e := explaining(t, server.BackendConfig{}, func(c *server.Config) {
		c.Apps = append(c.Apps, &belfry.App{ID: "1002", Keys: []belfry.Credential{{Key: "other", Secret: "other-secret"}}, Limits: belfry.DefaultLimits()})
	})
	about := func(channel string) explain.Question {
		return explain.Question{ID: e.published(channel)}
	}
	e.says(explain.NobodyThere, about("news"), "Nobody was subscribed to news in app 1001")
	w := e.connect(testApp())
	for _, c := range [][2]string{{"private-orders", "orders"}, {"orders2.Paid", "orders2.paid"}, {"private-user.07", "private-user.7"}, {"presence-room", "private-room"}} {
		w.subscribe(c[1])
		v := e.says(explain.NearMiss, about(c[0]), "Nobody was subscribed to "+c[0], "1 connection was subscribed to "+c[1])
		if !slices.Equal(v.Near, []string{c[1]}) {
			t.Errorf("near %q", v.Near)
		}
	}
	stranger := e.connect(&belfry.App{ID: "1002", Keys: []belfry.Credential{{Key: "other", Secret: "other-secret"}}})
	stranger.subscribe("elsewhere")
	e.says(explain.OtherApp, about("elsewhere"), "connected to app 1002")
	w.subscribe("mine")
	status, _ := e.call(testApp(), "POST", "/events", "", map[string]any{"name": "saved", "channels": []string{"mine"}, "data": payload, "socket_id": w.id})
	if status != 200 {
		t.Fatalf("publish: %d", status)
	}
	e.says(explain.Excluded, explain.Question{Socket: w.id, Event: "saved", Channel: "mine"}, "toOthers")
}
