package explain_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/report"
	"github.com/belfryhq/belfry/internal/trace"
)

var now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// world is what an Explainer knows, set by a test. Each cause is made in running
// servers by the tests of package server; here stand the cases of each.
type world struct {
	*trace.Trace
	oneIn    int
	setup    explain.Setup
	channels map[string]int
	job      queue.Found
	queue    explain.Queue
	pages    *report.Pages
	denials  []authz.Denial
}

func newWorld() *world {
	return &world{Trace: trace.New(trace.Config{Now: func() time.Time { return now }}), oneIn: 1, pages: report.New(report.Config{Now: func() time.Time { return now }}), setup: explain.Setup{Broadcaster: "local", Nodes: 1, Now: now}}
}

func (w *world) Timeline(ctx context.Context, id string) (trace.Timeline, bool, error) {
	return w.Find(ctx, id)
}
func (w *world) Refusals(app string, since time.Time) []trace.Timeline {
	return w.Trace.Refusals(app, since, 100)
}
func (w *world) RefusedConnections(app string, since time.Time) []trace.RefusedConnection {
	return w.Trace.RefusedConnections(app, since, 100)
}
func (w *world) Denials(context.Context, authz.DenialFilter) ([]authz.Denial, error) {
	return w.denials, nil
}
func (w *world) Reach() (events, connections time.Time) {
	return now.Add(-time.Hour), now.Add(-time.Hour)
}
func (w *world) OneIn(_, _ time.Time) int { return w.oneIn }

func (w *world) App(id string) *belfry.App {
	if id == "" || id == "1" {
		return &belfry.App{ID: "1"}
	}
	return nil
}
func (w *world) Apps() []*belfry.App { return []*belfry.App{{ID: "1"}} }
func (w *world) User(_ context.Context, id string) (*belfry.User, []string, error) {
	if id == "7" {
		return &belfry.User{ID: "7"}, nil, nil
	}
	return nil, nil, nil
}
func (w *world) Channels(context.Context, string) (map[string]int, error) { return w.channels, nil }
func (w *world) Job(context.Context, string) (queue.Found, error) {
	if w.job.State == "" {
		return queue.Found{}, belfry.Errorf(belfry.CodeNotFound, "no job")
	}
	return w.job, nil
}
func (w *world) Queue(context.Context, string) (explain.Queue, error) { return w.queue, nil }
func (w *world) Decide(*belfry.User, string) authz.Decision           { return authz.Decision{Allowed: true} }
func (w *world) Setup() explain.Setup                                 { return w.setup }
func (w *world) Page(socket, channel string, at time.Time) (report.Page, bool) {
	return w.pages.Page(socket, channel, at)
}

// event remembers an event with these steps.
func (w *world) event(steps ...trace.Step) string {
	e := trace.Event{ID: belfry.NewID(now), App: "1", Name: "order.paid", Channels: []string{"orders"}}
	for i, s := range steps {
		s.At = now.Add(time.Duration(i-len(steps)) * time.Second)
		w.Step(e, s)
	}
	return e.ID
}

