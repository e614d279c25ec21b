package broadcast

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/belfryhq/belfry"
)

// line joins events that come at the same time into groups, each sent with one
// call. It adds no wait: an event that finds a call free goes at once, alone.
// Events of one channel are sent in the order in which they came: a channel is
// in one call at a time.
//
// The call is made by one of those who wait for it, so the line has no
// goroutine of its own.
type line struct {
	call     func(ctx context.Context, events []belfry.Event) ([]belfry.Outcome, error)
	most     int // events in a call
	parallel int // calls at once

	mu      sync.Mutex // guards all below
	waiting []*ticket
	busy    map[string]struct{} // channels of the calls under way
	calls   int
}

// ticket is one event in the line.
type ticket struct {
	event belfry.Event
	taken bool           // in a group; guarded by line.mu
	lead  chan []*ticket // gets the group if this ticket is to make its call
	done  chan struct{}  // closed when outcome and err stand

	outcome belfry.Outcome
	err     error
}

func newLine(call func(context.Context, []belfry.Event) ([]belfry.Outcome, error), most, parallel int) *line {
	return &line{call: call, most: most, parallel: parallel, busy: map[string]struct{}{}}
}

// send sends e with whatever goes the same way. It may outlast ctx by one call,
// when others wait for the call that it makes.
func (l *line) send(ctx context.Context, e belfry.Event) (belfry.Outcome, error) {
	t := &ticket{event: e, lead: make(chan []*ticket, 1), done: make(chan struct{})}
	l.mu.Lock()
	l.waiting = append(l.waiting, t)
	l.dispatch()
	l.mu.Unlock()
	select {
	case group := <-t.lead:
		l.run(ctx, group)
	case <-t.done:
	case <-ctx.Done():
		if !l.withdraw(t) {
			select {
			case group := <-t.lead:
				l.run(ctx, group)
			default: // another makes the call; its outcome is not waited for
				return belfry.Outcome{}, ctx.Err()
			}
			break
		}
		return belfry.Outcome{}, ctx.Err()
	}
	<-t.done
	return t.outcome, t.err
}

// withdraw takes a ticket out that is in no group yet.
func (l *line) withdraw(t *ticket) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.taken {
		return false
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(w *ticket) bool { return w == t })
	l.dispatch() // those who waited behind its channels
	return true
}

// dispatch makes groups while there are calls free. The line is locked.
func (l *line) dispatch() {
	for l.calls < l.parallel {
		group := l.pick()
		if len(group) == 0 {
			return
		}
		l.calls++
		for _, t := range group {
			t.taken = true
			for _, channel := range t.event.Channels {
				l.busy[channel] = struct{}{}
			}
		}
		group[0].lead <- group
	}
}

// pick takes the first events whose channels are in no call and wait behind no
// event that stays.
func (l *line) pick() (group []*ticket) {
	if len(l.waiting) == 0 {
		return nil
	}
	held := map[string]struct{}{}
	kept := l.waiting[:0]
	for i, t := range l.waiting {
		if len(group) == l.most {
			kept = append(kept, l.waiting[i:]...)
			break
		}
		if slices.ContainsFunc(t.event.Channels, func(c string) bool {
			_, busy := l.busy[c]
			_, behind := held[c]
			return busy || behind
		}) {
			for _, c := range t.event.Channels {
				held[c] = struct{}{}
			}
			kept = append(kept, t)
			continue
		}
		group = append(group, t)
	}
	clear(l.waiting[len(kept):])
	l.waiting = kept
	return group
}

var errNoOutcome = errors.New("the driver gave no outcome")

// run makes a group's call. A permanent failure of several is tried one by one,
// so that one event does not take the others down.
func (l *line) run(ctx context.Context, group []*ticket) {
	defer l.finish(group)
	if len(group) > 1 {
		ctx = context.WithoutCancel(ctx) // the call has its own limit
	}
	events := make([]belfry.Event, len(group))
	for i, t := range group {
		events[i], t.err = t.event, errNoOutcome
	}
	outcomes, err := l.call(ctx, events)
	rest := settle(group, outcomes)
	switch {
	case err == nil || len(rest) == 0:
	case len(rest) > 1 && Permanent(err):
		for _, t := range rest {
			outcomes, err := l.call(ctx, []belfry.Event{t.event})
			if alone := settle([]*ticket{t}, outcomes); len(alone) > 0 && err != nil {
				t.err = err
			}
		}
	default:
		for _, t := range rest {
			t.err = err
		}
	}
}

// settle gives the first tickets their outcomes, and the rest back.
func settle(group []*ticket, outcomes []belfry.Outcome) (rest []*ticket) {
	n := min(len(group), len(outcomes))
	for i, t := range group[:n] {
		t.outcome, t.err = outcomes[i], nil
	}
	return group[n:]
}

func (l *line) finish(group []*ticket) {
	l.mu.Lock()
	l.calls--
	for _, t := range group {
		for _, channel := range t.event.Channels {
			delete(l.busy, channel)
		}
	}
	l.dispatch()
	l.mu.Unlock()
	for _, t := range group {
		close(t.done)
	}
}
