package queue

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/store"
)

// WorkerInfo is what one worker says of itself, of any process.
type WorkerInfo struct {
	ID      string    `json:"id"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Seen    time.Time `json:"seen"` // the last heartbeat, by the database's clock
	// Silent says that it has not been heard of for Config.Silent: it is gone,
	// or as good as gone.
	Silent bool `json:"silent"`
	// Other says that it is of another build than this process.
	Other bool `json:"other_version"`
	WorkerSettings
	WorkerState
}

// WorkerSettings are a worker's own.
type WorkerSettings struct {
	Name        string        `json:"name,omitempty"`
	Queues      []string      `json:"queues"`
	Concurrency int           `json:"concurrency"`
	Tries       int           `json:"tries"`
	Timeout     time.Duration `json:"timeout"`
	Memory      int           `json:"memory"` // MB; 0: no limit
}

// WorkerState is what it does.
type WorkerState struct {
	Running int `json:"running"` // jobs under way
	Begun   int `json:"begun"`   // jobs since its start
	Used    int `json:"used"`    // MB of resident memory
}

func newWorkerID() string {
	host, _ := os.Hostname()
	host = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, host)
	return fmt.Sprintf("%.60s-%d-%s", host, os.Getpid(), strings.ToLower(rand.Text()[:8]))
}

// dbNow is the database's clock in milliseconds, the same for all processes.
func (q *Queue) dbNow() string {
	if q.db.Dialect() == store.Postgres {
		return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
	}
	return "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
}

// beat says that the worker lives, until ctx ends, and then takes its name off.
// It closes started after the first time that it could.
func (w *working) beat(ctx context.Context, started chan struct{}) {
	trouble := outage{q: w.q, what: "a worker's heartbeat cannot be kept"}
	known := false
	tick := time.NewTicker(w.q.cfg.Beat)
	defer tick.Stop()
	for {
		err := w.beatOnce(ctx)
		if err == nil && !known {
			known = true
			close(started)
		}
		if ctx.Err() == nil {
			trouble.note(err)
		}
		wait := tick.C
		if !known {
			wait = time.After(200 * time.Millisecond)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			w.signOff()
			return
		}
	}
}

func (w *working) beatOnce(ctx context.Context) error {
	host, _ := os.Hostname()
	settings, err := json.Marshal(WorkerSettings{
		Name: w.cfg.Name, Queues: w.cfg.Queues, Concurrency: w.cfg.Concurrency, Tries: w.cfg.Tries, Timeout: w.cfg.Timeout, Memory: w.cfg.Memory})
	if err != nil {
		return err
	}
	state, err := json.Marshal(WorkerState{Running: w.seats.active(), Begun: int(w.begun.Load()), Used: int(residentMemory() >> 20)})
	if err != nil {
		return err
	}
	now := w.q.dbNow()
	_, err = w.q.db.Exec(ctx, `INSERT INTO workers (id, host, pid, version, settings, started, seen, state) VALUES ($1, $2, $3, $4, $5, `+now+`, `+now+`, $6)
		ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, state = excluded.state`,
		w.id, host, os.Getpid(), w.q.cfg.Version, string(settings), string(state))
	return err
}

// signOff gives back what the worker did not finish and deletes its row. When
// that fails, another process does it once the worker has been silent.
func (w *working) signOff() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	n, err := w.q.driver.GiveBack(ctx, crewIDs(w.id, len(w.cfg.Queues)))
	if n > 0 {
		w.q.log.Warn("jobs did not finish in time and wait again", "worker", w.id, "jobs", n)
		w.q.announce(w.cfg.Queues)
	}
	if err == nil {
		_, err = w.q.db.Exec(ctx, `DELETE FROM workers WHERE id = $1`, w.id)
	}
	if err != nil {
		w.q.log.Warn("a worker could not sign off", "worker", w.id, "error", err)
	}
}

// Workers lists the workers of all processes, the oldest first.
func (q *Queue) Workers(ctx context.Context) (all []WorkerInfo, err error) {
	rows, err := q.db.Query(ctx, `SELECT id, host, pid, version, settings, started, seen, state, `+q.dbNow()+` FROM workers ORDER BY started, id`)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var w WorkerInfo
		var settings, state []byte
		var started, seen, now int64
		if err := rows.Scan(&w.ID, &w.Host, &w.PID, &w.Version, &settings, &started, &seen, &state, &now); err != nil {
			return err
		}
		if err := json.Unmarshal(settings, &w.WorkerSettings); err != nil {
			return err
		}
		if err := json.Unmarshal(state, &w.WorkerState); err != nil {
			return err
		}
		w.Started, w.Seen = store.Time(started), store.Time(seen)
		w.Silent = now-seen > q.cfg.Silent.Milliseconds()
		w.Other = w.Version != q.cfg.Version
		all = append(all, w)
		return nil
	})
	return all, err
}

// judgeWorkers gives back the jobs of workers that are gone, until ctx ends.
func (q *Queue) judgeWorkers(ctx context.Context) {
	trouble := outage{q: q, what: "workers cannot be looked after"}
	// Nobody is judged on what an outage of the database, or a process that was
	// stopped, made of his heartbeats.
	trusted := q.now().Add(q.cfg.Beat * 5 / 2)
	last := q.now()
	tick := time.NewTicker(q.cfg.Beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := q.now()
		if now.Sub(last) > q.cfg.Silent/2 {
			trusted = now.Add(q.cfg.Silent)
		}
		last = now
		workers, err := q.Workers(ctx)
		if err == nil && now.After(trusted) {
			err = q.removeSilent(ctx, workers)
		}
		if err != nil && ctx.Err() == nil {
			trusted = now.Add(q.cfg.Silent)
		}
		if ctx.Err() == nil {
			trouble.note(err)
			q.reportOthers(workers)
		}
	}
}

func (q *Queue) removeSilent(ctx context.Context, workers []WorkerInfo) error {
	var gone, crews []string
	for _, w := range workers {
		if w.Silent {
			gone, crews = append(gone, w.ID), append(crews, crewIDs(w.ID, len(w.Queues))...)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	n, err := q.driver.GiveBack(ctx, crews)
	if err != nil {
		return err
	}
	for _, id := range gone {
		// One that was heard of in between makes its row anew.
		if _, err := q.db.Exec(ctx, `DELETE FROM workers WHERE id = $1 AND seen < `+q.dbNow()+` - $2`, id, q.cfg.Silent.Milliseconds()); err != nil {
			return err
		}
	}
	q.log.Warn("workers are gone, their jobs wait again", "workers", gone, "jobs", n)
	if n > 0 {
		q.announce(nil)
	}
	return nil
}

// reportOthers logs each worker of another build once.
func (q *Queue) reportOthers(workers []WorkerInfo) {
	q.mu.Lock()
	var others []WorkerInfo
	seen := map[string]bool{}
	for _, w := range workers {
		if seen[w.ID] = w.Other; w.Other && !q.judged[w.ID] {
			others = append(others, w)
		}
	}
	q.judged = seen
	q.mu.Unlock()
	for _, w := range others {
		q.log.Warn("a worker is of another build than this process: restart it", "worker", w.ID, "host", w.Host,
			"pid", w.PID, "version", w.Version, "own", q.cfg.Version)
	}
}
