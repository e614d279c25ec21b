package queuetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
)

// Jobs that share a lane run one after another, in order, over two workers of
// one process, at full rate.
func testOrder(t *testing.T, p Place) {
	q := newQueue(t, p)
	const lanes, each = 10, 120
	var mu sync.Mutex
	next, busy, faults, done := map[string]int{}, map[string]bool{}, 0, 0
	q.Handle("test", func(_ context.Context, job belfry.Job) error {
		lane, n := job.Lanes[0], 0
		fmt.Sscan(string(job.Payload), &n)
		mu.Lock()
		if next[lane] != n || busy[lane] {
			faults++
		}
		next[lane], busy[lane] = n+1, true
		mu.Unlock()
		if n%10 == 0 {
			pass(time.Millisecond)
		}
		mu.Lock()
		defer mu.Unlock()
		busy[lane] = false
		done++
		return nil
	})
	for range 2 {
		work(t, q, queue.Worker{Concurrency: 8})
	}
	var all sync.WaitGroup
	for lane := range lanes {
		all.Go(func() {
			for n := 0; n < each; {
				batch := []belfry.Job{}
				for range 1 + n%5 {
					j := job(n)
					j.Lanes = []string{fmt.Sprint("lane-", lane)}
					batch = append(batch, j)
					n++
				}
				if _, err := q.Enqueue(t.Context(), nil, batch...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	wait(t, "all run", func() bool { mu.Lock(); defer mu.Unlock(); return done >= lanes*each })
	if faults > 0 {
		t.Errorf("%d jobs ran out of order or at once", faults)
	}
}

// A lane whose jobs are slow does not keep others from running.
func testSlowLane(t *testing.T, p Place) {
	q := newQueue(t, p)
	hold := make(chan struct{})
	var d diary
	q.Handle("test", func(_ context.Context, job belfry.Job) error {
		if job.Lanes[0] == "slow" {
			<-hold
		}
		d.add(job)
		return nil
	})
	var jobs []belfry.Job
	for n := range 6 {
		j := job(n)
		j.Lanes = []string{"slow", fmt.Sprint(n)}
		jobs = append(jobs, j)
	}
	enqueue(t, q, jobs...)
	quick := job(100)
	quick.Lanes = []string{"quick"}
	enqueue(t, q, quick)
	work(t, q, queue.Worker{Concurrency: 4})
	defer close(hold)
	wait(t, "the quick job runs", func() bool { return slices.Equal(d.payloads(), []string{"100"}) })
}

// Of jobs that wait, those of the first queue run first, and in one queue those
// of the first priority.
func testImportance(t *testing.T, p Place) {
	q := newQueue(t, p)
	var d diary
	q.Handle("test", d.noting)
	for n, name := range []string{"low", "high", "low", "high", "middle"} {
		j := job(10 * n)
		j.Queue = name
		urgent := job(10*n + 1)
		urgent.Queue, urgent.Priority = name, 1
		enqueue(t, q, j, urgent)
	}
	work(t, q, queue.Worker{Queues: []string{"high", "middle", "low"}})
	wait(t, "all run", func() bool { return d.count() == 10 })
	if got := strings.Join(d.payloads(), " "); got != "11 31 10 30 41 40 1 21 0 20" {
		t.Errorf("ran %s", got)
	}
}

// Two processes share the work: each job runs in one of them.
func testTwoQueues(t *testing.T, p Place) {
	var d [2]diary
	var queues [2]*queue.Queue
	for i := range queues {
		queues[i] = newQueue(t, p)
		queues[i].Handle("test", func(_ context.Context, job belfry.Job) error {
			pass(time.Millisecond)
			d[i].add(job)
			return nil
		})
		running(t, queues[i])
		work(t, queues[i], queue.Worker{Concurrency: 4})
	}
	const jobs = 400
	for n := range jobs / 10 {
		var batch []belfry.Job
		for m := range 10 {
			batch = append(batch, job(10*n+m))
		}
		enqueue(t, queues[n%2], batch...)
	}
	wait(t, "all run", func() bool { return d[0].count()+d[1].count() >= jobs })
	all := append(d[0].payloads(), d[1].payloads()...)
	slices.Sort(all)
	if len(slices.Compact(all)) != jobs {
		t.Error("a job ran twice")
	}
	if d[0].count() == 0 || d[1].count() == 0 {
		t.Errorf("one did all: %d and %d", d[0].count(), d[1].count())
	}
}

func testQueueLimit(t *testing.T, p Place) {
	q := newQueue(t, p, func(c *queue.Config) { c.Settings = map[string]queue.Settings{"few": {Concurrency: 1}} })
	var mu sync.Mutex
	active, most, done := 0, 0, 0
	q.Handle("test", func(context.Context, belfry.Job) error {
		mu.Lock()
		active++
		most = max(most, active)
		mu.Unlock()
		pass(2 * time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		active--
		done++
		return nil
	})
	for n := range 10 {
		j := job(n)
		j.Queue = "few"
		enqueue(t, q, j)
	}
	hold := make(chan struct{})
	q.Handle("other", func(context.Context, belfry.Job) error { <-hold; return nil })
	other := belfry.Job{Kind: "other", Queue: "many"}
	enqueue(t, q, other, other)
	work(t, q, queue.Worker{Queues: []string{"few", "many"}, Concurrency: 4})
	wait(t, "all run", func() bool { mu.Lock(); defer mu.Unlock(); return done == 10 })
	close(hold)
	if most != 1 {
		t.Errorf("%d ran at once", most)
	}
}
