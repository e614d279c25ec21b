package queuetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/store"
)

func testRun(t *testing.T, p Place) {
	q := newQueue(t, p)
	var d diary
	q.Handle("test", d.noting)
	payload := `{"b": 1e2, "a": "\u0000 \ud83d\ude00 <&>", "a": 1.0}`
	ids := enqueue(t, q, belfry.Job{Kind: "test", Payload: []byte(payload), Lanes: []string{"private-x"}})
	if f, err := q.Find(t.Context(), ids[0]); err != nil || f.State != queue.Waiting {
		t.Fatalf("found %+v, %v; want it waiting", f, err)
	}
	w := work(t, q, queue.Worker{})
	wait(t, "the job runs", func() bool { return d.count() == 1 })
	if got := d.ran[0]; string(got.Payload) != payload || got.ID != ids[0] || got.Queue != belfry.DefaultQueue || got.Kind != "test" || !slices.Equal(got.Lanes, []string{"private-x"}) {
		t.Errorf("the handler got %+v with %s", got, got.Payload)
	}
	gone(t, q, ids[0])
	if e := w.stop(t); e.Reason != queue.Stopped || e.Jobs != 1 {
		t.Errorf("ended %+v", e)
	}
	if s := q.Stats(); len(s) != 1 || s[0].Done != 1 || s[0].Enqueued != 1 || s[0].Wait.Count != 1 || s[0].Run.Count != 1 {
		t.Errorf("stats %+v", s)
	}
}

func testSameID(t *testing.T, p Place) {
	q := newQueue(t, p)
	var d diary
	q.Handle("test", d.noting)
	one, other := job(1), job(2)
	one.ID, other.ID = "same", "same"
	enqueue(t, q, one)
	enqueue(t, q, other, other, job(3))
	work(t, q, queue.Worker{})
	wait(t, "both run", func() bool { return d.count() == 2 })
	if got := d.payloads(); !slices.Equal(got, []string{"1", "3"}) {
		t.Errorf("ran %v", got)
	}
	gone(t, q, "same")
	enqueue(t, q, other)
	wait(t, "a forgotten id runs again", func() bool { return d.count() == 3 })
}

func testTransaction(t *testing.T, p Place) {
	q := newQueue(t, p)
	running(t, q)
	var d diary
	q.Handle("test", d.noting)
	work(t, q, queue.Worker{})
	undone := errors.New("undone")
	err := p.DB.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if _, err := q.Enqueue(ctx, tx, job(1)); err != nil {
			return err
		}
		return undone
	})
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
	err = p.DB.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for n := 2; n < 12; n++ {
			j := job(n)
			j.Lanes = []string{"l"}
			if _, err := q.Enqueue(ctx, tx, j); err != nil {
				return err
			}
		}
		if d.count() != 0 {
			t.Error("a job ran before the commit")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "the jobs run", func() bool { return d.count() == 10 })
	if got := strings.Join(d.payloads(), " "); got != "2 3 4 5 6 7 8 9 10 11" {
		t.Errorf("ran %s", got)
	}
}

func testBadJobs(t *testing.T, p Place) {
	q := newQueue(t, p, func(c *queue.Config) { c.MaxPayload = 100 })
	for name, bad := range map[string]func(*belfry.Job){
		"kind": func(j *belfry.Job) { j.Kind = "" }, "queue": func(j *belfry.Job) { j.Queue = "a b" }, "payload": func(j *belfry.Job) { j.Payload = []byte("{") },
		"priority": func(j *belfry.Job) { j.Priority = 5 }, "tries": func(j *belfry.Job) { j.Tries = -1 }, "debounce": func(j *belfry.Job) { j.Debounce = 1 },
		"unique": func(j *belfry.Job) { j.Unique = "\x00" }, "lane": func(j *belfry.Job) { j.Lanes = []string{"\xff"} },
	} {
		j := job(1)
		bad(&j)
		_, err := q.Enqueue(t.Context(), nil, job(2), j)
		if belfry.CodeOf(err) != belfry.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	j := job(1)
	j.Payload = []byte(`"` + strings.Repeat("x", 100) + `"`)
	_, err := q.Enqueue(t.Context(), nil, j)
	code(t, err, belfry.CodeTooLarge)
	sizes, err := q.Sizes(t.Context())
	if err != nil || sizes[belfry.DefaultQueue].Waiting != 0 {
		t.Errorf("sizes %v, %v", sizes, err)
	}
}

// Many callers at once, some of which give up: each call that was answered
// without an error has its job run, once.
func testConcurrent(t *testing.T, p Place) {
	q := newQueue(t, p)
	var d diary
	q.Handle("test", d.noting)
	work(t, q, queue.Worker{Concurrency: 8})
	var mu sync.Mutex
	kept := map[string]bool{}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for n := range 20 {
				ctx := t.Context()
				if n%7 == 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Duration(i)*100*time.Microsecond)
					defer cancel()
				}
				ids, err := q.Enqueue(ctx, nil, job(n))
				if err == nil {
					mu.Lock()
					kept[ids[0]] = true
					mu.Unlock()
				} else if n%7 != 0 {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	ran := func() (all map[string]int) {
		d.mu.Lock()
		defer d.mu.Unlock()
		all = map[string]int{}
		for _, j := range d.ran {
			all[j.ID]++
		}
		return all
	}
	wait(t, "every kept job runs", func() bool {
		done := ran()
		for id := range kept {
			if done[id] == 0 {
				return false
			}
		}
		return true
	})
	for id, n := range ran() {
		if n != 1 {
			t.Errorf("job %s ran %d times", id, n)
		}
	}
}

// The wait from enqueuing to the start is not that of a poll.
func testQuick(t *testing.T, p Place) {
	q := newQueue(t, p)
	began := make(chan time.Time, 1)
	q.Handle("test", func(context.Context, belfry.Job) error { began <- time.Now(); return nil })
	work(t, q, queue.Worker{})
	enqueue(t, q, job(0))
	<-began
	// On a busy machine one of the rounds has to do.
	for round := 1; ; round++ {
		var waits []time.Duration
		for n := range 30 {
			pass(3 * time.Millisecond)
			at := time.Now()
			enqueue(t, q, job(n))
			waits = append(waits, (<-began).Sub(at))
		}
		slices.Sort(waits)
		t.Logf("from enqueue to start: p50 %s, worst %s", waits[15], waits[29])
		if waits[15] < 50*time.Millisecond {
			return
		}
		if round == 10 {
			t.Fatalf("half of the jobs waited longer than %s", waits[15])
		}
	}
}
