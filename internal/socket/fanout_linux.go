package socket

import (
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/pusher"
)

const (
	// few is up to how many subscribers a publisher writes to itself.
	few = 32
	// yieldAfter is how many writes the writing goroutine makes before it lets
	// others have the shard.
	yieldAfter = 64
	// maxCost bounds what is queued, in bytes times subscribers; then publishers
	// wait.
	maxCost = 16 << 20
)

// job is one message on its way to a topic's subscribers.
type job struct {
	seats    *shardSeats
	delivery hub.Delivery
	seq      uint32
	shared   bool
	cost     int
	from     int // where in the round it began
}

// Publish writes to few subscribers itself when nothing is ahead of it, and
// queues the message for the writing goroutine otherwise.
func (s *shard) Publish(t *hub.Topic, d hub.Delivery) hub.Receipt {
	seats := s.seats(t)
	if seats == nil || seats.live == 0 {
		return hub.Receipt{}
	}
	if seats.seq++; seats.seq%aging == 0 {
		s.age(seats)
	}
	if seats.live <= few && s.work.Load() == 0 && s.mu.TryLock() {
		if s.work.Load() == 0 {
			r := s.direct(seats, &d)
			s.mu.Unlock()
			return r
		}
		s.mu.Unlock()
	}
	matched := seats.matched(&d)
	if matched == 0 {
		return hub.Receipt{}
	}
	cost := matched * len(d.Message)
	s.work.Add(1)
	s.cost.Add(int64(cost))
	if seats.shared {
		s.shared.Add(int64(len(d.Message)))
	}
	s.enqueue(t, len(d.Message))
	s.qmu.Lock()
	s.queue = append(s.queue, job{seats: seats, delivery: d, seq: seats.seq, shared: seats.shared, cost: cost})
	s.qmu.Unlock()
	s.wakeWriter()
	return hub.Receipt{Matched: matched, Waiting: matched}
}

// wakeWriter has the writing goroutine look at the queue.
func (s *shard) wakeWriter() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// farewell is a connection that the hub closed while messages were queued that
// it gets first.
type farewell struct {
	conn    *shardConn
	code    pusher.CloseCode
	reason  string
	message []byte
}

// closeLater closes a connection when all that is queued now is delivered.
func (s *shard) closeLater(f farewell) {
	s.qmu.Lock()
	s.closing = append(s.closing, f)
	s.qmu.Unlock()
	s.wakeWriter()
}

// matched says to how many the delivery goes.
func (seats *shardSeats) matched(d *hub.Delivery) int {
	n := seats.live
	if d.NotJava {
		n -= seats.java
	}
	if c := d.Except; c != nil && !(d.NotJava && c.IsJava()) {
		if conn, ok := c.Conn().(*shardConn); ok && c.Joined(seats.topic) && conn.shard.slot < len(seats.topic.Slots) && seats.topic.Slots[conn.shard.slot] == any(seats) {
			n--
		}
	}
	return n
}

// direct writes a message to every subscriber at once. s.mu is held.
func (s *shard) direct(seats *shardSeats, d *hub.Delivery) (r hub.Receipt) {
	var t tally
	for i := range seats.all {
		c := seats.all[i].conn
		if d.Skips(&c.client) {
			continue
		}
		r.Matched++
		s.put(c, d.Message, &t)
	}
	s.sendAll(&t)
	r.Written, r.Waiting, r.Dropped = t.written, t.waiting, t.dropped
	s.gateIf(seats, t.lagging, r.Matched)
	return r
}

// lagging counts those of a fan-out who lag.
type lagging struct {
	behind  int
	distant bool
}

func (l *lagging) count(c *shardConn) {
	if c.out == nil {
		return
	}
	switch c.out.lag.level.Load() {
	case behind:
		l.behind++
	case far:
		l.behind++
		l.distant = true
	}
}

// holds reports whether they hold publishers up, of so many subscribers.
func (l *lagging) holds(of int) bool { return l.distant || most(l.behind, of) }

