package broadcast

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// JobKind is the kind of the jobs that Do runs.
const JobKind = "broadcast"

// Config says where events go. Driver and Apps are required.
type Config struct {
	Driver Driver
	// Apps gives an app's settings, for the empty id the default app's; nil for
	// one that there is not.
	Apps func(id string) *belfry.App
	// Queue keeps events until they are sent; without it only Publish works.
	Queue Enqueuer
	// Queues gives the queues that events may name; nil, or none, allows any
	// well-formed name.
	Queues func() []string
	// DB keeps Idempotency-Keys; without it a key is refused.
	DB *store.DB
	// Conditions are what events may name in Condition, besides "occupied".
	Conditions map[string]Condition

	Timeout      time.Duration // of one call to the driver; default 10 s
	Parallel     int           // calls to a Batcher at once; default 4
	Failures     int           // in a row that open the circuit; default 5
	Pause        time.Duration // of an open circuit, doubled at each failed probe; default 5 s
	LongestPause time.Duration // default 1 min
	KeysFor      time.Duration // how long an Idempotency-Key holds; default 24 h
	Traces       int           // events that are remembered; default 10,000
	TracesFor    time.Duration // and for how long; default 1 h
	// Steps, if set, is told of each step of an event, in the stead of what is
	// remembered here, so that Find finds nothing. Steps that are told of late bear
	// their time; a zero one means now. It may be called concurrently and must not
	// block.
	Steps func(e belfry.Event, s Step)

	// Sent is told of every event that was sent here and how long that took, from
	// its acceptance or the end of its delay. It may be called concurrently and
	// must return at once. Default: none.
	Sent func(app string, took time.Duration)

	Logger *slog.Logger     // default: nothing is logged
	Now    func() time.Time // default: time.Now
}

// Enqueuer keeps jobs durably before it returns, or, with a transaction, when
// that commits. *queue.Queue is one.
type Enqueuer interface {
	Enqueue(ctx context.Context, tx *store.Tx, jobs ...belfry.Job) ([]string, error)
}

// Condition says, at the time of sending, whether the event is to be sent. An
// error makes the event wait for its next try.
type Condition func(ctx context.Context, e belfry.Event) (bool, error)

// Broadcaster takes events and sends them through its driver. Its methods may
// be called concurrently.
type Broadcaster struct {
	cfg     Config
	log     *slog.Logger
	line    *line    // nil but for a Batcher
	circuit *circuit // nil but for a Remote
	commits committer
	traces  traces
	count   counters

	checkMu   sync.Mutex // guards checked and checkErr; held while a check runs
	checked   time.Time
	checkErr  error
	condition map[string]Condition
}

// New makes a Broadcaster. It opens nothing and starts nothing.
func New(cfg Config) *Broadcaster {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Sent == nil {
		cfg.Sent = func(string, time.Duration) {}
	}
	cfg.Timeout = cmp.Or(cfg.Timeout, 10*time.Second)
	cfg.KeysFor = cmp.Or(cfg.KeysFor, 24*time.Hour)
	b := &Broadcaster{cfg: cfg, log: cfg.Logger, condition: map[string]Condition{}}
	b.traces = traces{most: cmp.Or(cfg.Traces, 10_000), window: cmp.Or(cfg.TracesFor, time.Hour), now: cfg.Now, tell: cfg.Steps}
	b.commits.commit = b.commit
	b.condition["occupied"] = b.occupied
	for name, c := range cfg.Conditions {
		b.condition[name] = c
	}
	if r, ok := cfg.Driver.(Remote); ok {
		b.circuit = &circuit{
			target: r.Target(), most: cmp.Or(cfg.Failures, 5), now: cfg.Now, log: cfg.Logger,
			first: cmp.Or(cfg.Pause, 5*time.Second), longest: cmp.Or(cfg.LongestPause, time.Minute),
		}
	}
	if batcher, ok := cfg.Driver.(Batcher); ok && batcher.Batch() > 1 {
		b.line = newLine(b.call, batcher.Batch(), cmp.Or(cfg.Parallel, 4))
	}
	return b
}

// Driver gives the name of the driver in force.
func (b *Broadcaster) Driver() string { return b.cfg.Driver.Name() }

// checkEvery is how old the answer of Check may be.
const checkEvery = 10 * time.Second

// Check says why events cannot be brought out at the moment, nil when they can.
// It asks the target at most every ten seconds, and an open circuit's target
// only when it is due for a probe.
func (b *Broadcaster) Check(ctx context.Context) error {
	b.checkMu.Lock()
	defer b.checkMu.Unlock()
	if err := b.circuit.blocked(); err != nil {
		return err
	}
	if now := b.cfg.Now(); b.checked.IsZero() || now.Sub(b.checked) >= checkEvery || b.circuit.isOpen() {
		b.checkErr = b.probe(ctx)
		b.checked = now
	}
	return b.checkErr
}

func (b *Broadcaster) probe(ctx context.Context) error {
	probing, err := b.circuit.enter()
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	err = b.cfg.Driver.Check(limited)
	b.circuit.leave(ctx, probing, err)
	return err
}

// Run clears expired Idempotency-Keys every hour until ctx ends.
func (b *Broadcaster) Run(ctx context.Context) error {
	if b.cfg.DB == nil {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := b.clearKeys(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("expired idempotency keys could not be cleared", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
