package trace

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
)

// failures are what is kept in the database: events that were given up, and
// requests that were refused.
type failures struct {
	cfg   Config
	queue chan failure

	written, dropped atomic.Uint64
	minute, count    atomic.Int64 // of refusals
}

// failure is one event that failed.
type failure struct {
	id  string
	app string
	at  time.Time
	now Timeline // of a refusal; else it is read when it is written
}

// Bounds of the failures that are kept.
const (
	failuresWait   = 4096
	failuresBatch  = 100
	refusalsMinute = 120 // refusals a minute: a wrong secret refuses every request
	failuresPrune  = time.Hour
	failuresFlush  = 3 * time.Second
	settleTime     = 50 * time.Millisecond // for the steps of one moment
)

func (f *failures) init(cfg Config) {
	f.cfg = cfg
	if cfg.DB != nil {
		f.queue = make(chan failure, failuresWait)
	}
}

// add has an event's failure kept. It does not block.
func (f *failures) add(r *record) {
	if f.queue == nil {
		return
	}
	one := failure{id: r.id, app: r.app, at: r.time()}
	if r.kind == kindRefused {
		if !f.mayRefuse(r.at / int64(time.Minute)) {
			f.dropped.Add(1)
			return
		}
		one.now.ID = r.id
		r.into(&one.now)
		one.now.order()
	}
	select {
	case f.queue <- one:
	default:
		f.dropped.Add(1)
	}
}

func (f *failures) mayRefuse(minute int64) bool {
	if last := f.minute.Load(); last != minute && f.minute.CompareAndSwap(last, minute) {
		f.count.Store(0)
	}
	return f.count.Add(1) <= refusalsMinute
}

// Run writes failures to the database and removes what is too old there and in
// memory, until ctx ends; then it writes what is left, for three seconds at
// most.
func (t *Trace) Run(ctx context.Context) error {
	clean, prune := time.NewTicker(time.Minute), time.NewTicker(failuresPrune)
	defer clean.Stop()
	defer prune.Stop()
	t.failures.prune(ctx)
	for {
		select {
		case <-ctx.Done():
			t.finish(ctx)
			return nil
		case <-clean.C:
			t.events.clean(t.cfg.Now())
			t.links.clean(t.cfg.Now())
		case <-prune.C:
			t.failures.prune(ctx)
		case one := <-t.failures.queue:
			select { // what else is told of the same moment
			case <-time.After(settleTime):
			case <-ctx.Done():
			}
			t.write(ctx, t.failures.more([]failure{one}))
		}
	}
}

func (f *failures) more(batch []failure) []failure {
	for len(batch) < failuresBatch {
		select {
		case one := <-f.queue:
			batch = append(batch, one)
		default:
			return batch
		}
	}
	return batch
}

// write writes a batch. While the database is away it tries again, a few times;
// failures have their own place in the list of failed jobs too.
func (t *Trace) write(ctx context.Context, batch []failure) {
	f := &t.failures
	for pause := 100 * time.Millisecond; ; pause *= 4 {
		err := t.insertInTime(ctx, batch)
		if err == nil {
			f.written.Add(uint64(len(batch)))
			return
		}
		if belfry.CodeOf(err) != belfry.CodeUnavailable || pause > 10*time.Second || ctx.Err() != nil {
			f.dropped.Add(uint64(len(batch)))
			if ctx.Err() == nil {
				f.cfg.Logger.Warn("failures of events could not be written to the database", "lost", len(batch), "error", err)
			}
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// insertInTime makes one try, which the end of ctx does not cut short.
func (t *Trace) insertInTime(ctx context.Context, batch []failure) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failuresFlush)
	defer cancel()
	return t.insert(ctx, batch)
}

// finish writes what is left.
func (t *Trace) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failuresFlush)
	defer cancel()
	for {
		batch := t.failures.more(nil)
		if len(batch) == 0 || ctx.Err() != nil {
			return
		}
		t.write(ctx, batch)
	}
}

// timeline gives the JSON of what is known of a failed event.
func (t *Trace) timeline(one failure) (text string, found Timeline, err error) {
	found = one.now
	if found.ID == "" {
		found, _ = t.find(one.id)
	}
	b, err := json.Marshal(found)
	return string(b), found, err
}
