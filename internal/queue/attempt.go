package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// terms are what holds for one job: its own, else its queue's, else the
// worker's.
type terms struct {
	tries   int
	backoff []time.Duration
	timeout time.Duration
}

func (w *working) terms(job belfry.Job) terms {
	own := w.q.cfg.Settings[job.Queue]
	t := terms{
		tries: cmp.Or(job.Tries, own.Tries, w.cfg.Tries), timeout: cmp.Or(job.Timeout, own.Timeout, w.cfg.Timeout),
		backoff: job.Backoff,
	}
	if len(t.backoff) == 0 {
		t.backoff = own.Backoff
	}
	if len(t.backoff) == 0 {
		t.backoff = w.cfg.Backoff
	}
	return t
}

// attempt tries a job once and keeps what has to be kept of it.
func (w *working) attempt(ctx context.Context, a Attempt) Verdict {
	q, job := w.q, a.Job
	t, try := w.terms(job), job.Tried+a.Delivery
	began := q.now()
	st := q.stats.of(job.Queue)
	st.wait.observe(a.Waited)
	var err error
	if a.Delivery > 1 && try > t.tries {
		err = Permanent(fmt.Errorf("the job was begun %d times and its worker died each time", try-1))
		try--
	} else {
		st.running.Add(1)
		err = q.call(ctx, job, t.timeout)
		st.running.Add(-1)
		st.run.observe(q.now().Sub(began))
	}
	if err != nil && ctx.Err() != nil {
		return Verdict{Keep: true} // the worker ended, which is not the job's fault
	}
	return q.settle(ctx, w.halt, job, err, t, try)
}

// settle keeps the outcome of a try, waiting out a short outage.
func (q *Queue) settle(ctx, halt context.Context, job belfry.Job, err error, t terms, try int) Verdict {
	if err == nil && job.Unique == "" {
		q.stats.of(job.Queue).done.Add(1)
		return Verdict{}
	}
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		kept := q.keepOutcome(context.WithoutCancel(ctx), job, err, t, try)
		if kept == nil {
			return Verdict{}
		}
		q.log.Warn("a job's outcome cannot be kept yet", "id", job.ID, "queue", job.Queue, "error", kept)
		if pause >= time.Second {
			return Verdict{Keep: true, After: 5 * time.Second}
		}
		select {
		case <-time.After(pause):
		case <-halt.Done():
			return Verdict{Keep: true}
		case <-ctx.Done():
			return Verdict{Keep: true}
		}
	}
}

// outcomeTime bounds one attempt to keep an outcome.
const outcomeTime = 10 * time.Second

func (q *Queue) keepOutcome(ctx context.Context, job belfry.Job, err error, t terms, try int) error {
	ctx, cancel := context.WithTimeout(ctx, outcomeTime)
	defer cancel()
	st := q.stats.of(job.Queue)
	wait, waits := waits(err, job, q.now())
	switch {
	case waits:
		job.Tried = try - 1
		if err := insertLater(ctx, q.db, later{job: job, runAt: q.now().Add(wait), again: true, error: errorText(err)}); err != nil {
			return err
		}
		st.retried.Add(1)
		q.cfg.Settled(job, Settlement{State: Retrying, Error: errorText(err), Tries: try - 1, RunAt: q.now().Add(wait)})
		q.sayWaits(job, err)
		signal(q.due)
	case err == nil:
		if err := releaseLock(ctx, q.db, job.ID); err != nil {
			return err
		}
		st.done.Add(1)
	case try >= t.tries || IsPermanent(err):
		if err := q.keepFailed(ctx, job, err, try); err != nil {
			return err
		}
		st.failed.Add(1)
		q.cfg.Settled(job, Settlement{State: Failed, Error: errorText(err), Tries: try})
		q.log.Warn("job failed", "id", job.ID, "kind", job.Kind, "queue", job.Queue, "tries", try, "error", err)
	default:
		pause := pauseBefore(t.backoff, try, err)
		job.Tried = try
		row := later{job: job, runAt: q.now().Add(pause), again: true, error: errorText(err)}
		if err := insertLater(ctx, q.db, row); err != nil {
			return err
		}
		st.retried.Add(1)
		q.cfg.Settled(job, Settlement{State: Retrying, Error: errorText(err), Tries: try, RunAt: row.runAt})
		q.log.Info("job is tried again", "id", job.ID, "kind", job.Kind, "queue", job.Queue, "try", try, "of", t.tries, "after", pause, "error", err)
		signal(q.due)
	}
	return nil
}

// call runs the job's handler within its time.
func (q *Queue) call(ctx context.Context, job belfry.Job, timeout time.Duration) (err error) {
	q.mu.Lock()
	h := q.handlers[job.Kind]
	q.mu.Unlock()
	if h == nil {
		return fmt.Errorf("nobody here does jobs of the kind %q: the worker may be of another build than the server", job.Kind)
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errTimeout)
		defer cancel()
	}
	defer func() {
		if p := recover(); p != nil {
			q.log.Error("job panicked", "id", job.ID, "kind", job.Kind, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	err = h(ctx, job)
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		return fmt.Errorf("timed out after %s: %w", timeout, err)
	}
	return err
}

var errTimeout = errors.New("the job's time is over")

// runInline does a job while it is enqueued: one try, then it is done or
// failed.
func (q *Queue) runInline(ctx context.Context, job belfry.Job) {
	own := q.cfg.Settings[job.Queue]
	st := q.stats.of(job.Queue)
	began := q.now()
	st.running.Add(1)
	err := q.call(ctx, job, cmp.Or(job.Timeout, own.Timeout, time.Minute))
	st.running.Add(-1)
	st.run.observe(q.now().Sub(began))
	if kept := q.keepOutcome(context.WithoutCancel(ctx), job, err, terms{tries: 1}, 1); kept != nil {
		q.log.Error("a job's outcome is lost", "id", job.ID, "queue", job.Queue, "error", store.Classify(kept), "outcome", errorText(err))
	}
}

// sayWaitsEvery bounds the lines about jobs that wait: all wait for the same.
const sayWaitsEvery = 10 * time.Second

// sayWaits logs that jobs wait and why, now and then.
func (q *Queue) sayWaits(job belfry.Job, err error) {
	now := q.now()
	q.mu.Lock()
	due := now.Sub(q.saidWaits) >= sayWaitsEvery
	if due {
		q.saidWaits = now
	}
	q.mu.Unlock()
	if due {
		q.log.Warn("jobs wait for what they need; their tries do not count meanwhile", "kind", job.Kind, "queue", job.Queue, "id", job.ID, "error", err)
	}
}