// gateIf holds the topic's next publishers up when its subscribers lag. s.mu is
// held.
func (s *shard) gateIf(seats *shardSeats, l lagging, of int) {
	held := l.holds(of)
	if !held && s.gates.Load() == 0 {
		return
	}
	s.gate(seats.topic, held, of, func(into []*lag) []*lag {
		for i := range seats.all {
			if c := seats.all[i].conn; c != nil && c.out != nil && c.out.lag.level.Load() != none {
				into = append(into, &c.out.lag)
			}
		}
		return into
	})
}

// flush is the writing goroutine: it takes all that is queued, topic by topic,
// and writes to each subscriber once for all that is new to it.
func (s *shard) flush() {
	for range s.kick {
		for s.drain() {
			s.mu.Lock()
			for s.turn = 0; s.turn < len(s.topics); s.turn++ {
				s.deliver(s.topics[s.turn])
			}
			for _, f := range s.farewells {
				f.conn.close(f.code, f.reason, f.message)
			}
			s.mu.Unlock()
			clear(s.topics)
			s.topics = s.topics[:0]
			clear(s.farewells)
			s.farewells = s.farewells[:0]
		}
	}
}

// drain takes what is queued, and reports whether there was something.
func (s *shard) drain() bool {
	s.qmu.Lock()
	jobs, closing := s.queue, s.closing
	s.queue, s.closing = s.spare, nil
	s.qmu.Unlock()
	for i := range jobs {
		seats := jobs[i].seats
		if len(seats.batch) == 0 && seats != s.round.seats {
			s.topics = append(s.topics, seats)
		}
		seats.batch = append(seats.batch, jobs[i])
	}
	s.farewells = append(s.farewells, closing...)
	some := len(jobs)+len(closing) > 0
	clear(jobs)
	if s.spare = nil; cap(jobs) <= 4096 {
		s.spare = jobs[:0]
	}
	return some
}

// round is the fan-out that is under way. It goes round and round a topic's
// subscribers as long as there are messages. One that is published meanwhile
// joins in where the round is, and is done when the round comes there again, so
// no message waits for more than one round. Every subscriber gets the messages
// in their order, since each gets all that are under way when it is visited.
type round struct {
	seats  *shardSeats // nil when nothing is under way
	jobs   []job       // under way, the oldest first
	size   int         // bytes of their messages
	joined []byte      // their messages, one behind the other
	buffer []byte      // what joined is the end of; nil while it is a message itself
	skips  skips
}

// deliver brings all messages of a topic to its subscribers. s.mu is held, but
// for the moments in which it yields.
func (s *shard) deliver(seats *shardSeats) {
	r := &s.round
	r.seats, seats.running = seats, true
	var t tally
	for at := 0; ; at++ {
		s.complete(at)
		if at == len(seats.all) {
			s.sendAll(&t)
			s.gateIf(seats, t.lagging, seats.live)
			t, at = tally{}, 0
			r.compact()
			s.complete(at)
		}
		r.takeIn(at)
		if len(r.jobs) == 0 {
			break
		}
		if len(seats.all) == 0 { // all have left
			s.end(len(r.jobs))
			at--
			continue
		}
		if s.writes++; s.writes >= yieldAfter {
			s.writes = 0
			s.sendAll(&t)
			s.mu.Unlock()
			s.yield()
			s.mu.Lock()
			s.more()
			r.takeIn(at)
		}
		if c := seats.all[at].conn; c != nil {
			if message := r.messages(&seats.all[at]); len(message) > 0 {
				s.put(c, message, &t)
			}
		}
	}
	s.sendAll(&t)
	r.compact()
	if t.holds(seats.live) { // whether the others lag, the last whole round has told
		s.gateIf(seats, t.lagging, seats.live)
	}
	*r = round{jobs: r.jobs[:0]}
	seats.running = false
	if cap(seats.batch) > 64 {
		seats.batch = nil
	}
}

// more takes what is queued while a round is under way, unless others have their
// turn first.
func (s *shard) more() {
	if s.turn+1 < len(s.topics) || len(s.farewells) > 0 {
		return
	}
	clear(s.topics)
	s.topics, s.turn = s.topics[:0], -1
	s.drain()
}

