package asynqqueue_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/test/services"
)

// Each iteration is one job, with a Redis that writes every second to disk.
func BenchmarkQueue(b *testing.B) {
	for _, concurrency := range []int{1, 10} {
		b.Run(fmt.Sprintf("work/%d", concurrency), func(b *testing.B) {
			d, _ := open(b, services.OwnRedis(b, "--save", "", "--appendonly", "yes").Addr)
			enqueue(b, d, jobs(b.N)...)
			b.ResetTimer()
			var left sync.WaitGroup
			left.Add(b.N)
			start(b, d, queue.Crew{Concurrency: concurrency}, func(context.Context, queue.Attempt) queue.Verdict {
				left.Done()
				return queue.Verdict{}
			})
			left.Wait()
		})
	}
	b.Run("enqueue/bulk", func(b *testing.B) {
		d, _ := open(b, services.OwnRedis(b, "--save", "", "--appendonly", "yes").Addr)
		enqueue(b, d, jobs(b.N)...)
	})
	b.Run("enqueue/single", func(b *testing.B) {
		d, _ := open(b, services.OwnRedis(b, "--save", "", "--appendonly", "yes").Addr)
		for _, j := range jobs(b.N) {
			enqueue(b, d, []belfry.Job{j}...)
		}
	})
}
