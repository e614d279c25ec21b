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
	var l lagging
	for i := range seats.all {
		c := seats.all[i].conn
		if d.Skips(&c.client) {
			continue
		}
		r.Matched++
		switch c.push(d.Message) {
		case written:
			r.Written++
		case waiting:
			r.Waiting++
			l.count(c)
		case dropped:
			r.Dropped++
		}
	}
	s.gateIf(seats, l, r.Matched)
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

// gateIf holds the topic's next publishers up when its subscribers lag. s.mu is
// held.
func (s *shard) gateIf(seats *shardSeats, l lagging, of int) {
	held := l.distant || most(l.behind, of)
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

// flush is the writing goroutine: it takes all that is queued, joins the
// messages of each topic, and writes once to each subscriber.
func (s *shard) flush() {
	for range s.kick {
		for s.flushOnce() {
		}
	}
}

func (s *shard) flushOnce() (more bool) {
	s.qmu.Lock()
	jobs, closing := s.queue, s.closing
	s.queue, s.closing = s.spare, nil
	s.qmu.Unlock()
	s.spare = nil
	if len(jobs)+len(closing) == 0 {
		s.spare = jobs
		return false
	}
	cost, shared := 0, 0
	for i := range jobs {
		j := &jobs[i]
		cost += j.cost
		if j.shared {
			shared += len(j.delivery.Message)
		}
		if len(j.seats.batch) == 0 {
			s.topics = append(s.topics, j.seats)
		}
		j.seats.batch = append(j.seats.batch, j)
	}
	s.mu.Lock()
	for _, seats := range s.topics {
		s.deliver(seats)
	}
	for _, f := range closing {
		f.conn.close(f.code, f.reason, f.message)
	}
	s.mu.Unlock()
	clear(s.topics)
	s.topics = s.topics[:0]
	n := len(jobs)
	clear(jobs)
	if cap(jobs) <= 4096 {
		s.spare = jobs[:0]
	}
	s.cost.Add(-int64(cost))
	s.shared.Add(-int64(shared))
	s.work.Add(-int64(n))
	if s.waiters.Load() > 0 {
		s.wake()
	}
	return true
}

// deliver brings a topic's batch to its subscribers, in writes of up to
// maxWrite bytes. s.mu is held, but for the moments in which it yields.
func (s *shard) deliver(seats *shardSeats) {
	batch, total := seats.batch, 0
	for len(batch) > 0 {
		n, size := 0, 0
		for n < len(batch) && (n == 0 || size+len(batch[n].delivery.Message) <= maxWrite) {
			size += len(batch[n].delivery.Message)
			n++
		}
		s.deliverJoined(seats, batch[:n], size)
		batch = batch[n:]
		total += size
	}
	s.enqueue(seats.topic, -total)
	clear(seats.batch)
	seats.batch = seats.batch[:0]
	if cap(seats.batch) > 64 {
		seats.batch = nil
	}
}

// deliverJoined brings some messages of a topic to its subscribers in one write
// each.
func (s *shard) deliverJoined(seats *shardSeats, jobs []*job, size int) {
	joined := jobs[0].delivery.Message
	if len(jobs) > 1 {
		// What waits for a lagging connection points into this, so it is not
		// used again.
		joined = make([]byte, 0, size)
		for _, j := range jobs {
			joined = append(joined, j.delivery.Message...)
		}
	}
	skips := s.skips(jobs)
	first := jobs[0].seq
	var l lagging
	seats.running = true
	// The list may grow while the fan-out yields: those who came are newer than
	// the newest message.
	for i := 0; i < len(seats.all); i++ {
		if s.writes++; s.writes >= yieldAfter {
			s.writes = 0
			s.mu.Unlock()
			s.yield()
			s.mu.Lock()
			if i >= len(seats.all) {
				break
			}
		}
		seat := &seats.all[i]
		if seat.conn == nil {
			continue
		}
		message := joined
		if !newer(first, seats.last) && !newer(first, seat.sub.Mark) || skips.concerns(seat.conn) {
			// It joined in the middle of the batch, or behind it, or a message
			// leaves it out.
			message = pick(jobs, seat)
		}
		if len(message) > 0 && seat.conn.push(message) == waiting {
			l.count(seat.conn)
		}
	}
	seats.running = false
	seats.compact()
	s.gateIf(seats, l, seats.live)
}

// skips says which connections some message of a batch leaves out.
type skips struct {
	java bool
	who  map[*hub.Client]struct{}
}

func (s *shard) skips(jobs []*job) (k skips) {
	for _, j := range jobs {
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
func pick(jobs []*job, seat *shardSeat) (message []byte) {
	for _, j := range jobs {
		if newer(j.seq, seat.sub.Mark) && !j.delivery.Skips(&seat.conn.client) {
			message = append(message, j.delivery.Message...)
		}
	}
	return message
}
