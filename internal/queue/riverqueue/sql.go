package riverqueue

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/store"
)

// The key of a row is the job's id, and counts while the row is not completed.
// These are River's own words for that, which its index on the key has.
const (
	keyCounts         = 0b11110001 // available, pending, retryable, running, scheduled
	keyCountsPostgres = `unique_key IS NOT NULL AND unique_states IS NOT NULL AND river_job_state_in_bitmask(unique_states, state)`
	keyCountsSQLite   = `unique_key IS NOT NULL AND unique_states IS NOT NULL AND CASE state WHEN 'available' THEN unique_states & (1 << 0) WHEN 'cancelled' THEN unique_states & (1 << 1) WHEN 'completed' THEN unique_states & (1 << 2) WHEN 'discarded' THEN unique_states & (1 << 3) WHEN 'pending' THEN unique_states & (1 << 4) WHEN 'retryable' THEN unique_states & (1 << 5) WHEN 'running' THEN unique_states & (1 << 6) WHEN 'scheduled' THEN unique_states & (1 << 7) ELSE 0 END >= 1`
)

// River is never to give a job up: how often one is tried is the Queue's matter.
const (
	maxAttempts = 32767
	most        = "32767"
)

// All rows have one scheduled_at, long past, so that jobs of one priority are
// fetched in the order of their rows' ids, whatever any clock says.
const insertPostgres = `WITH put AS (INSERT INTO river_job (args, kind, max_attempts, priority, queue, scheduled_at, created_at, state, unique_key, unique_states)
	SELECT args::jsonb, '` + kind + `', ` + most + `, priority, queue, 'epoch', clock_timestamp(), 'available', convert_to(key, 'UTF8'), B'11110001'
	FROM unnest($1::text[], $2::smallint[], $3::text[], $4::text[]) WITH ORDINALITY AS j (args, priority, queue, key, n) ORDER BY n
	ON CONFLICT (unique_key) WHERE ` + keyCountsPostgres + ` DO NOTHING)
	` + notifyPostgres

const notifyPostgres = `SELECT pg_notify(current_schema() || '.` + insertTopic + `', '` + insertPayload + `')`

const insertSQLite = `INSERT INTO river_job (args, kind, max_attempts, priority, queue, scheduled_at, created_at, state, unique_key, unique_states)
	SELECT jsonb(json_extract(value, '$.a')), '` + kind + `', ` + most + `, json_extract(value, '$.p'), json_extract(value, '$.q'), '1970-01-01 00:00:00.000', datetime('now', 'subsec'), 'available', CAST(json_extract(value, '$.k') AS BLOB), $2
	FROM json_each($1) WHERE true ON CONFLICT (unique_key) WHERE ` + keyCountsSQLite + ` DO NOTHING`

func (d *Driver) postgres() bool { return d.db.Dialect() == store.Postgres }

