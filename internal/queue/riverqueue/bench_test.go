package riverqueue_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/queue/queuetest"
)

// The benchmarks enqueue and work jobs with 16 handlers and lanes: Single by
// single calls from 64 goroutines, Bulk by calls of 100 jobs, Paced 50 a second
// with the time from the call to the start of the job.
//
//	go test ./internal/queue/riverqueue -run xxx -bench . -benchtime 5000x
func BenchmarkSQLite(b *testing.B)   { benchmark(b, onSQLite) }
func BenchmarkPostgres(b *testing.B) { benchmark(b, onPostgres) }

func benchmark(b *testing.B, open queuetest.Open) {
	b.Run("Single", func(b *testing.B) { rate(b, open(b), 64, 1) })
	b.Run("Bulk", func(b *testing.B) { rate(b, open(b), 4, 100) })
	b.Run("Paced", func(b *testing.B) { paced(b, open(b)) })
}

func start(b *testing.B, p queuetest.Place, h queue.Handler) *queue.Queue {
	q := queue.New(queue.Config{DB: p.DB, Driver: p.Driver()})
	if err := q.Prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	q.Handle("bench", h)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { q.Run(ctx) })
	all.Go(func() { q.Work(ctx, queue.Worker{Concurrency: 16}) })
	b.Cleanup(func() { cancel(); all.Wait() })
	return q
}

func benchJob(n int) belfry.Job {
	return belfry.Job{Kind: "bench", Lanes: []string{fmt.Sprint("private-user.", n%50)},
		Payload: []byte(`{"event":"order.shipped","channels":["private-user.7"],"data":{"order":4711,"text":"a text of the usual length of such an event, which is some two hundred bytes in all"}}`)}
}

func rate(b *testing.B, p queuetest.Place, callers, size int) {
	var left sync.WaitGroup
	left.Add(b.N)
	q := start(b, p, func(context.Context, belfry.Job) error { left.Done(); return nil })
	jobs := make(chan int)
	var all sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for range callers {
		all.Go(func() {
			for n := range jobs {
				batch := make([]belfry.Job, 0, size)
				for i := n; i < min(n+size, b.N); i++ {
					batch = append(batch, benchJob(i))
				}
				if _, err := q.Enqueue(b.Context(), nil, batch...); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := 0; n < b.N; n += size {
		jobs <- n
	}
	close(jobs)
	all.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "enqueued/s")
	left.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "done/s")
}

func paced(b *testing.B, p queuetest.Place) {
	began := make(chan time.Time, 1)
	q := start(b, p, func(context.Context, belfry.Job) error { began <- time.Now(); return nil })
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var waits []time.Duration
	n := min(b.N, 250)
	for i := range n {
		<-tick.C
		at := time.Now()
		if _, err := q.Enqueue(b.Context(), nil, benchJob(i)); err != nil {
			b.Fatal(err)
		}
		waits = append(waits, (<-began).Sub(at))
	}
	slices.Sort(waits)
	b.ReportMetric(waits[n/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(waits[n*99/100].Seconds()*1000, "p99-ms")
}
