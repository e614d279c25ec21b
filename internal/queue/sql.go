package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

func unreachable(err error) bool { return belfry.CodeOf(store.Classify(err)) == belfry.CodeUnavailable }

// later is a row of job_later.
type later struct {
	seq   int64
	job   belfry.Job
	runAt time.Time // zero: as soon as possible
	again bool      // the driver may still hold the job's last run
	error string
}

// encode gives the job as it is kept.
func encode(job belfry.Job) (string, error) {
	text, err := json.Marshal(job)
	return string(text), err
}

// insertLater keeps a job for its time. One that waits already is replaced.
func insertLater(ctx context.Context, db store.Querier, l later) error {
	text, err := encode(l.job)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, `INSERT INTO job_later (id, queue, run_at, again, tried, error, job) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET queue = excluded.queue, run_at = excluded.run_at, again = excluded.again, tried = excluded.tried, error = excluded.error, job = excluded.job`,
		l.job.ID, l.job.Queue, store.Millis(l.runAt), l.again, l.job.Tried, l.error, text)
	return err
}

// insertDebounced keeps a job until its key has been quiet, in place of the one
// that waits with that key, and gives the id of the row.
func insertDebounced(ctx context.Context, tx *store.Tx, job belfry.Job, now time.Time) (id string, err error) {
	due := now.Add(job.Debounce)
	if job.RunAt.After(due) {
		due = job.RunAt
	}
	key := job.Queue + "\n" + job.Unique
	// The row keeps its id, which callers know; the job in it must bear the same.
	err = tx.QueryRow(ctx, `SELECT id FROM job_later WHERE debounce = $1`, key).Scan(&id)
	if err == nil {
		job.ID = id
	} else if !store.NoRows(err) {
		return "", err
	}
	text, err := encode(job)
	if err != nil {
		return "", err
	}
	err = tx.QueryRow(ctx, `INSERT INTO job_later (id, queue, run_at, again, tried, error, debounce, job) VALUES ($1, $2, $3, FALSE, 0, '', $4, $5)
		ON CONFLICT (debounce) DO UPDATE SET run_at = excluded.run_at, job = excluded.job, again = TRUE RETURNING id`,
		job.ID, job.Queue, store.Millis(due), key, text).Scan(&id)
	return id, err
}

// takeLock takes the key of a unique job and gives the id of who holds it then.
func takeLock(ctx context.Context, tx *store.Tx, job belfry.Job, now time.Time) (holder string, err error) {
	until := int64(0)
	if job.UniqueFor > 0 {
		until = store.Millis(now.Add(job.UniqueFor))
	}
	_, err = tx.Exec(ctx, `INSERT INTO job_locks (name, job_id, queue, taken, until, done) VALUES ($1, $2, $3, $4, $5, FALSE)
		ON CONFLICT (name) DO UPDATE SET job_id = excluded.job_id, queue = excluded.queue, taken = excluded.taken, until = excluded.until, done = FALSE
		WHERE job_locks.done AND job_locks.until <= $4`,
		job.Unique, job.ID, job.Queue, store.Millis(now), until)
	if err != nil {
		return "", err
	}
	err = tx.QueryRow(ctx, `SELECT job_id FROM job_locks WHERE name = $1`, job.Unique).Scan(&holder)
	return holder, err
}

// releaseLock ends what a job holds; a key with a time stays until then.
func releaseLock(ctx context.Context, db store.Querier, id string) error {
	_, err := db.Exec(ctx, `UPDATE job_locks SET done = TRUE WHERE job_id = $1`, id)
	return err
}

// dueBatch is how many jobs one look takes.
const dueBatch = 500

// peekDue gives the first jobs whose time has come, in order.
func peekDue(ctx context.Context, db store.Querier, now time.Time) (rows []later, err error) {
	query := `SELECT seq, job FROM job_later WHERE run_at <= $1 AND NOT again ORDER BY run_at, seq LIMIT ` + strconv.Itoa(dueBatch)
	if tx, ok := db.(*store.Tx); ok && tx.DB().Dialect() == store.Postgres {
		query += ` FOR UPDATE` // without SKIP LOCKED a second process waits here, and the order holds
	}
	err = eachLater(ctx, db, query, &rows, store.Millis(now))
	return rows, err
}

// takeDue removes the first jobs whose time has come and gives them in order.
func takeDue(ctx context.Context, tx *store.Tx, now time.Time) ([]later, error) {
	rows, err := peekDue(ctx, tx, now)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows, dropLater(ctx, tx, rows)
}

func eachLater(ctx context.Context, db store.Querier, query string, into *[]later, args ...any) error {
	rows, err := db.Query(ctx, query, args...)
	return store.Each(rows, err, func(rows *sql.Rows) error {
		var l later
		var text []byte
		if err := rows.Scan(&l.seq, &text); err != nil {
			return err
		}
		if err := json.Unmarshal(text, &l.job); err != nil {
			return err
		}
		*into = append(*into, l)
		return nil
	})
}

// dropLater removes rows.
func dropLater(ctx context.Context, db store.Querier, rows []later) error {
	_, err := db.Exec(ctx, `DELETE FROM job_later WHERE seq IN (`+joinSeqs(rows)+`)`)
	return err
}

// joinSeqs lists numbers of rows for SQL.
func joinSeqs(rows []later) string {
	var b strings.Builder
	for i, l := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(l.seq, 10))
	}
	return b.String()
}
