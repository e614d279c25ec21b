package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// FailedJob is a job that was given up.
type FailedJob struct {
	ID       string    `json:"id"`
	Queue    string    `json:"queue"`
	Kind     string    `json:"kind"`
	Error    string    `json:"error"`
	Tries    int       `json:"tries"`
	Enqueued time.Time `json:"enqueued"`
	Failed   time.Time `json:"failed"`
	// Payload is nil when it was dropped for its age; then the job cannot be
	// retried.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// maxError bounds the error that is kept, in bytes.
const maxError = 4 << 10

func errorText(err error) string {
	if err == nil {
		return ""
	}
	text := strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "\uFFFD"), "\x00", "\uFFFD")
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + " …"
	}
	return text
}

// keepFailed puts a job into the list of failed ones.
func (q *Queue) keepFailed(ctx context.Context, job belfry.Job, cause error, tries int) error {
	job.Tried = 0
	text, err := encode(job)
	if err != nil {
		return err
	}
	return q.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO failed_jobs (id, queue, kind, error, tries, enqueued, failed, job) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET error = excluded.error, tries = excluded.tries, failed = excluded.failed, job = excluded.job`,
			job.ID, job.Queue, job.Kind, errorText(cause), tries, store.Millis(job.Enqueued), store.Millis(q.now()), text)
		if err != nil || job.Unique == "" {
			return err
		}
		return releaseLock(ctx, tx, job.ID)
	})
}

// Failed lists failed jobs, the last failed first, limit at most; 0 means 1000.
// Queue limits it to one queue, empty means all.
func (q *Queue) Failed(ctx context.Context, queue string, limit int) (all []FailedJob, err error) {
	if limit <= 0 {
		limit = 1000
	}
	rows, err := q.db.Query(ctx, `SELECT id, queue, kind, error, tries, enqueued, failed, job FROM failed_jobs
		WHERE $1 = '' OR queue = $1 ORDER BY failed DESC, id DESC LIMIT $2`, queue, limit)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var f FailedJob
		var enqueued, failed int64
		var text []byte
		if err := rows.Scan(&f.ID, &f.Queue, &f.Kind, &f.Error, &f.Tries, &enqueued, &failed, &text); err != nil {
			return err
		}
		f.Enqueued, f.Failed = store.Time(enqueued), store.Time(failed)
		if text != nil {
			var job belfry.Job
			if err := json.Unmarshal(text, &job); err != nil {
				return err
			}
			f.Payload = job.Payload
		}
		all = append(all, f)
		return nil
	})
	return all, err
}

// Retry enqueues failed jobs again, with all their tries. It does all or none:
// an id that is not in the list is CodeNotFound, a job whose payload was
// dropped CodeConflict.
func (q *Queue) Retry(ctx context.Context, ids ...string) error {
	var queues []string
	err := q.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, id := range ids {
			queue, err := retryOne(ctx, tx, id)
			if err != nil {
				return err
			}
			queues = append(queues, queue)
		}
		return nil
	})
	if err == nil {
		q.announce(queues)
	}
	return err
}

// RetryAll enqueues all failed jobs of a queue again, of all queues when that
// is empty, and counts them. Those without a payload stay.
func (q *Queue) RetryAll(ctx context.Context, queue string) (n int, err error) {
	for {
		var ids []string
		rows, err := q.db.Query(ctx, `SELECT id FROM failed_jobs WHERE job IS NOT NULL AND ($1 = '' OR queue = $1) ORDER BY failed, id LIMIT 500`, queue)
		err = store.Each(rows, err, func(rows *sql.Rows) error {
			var id string
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		})
		if err != nil || len(ids) == 0 {
			return n, err
		}
		if err := q.Retry(ctx, ids...); err != nil {
			return n, err
		}
		n += len(ids)
	}
}

func retryOne(ctx context.Context, tx *store.Tx, id string) (queue string, err error) {
	var text sql.NullString
	err = tx.QueryRow(ctx, `SELECT job FROM failed_jobs WHERE id = $1`, id).Scan(&text)
	switch {
	case store.NoRows(err):
		return "", noFailed(id)
	case err != nil:
		return "", err
	case !text.Valid:
		return "", &belfry.Error{Code: belfry.CodeConflict, Message: fmt.Sprintf("the failed job %s has no payload any more, so it cannot be retried", id),
			Hint: "forget it with queue:forget, and send the event again from its source"}
	}
	var job belfry.Job
	if err := json.Unmarshal([]byte(text.String), &job); err != nil {
		return "", err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM failed_jobs WHERE id = $1`, id); err != nil {
		return "", err
	}
	// The driver may not have forgotten the failed run yet.
	return job.Queue, insertLater(ctx, tx, later{job: job, again: true})
}

func noFailed(id string) error {
	return &belfry.Error{Code: belfry.CodeNotFound, Message: fmt.Sprintf("there is no failed job %.100q", id), Hint: "queue:failed lists them"}
}

// Forget removes failed jobs for good, all or none: an id that is not in the
// list is CodeNotFound.
func (q *Queue) Forget(ctx context.Context, ids ...string) error {
	return q.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, id := range ids {
			result, err := tx.Exec(ctx, `DELETE FROM failed_jobs WHERE id = $1`, id)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err != nil || n == 0 {
				return noFailed(id)
			}
		}
		return nil
	})
}

// Flush removes all failed jobs and counts them.
func (q *Queue) Flush(ctx context.Context) (int, error) {
	return q.remove(ctx, `DELETE FROM failed_jobs`)
}

// PruneFailed removes the jobs that failed before a time and counts them.
func (q *Queue) PruneFailed(ctx context.Context, before time.Time) (int, error) {
	return q.remove(ctx, `DELETE FROM failed_jobs WHERE failed < $1`, store.Millis(before))
}

func (q *Queue) remove(ctx context.Context, query string, args ...any) (int, error) {
	result, err := q.db.Exec(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
