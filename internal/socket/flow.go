package socket

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
)

// Flow control. A publisher may be faster than its subscribers; then more and
// more waits, and in the end healthy connections would be cut for lagging. So a
// publisher waits:
//
//   - while most subscribers of its topic are behind, that is, have more than a
//     quarter of SendBuffer waiting;
//   - for a moment, linger, on each publish, while any subscriber that still
//     reads is far behind, with more than half of SendBuffer waiting. Those whose
//     network buffers less than the others' catch up then; those that are too
//     slow for good do not, and are cut at SendBuffer;
//   - while more than MaxPending waits for all connections together;
//   - while what other publishers were let in with, but have not published yet,
//     might carry a subscriber over SendBuffer.
//
// Who lags is written down by a publish that finds such subscribers: the topic
// has a gate then, which goes when they have caught up. A subscriber that has
// stopped reading holds nobody up but, if it is most of its topic, for a few
// seconds: while publishers wait, one that gets nothing written for stallAfter
// is cut.
//
// All but the last condition end by themselves, since connections either drain
// or are cut. The last could stand still: two publishers with several topics may
// each hold what the other waits for, or one may wait for itself. So it counts
// only as long as reservations come to an end.

// The levels of a connection's lag.
const (
	none   int32 = iota
	behind       // more than a quarter of SendBuffer waits, until less than an eighth does
	far          // more than half of it waits, until less than a quarter does
)

const (
	// stallAfter is how many seconds a connection may make no progress while
	// publishers wait. It is below the hub's patience with publishing.
	stallAfter = 3
	// stallBytes is how much waits at least for one that is cut because too much
	// waits for all.
	stallBytes = 16 << 10
	// linger is how long a publisher waits for a few that are far behind, and for
	// others' reservations when none of them ends.
	linger = 20 * time.Millisecond
	// stillReads is how long ago the last progress of one that still reads is.
	stillReads = 250 * time.Millisecond
)

// flow is what the outlet keeps of a topic while publishing to it is held back,
// or reserved.
type flow struct {
	reserved int     // bytes reserved and not yet released
	laggards []*conn // who lagged at the last publish; nil without a gate
	of       int     // how many subscribers there were
}

// room says whether a publisher may publish.
type room uint8

const (
	free  room = iota
	tight      // after a moment: a few are far behind
	taken      // when others' reservations have ended
	full       // when connections have drained
)

// most reports whether some of all are more than half.
func most(some, all int) bool { return 2*some > all }

// level gives the lag of a connection that n bytes wait for, and that had the
// lag old.
func (o *outlet) level(old int32, n int) int32 {
	quarter := o.cfg.SendBuffer / 4
	switch {
	case n > 2*quarter, old == far && n >= quarter:
		return far
	case n > quarter, old != none && n >= quarter/2:
		return behind
	}
	return none
}

// Reserve waits for room for size bytes to the subscribers of t (hub.Outlet).
// With a ctx that has ended it does not wait, and gives hub.ErrTight where a
// moment's wait would do.
func (o *outlet) Reserve(ctx context.Context, t *hub.Topic, size int) error {
	o.mu.Lock()
	state := o.admits(t, size)
	if state == free {
		o.reserve(t, size)
	}
	o.mu.Unlock()
	switch err := ctx.Err(); {
	case state == free:
		return nil
	case err == nil:
		return o.await(ctx, t, size)
	case state == tight:
		return hub.ErrTight
	default:
		return err
	}
}

