package trace_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/test/services"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// clock is a clock that a test sets.
type clock struct {
	mu sync.Mutex // guards at
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now().Truncate(time.Millisecond).UTC()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	return c.at
}

func find(t *testing.T, tr *trace.Trace, id string) trace.Timeline {
	t.Helper()
	found, ok, err := tr.Find(t.Context(), id)
	if err != nil || !ok {
		t.Fatalf("event %s is not known: %v", id, err)
	}
	return found
}

func whats(t trace.Timeline) string {
	var all []string
	for _, s := range t.Steps {
		all = append(all, s.What)
	}
	return strings.Join(all, " ")
}

func TestATimelineHasItsStepsInOrder(t *testing.T) {
	now := newClock()
	tr := trace.New(trace.Config{Now: now.Now})
	accepted := now.Now()
	e := trace.Event{ID: "e1", App: "1", Name: "paid", Channels: []string{"a", "b"}, Size: 17, Keys: []string{"order"}, By: "token 3 (shop)", Address: "192.0.2.7"}
	tr.Step(e, trace.Step{At: now.add(time.Second), What: trace.Failed, Error: "no answer"})
	tr.Step(e, trace.Step{What: trace.Retrying, RunAt: now.Now().Add(time.Minute), Try: 1})
	tr.Publish(now.add(time.Second), "1", "e1", "paid", "a", 17, belfry.Receipt{Matched: 2, Written: 2})
	tr.Publish(now.Now(), "1", "e1", "paid", "b", 17, belfry.Receipt{Matched: 3, Written: 1, Waiting: 2})
	tr.Step(e, trace.Step{What: trace.Sent, Target: "local"})
	tr.Step(e, trace.Step{At: accepted, What: trace.Queued, Queue: "high"})
	tr.Step(e, trace.Step{At: accepted, What: trace.Accepted})
	tr.Call(trace.Call{At: now.add(time.Second), App: "1", EventID: "e1", Names: "client_event", URL: "https://a.test/x", Try: 1, Status: 200, Outcome: "delivered"})

	found := find(t, tr, "e1")
	if got, want := whats(found), "accepted queued failed retrying published published sent webhook"; got != want {
		t.Errorf("steps %q, want %q", got, want)
	}
	if found.Status() != trace.Sent || found.App != "1" || found.Event != "paid" || found.ChannelCount != 2 || found.Size != 17 ||
		found.By != "token 3 (shop)" || found.Address != "192.0.2.7" || !slices.Equal(found.Keys, []string{"order"}) {
		t.Errorf("timeline %+v", found)
	}
	if r, ok := found.Receipt(); !ok || r != (belfry.Receipt{Matched: 5, Written: 3, Waiting: 2}) {
		t.Errorf("receipt %+v, %v", r, ok)
	}
	if s := found.Steps[2]; s.Error != "no answer" || s.Reason != "" {
		t.Errorf("failed %+v", s)
	}
	if s := found.Last(trace.Webhook); s.Target != "https://a.test/x" || s.Status != 200 || s.Code != "delivered" {
		t.Errorf("webhook %+v", s)
	}
	if _, ok, _ := tr.Find(t.Context(), "e2"); ok {
		t.Error("an event that never was is known")
	}
}

func TestStatusFollowsTheLastStep(t *testing.T) {
	for want, steps := range map[string][]trace.Step{
		"accepted": {{What: trace.Accepted}},
		"queued":   {{What: trace.Accepted}, {What: trace.Queued}},
		"retrying": {{What: trace.Accepted}, {What: trace.Queued}, {What: trace.Failed, Error: "x"}},
		"failed":   {{What: trace.Accepted}, {What: trace.Failed, Error: "x"}},
		"skipped":  {{What: trace.Accepted}, {What: trace.Skipped, Reason: "x"}},
		"sent":     {{What: trace.Accepted}, {What: trace.GaveUp}, {What: trace.Published, Channel: "a"}, {What: trace.Webhook}},
		"refused":  {{What: trace.Refused}},
	} {
		one := trace.Timeline{Steps: steps}
		if got := one.Status(); got != want {
			t.Errorf("%v is %q, want %q", steps, got, want)
		}
	}
}

