package socket

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
)

// Flow control. A publisher may be faster than all subscribers together; then
// everything waits longer and longer, and in the end every healthy connection
// would be cut for lagging. So a publisher waits:
//
//   - while most subscribers of its topic lag, that is, have more than a quarter
//     of SendBuffer waiting: the topic has a gate then, with a list of who
//     lagged at the last publish, and the gate opens when most of them have
//     caught up;
//   - while more than MaxPending waits for all connections together;
//   - while what other publishers were let in with, but have not published yet,
//     might carry a subscriber from a quarter to all of SendBuffer.
//
// One subscriber that lags among many holds nobody up and is cut at SendBuffer.
// A laggard that gets nothing written for stallAfter while publishers wait is
// cut then, so that those who stopped reading cannot hold publishers up for
// long. The first two conditions end by themselves, since connections either
// drain or are cut. The third could stand still: two publishers with several
// topics may each hold what the other waits for, or one may wait for itself. So
// it counts only as long as reservations come to an end.

const (
	// stallAfter is how many seconds a laggard may make no progress while
	// publishers wait. It is below the hub's patience with publishing.
	stallAfter = 3
	// stallBytes is how much waits at least for one that is cut because too much
	// waits for all.
	stallBytes = 16 << 10
	// patience is how long a publisher waits for others' reservations when none
	// of them ends.
	patience = 50 * time.Millisecond
)

// flow is what the outlet keeps of a topic while publishing to it is held back,
// or reserved.
type flow struct {
	reserved int     // bytes reserved and not yet released
	laggards []*conn // who lagged at the last publish; nil without a gate
	of       int     // how many subscribers there were
}

// most reports whether lagging of all are more than half.
func most(lagging, all int) bool { return 2*lagging > all }

// Reserve waits for room for size bytes to the subscribers of t (hub.Outlet).
// With a ctx that has ended it does not wait.
func (o *outlet) Reserve(ctx context.Context, t *hub.Topic, size int) error {
	var timer *time.Timer
	stuckSince := int64(-1) // o.released when the wait for reservations began
	for {
		o.mu.Lock()
		free, budget := o.admits(t, size)
		if free && (budget || stuckSince >= 0 && stuckSince == o.released) {
			f := o.flow(t)
			f.reserved += size
			o.mu.Unlock()
			return nil
		}
		if free {
			stuckSince = o.released
		} else {
			stuckSince = -1
			o.wanted = true
		}
		room := o.room
		o.waiters.Add(1)
		o.mu.Unlock()

		var tick <-chan time.Time
		if free {
			if timer == nil {
				timer = time.NewTimer(patience)
				defer timer.Stop()
			} else {
				timer.Reset(patience)
			}
			tick = timer.C
		}
		err := ctx.Err()
		if err == nil {
			select {
			case <-room:
				stuckSince = -1
			case <-tick:
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		o.waiters.Add(-1)
		if err != nil {
			return err
		}
	}
}

// admits reports whether the subscribers of t have room, and whether the
// reservations of others leave some. o.mu is held.
func (o *outlet) admits(t *hub.Topic, size int) (free, budget bool) {
	if o.stopped {
		return true, true
	}
	f := o.flows[t]
	if f != nil && f.laggards != nil && !o.reopen(t, f) {
		return false, false
	}
	if o.pending.Load() > int64(o.cfg.MaxPending) {
		return false, false
	}
	return true, f == nil || f.reserved == 0 || f.reserved+size <= o.cfg.SendBuffer/2
}

// reopen takes the gate from a topic when most who lagged have caught up, and
// reports whether it did. o.mu is held.
func (o *outlet) reopen(t *hub.Topic, f *flow) bool {
	lagging := 0
	for _, c := range f.laggards {
		if c.lags.Load() {
			lagging++
		}
	}
	if most(lagging, f.of) {
		return false
	}
	o.ungate(t, f)
	return true
}

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

// gate gives a topic a gate, renews it, or takes it away, after a publish that
// found so many lagging. The channel is locked.
func (o *outlet) gate(t *hub.Topic, list *seats, lagging, of int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !most(lagging, of) {
		if f := o.flows[t]; f != nil && f.laggards != nil {
			o.ungate(t, f)
			o.wakeLocked()
		}
		return
	}
	f := o.flow(t)
	if f.laggards == nil {
		f.laggards = make([]*conn, 0, lagging)
		o.gates.Add(1)
	}
	f.laggards, f.of = f.laggards[:0], of
	for i := range list.all {
		if c := list.all[i].conn; c.lags.Load() {
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

// begins notes that a connection lags. Its lock is held.
func (o *outlet) begins(c *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.laggards[c] = struct{}{}
}

// ceases notes that it does not any more.
func (o *outlet) ceases(c *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.laggards, c)
	o.wakeLocked()
}

// wake lets the publishers that wait look again.
func (o *outlet) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wakeLocked()
}

func (o *outlet) wakeLocked() {
	if o.waiters.Load() > 0 {
		close(o.room)
		o.room = make(chan struct{})
	}
}

// watch cuts, in second now, the connections that hold publishers up and do not
// read: laggards, or any when too much waits for all together. It forgets the
// gates of topics that nobody publishes to any more.
func (o *outlet) watch(now int64, all *wheel[*conn]) {
	o.mu.Lock()
	wanted := o.wanted || o.waiters.Load() > 0
	o.wanted = false
	var suspects []*conn
	if wanted {
		for c := range o.laggards {
			suspects = append(suspects, c)
		}
	}
	for t, f := range o.flows {
		if f.laggards != nil {
			o.reopen(t, f)
		}
	}
	o.mu.Unlock()
	if wanted && o.pending.Load() > int64(o.cfg.MaxPending) {
		suspects = all.all() // many a little: those who lag less than a laggard count too
	}
	for _, c := range suspects {
		c.cutIfStalled(now)
	}
}

// cutIfStalled cuts the connection if much waits and nothing of it gets written.
func (c *conn) cutIfStalled(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if much := c.lags.Load() || c.pending >= stallBytes; much && !c.closing && c.flushing && now-c.progress >= stallAfter {
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
