// Package queuetest is the suite that every driver of a queue passes, through
// the Queue in front of it and, where only the driver can be asked, directly.
package queuetest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/store"
)

// Place is where one test's jobs are kept: fresh and empty.
type Place struct {
	// DB is migrated.
	DB *store.DB
	// Driver makes a driver; each call one of its own, as another process would
	// have, over the same jobs.
	Driver func() queue.Driver
}

// Open makes a place. What it opens it closes at the end of the test.
type Open func(t testing.TB) Place

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, p Place)
	}{
		{"Run", testRun}, {"SameID", testSameID}, {"Transaction", testTransaction}, {"BadJobs", testBadJobs}, {"Concurrent", testConcurrent},
		{"Order", testOrder}, {"SlowLane", testSlowLane}, {"Importance", testImportance}, {"TwoQueues", testTwoQueues}, {"QueueLimit", testQueueLimit},
		{"Delay", testDelay}, {"DelayInTransaction", testDelayInTransaction}, {"Unique", testUnique}, {"UniqueFor", testUniqueFor}, {"Debounce", testDebounce},
		{"Tries", testTries}, {"Wait", testWait}, {"QuickRetry", testQuickRetry}, {"Timeout", testTimeout}, {"Panic", testPanic}, {"Permanent", testPermanent}, {"NoHandler", testNoHandler},
		{"Failed", testFailed}, {"FailedPayload", testFailedPayload},
		{"Pause", testPause}, {"Clear", testClear}, {"Restart", testRestart}, {"Limits", testLimits}, {"Stop", testStop}, {"StopAfterGrace", testStopAfterGrace},
		{"Workers", testWorkers}, {"SilentWorker", testSilentWorker}, {"DeadlyJob", testDeadlyJob}, {"GiveBack", testGiveBack}, {"Keep", testKeep}, {"Sizes", testSizes},
		{"Quick", testQuick},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// wait polls a condition.
func wait(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	over := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// pass lets time pass in which something must not happen.
func pass(d time.Duration) { <-time.After(d) }

// newQueue makes a Queue over the place, as one process would have it.
func newQueue(t testing.TB, p Place, change ...func(*queue.Config)) *queue.Queue {
	t.Helper()
	cfg := queue.Config{DB: p.DB, Driver: p.Driver(), Version: "1", Logger: slog.New(slog.DiscardHandler)}
	if testing.Verbose() {
		cfg.Logger = slog.New(slog.NewTextHandler(logs{t}, nil))
	}
	for _, f := range change {
		f(&cfg)
	}
	q := queue.New(cfg)
	if err := q.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return q
}

type logs struct{ t testing.TB }

func (l logs) Write(line []byte) (int, error) {
	l.t.Logf("%s", line)
	return len(line), nil
}

// running starts Run until the end of the test.
func running(t testing.TB, q *queue.Queue) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// worker is a call of Work in the background.
type worker struct {
	cancel context.CancelFunc
	done   chan struct{}
	ended  queue.Ended
	err    error
}

// work starts a worker, which ends with the test at the latest.
func work(t testing.TB, q *queue.Queue, cfg queue.Worker) *worker {
	ctx, cancel := context.WithCancel(context.Background())
	w := &worker{cancel: cancel, done: make(chan struct{})}
	if cfg.Backoff == nil {
		cfg.Backoff = []time.Duration{time.Millisecond}
	}
	go func() {
		defer close(w.done)
		w.ended, w.err = q.Work(ctx, cfg)
	}()
	t.Cleanup(func() { w.stop(t) })
	return w
}

func (w *worker) stop(t testing.TB) queue.Ended {
	t.Helper()
	w.cancel()
	return w.wait(t)
}

func (w *worker) wait(t testing.TB) queue.Ended {
	t.Helper()
	select {
	case <-w.done:
	case <-time.After(patience):
		t.Fatal("the worker does not end")
	}
	if w.err != nil {
		t.Fatal(w.err)
	}
	return w.ended
}

// diary notes what handlers did.
type diary struct {
	mu   sync.Mutex // guards what follows
	ran  []belfry.Job
	when []time.Time
}

func (d *diary) add(job belfry.Job) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ran, d.when = append(d.ran, job), append(d.when, time.Now())
	return len(d.ran)
}

func (d *diary) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ran)
}

// payloads gives the payloads in the order in which they ran.
func (d *diary) payloads() (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, job := range d.ran {
		all = append(all, string(job.Payload))
	}
	return all
}

func (d *diary) times() []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.when)
}

// noting is a handler that only notes.
func (d *diary) noting(_ context.Context, job belfry.Job) error {
	d.add(job)
	return nil
}

func job(n int) belfry.Job {
	return belfry.Job{Kind: "test", Payload: fmt.Appendf(nil, "%d", n)}
}

func enqueue(t testing.TB, q *queue.Queue, jobs ...belfry.Job) []string {
	t.Helper()
	ids, err := q.Enqueue(t.Context(), nil, jobs...)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// gone waits until the queue has forgotten a job.
func gone(t testing.TB, q *queue.Queue, id string) {
	t.Helper()
	wait(t, "the job is forgotten", func() bool {
		_, err := q.Find(t.Context(), id)
		return belfry.CodeOf(err) == belfry.CodeNotFound
	})
}

// state waits until a job is in a state.
func state(t testing.TB, q *queue.Queue, id string, want queue.State) queue.Found {
	t.Helper()
	var f queue.Found
	wait(t, "the job is "+string(want), func() bool {
		f, _ = q.Find(t.Context(), id)
		return f.State == want
	})
	return f
}

func code(t testing.TB, err error, want belfry.Code) {
	t.Helper()
	if belfry.CodeOf(err) != want {
		t.Fatalf("got the error %v, want one with the code %q", err, want)
	}
}
