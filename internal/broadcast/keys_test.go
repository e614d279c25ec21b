package broadcast_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, f func(t *testing.T, db *store.DB)) {
	open := func(t *testing.T, cfg store.Config) *store.DB {
		db, err := store.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		if _, err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return db
	}
	t.Run("sqlite", func(t *testing.T) { f(t, open(t, store.Config{Dir: t.TempDir()})) })
	t.Run("postgres", func(t *testing.T) { f(t, open(t, store.Config{URL: services.Postgres(t)})) })
}

func request(key, body string) broadcast.Request {
	e := event("e", "a")
	e.Data = []byte(body)
	return broadcast.Request{Event: e, Key: key, Scope: "1/token 3", Content: []byte(body)}
}

func TestAKeyIsUsedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, db *store.DB) {
		now, kept := newClock(), &shelf{}
		b := newBroadcaster(&fake{}, withQueue(kept), func(c *broadcast.Config) { c.DB, c.Now = db, now.Now })
		first, err := b.Accept(t.Context(), request("k", `{"n":1}`))
		if err != nil || first.Replayed || len(kept.kept()) != 1 || kept.kept()[0].ID != first.ID {
			t.Fatalf("%+v, %v, %d jobs", first, err, len(kept.kept()))
		}
		again, err := b.Accept(t.Context(), request("k", `{"n":1}`))
		if err != nil || !again.Replayed || again.ID != first.ID || again.Status != "queued" || len(kept.kept()) != 1 {
			t.Fatalf("%+v, %v, %d jobs", again, err, len(kept.kept()))
		}
		_, err = b.Accept(t.Context(), request("k", `{"n":2}`))
		mustCode(t, err, belfry.CodeConflict)
		other := request("k", `{"n":2}`)
		other.Scope = "1/token 4"
		if got, err := b.Accept(t.Context(), other); err != nil || got.Replayed {
			t.Errorf("another's key: %+v, %v", got, err)
		}
		if got, err := b.Accept(t.Context(), request("", `{"n":2}`)); err != nil || got.Replayed {
			t.Errorf("no key: %+v, %v", got, err)
		}
		now.add(24 * time.Hour)
		if got, err := b.Accept(t.Context(), request("k", `{"n":2}`)); err != nil || got.Replayed || got.ID == first.ID {
			t.Errorf("a day later: %+v, %v", got, err)
		}
	})
}

