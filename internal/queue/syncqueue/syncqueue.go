// Package syncqueue is a queue's driver that runs each job while it is
// enqueued, in the caller's goroutine: for development and tests. A delayed job
// runs when its time comes. A job is tried once; one that fails is in the list
// of failed jobs, and is no error of the call that enqueued it.
package syncqueue

import (
	"context"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/store"
)

// Driver implements queue.Driver and queue.Inline.
type Driver struct {
	run func(ctx context.Context, job belfry.Job)
}

// New makes a driver for one Queue.
func New() *Driver { return &Driver{} }

// Inline implements queue.Inline.
func (d *Driver) Inline(run func(ctx context.Context, job belfry.Job)) { d.run = run }

// Prepare implements queue.Driver.
func (d *Driver) Prepare(context.Context) error { return nil }

// Enqueue implements queue.Driver: it runs the jobs, one after the other.
func (d *Driver) Enqueue(ctx context.Context, _ *store.Tx, jobs []belfry.Job) error {
	for _, job := range jobs {
		d.run(ctx, job)
	}
	return nil
}

// Transactional implements queue.Driver.
func (d *Driver) Transactional() bool { return false }

// Work implements queue.Driver: there is nothing to take.
func (d *Driver) Work(ctx context.Context, _ queue.Crew) error {
	<-ctx.Done()
	return nil
}

// Sizes implements queue.Driver: nothing ever waits.
func (d *Driver) Sizes(context.Context) (map[string]queue.Size, error) { return nil, nil }

// Pause implements queue.Driver. A job that runs at once cannot be paused.
func (d *Driver) Pause(context.Context, string, bool) error { return nil }

// Clear implements queue.Driver.
func (d *Driver) Clear(context.Context, string) (int, error) { return 0, nil }

// GiveBack implements queue.Driver.
func (d *Driver) GiveBack(context.Context, []string) (int, error) { return 0, nil }

// State implements queue.Driver.
func (d *Driver) State(context.Context, string) (queue.State, error) { return "", nil }
