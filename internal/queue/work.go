package queue

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
)

// Worker says how one worker works. The zero value works the default queue.
type Worker struct {
	// Queues in the order of their importance; default belfry.DefaultQueue.
	Queues []string
	// Concurrency is how many jobs run at once; default 1.
	Concurrency int
	// Tries is how often a job that says nothing else is tried in all; default
	// 3. Backoff are the pauses between, the last for all further ones; default
	// 5 s. Timeout ends one try; default 60 s, negative: never.
	Tries   int
	Backoff []time.Duration
	Timeout time.Duration
	// Memory is the resident memory in MB above which the worker takes no more
	// and ends, once it has begun a job; 0 means no limit.
	Memory int
	// Rest is a pause after each job.
	Rest time.Duration
	// MaxJobs ends the worker when it has begun so many jobs, MaxTime after that
	// time, StopWhenEmpty when no job waits. Zero values mean never. One job and
	// no more is MaxJobs 1 with StopWhenEmpty.
	MaxJobs       int
	MaxTime       time.Duration
	StopWhenEmpty bool
	// Grace is how long jobs under way may take once the worker is to end;
	// default 30 s. Then their contexts end, and they wait to be run again.
	Grace time.Duration
	// Name is for people, beside host and process id.
	Name string
}

// Reason says why a worker ended.
type Reason string

// The reasons.
const (
	Stopped   Reason = "stopped"  // its context ended
	Restarted Reason = "restart"  // Restart was called
	OverLimit Reason = "memory"   // over Worker.Memory
	JobsDone  Reason = "max_jobs" // Worker.MaxJobs
	TimeOver  Reason = "max_time" // Worker.MaxTime
	Empty     Reason = "empty"    // Worker.StopWhenEmpty
)

// Ended is how a worker ended.
type Ended struct {
	Reason Reason
	Jobs   int // that it began
}

// ends is why the context of a worker ended.
type ends struct{ reason Reason }

func (e ends) Error() string { return "the worker ends: " + string(e.reason) }

// working is one call of Work.
type working struct {
	q     *Queue
	cfg   Worker
	id    string
	seats *seats
	woken []chan struct{} // of the crews
	halt  context.Context // ends when no more jobs are to begin
	end   context.CancelCauseFunc

	begun  atomic.Int64
	mu     sync.Mutex // guards paused
	paused map[string]bool
}

// Work runs jobs until ctx ends or a limit of the worker is reached, and gives
// the reason. It returns when no job of this worker runs any more, or
// Worker.Grace after its end began; it outlives outages of the database. The
// error is for settings that make no sense.
//
// Several may work at once: lanes keep their order over all of one Queue.
func (q *Queue) Work(ctx context.Context, cfg Worker) (Ended, error) {
	if len(cfg.Queues) == 0 {
		cfg.Queues = []string{belfry.DefaultQueue}
	}
	for _, name := range cfg.Queues {
		if err := CheckName(name); err != nil {
			return Ended{}, err
		}
	}
	cfg.Concurrency = cmp.Or(cfg.Concurrency, 1)
	cfg.Tries = cmp.Or(cfg.Tries, 3)
	cfg.Timeout = cmp.Or(cfg.Timeout, time.Minute)
	cfg.Grace = cmp.Or(cfg.Grace, 30*time.Second)
	if len(cfg.Backoff) == 0 {
		cfg.Backoff = []time.Duration{5 * time.Second}
	}
	if cfg.Concurrency < 0 || cfg.Tries < 0 || cfg.Memory < 0 || cfg.MaxJobs < 0 || cfg.MaxTime < 0 || cfg.Rest < 0 {
		return Ended{}, belfry.Errorf(belfry.CodeInvalid, "a worker's limits must not be negative")
	}
	limits := map[string]int{}
	for name, s := range q.cfg.Settings {
		limits[name] = s.Concurrency
	}
	w := &working{q: q, cfg: cfg, id: newWorkerID(), seats: newSeats(cfg.Concurrency, limits)}
	crews := w.crews()
	w.halt, w.end = context.WithCancelCause(ctx)
	defer w.end(ends{Stopped})
	q.mu.Lock()
	q.working[w] = struct{}{}
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		delete(q.working, w)
		q.mu.Unlock()
	}()
	w.run(crews)
	ended := Ended{Reason: Stopped, Jobs: int(w.begun.Load())}
	if e, ok := errors.AsType[ends](context.Cause(w.halt)); ok {
		ended.Reason = e.reason
	}
	return ended, nil
}

