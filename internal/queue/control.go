package queue

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Names in queue_control.
const (
	restartName = "restart"
	pausePrefix = "pause:"
)

// control is what was asked of all workers.
type control struct {
	restart int64
	paused  map[string]bool
}

func (q *Queue) readControl(ctx context.Context) (c control, err error) {
	c.paused = map[string]bool{}
	rows, err := q.db.Query(ctx, `SELECT name, value FROM queue_control`)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var name string
		var value int64
		if err := rows.Scan(&name, &value); err != nil {
			return err
		}
		if queue, ok := strings.CutPrefix(name, pausePrefix); ok {
			c.paused[queue] = true
		} else if name == restartName {
			c.restart = value
		}
		return nil
	})
	return c, err
}

// Restart has all workers of all processes finish their jobs and end, within
// about a second; whoever runs them starts them again.
func (q *Queue) Restart(ctx context.Context) error {
	_, err := q.db.Exec(ctx, `INSERT INTO queue_control (name, value) VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET value = queue_control.value + 1`, restartName)
	return err
}

// Pause keeps all workers from starting jobs of a queue; jobs under way finish,
// and new ones are kept. A queue may be paused before it has a job.
func (q *Queue) Pause(ctx context.Context, queue string) error { return q.pause(ctx, queue, true) }

// Continue ends Pause.
func (q *Queue) Continue(ctx context.Context, queue string) error { return q.pause(ctx, queue, false) }

func (q *Queue) pause(ctx context.Context, queue string, paused bool) error {
	if err := CheckName(queue); err != nil {
		return err
	}
	query := `DELETE FROM queue_control WHERE name = $1`
	if paused {
		query = `INSERT INTO queue_control (name, value) VALUES ($1, 1) ON CONFLICT (name) DO NOTHING`
	}
	if _, err := q.db.Exec(ctx, query, pausePrefix+queue); err != nil {
		return err
	}
	q.mu.Lock()
	for w := range q.working {
		w.setPaused(queue, paused)
	}
	q.mu.Unlock()
	if err := q.driver.Pause(ctx, queue, paused); err != nil {
		return store.Classify(err)
	}
	q.announce([]string{queue})
	return nil
}

// Clear removes the jobs of a queue that do not run, delayed ones too, and
// counts them. Failed ones stay.
func (q *Queue) Clear(ctx context.Context, queue string) (int, error) {
	if err := CheckName(queue); err != nil {
		return 0, err
	}
	later, n := 0, 0
	err := q.whileStill(ctx, func() (err error) {
		if later, err = q.remove(ctx, `DELETE FROM job_later WHERE queue = $1`, queue); err != nil {
			return err
		}
		n, err = q.driver.Clear(ctx, queue)
		return store.Classify(err)
	})
	if err != nil {
		return n + later, err
	}
	return n + later, q.dropLocks(ctx, queue, 0)
}

// dropLocks ends locks whose job is kept nowhere any more.
func (q *Queue) dropLocks(ctx context.Context, queue string, older time.Duration) error {
	var ids []string
	rows, err := q.db.Query(ctx, `SELECT job_id FROM job_locks WHERE NOT done AND ($1 = '' OR queue = $1) AND taken <= $2
		AND job_id NOT IN (SELECT id FROM job_later) ORDER BY taken LIMIT 1000`, queue, store.Millis(q.now().Add(-older)))
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		state, err := q.driver.State(ctx, id)
		if err != nil {
			return store.Classify(err)
		}
		if state != "" {
			continue
		}
		if err := releaseLock(ctx, q.db, id); err != nil {
			return err
		}
	}
	return nil
}

// Check reaches what keeps the jobs, or says why it cannot.
func (q *Queue) Check(ctx context.Context) error {
	_, err := q.driver.State(ctx, "check") // no job's: it only has to be looked for
	return store.Classify(err)
}

// Sizes counts the jobs of every queue that has any, was paused, or has
// settings.
func (q *Queue) Sizes(ctx context.Context) (map[string]Size, error) {
	sizes, err := q.driver.Sizes(ctx)
	if err != nil {
		return nil, store.Classify(err)
	}
	if sizes == nil {
		sizes = map[string]Size{}
	}
	for name := range q.cfg.Settings {
		if _, has := sizes[name]; !has {
			sizes[name] = Size{}
		}
	}
	now := q.now()
	rows, err := q.db.Query(ctx, `SELECT queue, SUM(CASE WHEN run_at <= $1 THEN 1 ELSE 0 END), SUM(CASE WHEN run_at > $1 THEN 1 ELSE 0 END), 0 FROM job_later GROUP BY queue
		UNION ALL SELECT queue, 0, 0, COUNT(*) FROM failed_jobs GROUP BY queue`, store.Millis(now))
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var name string
		var due, delayed, failed int
		if err := rows.Scan(&name, &due, &delayed, &failed); err != nil {
			return err
		}
		s := sizes[name]
		s.Waiting, s.Delayed, s.Failed = s.Waiting+due, s.Delayed+delayed, s.Failed+failed
		sizes[name] = s
		return nil
	})
	if err != nil {
		return nil, err
	}
	control, err := q.readControl(ctx)
	for name := range control.paused {
		s := sizes[name]
		s.Paused = true
		sizes[name] = s
	}
	return sizes, err
}

// Found is where a job is and what is known of it.
type Found struct {
	ID    string    `json:"id"`
	Queue string    `json:"queue,omitempty"` // empty when only the driver has it
	State State     `json:"state"`
	Tries int       `json:"tries"` // that failed, as far as known
	Error string    `json:"error,omitempty"`
	RunAt time.Time `json:"run_at,omitzero"` // of delayed and retrying ones
}

// Find looks for a job by its id. One that is done, or never was, is
// CodeNotFound.
func (q *Queue) Find(ctx context.Context, id string) (Found, error) {
	f := Found{ID: id}
	err := q.db.QueryRow(ctx, `SELECT queue, tries, error FROM failed_jobs WHERE id = $1`, id).Scan(&f.Queue, &f.Tries, &f.Error)
	if err == nil {
		f.State = Failed
		return f, nil
	} else if !store.NoRows(err) {
		return Found{}, err
	}
	var runAt int64
	err = q.db.QueryRow(ctx, `SELECT queue, run_at, tried, error FROM job_later WHERE id = $1`, id).Scan(&f.Queue, &runAt, &f.Tries, &f.Error)
	if err == nil {
		f.RunAt = store.Time(runAt)
		switch {
		case f.Tries > 0:
			f.State = Retrying
		case runAt <= store.Millis(q.now()):
			f.State = Waiting
		default:
			f.State = Delayed
		}
		return f, nil
	} else if !store.NoRows(err) {
		return Found{}, err
	}
	if f.State, err = q.driver.State(ctx, id); err != nil {
		return Found{}, store.Classify(err)
	}
	if f.State == "" {
		return Found{}, belfry.Errorf(belfry.CodeNotFound, "the queue has no job %.100q: it is done, or never was", id)
	}
	return f, nil
}
