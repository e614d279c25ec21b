package queue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// moveBatch hands the first due jobs to the driver and counts them.
func (q *Queue) moveBatch(ctx context.Context, now time.Time) (n int, err error) {
	var jobs []belfry.Job
	switch _, inline := q.driver.(Inline); {
	case inline:
		return q.moveInline(ctx, now)
	case q.driver.Transactional():
		jobs, err = q.moveInside(ctx, now)
	default:
		jobs, err = q.moveOutside(ctx, now)
	}
	if err != nil {
		return 0, fmt.Errorf("move due jobs: %w", err)
	}
	var queues []string
	for _, job := range jobs {
		if !slices.Contains(queues, job.Queue) {
			queues = append(queues, job.Queue)
		}
	}
	if len(jobs) > 0 {
		q.wakeWorkers()
		if q.cfg.Enqueued != nil {
			q.cfg.Enqueued(queues)
		}
	}
	return len(jobs), nil
}

// startable gives the jobs of rows as the driver gets them.
func startable(rows []later) (jobs []belfry.Job) {
	for _, l := range rows {
		l.job.RunAt = time.Time{}
		jobs = append(jobs, l.job)
	}
	return jobs
}

// moveInside moves jobs to a driver that takes part in the transaction.
func (q *Queue) moveInside(ctx context.Context, now time.Time) (jobs []belfry.Job, err error) {
	err = q.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		rows, err := takeDue(ctx, tx, now)
		if err != nil || len(rows) == 0 {
			return err
		}
		jobs = startable(rows)
		return q.driver.Enqueue(ctx, tx, jobs)
	})
	return jobs, err
}

// The lease of the one process that moves jobs to a driver outside of the
// database, so that they arrive in order; and the time that the driver gets,
// which is less.
const (
	moverName  = "mover"
	moverLease = 15 * time.Second
	sendTime   = 10 * time.Second
)

// moveOutside moves jobs to a driver that takes no part in a transaction: they
// are handed over, then deleted. A crash between has some twice, none lost. No
// transaction is open meanwhile, since the driver may take its time to say that
// it cannot be reached.
func (q *Queue) moveOutside(ctx context.Context, now time.Time) ([]belfry.Job, error) {
	ours, err := q.takeLease(ctx)
	if err != nil || !ours {
		return nil, err
	}
	rows, err := peekDue(ctx, q.db, now)
	if err == nil && len(rows) > 0 {
		sending, cancel := context.WithTimeout(ctx, sendTime)
		err = q.driver.Enqueue(sending, nil, startable(rows))
		cancel()
	}
	if err != nil {
		rows = nil
	}
	over := q.db.Tx(context.WithoutCancel(ctx), func(ctx context.Context, tx *store.Tx) error {
		if len(rows) > 0 {
			// A row that was written again meanwhile, by a quick failure or for a
			// debounced job, stays.
			_, err := tx.Exec(ctx, `DELETE FROM job_later WHERE NOT again AND run_at <= $1 AND seq IN (`+joinSeqs(rows)+`)`, store.Millis(now))
			if err != nil {
				return err
			}
		}
		return endLease(ctx, tx)
	})
	if err == nil {
		err = over
	}
	return startable(rows), err
}

// takeLease takes the lease of moving jobs, unless another has it.
func (q *Queue) takeLease(ctx context.Context) (ours bool, err error) {
	dbNow := q.dbNow()
	n, err := q.remove(ctx, `INSERT INTO queue_control (name, value) VALUES ($1, `+dbNow+` + $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE queue_control.value < `+dbNow, moverName, moverLease.Milliseconds())
	return n == 1, err
}

func endLease(ctx context.Context, db store.Querier) error {
	_, err := db.Exec(ctx, `UPDATE queue_control SET value = 0 WHERE name = $1`, moverName)
	return err
}

// whileStill runs f while no job is on its way to a driver outside of the
// database.
func (q *Queue) whileStill(ctx context.Context, f func() error) error {
	if q.driver.Transactional() {
		return f()
	}
	tick := time.NewTicker(againEvery)
	defer tick.Stop()
	for {
		ours, err := q.takeLease(ctx)
		if err != nil {
			return err
		}
		if ours {
			err := f()
			if over := endLease(context.WithoutCancel(ctx), q.db); err == nil {
				err = over
			}
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// inlineLease is how long a process that runs a kept job itself has for it
// before another may.
const inlineLease = 5 * time.Minute

// runKept runs the jobs that a transaction has just kept, in its caller's
// goroutine. What fails here Run takes up.
func (q *Queue) runKept() {
	// The caller's context belongs to the transaction, which is over.
	ctx, cancel := context.WithTimeout(context.Background(), inlineLease)
	defer cancel()
	if _, err := q.moveInline(ctx, q.now()); err != nil {
		q.log.Warn("kept jobs wait to be run", "error", err)
	}
}

// moveInline runs due jobs here and then forgets them.
func (q *Queue) moveInline(ctx context.Context, now time.Time) (int, error) {
	var rows []later
	err := eachLater(ctx, q.db, `SELECT seq, job FROM job_later WHERE run_at <= $1 AND NOT again ORDER BY run_at, seq LIMIT 100`, &rows, store.Millis(now))
	if err != nil {
		return 0, err
	}
	for _, l := range rows {
		held := store.Millis(now.Add(inlineLease))
		result, err := q.db.Exec(ctx, `UPDATE job_later SET run_at = $1 WHERE seq = $2 AND run_at <= $3`, held, l.seq, store.Millis(now))
		if err != nil {
			return 0, err
		}
		if n, _ := result.RowsAffected(); n == 0 {
			continue // another process runs it
		}
		l.job.RunAt = time.Time{}
		if err := q.driver.Enqueue(ctx, nil, []belfry.Job{l.job}); err != nil {
			return 0, err
		}
		if _, err := q.db.Exec(ctx, `DELETE FROM job_later WHERE seq = $1 AND run_at = $2`, l.seq, held); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}