// takeIn begins with the topic's next messages, as many as one write may hold.
func (r *round) takeIn(at int) {
	batch := r.seats.batch
	n := 0
	for n < len(batch) && (len(r.jobs) == 0 || r.size+len(batch[n].delivery.Message) <= maxWrite) {
		batch[n].from = at
		r.append(batch[n])
		n++
	}
	if n == 0 {
		return
	}
	left := copy(batch, batch[n:])
	clear(batch[left:])
	r.seats.batch = batch[:left]
	r.skips = skipped(r.jobs)
}

// append joins one more message. What waits for a lagging connection points into
// the buffer, so nothing in it is written over.
func (r *round) append(j job) {
	message := j.delivery.Message
	r.size += len(message)
	switch {
	case len(r.jobs) == 0:
		r.joined, r.buffer = message, nil
	case r.buffer != nil && cap(r.buffer)-len(r.buffer) >= len(message):
		r.buffer = append(r.buffer, message...)
		r.joined = r.buffer[len(r.buffer)-r.size : len(r.buffer) : len(r.buffer)]
	default:
		r.buffer = append(append(make([]byte, 0, 2*r.size), r.joined...), message...)
		r.joined = r.buffer[:r.size:r.size]
	}
	r.jobs = append(r.jobs, j)
}

// messages gives what a subscriber gets of all that is under way.
func (r *round) messages(seat *shardSeat) []byte {
	first := r.jobs[0].seq
	if !newer(first, r.seats.last) && !newer(first, seat.sub.Mark) || r.skips.concerns(seat.conn) {
		// It came in the middle, or a message leaves it out.
		return pick(r.jobs, seat)
	}
	return r.joined
}

// complete ends the messages that the round has come round with to at, where it
// began with them.
func (s *shard) complete(at int) {
	r := &s.round
	n := 0
	for n < len(r.jobs) && r.jobs[n].from == at {
		n++
	}
	if n > 0 {
		s.end(n)
	}
}

// end lets go of the n oldest messages.
func (s *shard) end(n int) {
	r := &s.round
	size, cost, shared := 0, 0, 0
	for i := range r.jobs[:n] {
		j := &r.jobs[i]
		size += len(j.delivery.Message)
		cost += j.cost
		if j.shared {
			shared += len(j.delivery.Message)
		}
	}
	left := copy(r.jobs, r.jobs[n:])
	clear(r.jobs[left:])
	r.jobs = r.jobs[:left]
	r.size -= size
	r.joined = r.joined[size:]
	r.skips = skipped(r.jobs)
	s.cost.Add(-int64(cost))
	s.shared.Add(-int64(shared))
	s.work.Add(-int64(n))
	s.enqueue(r.seats.topic, -size)
}

// compact fills the holes that leaving made, between two rounds. Where messages
// began moves along.
func (r *round) compact() {
	if r.seats.holes == 0 {
		return
	}
	for i := range r.jobs {
		before := 0
		for _, seat := range r.seats.all[:r.jobs[i].from] {
			if seat.conn != nil {
				before++
			}
		}
		r.jobs[i].from = before
	}
	r.seats.compact()
}

// skips says which connections some message of a batch leaves out.
type skips struct {
	java bool
	who  map[*hub.Client]struct{}
}

func skipped(jobs []job) (k skips) {
	for i := range jobs {
		j := &jobs[i]
		k.java = k.java || j.delivery.NotJava
		if c := j.delivery.Except; c != nil {
			if k.who == nil {
				k.who = make(map[*hub.Client]struct{})
			}
			k.who[c] = struct{}{}
		}
	}
	return k
}

func (k *skips) concerns(c *shardConn) bool {
	if k.java && c.client.IsJava() {
		return true
	}
	if k.who == nil {
		return false
	}
	_, ok := k.who[&c.client]
	return ok
}

// pick joins those of the messages that a subscriber gets.
func pick(jobs []job, seat *shardSeat) (message []byte) {
	for i := range jobs {
		j := &jobs[i]
		if newer(j.seq, seat.sub.Mark) && !j.delivery.Skips(&seat.conn.client) {
			message = append(message, j.delivery.Message...)
		}
	}
	return message
}
