package socket

import (
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
)

// flow is what the valve keeps of a topic while something of it is in the
// outlet's own queue, or it has a gate.
type flow struct {
	queued   int    // bytes in the queue
	gated    bool   // the rest is said
	laggards []*lag // who lagged at the last publish
	of       int    // how many subscribers there were
}

// look says how those who lagged at the last publish are now.
func (v *valve) look(f *flow) room {
	now := time.Since(v.started)
	lagging, distant := 0, false
	for _, c := range f.laggards {
		switch c.level.Load() {
		case behind:
			lagging++
		case far:
			lagging++
			distant = distant || now-time.Duration(c.moved.Load()) < stillReads
		}
	}
	switch {
	case most(lagging, f.of):
		return full
	case distant:
		return tight
	}
	return free
}

// gate gives a topic a gate, renews it, or takes it away, after a publish to of
// subscribers. collect gives those who lag.
func (v *valve) gate(t *hub.Topic, held bool, of int, collect func(into []*lag) []*lag) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !held {
		if f := v.flows[t]; f != nil && f.gated {
			v.ungate(t, f)
			v.wakeLocked()
		}
		return
	}
	f := v.gated(t)
	f.laggards, f.of = collect(f.laggards[:0]), of
}

// warn has the next publish to a topic look at l, whatever it found last. Many
// topics may have the same subscribers: when those are most of each, publishers
// wait on all of them at once, not on each after one more publish. v.mu is held.
func (v *valve) warn(t *hub.Topic, l *lag) {
	f := v.gated(t)
	if !slices.Contains(f.laggards, l) {
		f.laggards = append(f.laggards, l)
	}
}

// enqueue notes that n more bytes of a topic are in the outlet's own queue, or,
// below zero, were taken from it.
func (v *valve) enqueue(t *hub.Topic, n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := v.flow(t)
	f.queued += n
	if n < 0 {
		v.forget(t, f)
		v.wakeLocked()
	}
}

// gated gives a topic's flow, with a gate. v.mu is held.
func (v *valve) gated(t *hub.Topic) *flow {
	f := v.flow(t)
	if !f.gated {
		f.gated, f.of = true, max(1, t.Local(v.place()))
		v.gates.Add(1)
	}
	return f
}

// ungate takes a topic's gate away. v.mu is held.
func (v *valve) ungate(t *hub.Topic, f *flow) {
	f.gated, f.laggards = false, nil
	v.gates.Add(-1)
	v.forget(t, f)
}

// flow gives a topic's flow, made if there is none. v.mu is held.
func (v *valve) flow(t *hub.Topic) *flow {
	f := v.flows[t]
	if f == nil {
		f = &flow{}
		v.flows[t] = f
	}
	return f
}

// forget lets go of a flow that says nothing any more. v.mu is held.
func (v *valve) forget(t *hub.Topic, f *flow) {
	if f.queued <= 0 && !f.gated {
		delete(v.flows, t)
	}
}