// await waits for the room that was not there.
func (o *outlet) await(ctx context.Context, t *hub.Topic, size int) error {
	o.waiters.Add(1)
	defer o.waiters.Add(-1)
	timer := time.NewTimer(linger)
	defer timer.Stop()
	lingered, stuck, released := false, false, int64(-1)
	for {
		o.mu.Lock()
		state := o.admits(t, size)
		if state == taken && released != o.released { // they do end
			released, stuck = o.released, false
			timer.Reset(linger)
		}
		if state == free || state == tight && lingered || state == taken && stuck {
			o.reserve(t, size)
			o.mu.Unlock()
			return nil
		}
		changed := o.changed
		o.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			lingered, stuck = true, state == taken
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// admits says what room the subscribers of t have. o.mu is held.
func (o *outlet) admits(t *hub.Topic, size int) room {
	if o.stopped {
		return free
	}
	state := free
	f := o.flows[t]
	if f != nil && f.laggards != nil {
		if state = o.look(f); state == free {
			o.ungate(t, f)
		}
	}
	if o.pending.Load() > int64(o.cfg.MaxPending) {
		state = full
	}
	if state == full {
		o.wanted = true
	} else if f != nil && f.reserved > 0 && f.reserved+size > o.cfg.SendBuffer/4 {
		state = taken
	}
	return state
}

// look says how those who lagged at the last publish are now.
func (o *outlet) look(f *flow) room {
	now := time.Since(o.started)
	lagging, distant := 0, false
	for _, c := range f.laggards {
		switch c.lag.Load() {
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

// reserve notes a reservation. o.mu is held.
func (o *outlet) reserve(t *hub.Topic, size int) { o.flow(t).reserved += size }

// Release ends a reservation (hub.Outlet).
func (o *outlet) Release(t *hub.Topic, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.flows[t]
	if f == nil {
		return
	}
	f.reserved -= size
	o.released++
	o.forget(t, f)
	o.wakeLocked()
}

// gate gives a topic a gate, renews it, or takes it away, after a publish. The
// channel is locked.
func (o *outlet) gate(t *hub.Topic, list *seats, held bool, of int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !held {
		if f := o.flows[t]; f != nil && f.laggards != nil {
			o.ungate(t, f)
			o.wakeLocked()
		}
		return
	}
	f := o.flow(t)
	if f.laggards == nil {
		f.laggards = []*conn{}
		o.gates.Add(1)
	}
	f.laggards, f.of = f.laggards[:0], of
	for i := range list.all {
		if c := list.all[i].conn; c.lag.Load() != none {
			f.laggards = append(f.laggards, c)
		}
	}
}

func (o *outlet) ungate(t *hub.Topic, f *flow) {
	f.laggards = nil
	o.gates.Add(-1)
	o.forget(t, f)
}

// flow gives a topic's flow, made if there is none. o.mu is held.
func (o *outlet) flow(t *hub.Topic) *flow {
	f := o.flows[t]
	if f == nil {
		f = &flow{}
		o.flows[t] = f
	}
	return f
}

// forget lets go of a flow that says nothing any more. o.mu is held.
func (o *outlet) forget(t *hub.Topic, f *flow) {
	if f.reserved <= 0 && f.laggards == nil {
		delete(o.flows, t)
	}
}

// lags notes that a connection's lag has changed. Its lock is held.
func (o *outlet) lags(c *conn, before, after int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case before == none:
		o.laggards[c] = struct{}{}
	case after == none:
		delete(o.laggards, c)
	}
	if after < before {
		o.wakeLocked()
	}
}

// wake lets the publishers that wait look again.
func (o *outlet) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wakeLocked()
}

func (o *outlet) wakeLocked() {
	if o.waiters.Load() > 0 {
		close(o.changed)
		o.changed = make(chan struct{})
	}
}

// watch cuts, in second now, the connections that hold publishers up and do not
// read: laggards, or any when too much waits for all together. It forgets the
// gates of topics that nobody publishes to any more.
func (o *outlet) watch(now int64, all *wheel[*conn]) {
	o.mu.Lock()
	wanted := o.wanted
	o.wanted = false
	var suspects []*conn
	if wanted {
		for c := range o.laggards {
			suspects = append(suspects, c)
		}
	}
	for t, f := range o.flows {
		if f.laggards != nil && o.look(f) == free {
			o.ungate(t, f)
		}
	}
	o.wakeLocked() // who still waits sets wanted again
	o.mu.Unlock()
	if wanted && o.pending.Load() > int64(o.cfg.MaxPending) {
		suspects = all.all() // many a little
	}
	for _, c := range suspects {
		c.cutIfStalled(now)
	}
}

// cutIfStalled cuts the connection if much waits and nothing of it gets written.
func (c *conn) cutIfStalled(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	much := c.lag.Load() != none || c.pending >= stallBytes
	if much && !c.closing && c.flushing && now-c.progress >= stallAfter {
		c.cutLocked()
	}
}

// stop lets every publisher go: the connections are about to be cut.
func (o *outlet) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopped = true
	o.wakeLocked()
}
