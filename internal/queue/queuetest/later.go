package queuetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/store"
)

// lateness is how late a delayed job may be in a test; the aim is a tenth of a
// second, and a busy machine needs more.
const lateness = 500 * time.Millisecond

func testDelay(t *testing.T, p Place) {
	q := newQueue(t, p)
	running(t, q)
	var d diary
	q.Handle("test", d.noting)
	work(t, q, queue.Worker{})
	start := time.Now()
	delays := []time.Duration{900 * time.Millisecond, 150 * time.Millisecond, 400 * time.Millisecond}
	var ids []string
	for n, delay := range delays {
		j := job(n)
		j.RunAt = start.Add(delay)
		ids = append(ids, enqueue(t, q, j)...)
	}
	if f, err := q.Find(t.Context(), ids[0]); err != nil || f.State != queue.Delayed || f.RunAt.IsZero() {
		t.Errorf("found %+v, %v", f, err)
	}
	if s, err := q.Sizes(t.Context()); err != nil || s[belfry.DefaultQueue].Delayed < 2 {
		t.Errorf("sizes %+v, %v", s, err)
	}
	wait(t, "all run", func() bool { return d.count() == 3 })
	if got := strings.Join(d.payloads(), " "); got != "1 2 0" {
		t.Errorf("ran %s", got)
	}
	slices.Sort(delays)
	for n, at := range d.times() {
		late := at.Sub(start) - delays[n]
		t.Logf("late by %s", late)
		if late < -2*time.Millisecond || late > lateness {
			t.Errorf("the job with a delay of %s was late by %s", delays[n], late)
		}
	}
}

// A delayed job that another process without a loop of its own enqueued.
func testDelayInTransaction(t *testing.T, p Place) {
	q, other := newQueue(t, p), newQueue(t, p)
	running(t, q)
	var d diary
	q.Handle("test", d.noting)
	work(t, q, queue.Worker{})
	due := time.Now().Add(200 * time.Millisecond)
	err := p.DB.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		j := job(1)
		j.RunAt = due
		_, err := other.Enqueue(ctx, tx, j)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "it runs", func() bool { return d.count() == 1 })
	if late := d.times()[0].Sub(due); late < -2*time.Millisecond || late > lateness {
		t.Errorf("late by %s", late)
	}
}

func testUnique(t *testing.T, p Place) {
	q := newQueue(t, p)
	running(t, q)
	var d diary
	hold := make(chan struct{})
	q.Handle("test", func(_ context.Context, job belfry.Job) error {
		d.add(job)
		<-hold
		return nil
	})
	unique := func(n int, key string) belfry.Job {
		j := job(n)
		j.Unique = key
		return j
	}
	first := enqueue(t, q, unique(1, "a"))
	second := enqueue(t, q, unique(2, "a"), unique(3, "b"))
	if second[0] != first[0] || second[1] == first[0] {
		t.Errorf("ids %v after %v", second, first)
	}
	work(t, q, queue.Worker{Concurrency: 3})
	wait(t, "two run", func() bool { return d.count() == 2 })
	enqueue(t, q, unique(4, "a")) // it runs still
	close(hold)
	gone(t, q, first[0])
	enqueue(t, q, unique(5, "a"))
	wait(t, "a third runs", func() bool { return d.count() == 3 })
	got := d.payloads()
	slices.Sort(got)
	if !slices.Equal(got, []string{"1", "3", "5"}) {
		t.Errorf("ran %v", got)
	}
}

func testUniqueFor(t *testing.T, p Place) {
	q := newQueue(t, p)
	running(t, q)
	var d diary
	q.Handle("test", d.noting)
	work(t, q, queue.Worker{})
	j := job(1)
	j.Unique, j.UniqueFor = "a", 700*time.Millisecond
	start := time.Now()
	id := enqueue(t, q, j)[0]
	gone(t, q, id)
	if again := enqueue(t, q, j)[0]; again != id && time.Since(start) < j.UniqueFor {
		t.Error("the key was free before its time")
	}
	wait(t, "the key is free", func() bool { return enqueue(t, q, j)[0] != id })
	if time.Since(start) < j.UniqueFor-5*time.Millisecond {
		t.Errorf("the key was free after %s", time.Since(start))
	}
	wait(t, "the second runs", func() bool { return d.count() == 2 })
}

func testDebounce(t *testing.T, p Place) {
	q := newQueue(t, p)
	running(t, q)
	var d diary
	q.Handle("test", d.noting)
	work(t, q, queue.Worker{})
	var ids []string
	var before, last time.Time // around the last call, which may take its time
	for n := range 5 {
		j := job(n)
		j.Unique, j.Debounce = "a", 400*time.Millisecond
		before = time.Now()
		ids = append(ids, enqueue(t, q, j)...)
		last = time.Now()
		pass(10 * time.Millisecond)
	}
	wait(t, "one runs", func() bool { return d.count() == 1 })
	if ran := d.times()[0]; ran.Sub(before) < 380*time.Millisecond || ran.Sub(last) > 400*time.Millisecond+lateness {
		t.Errorf("ran %s after the last call began and %s after it ended", ran.Sub(before), ran.Sub(last))
	}
	gone(t, q, ids[0])
	if got := d.payloads(); !slices.Equal(got, []string{"4"}) || len(slices.Compact(ids)) != 1 {
		t.Errorf("ran %v with the ids %v", got, ids)
	}
}
