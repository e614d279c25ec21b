package riverqueue

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/store"
)

// run is one crew at work.
type run struct {
	d    *Driver
	crew queue.Crew
	// grab takes rows of one queue, in a transaction.
	grab func(ctx context.Context, tx *store.Tx, params *riverdriver.JobGetAvailableParams) ([]*rivertype.JobRow, error)

	mu    sync.Mutex      // guards what follows
	hands map[int64]*hand // jobs that were fetched and are not written down as done
	doubt bool            // a fetch failed, and may have taken jobs all the same
	down  bool            // as the log has it
}

// hand is a fetched job.
type hand struct {
	run     func(ctx context.Context) queue.Verdict
	verdict queue.Verdict // once it has run
}

// kind is that of all rows; which handler does a job is the Queue's.
const kind = "belfry"

// args is what River reads of a job. The run has read it before.
type args struct{}

// Kind implements river.JobArgs.
func (args) Kind() string { return kind }

// doer runs a job that was fetched.
type doer struct {
	river.WorkerDefaults[args]
	run *run
}

// Work implements river.Worker. What is to become of the job is read from its
// hand when River has it marked as completed.
func (d *doer) Work(ctx context.Context, job *river.Job[args]) error {
	d.run.mu.Lock()
	h := d.run.hands[job.ID]
	d.run.mu.Unlock()
	if h == nil {
		return nil
	}
	v := h.run(ctx)
	d.run.mu.Lock()
	h.verdict = v
	d.run.mu.Unlock()
	return nil
}

func (c *run) has(id int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hands[id] != nil
}

func (c *run) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.hands)
}

// fetch takes the next jobs for the crew: those of the first queue, then, when
// there is room, of the next, and so on; each in order.
//
// That a row is taken need not be on the disk: after a power cut it waits again.
// Where PostgreSQL alone has crashed, this crew may still have the job in hand.
func (c *run) fetch(ctx context.Context, params *riverdriver.JobGetAvailableParams) (all []*rivertype.JobRow, err error) {
	c.d.fetching.Lock()
	defer c.d.fetching.Unlock()
	defer func() { c.note(err) }()
	if err := c.settleDoubt(ctx); err != nil {
		return nil, err
	}
	paused, any, err := c.d.glance(ctx)
	if err != nil || !any {
		return nil, err
	}
	if err := c.d.grab.Prepare(ctx); err != nil {
		return nil, err
	}
	err = c.d.db.RelaxedTx(ctx, func(ctx context.Context, tx *store.Tx) error {
		room := params.MaxToLock
		for _, name := range c.crew.Queues {
			if paused[name] || room == 0 {
				continue
			}
			p := *params
			p.Queue, p.MaxToLock, p.MaxAttemptedBy = name, room, 1
			rows, err := c.grab(ctx, tx, &p)
			if err != nil {
				return err
			}
			slices.SortFunc(rows, inOrder)
			all = append(all, rows...)
			room -= len(rows)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(row *rivertype.JobRow) bool { return c.has(row.ID) })
	for _, row := range all {
		c.take(row)
	}
	return all, nil
}

func inOrder(a, b *rivertype.JobRow) int {
	if a.Priority != b.Priority {
		return a.Priority - b.Priority
	}
	if n := a.ScheduledAt.Compare(b.ScheduledAt); n != 0 {
		return n
	}
	return int(a.ID - b.ID)
}

// take hands a fetched job to the Queue.
func (c *run) take(row *rivertype.JobRow) {
	h := &hand{}
	var job belfry.Job
	if err := json.Unmarshal(row.EncodedArgs, &job); err != nil {
		c.d.log.Error("a job in the database cannot be read and is dropped", "row", row.ID, "queue", row.Queue, "error", err)
		h.run = func(context.Context) queue.Verdict { return queue.Verdict{} }
	} else {
		h.run = c.crew.Take(queue.Attempt{Job: job, Delivery: row.Attempt, Waited: time.Since(row.CreatedAt)})
	}
	row.EncodedArgs = []byte("{}") // River need not read it again
	c.mu.Lock()
	c.hands[row.ID] = h
	c.mu.Unlock()
}

// note logs when fetches begin to fail and when they work again.
func (c *run) note(err error) {
	c.mu.Lock()
	was := c.down
	c.down = err != nil
	c.doubt = c.doubt || err != nil
	c.mu.Unlock()
	switch {
	case err != nil && !was:
		c.d.log.Warn("no jobs can be fetched from the database; it is tried again by itself", "worker", c.crew.Worker, "error", err)
	case err == nil && was:
		c.d.log.Info("jobs are fetched from the database again", "worker", c.crew.Worker)
	}
}

// settleDoubt lets jobs go that a fetch took without its answer coming through.
func (c *run) settleDoubt(ctx context.Context) error {
	c.mu.Lock()
	doubt := c.doubt
	c.mu.Unlock()
	if !doubt {
		return nil
	}
	ids, err := c.d.runningOf(ctx, c.crew.Worker)
	if err != nil {
		return err
	}
	c.mu.Lock()
	ids = slices.DeleteFunc(ids, func(id int64) bool { return c.hands[id] != nil })
	c.mu.Unlock()
	if err := c.d.letGo(ctx, ids); err != nil {
		return err
	}
	c.mu.Lock()
	c.doubt = false
	c.mu.Unlock()
	return nil
}

// settle does with jobs that ran what their verdicts say.
func (c *run) settle(ctx context.Context, ids []int64) error {
	var done, back []int64
	later := map[time.Duration][]int64{}
	c.mu.Lock()
	for _, id := range ids {
		h := c.hands[id]
		switch {
		case h == nil || !h.verdict.Keep:
			done = append(done, id)
		case h.verdict.After <= 0:
			back = append(back, id)
		default:
			later[h.verdict.After] = append(later[h.verdict.After], id)
		}
	}
	c.mu.Unlock()
	if err := c.d.remove(ctx, done); err != nil {
		return err
	}
	if err := c.d.keep(ctx, back, 0); err != nil {
		return err
	}
	for after, ids := range later {
		if err := c.d.keep(ctx, ids, after); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		delete(c.hands, id)
	}
	return nil
}