func TestEventsAreFoundByWhatTheyBear(t *testing.T) {
	now := newClock()
	tr := trace.New(trace.Config{Now: now.Now})
	for i := range 50 {
		app := fmt.Sprint(i % 2)
		tr.Accept(trace.Event{ID: fmt.Sprint("e", i), App: app, Name: fmt.Sprint("n", i%5), Channels: []string{fmt.Sprint("c", i%10), "all"}}, now.add(time.Second))
	}
	if got := tr.Events(trace.Filter{Channel: "c4", App: "0"}); len(got) != 5 || got[0].ID != "e44" || got[4].ID != "e4" {
		t.Errorf("by channel: %d", len(got))
	}
	if got := tr.Events(trace.Filter{Channel: "all", Limit: 7}); len(got) != 7 || got[0].ID != "e49" {
		t.Errorf("with a limit: %d", len(got))
	}
	if got := tr.Events(trace.Filter{Event: "n3", App: "1", Since: now.Now().Add(-19 * time.Second)}); len(got) != 2 || got[0].ID != "e43" {
		t.Errorf("by name: %+v", got)
	}
	names := tr.Names("1", time.Time{})
	if len(names) != 10 || names[0].Channel != "all" || names[0].Event != "n4" || names[0].LastID != "e49" {
		t.Errorf("names: %+v", names)
	}
}

func TestMemoryIsBoundedInTimeAndBytes(t *testing.T) {
	now := newClock()
	tr := trace.New(trace.Config{Now: now.Now, Bytes: 4 << 20, Rate: 1 << 20})
	id := func(i int) string { return fmt.Sprintf("%026d", i) }
	const many = 100_000
	for i := range many {
		tr.Accept(trace.Event{ID: id(i), App: "1", Name: "e", Channels: []string{"some-channel"}}, now.add(time.Millisecond))
	}
	s := tr.Stats()
	if s.Bytes > s.MaxBytes || s.Dropped == 0 || s.Records != many || s.Seen != many {
		t.Errorf("stats %+v", s)
	}
	find(t, tr, id(many-1))
	if _, ok, _ := tr.Find(t.Context(), id(0)); ok {
		t.Error("the first event is known still")
	}
	if since, _ := tr.Since(); !since.After(now.Now().Add(-many * time.Millisecond)) {
		t.Errorf("complete since %s, though records went", since)
	}
	now.add(time.Hour + 1)
	if _, ok, _ := tr.Find(t.Context(), id(many-1)); ok {
		t.Error("an event is known after its time")
	}
}

func TestOfTooManyEventsSomeAreTracedAndAllThatFail(t *testing.T) {
	now := newClock()
	tr := trace.New(trace.Config{Now: now.Now, Rate: 100})
	before, many := now.Now(), 0
	for second := range 5 {
		for i := range 1000 {
			id := fmt.Sprint(second, "-", i)
			tr.Publish(now.Now(), "1", id, "e", "c", 1, belfry.Receipt{Matched: 1})
			if tr.Wants(id) && second == 4 {
				many++
			}
		}
		now.add(time.Second)
	}
	if s := tr.Stats(); s.OneIn != 16 || many < 20 || many > 150 {
		t.Errorf("one in %d, %d of 1000 traced", s.OneIn, many)
	}
	if n := tr.OneIn(now.Now().Add(-time.Second)); n != 16 {
		t.Errorf("one in %d then", n)
	}
	if n := tr.OneIn(before.Add(-time.Minute)); n != 1 {
		t.Errorf("one in %d before", n)
	}
	if n := tr.OneInAtMost(before.Add(-time.Minute), now.Now()); n != 16 {
		t.Errorf("one in %d at most", n)
	}
	for i := range 100 {
		tr.Step(trace.Event{ID: fmt.Sprint("f", i), App: "1", Name: "e"}, trace.Step{What: trace.Failed, Error: "no"})
	}
	for i := range 100 {
		find(t, tr, fmt.Sprint("f", i))
	}
	now.add(time.Minute) // nothing at all, and then one
	queued := trace.Event{ID: "after", App: "1", Name: "e", Channels: []string{"c"}}
	tr.Step(queued, trace.Step{What: trace.Queued})
	if found := find(t, tr, "after"); len(found.Steps) != 1 || tr.OneIn(now.Now()) != 1 || tr.OneIn(now.Now().Add(-30*time.Second)) != 1 {
		t.Errorf("after a quiet minute one in %d is traced: %+v", tr.OneIn(now.Now()), found)
	}
	for range 20 { // it stays quiet
		now.add(time.Second)
		tr.Publish(now.Now(), "1", "x", "e", "c", 1, belfry.Receipt{})
	}
	if s := tr.Stats(); s.OneIn != 1 {
		t.Errorf("one in %d after the crowd", s.OneIn)
	}
}

