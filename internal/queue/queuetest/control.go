package queuetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
)

func testPause(t *testing.T, p Place) {
	q, other := newQueue(t, p), newQueue(t, p)
	var d diary
	q.Handle("test", d.noting)
	work(t, q, queue.Worker{Queues: []string{"a", "b"}})
	if err := other.Pause(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	a, b := job(1), job(2)
	a.Queue, b.Queue = "a", "b"
	enqueue(t, q, a)
	enqueue(t, q, b)
	wait(t, "the other queue's job runs", func() bool { return d.count() == 1 })
	pass(300 * time.Millisecond)
	sizes, err := q.Sizes(t.Context())
	if err != nil || !sizes["a"].Paused || sizes["a"].Waiting != 1 || sizes["b"].Paused {
		t.Errorf("sizes %+v, %v", sizes, err)
	}
	if err := other.Pause(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := other.Continue(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	wait(t, "the job runs", func() bool { return d.count() == 2 })
	if got := d.payloads(); !slices.Equal(got, []string{"2", "1"}) {
		t.Errorf("ran %v", got)
	}
	code(t, q.Pause(t.Context(), "no such name!"), belfry.CodeInvalid)
	if err := q.Continue(t.Context(), "never-paused"); err != nil {
		t.Error(err)
	}
}

func testClear(t *testing.T, p Place) {
	q := newQueue(t, p)
	running(t, q)
	var d diary
	q.Handle("test", d.noting)
	delayed, unique, kept := job(1), job(2), job(3)
	delayed.RunAt = time.Now().Add(time.Hour)
	unique.Unique = "key"
	kept.Queue = "other"
	first := enqueue(t, q, job(0), delayed, unique, kept)
	wait(t, "the jobs wait", func() bool {
		s, err := q.Sizes(t.Context())
		return err == nil && s[belfry.DefaultQueue].Waiting == 2 && s[belfry.DefaultQueue].Delayed == 1
	})
	state(t, q, first[2], queue.Waiting)
	if n, err := q.Clear(t.Context(), belfry.DefaultQueue); err != nil || n != 3 {
		t.Errorf("cleared %d, %v", n, err)
	}
	if n, err := q.Clear(t.Context(), "unheard-of"); err != nil || n != 0 {
		t.Errorf("cleared %d, %v", n, err)
	}
	if id := enqueue(t, q, unique)[0]; id == first[2] {
		t.Error("the key of a cleared job is still held")
	}
	work(t, q, queue.Worker{Queues: []string{belfry.DefaultQueue, "other"}})
	wait(t, "the others run", func() bool { return d.count() == 2 })
}

func testRestart(t *testing.T, p Place) {
	q, other := newQueue(t, p), newQueue(t, p)
	running(t, q)
	began, hold := make(chan struct{}), make(chan struct{})
	var d diary
	q.Handle("test", func(_ context.Context, job belfry.Job) error {
		close(began)
		<-hold
		d.add(job)
		return nil
	})
	w := work(t, q, queue.Worker{})
	pass(100 * time.Millisecond) // it has read what was asked before
	id := enqueue(t, q, job(1))[0]
	<-began
	if err := other.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := enqueue(t, q, job(2))[0]
	pass(1200 * time.Millisecond)
	close(hold)
	if e := w.wait(t); e.Reason != queue.Restarted || e.Jobs != 1 {
		t.Errorf("ended %+v", e)
	}
	if d.count() != 1 {
		t.Error("the running job did not finish")
	}
	gone(t, q, id)
	state(t, q, second, queue.Waiting)
	// A worker that starts afterwards is not meant.
	began = make(chan struct{})
	w = work(t, q, queue.Worker{})
	gone(t, q, second)
	pass(time.Second)
	if e := w.stop(t); e.Reason != queue.Stopped {
		t.Errorf("ended %+v", e)
	}
}

func testLimits(t *testing.T, p Place) {
	q := newQueue(t, p)
	running(t, q)
	var d diary
	q.Handle("test", d.noting)
	if e := work(t, q, queue.Worker{StopWhenEmpty: true}).wait(t); e.Reason != queue.Empty || e.Jobs != 0 {
		t.Errorf("ended %+v", e)
	}
	var jobs []belfry.Job
	for n := range 10 {
		jobs = append(jobs, job(n))
	}
	enqueue(t, q, jobs...)
	if e := work(t, q, queue.Worker{MaxJobs: 3, Concurrency: 2}).wait(t); e.Reason != queue.JobsDone || e.Jobs != 3 || d.count() != 3 {
		t.Errorf("ended %+v with %d jobs", e, d.count())
	}
	if e := work(t, q, queue.Worker{Memory: 1}).wait(t); e.Reason != queue.OverLimit {
		t.Errorf("ended %+v", e)
	}
	if e := work(t, q, queue.Worker{Queues: []string{"none"}, MaxTime: 50 * time.Millisecond}).wait(t); e.Reason != queue.TimeOver {
		t.Errorf("ended %+v", e)
	}
	if e := work(t, q, queue.Worker{StopWhenEmpty: true, Rest: time.Millisecond}).wait(t); e.Reason != queue.Empty || d.count() != 10 {
		t.Errorf("ended %+v with %d jobs", e, d.count())
	}
	if _, err := q.Work(t.Context(), queue.Worker{Queues: []string{""}}); belfry.CodeOf(err) != belfry.CodeInvalid {
		t.Error(err)
	}
}

// A worker that is stopped lets its job finish and starts no other.
func testStop(t *testing.T, p Place) {
	q := newQueue(t, p)
	began, hold := make(chan struct{}, 10), make(chan struct{})
	var d diary
	q.Handle("test", func(ctx context.Context, job belfry.Job) error {
		began <- struct{}{}
		<-hold
		d.add(job)
		return ctx.Err()
	})
	w := work(t, q, queue.Worker{Concurrency: 2})
	var jobs []belfry.Job
	for n := range 6 {
		j := job(n)
		j.Lanes = []string{[]string{"x", "y"}[n%2]}
		jobs = append(jobs, j)
	}
	ids := enqueue(t, q, jobs...)
	<-began
	<-began
	w.cancel()
	pass(50 * time.Millisecond)
	close(hold)
	if e := w.wait(t); e.Jobs != 2 || d.count() != 2 {
		t.Errorf("ended %+v with %d jobs", e, d.count())
	}
	for _, id := range ids[2:] {
		state(t, q, id, queue.Waiting)
	}
	work(t, q, queue.Worker{})
	wait(t, "the others run", func() bool { return d.count() == 6 })
	if got := strings.Join(d.payloads()[2:], " "); got != "2 3 4 5" {
		t.Errorf("ran %s", got)
	}
}

// What does not finish within the grace runs again, and it does not count as a
// try.
func testStopAfterGrace(t *testing.T, p Place) {
	q := newQueue(t, p)
	running(t, q)
	began := make(chan struct{}, 10)
	var d diary
	q.Handle("test", func(ctx context.Context, job belfry.Job) error {
		if d.add(job) > 1 {
			return nil
		}
		began <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	w := work(t, q, queue.Worker{Tries: 1, Grace: 50 * time.Millisecond})
	id := enqueue(t, q, job(1))[0]
	<-began
	w.stop(t)
	state(t, q, id, queue.Waiting)
	work(t, q, queue.Worker{Tries: 1})
	wait(t, "it runs again", func() bool { return d.count() == 2 })
	gone(t, q, id)
}

func testSizes(t *testing.T, p Place) {
	q := newQueue(t, p, func(c *queue.Config) { c.Settings = map[string]queue.Settings{"known": {Tries: 1}} })
	enqueue(t, q, job(0), job(1))
	if err := q.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	pass(20 * time.Millisecond)
	s, err := q.Sizes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := s[belfry.DefaultQueue]; d.Waiting != 2 || d.Running != 0 || d.Oldest <= 0 || d.Oldest > time.Minute {
		t.Errorf("size %+v", d)
	}
	if _, ok := s["known"]; !ok {
		t.Error("a queue with settings is left out")
	}
	hold := make(chan struct{})
	q.Handle("test", func(context.Context, belfry.Job) error { <-hold; return nil })
	work(t, q, queue.Worker{})
	wait(t, "one runs", func() bool {
		s, err := q.Sizes(t.Context())
		return err == nil && s[belfry.DefaultQueue].Running == 1 && s[belfry.DefaultQueue].Waiting == 1
	})
	close(hold)
	wait(t, "none is left", func() bool {
		s, err := q.Sizes(t.Context())
		return err == nil && s[belfry.DefaultQueue].Running == 0 && s[belfry.DefaultQueue].Waiting == 0
	})
}
