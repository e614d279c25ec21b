package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
)

func testWorkers(t *testing.T, p Place) {
	q := newQueue(t, p, func(c *queue.Config) { c.Version = "2" })
	old := newQueue(t, p)
	w := work(t, old, queue.Worker{Queues: []string{"a", "b"}, Concurrency: 3, Memory: 1 << 20, Name: "tester"})
	var all []queue.WorkerInfo
	wait(t, "the worker is known", func() (known bool) {
		var err error
		all, err = q.Workers(t.Context())
		return err == nil && len(all) == 1
	})
	i := all[0]
	if !i.Other || i.Silent || i.Version != "1" || i.PID == 0 || i.Name != "tester" || len(i.Queues) != 2 || i.Concurrency != 3 || i.Used == 0 || i.Seen.IsZero() {
		t.Errorf("worker %+v", i)
	}
	w.stop(t)
	if all, err := q.Workers(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("workers %v, %v", all, err)
	}
}

// die has a worker take the waiting job of the default queue and never finish
// it, as when its process is killed. It is known as a worker that was heard of
// long ago.
func die(t *testing.T, p Place, name string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	took, never, done := make(chan struct{}, 100), make(chan struct{}), make(chan struct{})
	driver := p.Driver()
	go func() {
		defer close(done)
		driver.Work(ctx, queue.Crew{
			Worker: name, Queues: []string{belfry.DefaultQueue}, Concurrency: 1, Grace: time.Millisecond, Woken: make(chan struct{}),
			Take: func(queue.Attempt) func(context.Context) queue.Verdict {
				return func(context.Context) queue.Verdict {
					took <- struct{}{}
					<-never
					return queue.Verdict{Keep: true} // too late to matter
				}
			},
		})
	}()
	select {
	case <-took:
	case <-time.After(patience):
		t.Fatal("the job is not taken")
	}
	t.Cleanup(func() { close(never); cancel(); <-done })
	_, err := p.DB.Exec(t.Context(), `INSERT INTO workers (id, host, pid, version, settings, started, seen, state) VALUES ($1, 'h', 1, '1', '{}', 1, 1, '{}')`, name)
	if err != nil {
		t.Fatal(err)
	}
}

// The job of a worker that was killed is done by another once the first has
// been silent.
func testSilentWorker(t *testing.T, p Place) {
	q := newQueue(t, p, func(c *queue.Config) { c.Beat = 20 * time.Millisecond })
	var d diary
	q.Handle("test", d.noting)
	id := enqueue(t, q, job(1))[0]
	die(t, p, "dead-1")
	state(t, q, id, queue.Running)
	running(t, q)
	work(t, q, queue.Worker{})
	wait(t, "the job is done", func() bool { return d.count() == 1 })
	wait(t, "the dead one is forgotten", func() bool {
		all, err := q.Workers(t.Context())
		return err == nil && len(all) == 1 && all[0].ID != "dead-1"
	})
}

// A job that kills each worker is given up in the end.
func testDeadlyJob(t *testing.T, p Place) {
	q := newQueue(t, p, func(c *queue.Config) { c.Beat = 20 * time.Millisecond })
	var d diary
	q.Handle("test", d.noting)
	id := enqueue(t, q, job(1))[0]
	running(t, q)
	die(t, p, "dead-1")
	state(t, q, id, queue.Waiting)
	die(t, p, "dead-2")
	state(t, q, id, queue.Waiting)
	work(t, q, queue.Worker{Tries: 2})
	f := state(t, q, id, queue.Failed)
	if f.Tries != 2 || d.count() != 0 {
		t.Errorf("found %+v after %d runs", f, d.count())
	}
}

// Jobs given back come first, and count one delivery more.
func testGiveBack(t *testing.T, p Place) {
	q := newQueue(t, p)
	enqueue(t, q, job(1))
	die(t, p, "dead-1")
	enqueue(t, q, job(2))
	driver := p.Driver()
	if err := driver.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := driver.GiveBack(t.Context(), []string{"nobody"}); err != nil || n != 0 {
		t.Errorf("gave back %d, %v", n, err)
	}
	if n, err := driver.GiveBack(t.Context(), []string{"nobody", "dead-1"}); err != nil || n != 1 {
		t.Errorf("gave back %d, %v", n, err)
	}
	got := take(t, driver, 2, func(int) queue.Verdict { return queue.Verdict{} })
	if string(got[0].Job.Payload) != "1" || got[0].Delivery != 2 || string(got[1].Job.Payload) != "2" || got[1].Delivery != 1 {
		t.Errorf("took %+v", got)
	}
}

// A job that is kept comes again, after its pause, and as if it had not been
// handed out.
func testKeep(t *testing.T, p Place) {
	q := newQueue(t, p)
	enqueue(t, q, job(1))
	start := time.Now()
	got := take(t, p.Driver(), 3, func(n int) queue.Verdict {
		return []queue.Verdict{{Keep: true}, {Keep: true, After: 300 * time.Millisecond}, {}}[n]
	})
	for _, a := range got {
		if a.Delivery != 1 || string(a.Job.Payload) != "1" {
			t.Errorf("took %+v", a)
		}
	}
	if d := time.Since(start); d < 290*time.Millisecond {
		t.Errorf("it came again after %s", d)
	}
}

// take works with the driver until so many jobs ran.
func take(t *testing.T, driver queue.Driver, jobs int, verdict func(n int) queue.Verdict) (all []queue.Attempt) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	woken, ran := make(chan struct{}, 1), 0
	woken <- struct{}{}
	err := driver.Work(ctx, queue.Crew{
		Worker: "taker", Queues: []string{belfry.DefaultQueue}, Concurrency: 1, Grace: time.Second, Woken: woken,
		Take: func(a queue.Attempt) func(context.Context) queue.Verdict {
			n := len(all)
			all = append(all, a)
			return func(context.Context) queue.Verdict {
				if ran++; ran == jobs {
					cancel()
				}
				if n >= jobs {
					return queue.Verdict{Keep: true}
				}
				return verdict(n)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < jobs {
		t.Fatalf("took only %d jobs", len(all))
	}
	return all
}
