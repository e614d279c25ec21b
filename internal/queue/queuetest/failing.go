package queuetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
)

var errTest = errors.New("no such luck")

func testTries(t *testing.T, p Place) {
	q := newQueue(t, p)
	running(t, q)
	var d diary
	q.Handle("test", func(_ context.Context, job belfry.Job) error {
		if d.add(job) < 3 {
			return errTest
		}
		return nil
	})
	work(t, q, queue.Worker{Tries: 1})
	j := job(1)
	j.Tries, j.Backoff = 3, []time.Duration{200 * time.Millisecond, 500 * time.Millisecond}
	id := enqueue(t, q, j)[0]
	if f := state(t, q, id, queue.Retrying); f.Tries == 0 || !strings.Contains(f.Error, "no such luck") {
		t.Errorf("found %+v", f)
	}
	wait(t, "it is tried three times", func() bool { return d.count() == 3 })
	gone(t, q, id)
	at := d.times()
	for n, pause := range j.Backoff {
		if late := at[n+1].Sub(at[n]) - pause; late < -2*time.Millisecond || late > lateness {
			t.Errorf("the pause before try %d was wrong by %s", n+2, late)
		}
	}
	if s := q.Stats()[0]; s.Retried != 2 || s.Done != 1 || s.Failed != 0 {
		t.Errorf("stats %+v", s)
	}
}

// A job whose surroundings are at fault waits for them, and keeps its tries.
func testWait(t *testing.T, p Place) {
	q := newQueue(t, p)
	running(t, q)
	var d diary
	q.Handle("test", func(_ context.Context, job belfry.Job) error {
		if d.add(job) < 6 {
			return queue.Wait(errTest, 100*time.Millisecond)
		}
		return errTest
	})
	work(t, q, queue.Worker{Tries: 1})
	id := enqueue(t, q, job(1))[0]
	if f := state(t, q, id, queue.Failed); f.Tries != 1 {
		t.Errorf("found %+v", f)
	}
	if n := d.count(); n != 6 {
		t.Errorf("tried %d times, want 6: only the last one counts", n)
	}
}

// A try that follows at once is not taken for the run that failed.
func testQuickRetry(t *testing.T, p Place) {
	q := newQueue(t, p)
	running(t, q)
	var d diary
	q.Handle("test", func(_ context.Context, job belfry.Job) error {
		if d.add(job)%2 == 1 {
			return queue.After(errTest, 0)
		}
		return nil
	})
	work(t, q, queue.Worker{})
	for n := range 5 {
		id := enqueue(t, q, job(n))[0]
		wait(t, "both tries", func() bool { return d.count() == 2*n+2 })
		gone(t, q, id)
	}
}

// failsWith runs a job that fails for good and gives what is kept of it.
func failsWith(t *testing.T, p Place, w queue.Worker, h queue.Handler) queue.FailedJob {
	t.Helper()
	q := newQueue(t, p)
	running(t, q)
	if h != nil {
		q.Handle("test", h)
	}
	work(t, q, w)
	id := enqueue(t, q, job(7))[0]
	f := state(t, q, id, queue.Failed)
	all, err := q.Failed(t.Context(), "", 0)
	if err != nil || len(all) != 1 {
		t.Fatalf("failed jobs %v, %v", all, err)
	}
	if all[0].ID != id || all[0].Error != f.Error || string(all[0].Payload) != "7" || all[0].Queue != belfry.DefaultQueue || all[0].Kind != "test" || all[0].Failed.Before(all[0].Enqueued) {
		t.Errorf("failed job %+v", all[0])
	}
	return all[0]
}

