package socket

import (
	"github.com/belfryhq/belfry/internal/hub"
)

// shardSeats are a topic's subscribers in one shard.
type shardSeats struct {
	topic *hub.Topic

	// Written under the channel's lock, and all but seq under shard.mu too.
	all  []shardSeat // an empty seat is a hole, while running
	live int         // seats that are taken
	java int         // of them the official Java client's
	// shared says that somebody came who was in other topics already. One
	// connection may then get all that is queued for such topics, so that is
	// bounded in all: else a flood of many channels would cut it though it reads.
	shared bool
	seq    uint32 // number of the last message published
	last   uint32 // seq when the last subscriber came

	// Guarded by shard.mu.
	running bool // a fan-out has yielded in the middle of all: nothing moves
	holes   int

	// The writing goroutine's own.
	batch []job // queued, and not yet under way
}

type shardSeat struct {
	conn *shardConn
	sub  *hub.Subscription
}

// newer reports whether message a was published after b, over the wrap. They are
// less than half of all numbers apart, for which age provides.
func newer(a, b uint32) bool { return int32(a-b) > 0 }

// aging is after how many messages of a topic its subscribers' marks are
// renewed: far more than are ever queued.
const aging = 1 << 29

// age renews the marks of those who came long ago, which are of no use but to
// say so.
func (s *shard) age(seats *shardSeats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := seats.seq - aging
	renew := func(mark *uint32) {
		if !newer(*mark, old) {
			*mark = old
		}
	}
	renew(&seats.last)
	for i := range seats.all {
		if seats.all[i].sub != nil {
			renew(&seats.all[i].sub.Mark)
		}
	}
}

func (s *shard) seats(t *hub.Topic) *shardSeats {
	seats, _ := t.Slots[s.slot].(*shardSeats)
	return seats
}

// Join sends first to the connection and makes it a subscriber of what is
// published from here on (CH-11).
func (s *shard) Join(sub *hub.Subscription, first [][]byte) {
	c := sub.Client.Conn().(*shardConn)
	seats := s.seats(sub.Topic)
	if seats == nil {
		seats = &shardSeats{topic: sub.Topic}
		sub.Topic.Slots[s.slot] = seats
	}
	topics := sub.Client.Topics()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, message := range first {
		c.push(message)
	}
	sub.Pos, sub.Mark = int32(len(seats.all)), seats.seq
	seats.all = append(seats.all, shardSeat{c, sub})
	seats.live++
	seats.last, seats.shared = seats.seq, seats.shared || topics > 1
	if sub.Client.IsJava() {
		seats.java++
	}
}

// Leave ends a subscription. While a fan-out stands in the middle of the list
// the seat is left empty, since moving another into it would lose that one a
// message; otherwise the last takes its place.
func (s *shard) Leave(sub *hub.Subscription) {
	seats := s.seats(sub.Topic)
	if seats == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if int(sub.Pos) >= len(seats.all) || seats.all[sub.Pos].sub != sub {
		return
	}
	if seats.live--; seats.live == 0 {
		seats.shared = false
	}
	if sub.Client.IsJava() {
		seats.java--
	}
	if seats.running {
		seats.all[sub.Pos] = shardSeat{}
		seats.holes++
		return
	}
	last := len(seats.all) - 1
	moved := seats.all[last]
	seats.all[sub.Pos] = moved
	moved.sub.Pos = sub.Pos
	seats.all[last] = shardSeat{}
	seats.all = seats.all[:last]
	seats.shrink()
}

// shrink gives memory back when most have left.
func (seats *shardSeats) shrink() {
	if n := len(seats.all); cap(seats.all) > 64 && n < cap(seats.all)/4 {
		seats.all = append(make([]shardSeat, 0, cap(seats.all)/2), seats.all...)
	}
}

// compact fills the holes that leaving during a fan-out made. s.mu is held.
func (seats *shardSeats) compact() {
	if seats.holes == 0 {
		return
	}
	n := 0
	for _, seat := range seats.all {
		if seat.conn != nil {
			seat.sub.Pos = int32(n)
			seats.all[n] = seat
			n++
		}
	}
	clear(seats.all[n:])
	seats.all, seats.holes = seats.all[:n], 0
	seats.shrink()
}
