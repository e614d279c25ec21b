package socket

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
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
//   - while the outlet's own queue is full, or holds more than an eighth of
//     SendBuffer for their topic;
//   - while what other publishers were let in with, but have not published yet,
//     is more than an eighth of SendBuffer, over all topics since one connection
//     may subscribe to them all.
//
// Who lags is written down by a publish that finds such subscribers: the topic
// has a gate then, which goes when they have caught up. One that comes to be far
// behind gives a gate to each of its topics at once. A subscriber that has
// stopped reading holds nobody up but, if it is most of its topic, for a few
// seconds: while publishers wait, one that gets nothing written for stallAfter
// is cut.
//
// All but the last condition end by themselves, since connections either drain
// or are cut. The last could stand still: two publishers with several topics may
// each hold what the other waits for, or one may wait for itself. So when no
// reservation has ended for a moment, one publisher is let in, and only one: on a
// busy machine they may stand still merely because nobody runs.

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
	// linger is how long a publisher waits at least for a few that are far behind,
	// and for others' reservations when none of them ends. With large messages it
	// waits longer, so that publishers spend lastHalf on the second half of a
	// laggard's buffer, however few messages that takes.
	linger   = 20 * time.Millisecond
	lastHalf = 2 * time.Second
	// stillReads is how long ago the last progress of one that still reads is.
	stillReads = 250 * time.Millisecond
)

// valve is the flow control of one outlet. It implements the two methods of
// hub.Outlet that publishers wait in.
type valve struct {
	cfg     *Config
	started time.Time    // lag.moved counts from here
	pending atomic.Int64 // bytes waiting for all connections
	waiters atomic.Int32 // publishers that wait for room
	gates   atomic.Int32 // topics with a gate
	// room, if set, tells whether the outlet's own queue has room; it is called
	// with mu held.
	room func() bool
	// place is the outlet's in Topic.Slots.
	place func() int

	mu       sync.Mutex // guards all below
	stopped  bool
	laggards map[*lag]struct{}
	flows    map[*hub.Topic]*flow
	reserved int           // bytes reserved and not yet released
	released int64         // how many reservations ended
	wanted   bool          // a publisher found no room since the last watch
	changed  chan struct{} // closed when there may be room again
}

func (v *valve) init(cfg *Config, started time.Time) {
	v.cfg, v.started = cfg, started
	v.laggards = make(map[*lag]struct{})
	v.flows = make(map[*hub.Topic]*flow)
	v.changed = make(chan struct{})
}

// lag is how far a connection lags, as the valve sees it.
type lag struct {
	level atomic.Int32
	moved atomic.Int64 // while it lags: when a write last ended, in nanoseconds of the engine
	conn  stallable
	// counted is what of the connection is in valve.pending; guarded by the
	// connection's lock.
	counted int
}

