package asynqqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Enqueue implements queue.Driver. It gives up after three seconds at most. Jobs
// are kept as well as Redis keeps them: see Prepare. When it fails, some of the
// jobs may have been kept; enqueuing them again is safe.
func (d *Driver) Enqueue(ctx context.Context, tx *store.Tx, jobs []belfry.Job) error {
	if tx != nil {
		return errors.New("jobs in Redis cannot be part of a transaction")
	}
	ctx, cancel := context.WithTimeout(ctx, enqueueTime)
	defer cancel()
	var named []string // the queues that got jobs
	for _, job := range jobs {
		name := d.nameFor(job)
		if err := d.put(ctx, name, job); err != nil {
			return err
		}
		if len(named) == 0 || named[len(named)-1] != name {
			named = append(named, name)
		}
	}
	if len(named) == 0 {
		return nil
	}
	// The jobs are safe. Should this fail, workers find them a little later.
	wake := d.client.Pipeline()
	for _, name := range named {
		wake.SAdd(ctx, queuesKey, name) // asynq does it once in a process, and Redis may forget
	}
	wake.Publish(ctx, d.prefix+wakes, named[0])
	if _, err := wake.Exec(ctx); err != nil {
		d.log.Debug("workers could not be woken", "error", err)
	}
	return nil
}

func (d *Driver) put(ctx context.Context, name string, job belfry.Job) error {
	payload, err := json.Marshal(job)
	if err != nil {
		return fmt.Errorf("encode the job: %w", err)
	}
	kind := job.Kind
	if kind == "" {
		kind = "job"
	}
	task := asynq.NewTask(kind, payload)
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		_, err = d.tasks.EnqueueContext(ctx, task, asynq.Queue(name), asynq.TaskID(job.ID), asynq.MaxRetry(0))
		if err == nil || errors.Is(err, asynq.ErrTaskIDConflict) {
			return nil
		}
		// A connection that ended while it lay idle is worth a second try.
		if !isNetwork(err) || pause > 100*time.Millisecond {
			return d.wrap(err)
		}
		select {
		case <-ctx.Done():
			return d.wrap(err)
		case <-time.After(pause):
		}
	}
}

// decode finds the job in a task as asynq stores it, a protocol buffer whose
// second field is the payload.
func decode(message []byte) (job belfry.Job, err error) {
	payload, err := field(message, 2)
	if err != nil {
		return job, err
	}
	return job, json.Unmarshal(payload, &job)
}
