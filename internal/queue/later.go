package queue

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/store"
)

// Times of the loop that moves jobs to the driver.
const (
	lookEvery  = 200 * time.Millisecond // for rows that other processes wrote
	againEvery = 20 * time.Millisecond  // while the driver still holds a job's last run
)

// moveDue hands jobs to the driver as their time comes, until ctx ends.
func (q *Queue) moveDue(ctx context.Context) {
	trouble := outage{q: q, what: "delayed jobs wait: the queue cannot be reached"}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-q.due:
		}
		pause, err := q.moveOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		timer.Reset(max(pause, trouble.note(err)))
	}
}

// moveOnce moves what is due and gives the pause until the next look.
func (q *Queue) moveOnce(ctx context.Context) (time.Duration, error) {
	now := q.now()
	var first, again *int64
	err := q.db.QueryRow(ctx, `SELECT MIN(CASE WHEN NOT again THEN run_at END), MIN(CASE WHEN again THEN run_at END) FROM
		(SELECT run_at, again FROM job_later ORDER BY run_at, seq LIMIT 100) AS next`).Scan(&first, &again)
	if err != nil {
		return lookEvery, err
	}
	pause := lookEvery
	if again != nil && *again <= store.Millis(now) {
		free, err := q.freeAgain(ctx, now)
		if err != nil {
			return lookEvery, err
		}
		if pause = againEvery; free > 0 {
			first = new(int64)
		}
	}
	if first == nil || *first > store.Millis(now) {
		for _, at := range []*int64{first, again} {
			if at != nil && *at > store.Millis(now) {
				pause = min(pause, time.UnixMilli(*at).Sub(now))
			}
		}
		return pause, nil
	}
	n, err := q.moveBatch(ctx, now)
	if err != nil {
		return lookEvery, err
	}
	if n == dueBatch {
		pause = 0
	}
	return min(pause, againEvery), nil
}

// freeAgain lets jobs go whose last run the driver has forgotten by now: until
// then it would take the next try for the same run.
func (q *Queue) freeAgain(ctx context.Context, now time.Time) (free int, err error) {
	var rows []later
	err = eachLater(ctx, q.db, `SELECT seq, job FROM job_later WHERE run_at <= $1 AND again ORDER BY run_at, seq LIMIT 100`, &rows, store.Millis(now))
	if err != nil {
		return 0, err
	}
	var gone []later
	for _, l := range rows {
		state, err := q.driver.State(ctx, l.job.ID)
		if err != nil {
			return 0, err
		}
		if state == "" {
			gone = append(gone, l)
		}
	}
	if len(gone) == 0 {
		return 0, nil
	}
	_, err = q.db.Exec(ctx, `UPDATE job_later SET again = FALSE WHERE seq IN (`+joinSeqs(gone)+`)`)
	return len(gone), err
}

// outage logs when something begins to fail and when it works again, and gives
// growing pauses between.
type outage struct {
	q     *Queue
	what  string
	since time.Time
	pause time.Duration
}

// note takes an outcome and gives the least pause before the next attempt.
func (o *outage) note(err error) time.Duration {
	if err == nil {
		if !o.since.IsZero() {
			o.q.log.Info("the queue works again", "after", o.q.now().Sub(o.since).Round(time.Millisecond))
		}
		o.since, o.pause = time.Time{}, 0
		return 0
	}
	if o.since.IsZero() {
		o.since = o.q.now()
		o.q.log.Warn(o.what, "error", err)
	}
	o.pause = min(max(2*o.pause, 100*time.Millisecond), 2*time.Second)
	return o.pause
}
