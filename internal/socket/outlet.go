package socket

import (
	"github.com/belfryhq/belfry/internal/hub"
)

// outlet holds the subscribers of the portable engine and does their fan-out
// (hub.Outlet). The subscribers of a topic stand in its slot and are guarded by
// the channel's lock.
type outlet struct {
	valve
	slot int
}

// seats are a topic's subscribers.
type seats struct{ all []seat }

type seat struct {
	conn *conn
	sub  *hub.Subscription
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
	s.Pos = int32(len(list.all))
	list.all = append(list.all, seat{c, s})
}

// Leave ends a subscription; the last one takes the vacant place.
func (o *outlet) Leave(s *hub.Subscription) {
	list, ok := s.Topic.Slots[o.slot].(*seats)
	if !ok || int(s.Pos) >= len(list.all) || list.all[s.Pos].sub != s {
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
			if lag := s.conn.lag.level.Load(); lag != none {
				behind++
				distant = distant || lag == far
			}
		case dropped:
			r.Dropped++
		}
	}
	if held := distant || most(behind, r.Matched); held || o.gates.Load() > 0 {
		o.gate(t, held, r.Matched, list.laggards)
	}
	return r
}

// laggards appends those who lag.
func (s *seats) laggards(into []*lag) []*lag {
	for i := range s.all {
		if c := s.all[i].conn; c.lag.level.Load() != none {
			into = append(into, &c.lag)
		}
	}
	return into
}
