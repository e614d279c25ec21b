package riverqueue_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

// PostgreSQL goes away while jobs run and fail, and comes back: what was
// acknowledged is done, and the worker goes on by itself.
func TestOutageOfPostgres(t *testing.T) {
	server := services.OwnPostgres(t)
	p := open(t, store.Config{URL: server.Database(t)})
	q := queue.New(queue.Config{DB: p.DB, Driver: p.Driver(), Silent: 5 * time.Second})
	if err := q.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	ran, kept := map[string]int{}, map[string]bool{}
	q.Handle("test", func(_ context.Context, job belfry.Job) error {
		mu.Lock()
		defer mu.Unlock()
		if ran[job.ID]++; ran[job.ID] == 1 && job.ID[len(job.ID)-1] == '7' {
			return errors.New("fails once")
		}
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { cancel(); all.Wait() })
	all.Go(func() { q.Run(ctx) })
	all.Go(func() { q.Work(ctx, queue.Worker{Concurrency: 4, Backoff: []time.Duration{10 * time.Millisecond}}) })
	n := 0
	enqueue := func() error {
		n++
		id := fmt.Sprintf("job-%d", n)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := q.Enqueue(ctx, nil, belfry.Job{ID: id, Kind: "test"})
		if err == nil {
			kept[id] = true
		}
		return err
	}
	for round := range 3 {
		for range 60 {
			if err := enqueue(); err != nil {
				t.Fatal(err)
			}
		}
		if round == 1 {
			server.Kill()
		} else {
			server.Stop()
		}
		began := time.Now()
		if err := enqueue(); belfry.CodeOf(err) != belfry.CodeUnavailable {
			t.Errorf("without a database: %v", err)
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("it took %s to say that there is no database", d)
		}
		server.Start()
		for over := time.Now().Add(30 * time.Second); enqueue() != nil; {
			if time.Now().After(over) {
				t.Fatal("nothing can be enqueued again")
			}
		}
	}
	over := time.Now().Add(60 * time.Second)
	for id := range kept {
		for {
			_, err := q.Find(t.Context(), id)
			if belfry.CodeOf(err) == belfry.CodeNotFound {
				break
			}
			if time.Now().After(over) {
				f, err := q.Find(t.Context(), id)
				t.Fatalf("%s is not done: %+v, %v", id, f, err)
			}
			<-time.After(10 * time.Millisecond)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for id := range kept {
		if ran[id] == 0 {
			t.Errorf("%s did not run", id)
		}
	}
	workers, err := q.Workers(t.Context())
	if err != nil || len(workers) != 1 || workers[0].Silent {
		t.Errorf("workers %+v, %v", workers, err)
	}
}
