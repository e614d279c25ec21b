package broadcast_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// fake is a driver whose calls are kept. answer, if set, decides; hold, if set,
// is waited for in each call.
type fake struct {
	answer func(events []belfry.Event) ([]belfry.Outcome, error)
	hold   chan struct{}
	began  chan struct{} // gets a value when a held call begins

	mu    sync.Mutex // guards calls and check
	calls [][]belfry.Event
	check error
}

func (*fake) Name() string { return "fake" }

func (f *fake) Send(ctx context.Context, events []belfry.Event) ([]belfry.Outcome, error) {
	f.mu.Lock()
	f.calls = append(f.calls, events)
	f.mu.Unlock()
	if f.hold != nil {
		f.began <- struct{}{}
		select {
		case <-f.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if f.answer != nil {
		return f.answer(events)
	}
	return all(events), nil
}

func (f *fake) Check(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.check
}

func (f *fake) sent() [][]belfry.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([][]belfry.Event(nil), f.calls...)
}

// all are good outcomes.
func all(events []belfry.Event) []belfry.Outcome {
	done := make([]belfry.Outcome, len(events))
	for i := range events {
		done[i] = belfry.Outcome{ID: events[i].ID, Receipt: &belfry.Receipt{Matched: 1, Written: 1}}
	}
	return done
}

// remote is a fake with a target and batches.
type remote struct {
	*fake
	batch int
}

func (remote) Target() string { return "target.example" }
func (r remote) Batch() int   { return r.batch }

// shelf keeps jobs as a queue would: with a transaction, when that commits.
type shelf struct {
	refuse func(job belfry.Job) error // may be nil
	began  chan struct{}              // may be nil: gets a value when a call begins, which then waits for hold
	hold   chan struct{}

	mu   sync.Mutex // guards jobs and err
	jobs []belfry.Job
	err  error
}

func (s *shelf) Enqueue(_ context.Context, tx *store.Tx, jobs ...belfry.Job) ([]string, error) {
	if s.began != nil {
		s.began <- struct{}{}
		<-s.hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	for _, job := range jobs {
		if s.refuse != nil && s.refuse(job) != nil {
			return nil, s.refuse(job)
		}
	}
	ids := make([]string, len(jobs))
	for i := range jobs {
		ids[i] = jobs[i].ID
	}
	keep := func() { s.jobs = append(s.jobs, jobs...) }
	if tx == nil {
		keep()
		return ids, nil
	}
	tx.AfterCommit(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		keep()
	})
	return ids, nil
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *shelf) kept() []belfry.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]belfry.Job(nil), s.jobs...)
}

var masterKey = []byte("0123456789abcdef0123456789abcdef")

// apps are the default app 1, and app 2, which can encrypt and is small.
func apps(id string) *belfry.App {
	one := &belfry.App{ID: "1", Limits: belfry.DefaultLimits()}
	switch id {
	case "", "1":
		return one
	case "2":
		small := belfry.DefaultLimits()
		small.EventData, small.ChannelsPerEvent, small.EventNameLength = 100, 2, 10
		return &belfry.App{ID: "2", Limits: small, EncryptionMasterKey: masterKey}
	case "off":
		return &belfry.App{ID: "off", Limits: belfry.DefaultLimits(), Disabled: true}
	}
	return nil
}

func newBroadcaster(d broadcast.Driver, changes ...func(*broadcast.Config)) *broadcast.Broadcaster {
	cfg := broadcast.Config{Driver: d, Apps: apps}
	for _, change := range changes {
		change(&cfg)
	}
	return broadcast.New(cfg)
}

func withQueue(q broadcast.Enqueuer) func(*broadcast.Config) {
	return func(c *broadcast.Config) { c.Queue = q }
}

func event(name string, channels ...string) belfry.Event {
	return belfry.Event{Name: name, Channels: channels, Data: json.RawMessage(`{"n":1}`)}
}

// mustCode fails unless err has that code and is fit to be shown.
func mustCode(t testing.TB, err error, code belfry.Code) {
	t.Helper()
	if belfry.CodeOf(err) != code {
		t.Fatalf("error %v has code %q, want %q", err, belfry.CodeOf(err), code)
	}
	if e, ok := errors.AsType[*belfry.Error](err); !ok || e.Message == "" {
		t.Fatalf("error %v has no message", err)
	}
}

// clock is a clock that the test moves.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
