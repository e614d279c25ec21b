package queue

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
)

// group joins concurrent calls into one: while one is under way, the jobs of
// those that come wait and then go together. A lone call waits for nobody.
type group struct {
	send func(ctx context.Context, jobs []belfry.Job) error

	mu      sync.Mutex // guards what follows
	busy    bool       // someone sends
	waiting []*call
}

// call is one caller's jobs.
type call struct {
	jobs []belfry.Job
	done chan error    // has the outcome
	lead chan struct{} // closed when the caller is to send for those who wait
}

// Bounds of one call of send.
const (
	groupJobs = 1000
	groupTime = 30 * time.Second
)

// do sends jobs, perhaps with those of others, and gives the outcome for them.
func (g *group) do(ctx context.Context, jobs []belfry.Job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &call{jobs: jobs, done: make(chan error, 1), lead: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, c)
	if !g.busy {
		g.busy = true
		close(c.lead)
	}
	g.mu.Unlock()
	select {
	case err := <-c.done:
		return err
	case <-c.lead:
		g.flush(ctx)
		return <-c.done
	case <-ctx.Done():
	}
	g.mu.Lock()
	i := slices.Index(g.waiting, c)
	leads := false
	select {
	case <-c.lead:
		leads = true
	default:
	}
	if i >= 0 && !leads {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		g.mu.Unlock()
		return ctx.Err()
	}
	g.mu.Unlock()
	if leads {
		g.flush(ctx)
	}
	return <-c.done // it is under way
}

// flush sends what waits, the leader's own among it, and hands the lead on.
func (g *group) flush(ctx context.Context) {
	g.mu.Lock()
	n, size := 0, 0
	for n < len(g.waiting) && (n == 0 || size+len(g.waiting[n].jobs) <= groupJobs) {
		size += len(g.waiting[n].jobs)
		n++
	}
	calls := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	g.mu.Unlock()

	// The leader's end must not be that of the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), groupTime)
	defer cancel()
	jobs := make([]belfry.Job, 0, size)
	for _, c := range calls {
		jobs = append(jobs, c.jobs...)
	}
	err := g.send(ctx, jobs)
	for _, c := range calls {
		// One caller's bad job is not the fault of the others.
		if err != nil && len(calls) > 1 && !unreachable(err) {
			c.done <- g.send(ctx, c.jobs)
			continue
		}
		c.done <- err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.busy = false
		return
	}
	close(g.waiting[0].lead)
}
