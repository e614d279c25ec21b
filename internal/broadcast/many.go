package broadcast

import (
	"context"

	"github.com/belfryhq/belfry"
)

// manyAtOnce is how many events one call gets of a driver that sets no bound.
const manyAtOnce = 100

// PublishMany sends events now, without a queue, in their order and in as few
// calls as the driver takes. It is for Belfry itself, as Publish is, and for
// events of which no two are for one channel: their order against other events
// that are under way is not kept. errs has the error of each event, nil where
// its outcome stands; one that is permanently wrong does not fail the others.
func (b *Broadcaster) PublishMany(ctx context.Context, events []belfry.Event) (outcomes []belfry.Outcome, errs []error) {
	outcomes, errs = make([]belfry.Outcome, len(events)), make([]error, len(events))
	var good []int // places
	ready := make([]belfry.Event, len(events))
	for i, e := range events {
		e, err := b.prepare(e)
		outcomes[i].ID = e.ID
		if err != nil {
			b.count.refused.Add(1)
			errs[i] = err
			continue
		}
		b.count.accepted.Add(1)
		b.traces.add(e, Step{What: StepAccepted})
		ready[i] = e
		if outcomes[i].Skipped = b.expired(e); outcomes[i].Skipped != "" {
			b.note(e, outcomes[i], nil, e.Accepted, e.Accepted)
			continue
		}
		good = append(good, i)
	}
	most := manyAtOnce
	if batcher, ok := b.cfg.Driver.(Batcher); ok {
		most = max(1, batcher.Batch())
	}
	for len(good) > 0 {
		some := good[:min(most, len(good))]
		done, err := b.sendSome(ctx, ready, some, outcomes)
		good = good[done:]
		if err == nil {
			continue
		}
		err = wrap("broadcast an event", err)
		if Permanent(err) { // of the next one, which the driver stopped at
			b.note(ready[good[0]], belfry.Outcome{}, err, b.cfg.Now(), ready[good[0]].Accepted)
			errs[good[0]] = err
			good = good[1:]
			continue
		}
		for _, i := range good { // the target is away for all of them
			b.note(ready[i], belfry.Outcome{}, err, b.cfg.Now(), ready[i].Accepted)
			errs[i] = err
		}
		break
	}
	return outcomes, errs
}

// sendSome makes one call and gives how many of the events went out.
func (b *Broadcaster) sendSome(ctx context.Context, ready []belfry.Event, some []int, outcomes []belfry.Outcome) (done int, err error) {
	group := make([]belfry.Event, len(some))
	for i, place := range some {
		group[i] = ready[place]
	}
	began := b.cfg.Now()
	outs, err := b.call(ctx, group)
	if err == nil && len(outs) < len(group) {
		err = errNoOutcome
	}
	outs = outs[:min(len(outs), len(group))]
	for i, out := range outs {
		out.ID = group[i].ID
		outcomes[some[i]] = out
		b.note(group[i], out, nil, began, group[i].Accepted)
	}
	return len(outs), err
}
