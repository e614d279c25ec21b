package queue

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Bounds of a job's form.
const (
	maxName  = 100 // characters of a queue's name or a kind
	maxKey   = 300 // bytes of a key or a lane
	maxLanes = 1000
	maxTries = 1000
)

// Enqueue keeps jobs and gives their ids. Without a transaction they are on
// disk when it returns; with one, when that commits. A job that a rule of
// unique jobs drops gives the id of the one that holds its key.
//
// Errors: CodeInvalid or CodeTooLarge for a job's form, CodeUnavailable when
// what keeps the jobs cannot be reached; then none was kept.
func (q *Queue) Enqueue(ctx context.Context, tx *store.Tx, jobs ...belfry.Job) ([]string, error) {
	jobs = slices.Clone(jobs)
	ids, plain := make([]string, len(jobs)), true
	now := q.now()
	for i := range jobs {
		if err := q.complete(&jobs[i], now); err != nil {
			return nil, err
		}
		ids[i] = jobs[i].ID
		plain = plain && jobs[i].Unique == "" && !q.waits(jobs[i], now)
	}
	switch {
	case len(jobs) == 0:
		return nil, nil
	case tx != nil:
		return ids, q.enqueueTx(ctx, tx, jobs, ids, now)
	case plain:
		err := store.Classify(q.send(ctx, jobs))
		if err == nil {
			q.enqueued(jobs, ids)
		}
		return ids, err
	}
	err := q.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return q.enqueueTx(ctx, tx, jobs, ids, now) })
	return ids, err
}

// send hands jobs to the driver, together with those of other callers.
func (q *Queue) send(ctx context.Context, jobs []belfry.Job) error {
	if _, ok := q.driver.(Inline); ok {
		return q.driver.Enqueue(ctx, nil, jobs) // a job that enqueues another must not wait for itself
	}
	return q.group.do(ctx, jobs)
}

// complete fills in what a job leaves open and refuses what no driver may get.
func (q *Queue) complete(job *belfry.Job, now time.Time) error {
	if job.ID == "" {
		job.ID = belfry.NewID(now)
	}
	if job.Queue == "" {
		job.Queue = belfry.DefaultQueue
	}
	if job.Priority == 0 {
		job.Priority = 2
	}
	if len(job.Payload) == 0 {
		job.Payload = []byte("null")
	}
	job.Enqueued, job.Tried = now, 0
	if err := CheckName(job.Queue); err != nil {
		return err
	}
	switch {
	case job.Kind == "" || len(job.Kind) > maxName || !clean(job.Kind):
		return belfry.Errorf(belfry.CodeInvalid, "a job's kind must be 1 to %d characters", maxName)
	case len(job.ID) > maxName || !clean(job.ID):
		return belfry.Errorf(belfry.CodeInvalid, "a job's id must be at most %d characters", maxName)
	case len(job.Payload) > q.cfg.MaxPayload:
		return belfry.Errorf(belfry.CodeTooLarge, "the job's payload has %d bytes, more than the %d that are allowed", len(job.Payload), q.cfg.MaxPayload)
	case !json.Valid(job.Payload):
		return belfry.Errorf(belfry.CodeInvalid, "the job's payload is not JSON")
	case job.Priority < 1 || job.Priority > 4:
		return belfry.Errorf(belfry.CodeInvalid, "the job's priority is %d: it is from 1, first, to 4, last", job.Priority)
	case job.Tries < 0 || job.Tries > maxTries || job.Timeout < 0 || job.UniqueFor < 0 || job.Debounce < 0:
		return belfry.Errorf(belfry.CodeInvalid, "the job's tries must be 0 to %d, and its times not negative", maxTries)
	case job.Debounce > 0 && job.Unique == "":
		return belfry.Errorf(belfry.CodeInvalid, "a debounced job needs a key: set unique")
	case len(job.Unique) > maxKey || !clean(job.Unique):
		return belfry.Errorf(belfry.CodeInvalid, "the key of a unique job must be at most %d bytes of text", maxKey)
	case len(job.Lanes) > maxLanes || slices.ContainsFunc(job.Lanes, func(l string) bool { return len(l) > maxKey || !clean(l) }):
		return belfry.Errorf(belfry.CodeInvalid, "a job has at most %d lanes of %d bytes", maxLanes, maxKey)
	}
	return nil
}

// CheckName says what is wrong with the name of a queue.
func CheckName(queue string) error {
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:", r))
	}
	if queue == "" || len(queue) > maxName || strings.ContainsFunc(queue, odd) {
		return belfry.Errorf(belfry.CodeInvalid, "%.120q is no name of a queue: use 1 to %d of the characters a-z A-Z 0-9 _ - . :", queue, maxName)
	}
	return nil
}

// clean refuses what some database cannot keep in a text.
func clean(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// waits reports whether a job goes to job_later for its time.
func (q *Queue) waits(job belfry.Job, now time.Time) bool {
	return job.Debounce > 0 || job.RunAt.After(now)
}

// enqueueTx keeps jobs in a transaction. It replaces ids of jobs that were
// dropped.
func (q *Queue) enqueueTx(ctx context.Context, tx *store.Tx, jobs []belfry.Job, ids []string, now time.Time) error {
	var direct []belfry.Job
	for i, job := range jobs {
		switch {
		case job.Debounce > 0:
			id, err := insertDebounced(ctx, tx, job, now)
			if err != nil {
				return err
			}
			ids[i] = id
			continue
		case job.Unique != "":
			holder, err := takeLock(ctx, tx, job, now)
			if err != nil {
				return err
			}
			if ids[i] = holder; holder != job.ID {
				q.stats.of(job.Queue).dropped.Add(1)
				continue
			}
		}
		switch {
		case q.waits(job, now):
			if err := insertLater(ctx, tx, later{job: job, runAt: job.RunAt}); err != nil {
				return err
			}
		case !q.driver.Transactional():
			if err := insertLater(ctx, tx, later{job: job}); err != nil {
				return err
			}
		default:
			direct = append(direct, job)
		}
	}
	if len(direct) > 0 {
		if err := q.driver.Enqueue(ctx, tx, direct); err != nil {
			return store.Classify(err)
		}
	}
	tx.AfterCommit(func() {
		q.enqueued(jobs, ids)
		if _, ok := q.driver.(Inline); ok {
			q.runKept()
		}
	})
	return nil
}

// enqueued counts jobs that are kept now and says so to those who wait for them.
func (q *Queue) enqueued(jobs []belfry.Job, ids []string) {
	var queues []string
	for i, job := range jobs {
		if ids[i] == job.ID {
			q.stats.of(job.Queue).enqueued.Add(1)
		}
		if !slices.Contains(queues, job.Queue) {
			queues = append(queues, job.Queue)
		}
	}
	q.announce(queues)
}