func TestConnectionsAreRemembered(t *testing.T) {
	now := newClock()
	tr := trace.New(trace.Config{Now: now.Now})
	opened := now.Now()
	tr.Connected(opened, "1", "1.1", "192.0.2.1")
	tr.SignedIn(now.add(time.Second), "1", "1.1", "7")
	from := now.add(time.Second)
	tr.Subscribed(from, "1", "1.1", "private-user.7", "7")
	tr.Subscribed(now.Now(), "1", "1.1", "news", "")
	tr.Denied(now.add(time.Second), "1", "1.1", "private-admin", "", 0, "invalid signature")
	to := now.add(time.Second)
	tr.Unsubscribed(to, "1", "1.1", "news")
	closed := now.add(time.Second)
	tr.Disconnected(closed, "1", "1.1", 4100, "too slow")
	tr.Connected(now.Now(), "2", "2.2", "192.0.2.2")
	tr.Subscribed(now.Now(), "2", "2.2", "news", "")
	tr.Denied(now.Now(), "", "", "", "192.0.2.9", 4001, "no such key")

	for name, by := range map[string]trace.Links{"user": {User: "7"}, "socket": {Socket: "1.1"}, "channel": {Channel: "private-admin"}, "both": {Channel: "news", App: "1"}} {
		all := tr.Connections(by)
		if len(all) != 1 {
			t.Fatalf("by %s: %+v", name, all)
		}
		c := all[0]
		if c.Socket != "1.1" || c.App != "1" || c.Address != "192.0.2.1" || c.User != "7" || !c.Opened.Equal(opened) || !c.Closed.Equal(closed) ||
			c.Code != 4100 || c.Reason != "too slow" || len(c.Subscriptions) != 2 || len(c.Denials) != 1 {
			t.Errorf("by %s: %+v", name, c)
		}
		if s := c.Subscriptions[1]; s.Channel != "news" || !s.From.Equal(from) || !s.To.Equal(to) || !s.At(from) || s.At(to) {
			t.Errorf("by %s: %+v", name, s)
		}
	}
	if all := tr.Connections(trace.Links{}); len(all) != 2 {
		t.Errorf("all: %+v", all)
	}
	if all := tr.RefusedConnections("1", time.Time{}, 0); len(all) != 1 || all[0].Code != 4001 {
		t.Errorf("refused: %+v", all)
	}
}

func TestAHiddenAppLeavesNoTrace(t *testing.T) {
	tr := trace.New(trace.Config{Hidden: func(app string) bool { return app == "probe" }})
	tr.Publish(time.Now(), "probe", "e", "e", "c", 1, belfry.Receipt{})
	tr.Accept(trace.Event{ID: "e", App: "probe"}, time.Now())
	tr.Connected(time.Now(), "probe", "1.1", "")
	tr.Refuse(trace.Refusal{App: "probe"})
	if s := tr.Stats(); s.Records != 0 || s.Seen != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestTailTellsAsItComes(t *testing.T) {
	tr := trace.New(trace.Config{})
	var told []trace.Entry
	stop := tr.Tail(func(e trace.Entry) { told = append(told, e) })
	tr.Publish(time.Now(), "1", "e", "n", "c", 3, belfry.Receipt{Matched: 1})
	tr.Connected(time.Now(), "1", "1.1", "192.0.2.1")
	stop()
	stop()
	tr.Connected(time.Now(), "1", "1.2", "192.0.2.1")
	if len(told) != 2 || told[0].What != trace.Published || told[0].Receipt.Matched != 1 || told[1].Socket != "1.1" || told[1].What != "connected" {
		t.Errorf("told %+v", told)
	}
}

func TestFailuresAreKeptForDays(t *testing.T) {
	for name, url := range map[string]func(*testing.T) string{
		"sqlite": func(*testing.T) string { return "" }, "postgres": func(t *testing.T) string { return services.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) { failuresKept(t, url(t)) })
	}
}