func testTimeout(t *testing.T, p Place) {
	f := failsWith(t, p, queue.Worker{Tries: 1, Timeout: 50 * time.Millisecond}, func(ctx context.Context, _ belfry.Job) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if !strings.Contains(f.Error, "timed out after 50ms") {
		t.Errorf("error %q", f.Error)
	}
}

func testPanic(t *testing.T, p Place) {
	f := failsWith(t, p, queue.Worker{Tries: 2}, func(context.Context, belfry.Job) error { panic("out of cheese") })
	if !strings.Contains(f.Error, "out of cheese") || f.Tries != 2 {
		t.Errorf("failed %+v", f)
	}
}

func testPermanent(t *testing.T, p Place) {
	f := failsWith(t, p, queue.Worker{Tries: 5}, func(context.Context, belfry.Job) error { return fmt.Errorf("no: %w", queue.Permanent(errTest)) })
	if f.Tries != 1 {
		t.Errorf("failed %+v", f)
	}
}

func testNoHandler(t *testing.T, p Place) {
	f := failsWith(t, p, queue.Worker{Tries: 1}, nil)
	if !strings.Contains(f.Error, `"test"`) {
		t.Errorf("failed %+v", f)
	}
}

func testFailed(t *testing.T, p Place) {
	q := newQueue(t, p)
	running(t, q)
	var d diary
	var well atomic.Bool
	q.Handle("test", func(_ context.Context, job belfry.Job) error {
		d.add(job)
		if well.Load() {
			return nil
		}
		return errTest
	})
	work(t, q, queue.Worker{Tries: 1})
	ids := enqueue(t, q, job(0), job(1), job(2), job(3))
	for _, id := range ids {
		state(t, q, id, queue.Failed)
	}
	code(t, q.Retry(t.Context(), ids[0], "nobody"), belfry.CodeNotFound)
	code(t, q.Forget(t.Context(), ids[0], "nobody"), belfry.CodeNotFound)
	if all, err := q.Failed(t.Context(), belfry.DefaultQueue, 0); err != nil || len(all) != 4 {
		t.Fatalf("failed jobs %v, %v", all, err)
	}
	// Retried at once, while the driver may still hold the failed run.
	if err := q.Retry(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	wait(t, "it runs again", func() bool { return d.count() == 5 })
	state(t, q, ids[0], queue.Failed)
	well.Store(true)
	if err := q.Forget(t.Context(), ids[3]); err != nil {
		t.Fatal(err)
	}
	if n, err := q.RetryAll(t.Context(), "other"); err != nil || n != 0 {
		t.Errorf("retried %d, %v", n, err)
	}
	if n, err := q.RetryAll(t.Context(), ""); err != nil || n != 3 {
		t.Errorf("retried %d, %v", n, err)
	}
	wait(t, "the others run again", func() bool { return d.count() == 8 })
	for _, id := range ids {
		gone(t, q, id)
	}
}

func testFailedPayload(t *testing.T, p Place) {
	now := atomic.Pointer[time.Time]{}
	start := time.Now()
	now.Store(&start)
	q := newQueue(t, p, func(c *queue.Config) { c.Now = func() time.Time { return *now.Load() } })
	q.Handle("test", func(context.Context, belfry.Job) error { return errTest })
	w := work(t, q, queue.Worker{Tries: 1})
	ids := enqueue(t, q, job(0), job(1))
	for _, id := range ids {
		state(t, q, id, queue.Failed)
	}
	w.stop(t)
	later := start.Add(8 * 24 * time.Hour)
	now.Store(&later)
	running(t, q)
	wait(t, "the payloads are dropped", func() bool {
		all, err := q.Failed(t.Context(), "", 0)
		return err == nil && len(all) == 2 && all[0].Payload == nil && all[1].Payload == nil
	})
	code(t, q.Retry(t.Context(), ids[0]), belfry.CodeConflict)
	if n, err := q.RetryAll(t.Context(), ""); err != nil || n != 0 {
		t.Errorf("retried %d, %v", n, err)
	}
	if n, err := q.PruneFailed(t.Context(), start.Add(-time.Hour)); err != nil || n != 0 {
		t.Errorf("pruned %d, %v", n, err)
	}
	if n, err := q.PruneFailed(t.Context(), later); err != nil || n != 2 {
		t.Errorf("pruned %d, %v", n, err)
	}
	if n, err := q.Flush(t.Context()); err != nil || n != 0 {
		t.Errorf("flushed %d, %v", n, err)
	}
}