func (w *world) says(t *testing.T, code explain.Code, q explain.Question, words ...string) explain.Verdict {
	t.Helper()
	v, err := explain.New(w, w).Explain(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if v.Code != code {
		t.Fatalf("%+v: said %s: %s, want %s", q, v.Code, v.Sentence, code)
	}
	for _, word := range words {
		if !strings.Contains(v.Sentence, word) {
			t.Errorf("%s: %q does not say %q", code, v.Sentence, word)
		}
	}
	return v
}

func TestStepsThatEndAnEvent(t *testing.T) {
	for name, c := range map[string]struct {
		code  explain.Code
		says  string
		steps []trace.Step
	}{
		"expired":  {explain.Expired, "it expired at", []trace.Step{{What: trace.Accepted}, {What: trace.Queued}, {What: trace.Skipped, Reason: "it expired at 2026"}}},
		"repeated": {explain.Repeated, "delivered already", []trace.Step{{What: trace.Accepted}, {What: trace.Skipped, Reason: "it was delivered already"}}},
		"lost":     {explain.Lost, "in no queue any more", []trace.Step{{What: trace.Accepted}, {What: trace.Queued}}},
		"failed":   {explain.JobFailed, "no answer.", []trace.Step{{What: trace.Accepted}, {What: trace.Failed, Error: "no answer", Permanent: true}}},
		"sending":  {explain.Waiting, "at the moment", []trace.Step{{What: trace.Accepted}}},
		"sent, and its repeat skipped": {explain.Delivered, "2 subscribers",
			[]trace.Step{{What: trace.Published, Channel: "orders", Receipt: &belfry.Receipt{Matched: 2, Written: 2}}, {What: trace.Skipped, Reason: "it was delivered already"}}},
		"dropped": {explain.TooSlow, "1 subscriber did not get",
			[]trace.Step{{What: trace.Published, Channel: "orders", Receipt: &belfry.Receipt{Matched: 2, Written: 1, Dropped: 1}}}},
		"sent without a count": {explain.Delivered, "not counted", []trace.Step{{What: trace.Sent, Target: "local"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.says(t, c.code, explain.Question{ID: w.event(c.steps...)}, c.says)
		})
	}
}

func TestWhatTheQueueSaysOfAJob(t *testing.T) {
	for _, c := range []struct {
		job   queue.Found
		queue explain.Queue
		code  explain.Code
		says  string
	}{
		{queue.Found{State: queue.Running}, explain.Queue{Workers: 1}, explain.Waiting, "is sending"},
		{queue.Found{State: queue.Waiting}, explain.Queue{Workers: 2, Waiting: 12}, explain.Waiting, "11 other jobs wait"},
		{queue.Found{State: queue.Waiting}, explain.Queue{Workers: 2, Paused: true}, explain.QueuePaused, "paused"},
		{queue.Found{State: queue.Waiting}, explain.Queue{Other: 2}, explain.NoWorker, "no worker"},
		{queue.Found{State: queue.Delayed, RunAt: now.Add(time.Hour)}, explain.Queue{Workers: 1}, explain.Delayed, "04:00:00"},
		{queue.Found{State: queue.Retrying, Error: "no answer", RunAt: now}, explain.Queue{Workers: 1}, explain.Retrying, "(no answer)"},
		{queue.Found{State: queue.Failed, Error: "no answer", Tries: 3}, explain.Queue{Workers: 1}, explain.JobFailed, "after 3 tries: no answer."},
	} {
		w := newWorld()
		w.job, w.queue = c.job, c.queue
		w.says(t, c.code, explain.Question{ID: w.event(trace.Step{What: trace.Accepted}, trace.Step{What: trace.Queued, Queue: "default"})}, c.says)
		w.says(t, c.code, explain.Question{ID: belfry.NewID(now)}, c.says) // not remembered, but kept
	}
}

func TestAnEventThatWasNotTracedIsNoUnknownOne(t *testing.T) {
	w := newWorld()
	w.oneIn = 16
	w.says(t, explain.NotTraced, explain.Question{ID: belfry.NewID(now)}, "one in 16")
	w.Subscribed(now.Add(-time.Minute), "1", "1.1", "orders", "7")
	w.says(t, explain.NotTraced, explain.Question{User: "7", Event: "order.paid", Channel: "orders"})
	w.says(t, explain.UnknownEvent, explain.Question{ID: belfry.NewID(now.Add(-2 * time.Hour))}, "before what is remembered")
	w.oneIn = 1
	v := w.says(t, explain.UnknownEvent, explain.Question{ID: belfry.NewID(now.Add(time.Hour))})
	if !strings.Contains(strings.Join(v.Evidence, ""), "in the future") {
		t.Errorf("evidence %q", v.Evidence)
	}
}

func TestAUserOnAnotherNode(t *testing.T) {
	w := newWorld()
	w.setup.Nodes = 2
	w.channels = map[string]int{"orders": 3}
	w.Subscribed(now.Add(-time.Minute), "1", "1.1", "orders", "8")
	w.event(trace.Step{What: trace.Published, Channel: "orders", Receipt: &belfry.Receipt{Matched: 1, Written: 1}})
	w.says(t, explain.OtherNode, explain.Question{User: "7", Event: "order.paid", Channel: "orders"}, "not connected to this server", "2 are on other servers")
	w.setup.Nodes = 1
	w.says(t, explain.NotConnected, explain.Question{User: "7", Event: "order.paid", Channel: "orders"})
}

func TestNamesThatAreNear(t *testing.T) {
	for _, c := range []struct{ asked, published, near string }{
		{"private-orders", "orders", "orders"},
		{"orders", "presence-orders", "presence-orders"},
		{"Orders", "orders", "orders"},
		{"private-user.07", "private-user.7", "private-user.7"},
		{"private-user.7", "private-user.8", ""}, // another person, not a slip
		{"private-user.7", "private-user.77", ""},
		{"private-oders.7", "private-orders.7", "private-orders.7"},
		{"news", "stocks", ""},
	} {
		w := newWorld()
		w.Subscribed(now.Add(-time.Minute), "1", "1.1", c.asked, "7")
		w.Accept(trace.Event{ID: belfry.NewID(now), App: "1", Name: "e", Channels: []string{c.published}}, now.Add(-time.Second))
		v, err := explain.New(w, w).Explain(t.Context(), explain.Question{User: "7", Event: "e", Channel: c.asked})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(v.Near, " "); got != c.near || (v.Code == explain.NearMiss) != (c.near != "") {
			t.Errorf("%s for %s: %s near %q", c.asked, c.published, v.Code, got)
		}
	}
	if got := explain.Near("ada@exmaple.test", []string{"bob@example.test", "ada@example.test", "1"}); !slices.Equal(got, []string{"ada@example.test"}) {
		t.Errorf("near %q", got)
	}
}

func TestOtherRefusalsAreTold(t *testing.T) {
	w := newWorld()
	w.Refuse(trace.Refusal{At: now, App: "1", Key: "k", Address: "192.0.2.9", Status: 400, Code: "invalid", Reason: "name: the event's name is missing"})
	v := w.says(t, explain.Refused, explain.Question{User: "7", Event: "order.paid", Channel: "orders"}, "from 192.0.2.9", "400", "name is missing")
	if !strings.Contains(strings.Join(v.Evidence, "\n"), "key k") {
		t.Errorf("evidence %q", v.Evidence)
	}
}

func TestAGuestsDenialIsTold(t *testing.T) {
	w := newWorld()
	w.denials = []authz.Denial{{At: now, UserID: "7", Channel: "orders", Result: authz.NotSignedIn, Reason: "nobody is signed in"}}
	w.event(trace.Step{What: trace.Published, Channel: "orders", Receipt: &belfry.Receipt{}})
	w.says(t, explain.NotSignedIn, explain.Question{User: "7", Event: "order.paid", Channel: "orders"}, "nobody is signed in")
}

func FuzzQuestions(f *testing.F) {
	f.Add("id", "user", "event", "channel", "app", "1.1")
	f.Fuzz(func(t *testing.T, id, user, event, channel, app, socket string) {
		w := newWorld()
		w.Subscribed(now, "1", "1.1", channel, user)
		w.Accept(trace.Event{ID: "x", App: app, Name: event, Channels: []string{channel}}, now)
		for _, q := range []explain.Question{{ID: id}, {User: user, Event: event, Channel: channel, App: app}, {Socket: socket, Event: event}} {
			if v, err := explain.New(w, w).Explain(t.Context(), q); err == nil && (v.Code == "" || v.Sentence == "" || !v.Arrived && v.Fix == "") {
				t.Errorf("%+v: %+v", q, v)
			}
		}
	})
}
