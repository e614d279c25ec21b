package broadcast

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/belfryhq/belfry"
)

// Publish sends an event now, without a queue. It is for Belfry itself: names
// that are reserved pass. A skipped event is no error; its Outcome says why.
func (b *Broadcaster) Publish(ctx context.Context, e belfry.Event) (belfry.Outcome, error) {
	e, err := b.prepare(e)
	if err != nil {
		b.count.refused.Add(1)
		return belfry.Outcome{}, err
	}
	b.count.accepted.Add(1)
	b.traces.add(e, Step{What: StepAccepted})
	return b.deliver(ctx, e, e.Accepted)
}

// Do sends a queued event: it is the queue's handler of JobKind. An event that
// is skipped is done. See Permanent for the errors.
func (b *Broadcaster) Do(ctx context.Context, job belfry.Job) error {
	var p payload
	if err := json.Unmarshal(job.Payload, &p); err != nil {
		return &belfry.Error{Code: belfry.CodeInvalid, Message: "the job's payload is not an event", Err: err}
	}
	e := p.Event
	if e.ID == "" {
		e.ID = job.ID
	}
	if _, err := b.app(e.App); err != nil {
		b.traces.add(e, Step{What: StepFailed, Error: belfry.Public(err)})
		b.count.failed.Add(1)
		return err
	}
	_, err := b.deliver(ctx, e, p.since())
	return err
}

// deliver sends a checked event, unless its time is over or its condition says
// no, and remembers what became of it. Since is when it could have been sent at
// the earliest; zero is not known.
func (b *Broadcaster) deliver(ctx context.Context, e belfry.Event, since time.Time) (belfry.Outcome, error) {
	started := b.cfg.Now()
	out, err := b.attempt(ctx, e)
	b.note(e, out, err, started, since)
	if err != nil {
		return belfry.Outcome{ID: e.ID}, err
	}
	return out, nil
}

// note counts and remembers what became of an event.
func (b *Broadcaster) note(e belfry.Event, out belfry.Outcome, err error, started, since time.Time) {
	switch {
	case err != nil:
		b.count.failed.Add(1)
		b.traces.add(e, Step{What: StepFailed, Error: belfry.Public(err), Permanent: Permanent(err)})
	case out.Skipped != "":
		b.count.skipped.Add(1)
		b.traces.add(e, Step{What: StepSkipped, Reason: out.Skipped})
	default:
		b.count.sent.Add(1)
		now := b.cfg.Now()
		b.count.sending.Add(int64(now.Sub(started)))
		if !since.IsZero() {
			b.cfg.Sent(e.App, max(0, now.Sub(since)))
		}
		b.traces.add(e, Step{What: StepSent, Receipt: out.Receipt})
	}
}

// expired says that an event's time is over, "" when it is not.
func (b *Broadcaster) expired(e belfry.Event) string {
	if e.Expires.IsZero() || b.cfg.Now().Before(e.Expires) {
		return ""
	}
	return "it expired at " + e.Expires.UTC().Format(time.RFC3339)
}

func (b *Broadcaster) attempt(ctx context.Context, e belfry.Event) (belfry.Outcome, error) {
	if over := b.expired(e); over != "" {
		return belfry.Outcome{ID: e.ID, Skipped: over}, nil
	}
	if e.Condition != "" {
		ask := b.condition[e.Condition]
		if ask == nil { // a queued event of a program that had it
			return belfry.Outcome{}, belfry.Errorf(belfry.CodeInvalid, "condition: there is no condition %q any more", clip(e.Condition))
		}
		yes, err := ask(ctx, e)
		if err != nil {
			return belfry.Outcome{}, wrap("ask the condition "+e.Condition, err)
		}
		if !yes {
			return belfry.Outcome{ID: e.ID, Skipped: "its condition \"" + e.Condition + "\" said no"}, nil
		}
	}
	var out belfry.Outcome
	var err error
	if b.line != nil {
		out, err = b.line.send(ctx, e)
	} else {
		var outs []belfry.Outcome
		outs, err = b.call(ctx, []belfry.Event{e})
		switch {
		case len(outs) > 0:
			out, err = outs[0], nil
		case err == nil:
			err = errNoOutcome
		}
	}
	if err != nil {
		return belfry.Outcome{}, wrap("broadcast an event", err)
	}
	out.ID = e.ID
	return out, nil
}

// wrap gives an error without a code, which the driver knows no more about, the
// code of what may pass.
func wrap(doing string, err error) error {
	if _, coded := errors.AsType[*belfry.Error](err); coded || errors.Is(err, context.Canceled) {
		return err
	}
	message := doing + " failed"
	if errors.Is(err, context.DeadlineExceeded) {
		message = doing + ": no answer in time"
	}
	return &belfry.Error{Code: belfry.CodeUnavailable, Message: message, Hint: "try again; the log has the cause", Err: err}
}

// call is one call of the driver, behind the circuit and within the time limit.
func (b *Broadcaster) call(ctx context.Context, events []belfry.Event) ([]belfry.Outcome, error) {
	probe, err := b.circuit.enter()
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	b.count.calls.Add(1)
	outcomes, err := b.cfg.Driver.Send(limited, events)
	b.circuit.leave(ctx, probe, err)
	return outcomes, err
}

// occupied is the built-in condition.
func (b *Broadcaster) occupied(ctx context.Context, e belfry.Event) (bool, error) {
	o, ok := b.cfg.Driver.(Occupancy)
	if !ok {
		return true, nil
	}
	limited, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	return o.Occupied(limited, e.App, e.Channels)
}
