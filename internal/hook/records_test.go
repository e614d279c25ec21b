package hook_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hook"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/pusher"
	"github.com/belfryhq/belfry/test/services"
)

// bothDatabases runs f with each kind of database.
func bothDatabases(t *testing.T, f func(t *testing.T, db *store.DB)) {
	for name, url := range map[string]func(*testing.T) string{
		"sqlite": func(*testing.T) string { return "" }, "postgres": func(t *testing.T) string { return services.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) { f(t, open(t, url(t))) })
	}
}

func open(t *testing.T, url string) *store.DB {
	t.Helper()
	db, err := store.Open(store.Config{URL: url, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// process is Hooks as a process has them, over a database that outlives it.
type process struct {
	*hook.Hooks
	t        *testing.T
	sink     *sink
	status   atomic.Int32
	attempts chan hook.Attempt
	app      atomic.Pointer[belfry.App] // as it is set now
	stop     func()
}

// newProcess starts Hooks that give up after the first attempt.
func newProcess(t *testing.T, cfg hook.Config, keep hook.Keep) *process {
	p := &process{t: t, attempts: make(chan hook.Attempt, 1000)}
	p.app.Store(newApp())
	p.status.Store(500)
	p.sink = &sink{start: time.Now(), answer: func(post, int) (int, time.Duration) {
		return int(p.status.Load()), 2 * time.Millisecond // so that ids differ in their time
	}}
	if cfg.Client == nil {
		cfg.Client = p.sink.client()
	}
	if cfg.RetryFor == 0 {
		cfg.RetryFor = 900 * time.Millisecond // less than the first wait
	}
	cfg.Delay = -1
	observe := cfg.Observe
	cfg.Observe = func(a hook.Attempt) {
		if observe != nil {
			observe(a)
		}
		p.attempts <- a
	}
	p.Hooks = hook.New(cfg)
	keep.App = func(id string) *belfry.App {
		if app := p.app.Load(); app != nil && app.ID == id {
			return app
		}
		return nil
	}
	p.Keep(keep)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx) }()
	stopped := false
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(p.stop)
	return p
}

func (p *process) calls(f hook.CallFilter) []hook.Call {
	p.t.Helper()
	all, _, err := p.Calls(p.t.Context(), f)
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

// crashed gives the calls that a process would find that begins now.
func crashed(t *testing.T, db *store.DB) []hook.Call {
	t.Helper()
	h := hook.New(hook.Config{Client: http.DefaultClient})
	h.Keep(hook.Keep{DB: db, App: func(string) *belfry.App { return nil }})
	all, _, err := h.Calls(t.Context(), hook.CallFilter{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAFailedWebhookOutlivesTheProcess(t *testing.T) {
	bothDatabases(t, func(t *testing.T, db *store.DB) {
		var found atomic.Int32
		first := newProcess(t, hook.Config{Observe: func(a hook.Attempt) {
			for _, c := range crashed(t, db) { // it was kept before anybody was told
				if c.ID == a.Call {
					found.Add(1)
				}
			}
		}}, hook.Keep{DB: db})
		secret := belfry.Webhook{URL: testURL + "?token=hunter2", Headers: map[string]string{"Authorization": "hunter2"}}
		app := newApp(secret)
		event := client("room", "client-typing", `{"a":1}`)
		event.ID = "event-1"
		first.Notify(app, event)
		a := <-first.attempts
		equal(t, "outcome", a.Outcome, hook.Dropped)
		equal(t, "kept when it was told", found.Load(), 1)
		body := first.sink.all()[0].body
		first.stop()

		second := newProcess(t, hook.Config{}, hook.Keep{DB: db})
		rotated := newApp(secret)
		rotated.Keys = []belfry.Credential{{Key: "new-key", Secret: "new-secret"}}
		second.app.Store(rotated)
		second.status.Store(200)
		all := second.calls(hook.CallFilter{})
		if len(all) != 1 {
			t.Fatalf("after a restart: %+v", all)
		}
		c := all[0]
		equal(t, "call", fmt.Sprint(c.App, c.URL, c.Events, c.Channels, c.Count, c.Outcome, c.Error, c.Body, c.Resent.IsZero()),
			fmt.Sprint(app.ID, testURL, []string{"client_event"}, []string{"room"}, 1, "dropped", "answered 500, not 2xx", true, true))
		if len(c.Tries) != 1 || c.Tries[0].Status != 500 || c.Tries[0].Error != c.Error || c.Tries[0].At.IsZero() {
			t.Errorf("tries %+v", c.Tries)
		}
		if until := time.Until(c.BodyUntil); until < 6*24*time.Hour || until > 7*24*time.Hour {
			t.Errorf("the body goes in %v", until)
		}
		as, err := second.Resend(t.Context(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		again := <-second.attempts
		equal(t, "outcome", again.Outcome, hook.Delivered)
		equal(t, "call of the new attempt", again.Call, as)
		equal(t, "ids for the trace", again.IDs, []string{"event-1"})
		got := second.sink.all()[0]
		equal(t, "url", got.url, secret.URL)
		equal(t, "body", got.body, body)
		equal(t, "key", got.header.Get("X-Pusher-Key"), "new-key")
		equal(t, "header", got.header.Get("Authorization"), "hunter2")
		equal(t, "signature", got.header.Get("X-Pusher-Signature"), pusher.Sign("new-secret", body))
		all = second.calls(hook.CallFilter{})
		if len(all) != 2 || all[0].ID != as || all[1].Resent.IsZero() || all[1].ResentAs != as {
			t.Errorf("after it was sent again: %+v", all)
		}
		if sent, _, _, err := second.ResendFailed(t.Context(), hook.CallFilter{}, 10); sent != 0 || err != nil {
			t.Errorf("sent again twice: %d, %v", sent, err)
		}
		second.stop()
		all = crashed(t, db)
		if len(all) != 2 || all[0].Outcome != hook.Delivered || all[0].Body || len(all[0].Tries) != 1 {
			t.Errorf("delivered: %+v", all)
		}
		holdsNo(t, db, "hunter2", testSecret, "new-secret")
	})
}

// holdsNo fails if the database's text holds one of the secrets.
func holdsNo(t *testing.T, db *store.DB, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		var n int
		err := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM webhook_calls WHERE url || endpoint || events || channels || event_ids || error || tries LIKE $1
			OR CAST(body AS TEXT) LIKE $1`, "%"+secret+"%").Scan(&n)
		if err != nil || n != 0 {
			t.Errorf("%d rows hold a secret, %v", n, err)
		}
	}
}

func TestFailedWebhooksAreSentAgainByFilter(t *testing.T) {
	bothDatabases(t, func(t *testing.T, db *store.DB) {
		p := newProcess(t, hook.Config{}, hook.Keep{DB: db})
		other := newApp()
		other.ID = "2"
		for n := range 3 {
			p.Notify(newApp(), occupied(fmt.Sprint("room-", n)))
			<-p.attempts
		}
		p.Notify(newApp(), occupied("100%_hall"))
		<-p.attempts
		p.Notify(other, occupied("room-9"))
		<-p.attempts
		p.status.Store(200)
		for _, one := range []struct {
			filter hook.CallFilter
			want   int
		}{
			{hook.CallFilter{}, 5},
			{hook.CallFilter{App: "2"}, 1},
			{hook.CallFilter{Text: "ROOM"}, 4},
			{hook.CallFilter{Text: "0%_h"}, 1},
			{hook.CallFilter{Text: "_"}, 5}, // channel_occupied
			{hook.CallFilter{Text: "answered 500"}, 5},
			{hook.CallFilter{Outcome: hook.Delivered}, 0},
		} {
			if got := p.calls(one.filter); len(got) != one.want {
				t.Errorf("%+v gives %d, want %d", one.filter, len(got), one.want)
			}
		}
		page, more, err := p.Calls(t.Context(), hook.CallFilter{Limit: 2})
		if err != nil || len(page) != 2 || !more {
			t.Errorf("a page: %d, %v, %v", len(page), more, err)
		}
		if rest := p.calls(hook.CallFilter{Before: page[1].ID}); len(rest) != 3 || rest[0].ID >= page[1].ID {
			t.Errorf("after it: %+v", rest)
		}

		sent, more, left, err := p.ResendFailed(t.Context(), hook.CallFilter{App: "730041", Text: "room"}, 2)
		if sent != 2 || !more || left != nil || err != nil {
			t.Errorf("sent %d, %v, %v, %v", sent, more, left, err)
		}
		<-p.attempts
		<-p.attempts
		sent, more, left, err = p.ResendFailed(t.Context(), hook.CallFilter{Text: "room"}, 10)
		if sent != 1 || more || belfry.CodeOf(left) != belfry.CodeConflict || err != nil { // app 2 is gone
			t.Errorf("then %d, %v, %v, %v", sent, more, left, err)
		}
		<-p.attempts
		if got := p.calls(hook.CallFilter{Outcome: hook.Delivered}); len(got) != 3 {
			t.Errorf("delivered: %+v", got)
		}
	})
}

func TestAWebhookGoesNowhereButToItsEndpoint(t *testing.T) {
	db := open(t, "")
	p := newProcess(t, hook.Config{}, hook.Keep{DB: db})
	p.Notify(newApp(belfry.Webhook{URL: testURL + "?tenant=1"}), occupied("room"))
	call := (<-p.attempts).Call
	p.stop()
	p = newProcess(t, hook.Config{}, hook.Keep{DB: db})
	p.status.Store(200)
	for _, now := range []struct {
		name string
		app  *belfry.App
		want string // "": refused
	}{
		{"no app", nil, ""},
		{"another place", newApp(belfry.Webhook{URL: "http://sink.example/other"}), ""},
		{"two that differ in the query", newApp(belfry.Webhook{URL: testURL + "?tenant=2"}, belfry.Webhook{URL: testURL + "?tenant=3"}), ""},
		{"the same among others", newApp(belfry.Webhook{URL: testURL + "?tenant=2"}, belfry.Webhook{URL: testURL + "?tenant=1"}), testURL + "?tenant=1"},
		{"the same place with another token", newApp(belfry.Webhook{URL: testURL + "?tenant=1&v=2"}), testURL + "?tenant=1&v=2"},
	} {
		p.app.Store(now.app)
		_, err := p.Resend(t.Context(), call)
		if now.want == "" {
			if belfry.CodeOf(err) != belfry.CodeConflict {
				t.Errorf("%s: %v", now.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", now.name, err)
			continue
		}
		<-p.attempts
		posts := p.sink.all()
		equal(t, now.name, posts[len(posts)-1].url, now.want)
	}
	if _, err := p.Resend(t.Context(), "none"); belfry.CodeOf(err) != belfry.CodeNotFound {
		t.Errorf("unknown: %v", err)
	}
}

func TestKeptWebhooksAreBounded(t *testing.T) {
	bothDatabases(t, func(t *testing.T, db *store.DB) {
		keep := hook.Keep{DB: db, For: 48 * time.Hour, Failed: 5, Recent: 3}
		p := newProcess(t, hook.Config{}, keep)
		for n := range 8 {
			p.Notify(newApp(), occupied(fmt.Sprint("failed-", n)))
			<-p.attempts
		}
		p.status.Store(200)
		for n := range 30 {
			p.Notify(newApp(), occupied(fmt.Sprint("fine-", n)))
			<-p.attempts
		}
		big := client("big", "client-big", strings.Repeat("x", 600<<10))
		p.status.Store(500)
		p.Notify(newApp(), big)
		tooLarge := (<-p.attempts).Call
		p.stop()
		for _, c := range crashed(t, db) {
			if c.ID == tooLarge && c.Body {
				t.Error("a body of 600 KiB is kept")
			}
		}
		p = newProcess(t, hook.Config{}, keep) // prunes
		p.stop()
		var failed, fine []string
		for _, c := range crashed(t, db) {
			if c.Outcome == hook.Dropped {
				failed = append(failed, c.Channels[0])
			} else {
				fine = append(fine, c.Channels[0])
			}
		}
		equal(t, "failed", failed, []string{"big", "failed-7", "failed-6", "failed-5", "failed-4"})
		equal(t, "the others", fine, []string{"fine-29", "fine-28", "fine-27"})

		keep.Bytes = 250 // three bodies of about 100 bytes
		newProcess(t, hook.Config{}, keep).stop()
		bodies := 0
		for _, c := range crashed(t, db) {
			if c.Body {
				bodies++
			}
		}
		if bodies == 0 || bodies > 3 {
			t.Errorf("%d bodies are kept", bodies)
		}
		if _, err := db.Exec(t.Context(), `UPDATE webhook_calls SET at = at - $1`, (47 * time.Hour).Milliseconds()); err != nil {
			t.Fatal(err)
		}
		newProcess(t, hook.Config{}, keep).stop()
		equal(t, "after 47 hours", len(crashed(t, db)), 8)
		if _, err := db.Exec(t.Context(), `UPDATE webhook_calls SET at = at - $1`, (2 * time.Hour).Milliseconds()); err != nil {
			t.Fatal(err)
		}
		newProcess(t, hook.Config{}, keep).stop()
		equal(t, "after 49 hours", len(crashed(t, db)), 0)
	})
}

func TestWhatAStopLeavesIsKeptAsFailed(t *testing.T) {
	db := open(t, "")
	p := newProcess(t, hook.Config{RetryFor: time.Minute, RetryFirst: 30 * time.Second}, hook.Keep{DB: db})
	p.Notify(newApp(), occupied("tried"))
	<-p.attempts
	p.Notify(newApp(), client("tried", "client-next", "1")) // held back by the one before
	p.stop()
	got := map[string]int{}
	for _, c := range crashed(t, db) {
		if c.Outcome != hook.Dropped || !strings.Contains(c.Error, "the server stopped") || !c.Body {
			t.Errorf("%+v", c)
		}
		got[c.Events[0]] = len(c.Tries)
	}
	equal(t, "tries by event", got, map[string]int{"channel_occupied": 1, "client_event": 0})
	p = newProcess(t, hook.Config{}, hook.Keep{DB: db})
	p.status.Store(200)
	if sent, _, left, err := p.ResendFailed(t.Context(), hook.CallFilter{}, 10); sent != 2 || left != nil || err != nil {
		t.Fatalf("sent %d, %v, %v", sent, left, err)
	}
	<-p.attempts
	<-p.attempts
	equal(t, "received", len(p.sink.all()), 2)
}

func TestADatabaseThatIsAwayHoldsNothingUp(t *testing.T) {
	log := &syncBuffer{}
	db, err := store.Open(store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p := newProcess(t, hook.Config{Logger: logTo(log)}, hook.Keep{DB: db}) // it has no tables yet
	for n := range 50 {
		p.Notify(newApp(), occupied(fmt.Sprint("room-", n)))
	}
	for range 50 {
		<-p.attempts
	}
	if n := len(log.lines("could not be kept")); n == 0 || n > 2 {
		t.Errorf("%d lines tell of it", n)
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.stop()
	equal(t, "kept once there is a database", len(crashed(t, db)), 50)
}
