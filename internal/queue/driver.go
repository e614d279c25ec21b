package queue

import (
	"context"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Driver keeps jobs that may start now, in one technology, and hands each to a
// worker. Delays, tries, unique and debounced jobs and the list of failed ones
// are the Queue's, in front of every driver: a driver takes a job, has it run
// once, and forgets it when the verdict says so. Its methods may be called
// concurrently. Errors are raw; the Queue wraps them.
type Driver interface {
	// Prepare makes what the driver needs in its technology: tables, checks. It
	// is called before anything else and may be called again.
	Prepare(ctx context.Context) error
	// Enqueue keeps jobs durably before it returns, or, with a transaction, when
	// that commits. An ID that is still kept is left as it is. The order of one
	// queue and lane is that of the calls and, within one, of the slice.
	//
	// Transactional says whether it can take part in a transaction; when it
	// cannot, tx is always nil.
	Enqueue(ctx context.Context, tx *store.Tx, jobs []belfry.Job) error
	Transactional() bool
	// Work runs jobs of the crew's queues until ctx ends, then takes no more,
	// waits for those under way and returns. What it could not finish when grace
	// is over it leaves, to be given back.
	Work(ctx context.Context, crew Crew) error
	// Sizes counts the jobs of every queue that has any, or was paused.
	Sizes(ctx context.Context) (map[string]Size, error)
	// Pause keeps workers, of all processes, from starting jobs of a queue, or
	// lets them again.
	Pause(ctx context.Context, queue string, paused bool) error
	// Clear removes the jobs of a queue that no worker runs, and counts them.
	Clear(ctx context.Context, queue string) (int, error)
	// GiveBack makes the running jobs of workers that are gone wait again, first
	// in their queues, and counts them.
	GiveBack(ctx context.Context, workers []string) (int, error)
	// State says what became of a job: "" when it is not kept here.
	State(ctx context.Context, id string) (State, error)
}

// State is where a job is.
type State string

// The states. Delayed, retrying and failed jobs are the Queue's.
const (
	Waiting  State = "waiting"  // may start as soon as a worker is free
	Running  State = "running"  // a worker has it
	Delayed  State = "delayed"  // its time has not come
	Retrying State = "retrying" // failed, and waits for its next try
	Failed   State = "failed"   // given up; kept until it is retried or forgotten
)

// Size is what one queue holds.
type Size struct {
	Waiting int           `json:"waiting"`
	Running int           `json:"running"`
	Delayed int           `json:"delayed"` // with those that wait for their next try
	Failed  int           `json:"failed"`
	Oldest  time.Duration `json:"oldest"` // how long the first has waited
	Paused  bool          `json:"paused"`
}

// Crew is what one worker wants of a driver.
type Crew struct {
	// Worker is the worker's id, under which its running jobs are known.
	Worker string
	// Queues in the order of their importance: a job of a later one starts only
	// when none of an earlier one waits. At least one.
	Queues []string
	// Concurrency is how many jobs run at once.
	Concurrency int
	// Take is called for each job, from one goroutine, in the order in which they
	// were fetched; the run that it gives is called in any goroutine, at once,
	// and may wait for runs that Take gave earlier. Jobs of one queue and lane
	// must be taken in the order in which they were enqueued.
	Take func(a Attempt) (run func(ctx context.Context) Verdict)
	// Woken gets a value when jobs were enqueued, in this process or, as far as
	// anyone knows, in another. A driver that learns of them by itself may ignore
	// it; one that polls looks at once.
	Woken <-chan struct{}
	// Grace is how long jobs under way may take after ctx has ended.
	Grace time.Duration
}

// Attempt is a job in a worker's hands.
type Attempt struct {
	Job belfry.Job
	// Delivery counts how often the driver handed the job out, 1 at first: more
	// says that a worker died with it.
	Delivery int
	// Waited is the time since the job could have started.
	Waited time.Duration
}

// Verdict is what the driver does with a job that ran. The zero value forgets
// it.
type Verdict struct {
	// Keep makes the job wait again, to be handed out after the pause. It does
	// not count as a delivery.
	Keep  bool
	After time.Duration
}