// stallable is a connection that can be cut for making no progress.
type stallable interface {
	// cutIfStalled cuts the connection if much waits for it and nothing of it was
	// written for stallAfter; now is the engine's second.
	cutIfStalled(now int64)
	// eachTopic gives the topics that the connection is subscribed to; its lock
	// is held.
	eachTopic(f func(t *hub.Topic))
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

// levelOf gives the level of a connection that n bytes wait for, and that had the
// lag old.
func (v *valve) levelOf(old int32, n int) int32 {
	quarter := v.cfg.SendBuffer / 4
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
func (v *valve) Reserve(ctx context.Context, t *hub.Topic, size int) error {
	v.mu.Lock()
	state := v.admits(t, size)
	if state == free {
		v.reserved += size
	}
	v.mu.Unlock()
	switch err := ctx.Err(); {
	case state == free:
		return nil
	case err == nil:
		return v.await(ctx, t, size)
	case state == tight, state == taken:
		return hub.ErrTight
	default:
		return err
	}
}

// await waits for the room that was not there.
func (v *valve) await(ctx context.Context, t *hub.Topic, size int) error {
	v.waiters.Add(1)
	defer v.waiters.Add(-1)
	moment := max(linger, lastHalf*time.Duration(size)/time.Duration(v.cfg.SendBuffer/2+1))
	timer := time.NewTimer(moment)
	defer timer.Stop()
	lingered, stuck, released := false, false, int64(-1)
	for {
		v.mu.Lock()
		state := v.admits(t, size)
		if state == taken && released != v.released { // they do end
			released, stuck = v.released, false
			timer.Reset(moment)
		}
		if state == free || state == tight && lingered || state == taken && stuck {
			v.reserved += size
			if state == taken {
				v.released++ // one at a time: the others wait on, a moment from here
				v.wakeLocked()
			}
			v.mu.Unlock()
			return nil
		}
		changed := v.changed
		v.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			lingered, stuck = true, state == taken
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// admits says what room the subscribers of t have. v.mu is held.
func (v *valve) admits(t *hub.Topic, size int) room {
	if v.stopped {
		return free
	}
	state := free
	f := v.flows[t]
	if f != nil && f.gated {
		if state = v.look(f); state == free {
			v.ungate(t, f)
		}
	}
	if v.pending.Load() > int64(v.cfg.MaxPending) || v.room != nil && !v.room() ||
		f != nil && f.queued > 0 && f.queued+size > v.cfg.SendBuffer/8 {
		state = full
	}
	if state == full {
		v.wanted = true
	} else if v.reserved > 0 && v.reserved+size > v.cfg.SendBuffer/8 {
		state = taken
	}
	return state
}

// Release ends a reservation (hub.Outlet).
func (v *valve) Release(_ *hub.Topic, size int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reserved -= size
	v.released++
	v.wakeLocked()
}

// set notes that n bytes wait for a connection. What one that is closing has
// still to take counts for nothing. The connection's lock is held.
func (v *valve) set(l *lag, n int, closing bool) {
	if closing {
		n = 0
	}
	fell := n < l.counted
	v.pending.Add(int64(n - l.counted))
	l.counted = n
	before := l.level.Load()
	after := v.levelOf(before, n)
	if after == before {
		if fell && v.waiters.Load() > 0 {
			v.wake()
		}
		return
	}
	if before == none {
		l.moved.Store(int64(time.Since(v.started)))
	}
	l.level.Store(after)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case before == none:
		v.laggards[l] = struct{}{}
	case after == none:
		delete(v.laggards, l)
	}
	if after == far {
		l.conn.eachTopic(func(t *hub.Topic) { v.warn(t, l) })
	}
	if after < before {
		v.wakeLocked()
	}
}

// progress notes that something was written for a connection.
func (v *valve) progress(l *lag) {
	if l.level.Load() != none {
		l.moved.Store(int64(time.Since(v.started)))
	}
}

// wake lets the publishers that wait look again.
func (v *valve) wake() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.wakeLocked()
}

func (v *valve) wakeLocked() {
	if v.waiters.Load() > 0 {
		close(v.changed)
		v.changed = make(chan struct{})
	}
}

// watch cuts, in second now, the connections that hold publishers up and do not
// read: laggards, or any of all when too much waits for all together. It forgets
// the gates of topics that nobody publishes to any more.
func (v *valve) watch(now int64, all func(yield func(stallable) bool)) {
	v.mu.Lock()
	wanted := v.wanted
	v.wanted = false
	var suspects []stallable
	if wanted {
		for l := range v.laggards {
			suspects = append(suspects, l.conn)
		}
	}
	for t, f := range v.flows {
		if f.gated && v.look(f) == free {
			v.ungate(t, f)
		}
	}
	v.wakeLocked() // who still waits sets wanted again
	v.mu.Unlock()
	if wanted && v.pending.Load() > int64(v.cfg.MaxPending) {
		suspects = slices.Collect(all) // many a little
	}
	for _, c := range suspects {
		c.cutIfStalled(now)
	}
}

// stop lets every publisher go: the connections are about to be cut.
func (v *valve) stop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stopped = true
	v.wakeLocked()
}
