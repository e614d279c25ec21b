package socket

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
)

// outlet holds the subscribers of the portable engine and does their fan-out
// (hub.Outlet). The subscribers of a topic stand in its slot and are guarded by
// the channel's lock.
type outlet struct {
	cfg     *Config
	slot    int
	started time.Time    // conn.moved counts from here
	pending atomic.Int64 // bytes waiting for all connections

	waiters atomic.Int32 // publishers that wait for room
	gates   atomic.Int32 // topics with a gate

	mu       sync.Mutex // guards all below
	stopped  bool
	laggards map[*conn]struct{}
	flows    map[*hub.Topic]*flow
	released int64         // how many reservations ended
	wanted   bool          // a publisher found no room since the last watch
	changed  chan struct{} // closed when there may be room again
}

// seats are a topic's subscribers.
type seats struct{ all []seat }

type seat struct {
	conn *conn
	sub  *hub.Subscription
}

func newOutlet(cfg *Config) *outlet {
	return &outlet{
		cfg:      cfg,
		started:  time.Now(),
		laggards: make(map[*conn]struct{}),
		flows:    make(map[*hub.Topic]*flow),
		changed:  make(chan struct{}),
	}
}

// Join sends first to the connection and makes it a subscriber (CH-11).
func (o *outlet) Join(s *hub.Subscription, first [][]byte) {
	c := s.Client.Conn().(*conn)
	for _, message := range first {
		c.push(message)
	}
	list, ok := s.Topic.Slots[o.slot].(*seats)
	if !ok {
		list = &seats{}
		s.Topic.Slots[o.slot] = list
	}
	s.Pos = len(list.all)
	list.all = append(list.all, seat{c, s})
}

// Leave ends a subscription; the last one takes the vacant place.
func (o *outlet) Leave(s *hub.Subscription) {
	list, ok := s.Topic.Slots[o.slot].(*seats)
	if !ok || s.Pos >= len(list.all) || list.all[s.Pos].sub != s {
		return
	}
	last := len(list.all) - 1
	moved := list.all[last]
	list.all[s.Pos] = moved
	moved.sub.Pos = s.Pos
	list.all[last] = seat{}
	list.all = list.all[:last]
	if cap(list.all) > 64 && last < cap(list.all)/4 {
		list.all = append(make([]seat, 0, cap(list.all)/2), list.all...)
	}
}

// Publish queues a message for every subscriber.
func (o *outlet) Publish(t *hub.Topic, d hub.Delivery) hub.Receipt {
	var r hub.Receipt
	list, ok := t.Slots[o.slot].(*seats)
	if !ok {
		return r
	}
	behind, distant := 0, false
	for i := range list.all {
		s := &list.all[i]
		if d.Skips(s.sub.Client) {
			continue
		}
		r.Matched++
		switch s.conn.push(d.Message) {
		case written:
			r.Written++
		case waiting:
			r.Waiting++
			if lag := s.conn.lag.Load(); lag != none {
				behind++
				distant = distant || lag == far
			}
		case dropped:
			r.Dropped++
		}
	}
	if held := distant || most(behind, r.Matched); held || o.gates.Load() > 0 {
		o.gate(t, list, held, r.Matched)
	}
	return r
}
