package notify_test

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/test/services"
)

// BenchmarkSend sends to NOTIFY_USERS users, 10,000 by default, and has one of
// them ask for a count all the while.
func BenchmarkSend(b *testing.B) {
	users, _ := strconv.Atoi(cmp.Or(os.Getenv("NOTIFY_USERS"), "10000"))
	run := func(b *testing.B, url string) {
		f := newFixture(b, url, func(c *notify.Config) { c.Slice, c.Now = 0, nil })
		f.people.n = users
		for i := range b.N {
			b.StopTimer()
			d := draft(fmt.Sprint("n", i), everybody)
			d.Send = true
			id := f.create(d).ID
			job, _ := f.jobs.take("")
			stop, slowest := make(chan struct{}), make(chan time.Duration)
			go func() {
				var worst time.Duration
				for {
					select {
					case <-stop:
						slowest <- worst
						return
					case <-time.After(2 * time.Millisecond):
					}
					began := time.Now()
					if _, err := f.ReadAll(b.Context(), "7", ""); err != nil {
						b.Error(err)
					}
					worst = max(worst, time.Since(began))
				}
			}()
			b.StartTimer()
			must(b, f.Do(b.Context(), job))
			b.StopTimer()
			close(stop)
			b.ReportMetric(float64((<-slowest).Milliseconds()), "ms/slowest-request")
			f.work()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.Sys>>20), "MB")
			got, err := f.Get(b.Context(), id)
			must(b, err)
			if got.Stats.Recipients != users || got.Status != notify.StatusSent {
				b.Errorf("%+v", got)
			}
		}
		b.ReportMetric(float64(users)*float64(b.N)/b.Elapsed().Seconds(), "users/s")
	}
	b.Run("sqlite", func(b *testing.B) { run(b, "") })
	b.Run("postgres", func(b *testing.B) { run(b, services.Postgres(b)) })
}
