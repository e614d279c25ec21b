package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// FailedFilter picks failed jobs. What is zero does not count.
type FailedFilter struct {
	Queue string
	// Before and BeforeID are time and id of the job that the page before ended
	// with.
	Before   time.Time
	BeforeID string
	// Retryable takes only jobs that have their payload still.
	Retryable bool
}

// failedPage is how many failed jobs are read at once.
const failedPage = 500

// EachFailed calls see with failed jobs, without their payloads, the last failed
// first, until it gives false. It reads them in pages, so that jobs that come or
// go meanwhile may or may not be seen.
func (q *Queue) EachFailed(ctx context.Context, f FailedFilter, see func(FailedJob) bool) error {
	before, id := int64(1)<<62, ""
	if !f.Before.IsZero() {
		before, id = store.Millis(f.Before), f.BeforeID
	}
	for {
		var page []FailedJob
		rows, err := q.db.Query(ctx, `SELECT id, queue, kind, error, tries, enqueued, failed FROM failed_jobs
			WHERE ($1 = '' OR queue = $1) AND (failed < $2 OR failed = $2 AND id < $3) AND (NOT $4 OR job IS NOT NULL)
			ORDER BY failed DESC, id DESC LIMIT $5`, f.Queue, before, id, f.Retryable, failedPage)
		err = store.Each(rows, err, func(rows *sql.Rows) error {
			var job FailedJob
			var enqueued, failed int64
			err := rows.Scan(&job.ID, &job.Queue, &job.Kind, &job.Error, &job.Tries, &enqueued, &failed)
			job.Enqueued, job.Failed = store.Time(enqueued), store.Time(failed)
			page = append(page, job)
			return err
		})
		if err != nil {
			return fmt.Errorf("list failed jobs: %w", err)
		}
		for _, job := range page {
			before, id = store.Millis(job.Failed), job.ID
			if !see(job) {
				return nil
			}
		}
		if len(page) < failedPage {
			return nil
		}
	}
}

// FailedJob gives a failed job with its payload, or CodeNotFound.
func (q *Queue) FailedJob(ctx context.Context, id string) (job FailedJob, err error) {
	var enqueued, failed int64
	var text sql.NullString
	err = q.db.QueryRow(ctx, `SELECT id, queue, kind, error, tries, enqueued, failed, job FROM failed_jobs WHERE id = $1`, id).
		Scan(&job.ID, &job.Queue, &job.Kind, &job.Error, &job.Tries, &enqueued, &failed, &text)
	switch {
	case store.NoRows(err):
		return FailedJob{}, noFailed(id)
	case err != nil:
		return FailedJob{}, fmt.Errorf("find failed job: %w", err)
	}
	job.Enqueued, job.Failed = store.Time(enqueued), store.Time(failed)
	if text.Valid {
		var kept belfry.Job
		if err := json.Unmarshal([]byte(text.String), &kept); err != nil {
			return FailedJob{}, err
		}
		job.Payload = kept.Payload
	}
	return job, nil
}

// KeepsPayload is how long a failed job keeps its payload.
func (q *Queue) KeepsPayload() time.Duration { return q.cfg.KeepPayload }