func TestAKeyOfAFailedRequestIsFree(t *testing.T) {
	onBoth(t, func(t *testing.T, db *store.DB) {
		kept := &shelf{}
		b := newBroadcaster(&fake{}, withQueue(kept), func(c *broadcast.Config) { c.DB = db })
		kept.fail(errors.New("disk"))
		_, err := b.Accept(t.Context(), request("k", `{"n":1}`))
		mustCode(t, err, belfry.CodeUnavailable)
		bad := request("k", `{"n":1}`)
		bad.Event.Channels = []string{"a b"}
		_, err = b.Accept(t.Context(), bad)
		mustCode(t, err, belfry.CodeInvalid)
		kept.fail(nil)
		if got, err := b.Accept(t.Context(), request("k", `{"n":2}`)); err != nil || got.Replayed || len(kept.kept()) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestRequestsAtOnceWithOneKeyMakeOneEvent(t *testing.T) {
	onBoth(t, func(t *testing.T, db *store.DB) {
		kept := &shelf{}
		b := newBroadcaster(&fake{}, withQueue(kept), func(c *broadcast.Config) { c.DB = db })
		var wg sync.WaitGroup
		ids := make([]string, 8)
		for i := range ids {
			wg.Go(func() {
				got, err := b.Accept(context.Background(), request("k", `{"n":1}`))
				if err != nil {
					t.Error(err)
				}
				ids[i] = got.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("ids %q", ids)
			}
		}
		if len(kept.kept()) != 1 {
			t.Errorf("%d jobs", len(kept.kept()))
		}
	})
}

func TestNowWithAKeyGoesOutUnderOneID(t *testing.T) {
	onBoth(t, func(t *testing.T, db *store.DB) {
		d := &fake{}
		broken := true
		d.answer = func(events []belfry.Event) ([]belfry.Outcome, error) {
			if broken {
				return nil, errors.New("no answer")
			}
			return all(events), nil
		}
		b := newBroadcaster(d, func(c *broadcast.Config) { c.DB = db })
		r := request("k", `{"n":1}`)
		r.Now = true
		_, err := b.Accept(t.Context(), r)
		mustCode(t, err, belfry.CodeUnavailable)
		broken = false
		first, err := b.Accept(t.Context(), r)
		if err != nil || first.Status != "sent" {
			t.Fatalf("%+v, %v", first, err)
		}
		calls := d.sent()
		if len(calls) != 2 || calls[0][0].ID != first.ID || calls[1][0].ID != first.ID {
			t.Errorf("calls %+v", calls)
		}
		again, err := b.Accept(t.Context(), r)
		if err != nil || !again.Replayed || again.ID != first.ID || again.Receipt == nil || len(d.sent()) != 2 {
			t.Errorf("%+v, %v", again, err)
		}
	})
}

func TestRunClearsExpiredKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, db *store.DB) {
		now := newClock()
		b := newBroadcaster(&fake{}, withQueue(&shelf{}), func(c *broadcast.Config) { c.DB, c.Now = db, now.Now })
		if _, err := b.Accept(t.Context(), request("old", `1`)); err != nil {
			t.Fatal(err)
		}
		now.add(24 * time.Hour)
		if _, err := b.Accept(t.Context(), request("new", `1`)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		for n := 2; n != 1; {
			if err := db.QueryRow(ctx, `SELECT count(*) FROM idempotency_keys`).Scan(&n); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run gave %v", err)
		}
	})
}

func TestKeysAreChecked(t *testing.T) {
	b := newBroadcaster(&fake{}, withQueue(&shelf{}))
	for _, key := range []string{strings.Repeat("k", 256), "a\x00b", "é"} {
		_, err := b.Accept(t.Context(), request(key, `1`))
		mustCode(t, err, belfry.CodeInvalid)
	}
	_, err := b.Accept(t.Context(), request("k", `1`)) // no database
	mustCode(t, err, belfry.CodeUnavailable)
}

func TestKeyedEventsShareACommit(t *testing.T) {
	onBoth(t, func(t *testing.T, db *store.DB) {
		kept := &shelf{began: make(chan struct{}, 100), hold: make(chan struct{})}
		kept.refuse = func(job belfry.Job) error {
			if job.Queue == "bad" {
				return belfry.Errorf(belfry.CodeInvalid, "refused by the queue")
			}
			return nil
		}
		b := newBroadcaster(&fake{}, withQueue(kept), func(c *broadcast.Config) { c.DB = db })
		var wg sync.WaitGroup
		errs := make([]error, 6)
		accept := func(ctx context.Context, i int, key, queue string) {
			r := request(key, `1`)
			r.How.Queue = queue
			r.Event.Name = key
			wg.Go(func() { _, errs[i] = b.Accept(ctx, r) })
		}
		accept(t.Context(), 0, "z first", "")
		<-kept.began // its commit is under way, the others wait behind it
		ctx, cancel := context.WithCancel(t.Context())
		for i, key := range []string{"y", "x", "w", "v"} {
			accept(t.Context(), i+1, key, map[string]string{"w": "bad"}[key])
		}
		accept(ctx, 5, "gone", "")
		cancel()
		close(kept.hold)
		wg.Wait()
		for i, err := range errs {
			switch i {
			case 3:
				mustCode(t, err, belfry.CodeInvalid)
			case 5:
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("given up: %v", err)
				}
			default:
				if err != nil {
					t.Errorf("event %d: %v", i, err)
				}
			}
		}
		names := map[string]bool{}
		for _, job := range kept.kept() {
			var e belfry.Event
			if err := json.Unmarshal(job.Payload, &e); err != nil {
				t.Fatal(err)
			}
			names[e.Name] = true
		}
		for _, key := range []string{"z first", "y", "x", "v"} {
			if !names[key] {
				t.Errorf("%s is not kept", key)
			}
		}
		if names["w"] || names["gone"] && errs[5] != nil {
			t.Errorf("kept %v, errors %v", names, errs)
		}
		// The refused one's key is free.
		if got, err := b.Accept(t.Context(), request("w", `2`)); err != nil || got.Replayed {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
