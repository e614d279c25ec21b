package socket

import (
	"bufio"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/belfryhq/belfry/internal/hub"
)

// readChunk is what one read takes at most, into a buffer that a shard's
// connections share.
const readChunk = 64 << 10

// shard is a group of connections with one epoll set. It is their outlet.
//
// A desk is one that answers requests by Express. Its connections are apart from
// the subscribers', since a fan-out holds those for a while, and a publisher would
// wait for its own message.
type shard struct {
	valve
	engine *Sharded
	slot   int
	desk   bool // it has no subscribers, but connections whose requests Express answers
	poller *poller

	// The reading goroutine's own.
	buf     []byte
	head    *bufio.Reader // for request heads
	post    postHead
	opening opening

	mu       sync.Mutex   // guards all below, and every connection's state
	conns    []*shardConn // by index
	free     []int32      // indices of none
	count    int
	key      uint32 // of the next connection
	stopping bool
	leaving  []leaver // whom the hub is to be told of
	scratch  []byte   // for writes that are joined by copying
	writes   int      // since the writing goroutine yielded
	bytesIn  int64
	bytesOut int64
	caller   caller // sends many messages at once; nil where that is not to be had
	together

	// The queue of messages for the writing goroutine.
	work    atomic.Int64 // messages queued or being delivered
	cost    atomic.Int64 // their bytes times their subscribers
	shared  atomic.Int64 // bytes of those that go to shared topics
	kick    chan struct{}
	left    chan struct{} // somebody is leaving
	qmu     sync.Mutex    // guards queue and closing
	queue   []job
	closing []farewell // connections to close behind what is queued

	// The writing goroutine's own.
	yield     func() // gives others their turn in a long fan-out
	spare     []job
	topics    []*shardSeats // with something to deliver, in order
	turn      int           // whose turn it is of them; -1 when it is not among them any more
	farewells []farewell    // to close behind that
	round     round
}

func newShard(e *Sharded) (*shard, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	s := &shard{engine: e, poller: p, buf: make([]byte, readChunk), head: bufio.NewReaderSize(nil, maxHead), kick: make(chan struct{}, 1), left: make(chan struct{}, 1), yield: runtime.Gosched}
	s.valve.init(&e.cfg, e.started)
	s.place = func() int { return s.slot }
	s.room = func() bool { return s.cost.Load() < maxCost && s.shared.Load() < int64(e.cfg.SendBuffer*3/16) }
	return s, nil
}

// poll is the reading goroutine.
func (s *shard) poll() {
	if err := s.poller.run(s.handle); err != nil {
		s.engine.cfg.Logger.Error("the engine cannot wait for its connections", "error", err)
	}
}

func (s *shard) handle(events []syscall.EpollEvent) {
	for i := range events {
		ev := &events[i]
		if f := s.engine.front.Load(); f != nil && f.is(ev) {
			f.accept(s)
			continue
		}
		s.mu.Lock()
		c, again := s.find(ev.Fd, uint32(ev.Pad)), false
		if c != nil && ev.Events&syscall.EPOLLOUT != 0 {
			c.writeOut()
			again = c.released()
		}
		if c != nil && ev.Events&syscall.EPOLLRDHUP != 0 {
			c.hungUp()
		}
		s.mu.Unlock()
		if again {
			c.goOn()
		}
		if c != nil && ev.Events&(syscall.EPOLLIN|epollBroken) != 0 {
			s.read(c, ev.Events&epollBroken != 0)
		}
		if i%64 == 63 {
			runtime.Gosched() // HTTP has its turn too
		}
	}
}

// find gives the connection that an event is about; nil when it is gone, and
// its index perhaps another's by now. s.mu is held.
func (s *shard) find(index int32, key uint32) *shardConn {
	if c := s.conns[index]; c != nil && c.key == key {
		return c
	}
	return nil
}

// read takes in what has come for a connection.
func (s *shard) read(c *shardConn, broken bool) {
	s.mu.Lock()
	if c.gone || c.paused {
		s.mu.Unlock()
		if broken { // the system tells of that even when it is not asked
			c.lost()
		}
		return
	}
	n, errno := sysRead(c.fd, s.buf)
	if n > 0 && errno == 0 {
		c.vitals.hear(s.engine.now.Load())
		if c.upgraded {
			s.bytesIn += int64(n)
			c.bytesIn += int64(n)
		}
		c.corked = true
	}
	s.mu.Unlock()
	switch {
	case errno == syscall.EAGAIN, errno == syscall.EINTR:
	case errno == 0 && n == 0 && c.head != nil && len(c.head.bytes) > 0:
		c.handOver(c.head.bytes) // the HTTP server says what is wrong with half a request
	case errno != 0, n == 0:
		c.lost()
	default:
		if c.take(s.buf[:n]) {
			c.uncork()
		}
	}
}

// add gives a descriptor a place in the shard. s.mu is held.
func (s *shard) add(fd int32) *shardConn {
	if s.key++; s.key == 0 { // the listener's
		s.key = 1
	}
	c := newShardConn(s, fd, s.key)
	if last := len(s.free) - 1; last >= 0 {
		c.index = s.free[last]
		s.free = s.free[:last]
		s.conns[c.index] = c
	} else {
		c.index = int32(len(s.conns))
		s.conns = append(s.conns, c)
	}
	s.count++
	return c
}

// remove takes the connection's place away. s.mu is held.
func (s *shard) remove(c *shardConn) {
	s.conns[c.index] = nil
	s.free = append(s.free, c.index)
	s.count--
}

// adopt serves an upgraded connection, which was counted in. s.mu is held, and
// given up.
func (s *shard) adopt(fd int32, up upgraded) {
	if s.stopping {
		s.mu.Unlock()
		syscall.Close(int(fd))
		s.engine.leave()
		return
	}
	c := s.add(fd)
	c.paused = true // until it is in the epoll set
	c.corked = true
	c.counted = true
	s.mu.Unlock()
	c.begin(up)
	on := c.take(up.early)
	if on {
		c.uncork()
	}
	s.mu.Lock()
	if on {
		c.paused = c.deafened()
	}
	err := c.register(syscall.EPOLL_CTL_ADD)
	s.mu.Unlock()
	if err != nil {
		s.engine.cfg.Logger.Error("the engine cannot watch a connection", "error", err)
		c.lost()
	}
}

// everyone gives all connections of the shard.
func (s *shard) everyone(yield func(stallable) bool) {
	s.mu.Lock()
	all := make([]*shardConn, 0, s.count)
	for _, c := range s.conns {
		if c != nil {
			all = append(all, c)
		}
	}
	s.mu.Unlock()
	for _, c := range all {
		if !yield(c) {
			return
		}
	}
}

// cutOpen takes no more connections and cuts those that are not closing.
func (s *shard) cutOpen() {
	s.valve.stop()
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	for c := range s.everyone {
		c.(*shardConn).cutUnlessClosing()
	}
}

func (s *shard) cutAll() {
	for c := range s.everyone {
		c.(*shardConn).lost()
	}
}

// stop ends the goroutines.
func (s *shard) stop() {
	s.poller.close()
	close(s.kick)
	close(s.left)
}

// parting lets go of the caller, when nobody is left to send to.
func (s *shard) parting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.caller != nil {
		s.caller.Close()
		s.caller = nil
	}
}

var _ hub.Outlet = (*shard)(nil)
