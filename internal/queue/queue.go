package queue

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Config is what a Queue is made of. DB and Driver are required.
type Config struct {
	DB     *store.DB
	Driver Driver
	// Settings are those of queues by name; a queue that is not named has the
	// worker's.
	Settings map[string]Settings
	// Version is this build's; workers of another are reported.
	Version string
	// Enqueued, when given, is called after jobs were enqueued here that other
	// processes should hear of. It must not block.
	Enqueued func(queues []string)
	// Settled, when given, is told of each job that waits for another try or was
	// given up here. It may be called concurrently and must not block.
	Settled func(job belfry.Job, s Settlement)
	// MaxPayload bounds a job's payload in bytes; default 4 MiB.
	MaxPayload int
	// KeepPayload is how long a failed job keeps its payload; default 7 days.
	KeepPayload time.Duration
	// Beat is the time between a worker's heartbeats, default 2 s; Silent how
	// long one may be silent before it counts as gone, default 15 s.
	Beat, Silent time.Duration
	// Now is the clock; default time.Now.
	Now    func() time.Time
	Logger *slog.Logger // default: nothing is logged
}

// Settlement is what became of a job that failed.
type Settlement struct {
	State State     // Retrying or Failed
	Error string    // of the last try
	Tries int       // that failed and count
	RunAt time.Time // of the next try
}

// Settings are a queue's own, for jobs that say nothing else. Zero values leave
// it to the worker.
type Settings struct {
	Tries       int
	Backoff     []time.Duration
	Timeout     time.Duration
	Concurrency int // jobs of this queue that one worker runs at once
}

// Handler does a job. An error has the job tried again, unless IsPermanent says
// that this is useless; After sets the pause. The context ends with the job's
// timeout and when the worker stops for good.
type Handler func(ctx context.Context, job belfry.Job) error

// Queue is the front of a Driver. Its methods may be called concurrently.
type Queue struct {
	cfg    Config
	db     *store.DB
	driver Driver
	log    *slog.Logger
	group  group
	lanes  lanes
	stats  stats
	due    chan struct{} // has a value when job_later may have a new first

	mu        sync.Mutex // guards what follows
	handlers  map[string]Handler
	working   map[*working]struct{}
	judged    map[string]bool // workers of other builds that were logged
	saidWaits time.Time       // when it was last logged that jobs wait
}

// New makes a Queue. Nothing runs and nothing is opened before Prepare.
func New(cfg Config) *Queue {
	cfg.MaxPayload = cmp.Or(cfg.MaxPayload, 4<<20)
	cfg.KeepPayload = cmp.Or(cfg.KeepPayload, 7*24*time.Hour)
	cfg.Beat = cmp.Or(cfg.Beat, 2*time.Second)
	cfg.Silent = cmp.Or(cfg.Silent, 15*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Settled == nil {
		cfg.Settled = func(belfry.Job, Settlement) {}
	}
	q := &Queue{
		cfg: cfg, db: cfg.DB, driver: cfg.Driver, log: cfg.Logger, due: make(chan struct{}, 1),
		handlers: map[string]Handler{}, working: map[*working]struct{}{}, judged: map[string]bool{},
	}
	q.group.send = func(ctx context.Context, jobs []belfry.Job) error { return q.driver.Enqueue(ctx, nil, jobs) }
	if d, ok := cfg.Driver.(Inline); ok {
		d.Inline(q.runInline)
	}
	return q
}

// Inline is a Driver that runs jobs itself while they are enqueued. New gives
// it what runs one.
type Inline interface {
	Inline(run func(ctx context.Context, job belfry.Job))
}

// Handle says who does jobs of a kind. It is called before Work.
func (q *Queue) Handle(kind string, h Handler) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.handlers[kind] = h
}

// Prepare makes what the driver needs. The database must be migrated. It may be
// called again.
func (q *Queue) Prepare(ctx context.Context) error {
	return store.Classify(q.driver.Prepare(ctx))
}

// Poke says that jobs may have come from elsewhere: this process's workers look
// at once. It does not block.
func (q *Queue) Poke() {
	signal(q.due)
	q.wakeWorkers()
}

// announce wakes this process's workers and tells the others.
func (q *Queue) announce(queues []string) {
	q.Poke()
	if q.cfg.Enqueued != nil && len(queues) > 0 {
		q.cfg.Enqueued(queues)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// now is the clock in whole milliseconds, as times are stored.
func (q *Queue) now() time.Time { return q.cfg.Now().UTC() }

// wakeWorkers has this process's workers look for jobs.
func (q *Queue) wakeWorkers() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := range q.working {
		for _, woken := range w.woken {
			signal(woken)
		}
	}
}