// Enqueue implements queue.Driver.
func (d *Driver) Enqueue(ctx context.Context, tx *store.Tx, jobs []belfry.Job) error {
	if d.postgres() {
		var db store.Querier = d.db
		if tx != nil {
			db = tx
		}
		return enqueuePostgres(ctx, db, jobs)
	}
	type row struct {
		Args     string `json:"a"`
		Priority int    `json:"p"`
		Queue    string `json:"q"`
		Key      string `json:"k"`
	}
	rows := make([]row, 0, len(jobs))
	for _, job := range jobs {
		text, err := json.Marshal(job)
		if err != nil {
			return err
		}
		rows = append(rows, row{string(text), job.Priority, job.Queue, job.ID})
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	if tx == nil {
		_, err = d.put.Exec(ctx, string(text), keyCounts)
		return err
	}
	_, err = tx.Exec(ctx, insertSQLite, string(text), keyCounts)
	return err
}

func enqueuePostgres(ctx context.Context, db store.Querier, jobs []belfry.Job) error {
	var args, queues, keys []string
	var priorities []int16
	for _, job := range jobs {
		text, err := json.Marshal(job)
		if err != nil {
			return err
		}
		args, queues, keys = append(args, string(text)), append(queues, job.Queue), append(keys, job.ID)
		priorities = append(priorities, int16(job.Priority))
	}
	_, err := db.Exec(ctx, insertPostgres, args, priorities, queues, keys)
	return err
}

// notify tells the workers of all processes to look, on PostgreSQL; on SQLite
// it is the Queue that does.
func (d *Driver) notify(ctx context.Context) error {
	if !d.postgres() {
		return nil
	}
	_, err := d.db.Exec(ctx, notifyPostgres)
	return err
}

// Sizes implements queue.Driver.
func (d *Driver) Sizes(ctx context.Context) (map[string]queue.Size, error) {
	age := `(julianday('now') - julianday(MIN(created_at))) * 86400.0`
	if d.postgres() {
		age = `CAST(EXTRACT(EPOCH FROM clock_timestamp() - MIN(created_at)) AS DOUBLE PRECISION)`
	}
	sizes := map[string]queue.Size{}
	rows, err := d.db.Query(ctx, `SELECT queue, state, COUNT(*), `+age+` FROM river_job WHERE state IN ('available', 'running') GROUP BY queue, state`)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var name, state string
		var n int
		var seconds float64
		if err := rows.Scan(&name, &state, &n, &seconds); err != nil {
			return err
		}
		s := sizes[name]
		if state == "running" {
			s.Running = n
		} else {
			s.Waiting, s.Oldest = n, max(0, time.Duration(seconds*float64(time.Second)))
		}
		sizes[name] = s
		return nil
	})
	if err != nil {
		return nil, err
	}
	paused, err := d.paused(ctx)
	for name := range paused {
		s := sizes[name]
		s.Paused = true
		sizes[name] = s
	}
	return sizes, err
}

// Pause implements queue.Driver.
func (d *Driver) Pause(ctx context.Context, name string, paused bool) error {
	query := `DELETE FROM river_queue WHERE name = $1`
	if paused {
		query = `INSERT INTO river_queue (name, paused_at, updated_at) VALUES ($1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP) ON CONFLICT (name) DO NOTHING`
	}
	if _, err := d.db.Exec(ctx, query, name); err != nil {
		return err
	}
	return d.notify(ctx)
}

// paused gives the queues that are.
func (d *Driver) paused(ctx context.Context) (map[string]bool, error) {
	paused := map[string]bool{}
	rows, err := d.db.Query(ctx, `SELECT name FROM river_queue WHERE paused_at IS NOT NULL`)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		paused[name] = true
		return err
	})
	return paused, err
}

const glanceSQL = `SELECT name FROM river_queue WHERE paused_at IS NOT NULL
	UNION ALL SELECT '' WHERE EXISTS (SELECT 1 FROM river_job WHERE state = 'available')`

// glance gives the queues that are paused and whether any job waits: a look
// that costs little when there is nothing to do.
func (d *Driver) glance(ctx context.Context) (paused map[string]bool, any bool, err error) {
	rows, err := d.look.Query(ctx)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		if name == "" {
			any = true
			return err
		}
		if paused == nil {
			paused = map[string]bool{}
		}
		paused[name] = true
		return err
	})
	return paused, any, err
}

// grabSQLite does what River's own statement does. It is prepared, where River
// has SQLite parse and plan its own at each fetch, which takes a millisecond.
const grabSQLite = `UPDATE river_job SET state = 'running', attempt = attempt + 1, attempted_at = datetime('now', 'subsec'), attempted_by = jsonb_array($1)
	WHERE id IN (SELECT id FROM river_job WHERE state = 'available' AND queue = $2 AND priority >= 0 AND scheduled_at <= datetime('now', 'subsec')
		ORDER BY priority, scheduled_at, id LIMIT $3)
	RETURNING id, attempt, created_at, priority, scheduled_at, json(args)`

// grabRows takes rows of one queue, under SQLite.
func (d *Driver) grabRows(ctx context.Context, tx *store.Tx, params *riverdriver.JobGetAvailableParams) (all []*rivertype.JobRow, err error) {
	rows, err := d.grab.QueryTx(ctx, tx, params.ClientID, params.Queue, params.MaxToLock)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		row := &rivertype.JobRow{Kind: kind, Queue: params.Queue, State: rivertype.JobStateRunning, AttemptedBy: []string{params.ClientID},
			MaxAttempts: maxAttempts, Metadata: []byte("{}")}
		all = append(all, row)
		return rows.Scan(&row.ID, &row.Attempt, &row.CreatedAt, &row.Priority, &row.ScheduledAt, &row.EncodedArgs)
	})
	return all, err
}