func failuresKept(t *testing.T, url string) {
	db, err := store.Open(store.Config{URL: url, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := newClock()
	config := trace.Config{DB: db, Now: now.Now}
	tr := trace.New(config)
	e := trace.Event{ID: "e1", App: "1", Name: "paid", Channels: []string{"orders"}}
	tr.Step(e, trace.Step{What: trace.Accepted})
	tr.Step(e, trace.Step{What: trace.Failed, Error: "refused \x00 by the target"})
	tr.Step(e, trace.Step{What: trace.GaveUp, Error: "refused by the target", Try: 3})
	refused := tr.Refuse(trace.Refusal{App: "1", Key: "k", Event: "x", Status: 401, Code: "signature", Reason: "signature mismatch"})
	for range 500 {
		tr.Refuse(trace.Refusal{App: "1", Code: "signature"})
	}
	run(t, tr)
	if s := tr.Stats(); s.FailuresWritten != 121 || s.FailuresDropped != 381 {
		t.Errorf("stats %+v", s)
	}

	later := trace.New(config) // another process, or the hour is over
	now.add(6 * 24 * time.Hour)
	found := find(t, later, "e1")
	if whats(found) != "accepted failed gave_up" || found.Status() != trace.Failed || found.Steps[2].Try != 3 {
		t.Errorf("found %+v", found)
	}
	if found = find(t, later, refused); found.Status() != trace.Refused || found.By != "key k" || found.Steps[0].Code != "signature" {
		t.Errorf("refused %+v", found)
	}
	if all, err := later.Failures(t.Context(), trace.Filter{Event: "paid"}); err != nil || len(all) != 1 || all[0].ID != "e1" {
		t.Errorf("failures %+v, %v", all, err)
	}
	now.add(2 * 24 * time.Hour)
	run(t, later)
	if _, ok, err := later.Find(t.Context(), "e1"); ok || err != nil {
		t.Errorf("known after its time: %v, %v", ok, err)
	}
}

// run has the trace write what it has.
func run(t *testing.T, tr *trace.Trace) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- tr.Run(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestOnlyKeysOfDataAreKept(t *testing.T) {
	for data, want := range map[string]string{
		`{"order":12,"name":{"first":"Ada","a":[{"b":1}]},"x":"y:z{"}`:  "order name x",
		`"{\"order\":12,\"name\":{\"first\":\"Ada\"},\"x\":\"\\\"q\"}"`: "order name x",
		`"hello"`:   "",
		`"{"`:       "",
		`[{"a":1}]`: "",
		`12`:        "",
		``:          "",
		` { "a" : 1 , "a b\"c" : [1,2,{"d":":"}] }`: `a a b\"c`,
		`{"a":1,"b`: "a",
		`"\`:        "",
	} {
		if got := strings.Join(trace.Keys([]byte(data)), " "); got != want {
			t.Errorf("%s has %q, want %q", data, got, want)
		}
	}
	long := `{"` + strings.Repeat("é", 100) + `":1`
	for i := range 50 {
		long += fmt.Sprintf(`,"k%d":1`, i)
	}
	keys := trace.Keys([]byte(long + "}"))
	if len(keys) != 20 || len(keys[0]) > 64 {
		t.Errorf("%d keys, the first of %d bytes", len(keys), len(keys[0]))
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte(`"{\"a\":[1,{\"b\":2}]}"`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, key := range trace.Keys(data) {
			if len(key) > 64 {
				t.Errorf("a key of %d bytes", len(key))
			}
		}
	})
}

func TestManyMayTellAndAskAtOnce(t *testing.T) {
	tr := trace.New(trace.Config{Bytes: 4 << 20})
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 5000 {
				id := fmt.Sprint(g, "-", i)
				tr.Publish(time.Now(), "1", id, "e", fmt.Sprint("c", i%10), 1, belfry.Receipt{Matched: 1})
				tr.Connected(time.Now(), "1", id, "")
				if i%500 == 0 {
					tr.Events(trace.Filter{Channel: "c3", Limit: 5})
					tr.Connections(trace.Links{Socket: id})
					tr.Stats()
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkPublish(b *testing.B) {
	for name, cfg := range map[string]trace.Config{"all": {Rate: 1 << 30}, "sampled": {Rate: 1}} {
		b.Run(name, func(b *testing.B) {
			tr := trace.New(cfg)
			ids := make([]string, 4096)
			for i := range ids {
				ids[i] = belfry.NewID(time.Now())
			}
			data := []byte(`"{\"order\":12,\"name\":{\"first\":\"Ada\"},\"text\":\"` + strings.Repeat("x", 180) + `\"}"`)
			channels := []string{"private-orders.12"}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					now, id := time.Now(), ids[i%len(ids)]
					tr.Publish(now, "1001", id, "order.paid", channels[0], 245, belfry.Receipt{Matched: 1, Written: 1})
					if tr.Wants(id) {
						tr.Accept(trace.Event{ID: id, App: "1001", Name: "order.paid", Channels: channels, Size: 245, Keys: trace.Keys(data), By: "key abc", Address: "192.0.2.1"}, now)
					}
				}
			})
		})
	}
}