// run works with all crews until the worker ends.
func (w *working) run(all []Crew) {
	if w.cfg.MaxTime > 0 {
		timer := time.AfterFunc(w.cfg.MaxTime, func() { w.end(ends{TimeOver}) })
		defer timer.Stop()
	}
	var around sync.WaitGroup
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.halt))
	started := make(chan struct{})
	around.Go(func() { w.beat(ctx, started) })
	around.Go(func() { w.watch(ctx) })
	defer around.Wait()
	defer cancel()
	select {
	case <-started: // known to others before it takes a job
	case <-w.halt.Done():
		return
	}
	var crews sync.WaitGroup
	defer crews.Wait()
	for i, crew := range all {
		crew.Worker = crewID(w.id, i)
		crews.Go(func() { w.keepWorking(crew) })
	}
}

// take gives a fetched job its place in its lanes.
func (w *working) take(a Attempt) func(ctx context.Context) Verdict {
	q := w.q
	t := q.lanes.enter(a.Job.Queue, a.Job.Lanes)
	return func(ctx context.Context) Verdict {
		defer q.lanes.leave(t)
		select {
		case <-t.ready:
		case <-w.halt.Done():
			return Verdict{Keep: true}
		case <-ctx.Done():
			return Verdict{Keep: true}
		}
		s := w.seats.ask(a.Job.Queue, place(w.cfg.Queues, a.Job.Queue), a.Job.Priority)
		defer w.seats.leave(s)
		select {
		case <-s.given:
		case <-w.halt.Done():
			return Verdict{Keep: true}
		case <-ctx.Done():
			return Verdict{Keep: true}
		}
		if w.halt.Err() != nil || w.isPaused(a.Job.Queue) {
			return Verdict{Keep: true}
		}
		if n := w.begun.Add(1); w.cfg.MaxJobs > 0 && n >= int64(w.cfg.MaxJobs) {
			if n > int64(w.cfg.MaxJobs) {
				w.begun.Add(-1)
				return Verdict{Keep: true}
			}
			w.end(ends{JobsDone})
		}
		v := w.attempt(ctx, a)
		q.lanes.leave(t)
		w.checkMemory()
		if w.cfg.Rest > 0 {
			select {
			case <-time.After(w.cfg.Rest):
			case <-w.halt.Done():
			}
		}
		return v
	}
}

func (w *working) isPaused(queue string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.paused[queue]
}

func (w *working) setPaused(queue string, paused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused == nil {
		w.paused = map[string]bool{}
	}
	w.paused[queue] = paused
}

// checkMemory counts from the first job on: a worker that gave up before one,
// for what it takes at rest, would be replaced without end and nothing be done.
func (w *working) checkMemory() {
	if w.cfg.Memory > 0 && w.begun.Load() > 0 && residentMemory() > int64(w.cfg.Memory)<<20 {
		w.end(ends{OverLimit})
	}
}

// watch looks once a second for a restart or a pause that was asked for
// anywhere, and for the worker's own limits.
func (w *working) watch(ctx context.Context) {
	restart, known := int64(0), false
	tick := time.NewTicker(w.watchEvery())
	defer tick.Stop()
	for beat := 0; ; beat++ {
		if control, err := w.q.readControl(ctx); err == nil {
			if known && control.restart != restart {
				w.end(ends{Restarted})
			}
			restart, known = control.restart, true
			w.mu.Lock()
			w.paused = control.paused
			w.mu.Unlock()
		}
		w.checkMemory()
		if w.cfg.StopWhenEmpty && w.seats.active() == 0 && beat > 0 && w.isEmpty(ctx) {
			w.end(ends{Empty})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *working) watchEvery() time.Duration {
	if w.cfg.StopWhenEmpty {
		return 100 * time.Millisecond
	}
	return 800 * time.Millisecond
}

// isEmpty reports whether no job that this worker could take waits.
func (w *working) isEmpty(ctx context.Context) bool {
	sizes, err := w.q.Sizes(ctx)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(w.cfg.Queues, func(name string) bool { return sizes[name].Waiting > 0 && !sizes[name].Paused })
}