// Clear implements queue.Driver.
func (d *Driver) Clear(ctx context.Context, name string) (int, error) {
	return d.change(ctx, `DELETE FROM river_job WHERE queue = $1 AND state = 'available'`, name)
}

func (d *Driver) change(ctx context.Context, query string, args ...any) (int, error) {
	result, err := d.db.Exec(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// GiveBack implements queue.Driver.
func (d *Driver) GiveBack(ctx context.Context, workers []string) (n int, err error) {
	for _, worker := range workers {
		m, err := d.change(ctx, `UPDATE river_job SET state = 'available' WHERE state = 'running' AND `+d.lastWorker()+` = $1`, worker)
		if n += m; err != nil {
			return n, err
		}
	}
	if n == 0 {
		return 0, nil
	}
	return n, d.notify(ctx)
}

// lastWorker is who has a running job.
func (d *Driver) lastWorker() string {
	if d.postgres() {
		return `attempted_by[array_length(attempted_by, 1)]`
	}
	return `json_extract(attempted_by, '$[#-1]')`
}

// runningOf gives the rows that a worker has.
func (d *Driver) runningOf(ctx context.Context, worker string) (ids []int64, err error) {
	rows, err := d.db.Query(ctx, `SELECT id FROM river_job WHERE state = 'running' AND `+d.lastWorker()+` = $1`, worker)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// letGo makes rows wait again that nobody runs.
func (d *Driver) letGo(ctx context.Context, ids []int64) error {
	return d.keep(ctx, ids, 0)
}

// keep makes rows wait again, in their old place or after a pause, and takes
// the delivery back.
func (d *Driver) keep(ctx context.Context, ids []int64, after time.Duration) error {
	if len(ids) == 0 {
		return nil
	}
	when := ""
	if seconds := strconv.FormatFloat(after.Seconds(), 'f', 3, 64); after > 0 && d.postgres() {
		when = `, scheduled_at = clock_timestamp() + INTERVAL '` + seconds + ` seconds'`
	} else if after > 0 {
		when = `, scheduled_at = strftime('%Y-%m-%d %H:%M:%f', 'now', '+` + seconds + ` seconds')`
	}
	_, err := d.change(ctx, `UPDATE river_job SET state = 'available', attempt = attempt - 1`+when+` WHERE state = 'running' AND id IN (`+join(ids)+`)`)
	if err != nil {
		return err
	}
	return d.notify(ctx)
}

// remove deletes rows that are done. Under SQLite the row with the highest id
// stays a while, completed: SQLite gives the number after the highest to the
// next row, and River must not see one twice.
func (d *Driver) remove(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	if d.postgres() {
		_, err := d.change(ctx, `DELETE FROM river_job WHERE state = 'running' AND id = ANY($1)`, ids)
		return err
	}
	var last int64
	if err := d.db.QueryRow(ctx, `SELECT COALESCE(MAX(id), 0) FROM river_job`).Scan(&last); err != nil {
		return err
	}
	list := join(ids)
	_, err := d.change(ctx, `DELETE FROM river_job WHERE (state = 'running' AND id IN (`+list+`) OR state = 'completed') AND id < $1`, last)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id != last {
			continue
		}
		_, err = d.change(ctx, `UPDATE river_job SET state = 'completed', finalized_at = datetime('now', 'subsec') WHERE state = 'running' AND id = $1`, id)
	}
	return err
}

func join(ids []int64) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	return b.String()
}

// State implements queue.Driver.
func (d *Driver) State(ctx context.Context, id string) (queue.State, error) {
	counts := keyCountsSQLite
	if d.postgres() {
		counts = keyCountsPostgres
	}
	var state string
	err := d.db.QueryRow(ctx, `SELECT CAST(state AS TEXT) FROM river_job WHERE unique_key = $1 AND `+counts, []byte(id)).Scan(&state)
	switch {
	case store.NoRows(err):
		return "", nil
	case err != nil:
		return "", err
	case state == "running":
		return queue.Running, nil
	}
	return queue.Waiting, nil
}
