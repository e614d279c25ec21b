package asynqqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Bounds of what goes to Redis at once.
const (
	chunkJobs  = 500
	chunkBytes = 1 << 20
)

// Enqueue implements queue.Driver. While Redis is away it gives up after three
// seconds at most. Jobs are kept as well as Redis keeps them: see Prepare. When
// it fails, some of the jobs may have been kept; enqueuing them again is safe.
func (d *Driver) Enqueue(ctx context.Context, tx *store.Tx, jobs []belfry.Job) error {
	if tx != nil {
		return errors.New("jobs in Redis cannot be part of a transaction")
	}
	first := []any{d.prefix + wakes}
	chunk, size := first, 0
	for _, job := range jobs {
		payload, err := json.Marshal(job)
		if err != nil {
			return fmt.Errorf("encode the job: %w", err)
		}
		name := d.nameFor(job)
		message := encode(job.Kind, payload, job.ID, name)
		chunk = append(chunk, name, job.ID, message, strconv.FormatInt(d.stamp(), 10))
		if size += len(message); size >= chunkBytes || len(chunk) > 4*chunkJobs {
			if err := d.put(ctx, chunk); err != nil {
				return err
			}
			chunk, size = first, 0
		}
	}
	if len(chunk) == len(first) {
		return nil
	}
	return d.put(ctx, chunk)
}

// stamp gives the time in nanoseconds, later than any that it gave before.
func (d *Driver) stamp() int64 {
	for {
		last := d.last.Load()
		next := max(time.Now().UnixNano(), last+1)
		if d.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

// put runs the script, and once more when the connection had ended while it lay
// idle. The script leaves alone what is there already.
func (d *Driver) put(ctx context.Context, args []any) error {
	ctx, cancel := context.WithTimeout(ctx, enqueueTime)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause *= 2 {
		err := enqueue.Run(ctx, d.client, nil, args...).Err()
		if err == nil || !isNetwork(err) || pause > 100*time.Millisecond {
			return d.wrap(err)
		}
		select {
		case <-ctx.Done():
			return d.wrap(err)
		case <-time.After(pause):
		}
	}
}
