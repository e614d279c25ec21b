package queue

import (
	"context"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/store"
)

// pruneEvery is the time between looks for what is old.
const pruneEvery = time.Minute

// Run does what is not a worker's: it hands jobs to the driver as their time
// comes, gives back the jobs of workers that are gone, and drops what is old.
// At least one process must run it; several may. It returns nil when ctx has
// ended.
func (q *Queue) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { q.moveDue(ctx) })
	all.Go(func() { q.judgeWorkers(ctx) })
	all.Go(func() { q.pruneOld(ctx) })
	<-ctx.Done()
	return nil
}

// pruneOld drops payloads of jobs that failed long ago, and keys that nobody
// holds.
func (q *Queue) pruneOld(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if err := q.pruneOnce(ctx); err != nil && ctx.Err() == nil {
			q.log.Debug("old parts of the queue cannot be dropped yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (q *Queue) pruneOnce(ctx context.Context) error {
	now := q.now()
	if _, err := q.remove(ctx, `UPDATE failed_jobs SET job = NULL WHERE job IS NOT NULL AND failed < $1`, store.Millis(now.Add(-q.cfg.KeepPayload))); err != nil {
		return err
	}
	if _, err := q.remove(ctx, `DELETE FROM job_locks WHERE done AND until <= $1`, store.Millis(now)); err != nil {
		return err
	}
	return q.dropLocks(ctx, "", pruneEvery)
}
