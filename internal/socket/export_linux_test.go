package socket

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"unsafe"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/uring"
)

// What tests see of the Linux engine.

// ConnSize is what the engine and the hub keep of a connection at least.
const ConnSize = unsafe.Sizeof(shardConn{})

// What the fan-out goes by.
const (
	Few        = few
	YieldAfter = yieldAfter
	Aging      = aging
)

// Shards gives the engine's shards as outlets.
func (e *Sharded) Shards() (all []hub.Outlet) {
	for _, s := range e.shards {
		all = append(all, s)
	}
	return all
}

// Load says how many connections each shard has.
func (e *Sharded) Load() (all []int) {
	for _, s := range e.shards {
		s.mu.Lock()
		all = append(all, s.count)
		s.mu.Unlock()
	}
	return all
}

// Client gives the connection with a socket id, nil when there is none.
func (e *Sharded) Client(id string) *hub.Client {
	for _, s := range e.shards {
		for c := range s.everyone {
			if c := c.(*shardConn); c.state().Known && c.client.ID().String() == id {
				return &c.client
			}
		}
	}
	return nil
}

// conn gives the connection from a peer's address, locked; nil when there is none.
func (e *Sharded) conn(peer net.Addr) *shardConn {
	for s := range e.loops() {
		for c := range s.everyone {
			c := c.(*shardConn)
			s.mu.Lock()
			if !c.corked && c.head != nil && c.head.address.String() == peer.String() {
				return c
			}
			s.mu.Unlock()
		}
	}
	return nil
}

// Has reports whether a shard has a connection from that address, without a
// WebSocket.
func (e *Sharded) Has(peer net.Addr) bool {
	c := e.conn(peer)
	if c == nil {
		return false
	}
	defer c.shard.mu.Unlock()
	return !c.gone
}

// Part says how much a shard has of a request from that address.
func (e *Sharded) Part(peer net.Addr) int {
	c := e.conn(peer)
	if c == nil {
		return 0
	}
	defer c.shard.mu.Unlock()
	return len(c.head.bytes)
}

// AtDesks says how many connections the desks have.
func (e *Sharded) AtDesks() (n int) {
	for _, d := range e.desks {
		d.mu.Lock()
		n += d.count
		d.mu.Unlock()
	}
	return n
}

// Stopped reports whether the engine takes no more connections.
func (e *Sharded) Stopped() bool { return e.isStopped() }

// State is a connection's.
type State struct {
	FD                   int
	Index                int32
	Key                  uint32
	Known, Armed, Paused bool
	Waits                bool // for the hub
	Pending              int
}

func (c *shardConn) state() State {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	state := State{FD: int(c.fd), Index: c.index, Key: c.key, Known: c.known, Armed: c.armed, Paused: c.paused, Waits: c.waits != nil}
	if c.out != nil {
		state.Pending = c.out.size
	}
	return state
}

// StateOf gives a connection's state.
func StateOf(c *hub.Client) State { return c.Conn().(*shardConn).state() }

// OutletOf gives the shard of a connection.
func OutletOf(c *hub.Client) hub.Outlet { return c.Conn().(*shardConn).shard }

// OnYield has f called whenever a fan-out yields; call it before Run.
func (e *Sharded) OnYield(f func()) {
	for _, s := range e.shards {
		s.yield = f
	}
}

// Ready gives how many descriptors of a shard's epoll set are ready, waiting up
// to ms milliseconds for one.
func Ready(o hub.Outlet, ms int) int {
	for {
		n, err := syscall.EpollWait(o.(*shard).poller.fd, make([]syscall.EpollEvent, 64), ms)
		if err != syscall.EINTR { // the runtime's own signals
			return n
		}
	}
}

// Report has a shard handle an event as if the system reported it.
func Report(o hub.Outlet, index int32, key, events uint32) {
	o.(*shard).handle([]syscall.EpollEvent{{Events: events, Fd: index, Pad: int32(key)}})
}

// SetKey sets the key of the last connection of every shard.
func (e *Sharded) SetKey(key uint32) {
	for _, s := range e.shards {
		s.mu.Lock()
		s.key = key
		s.mu.Unlock()
	}
}

// SetSeq sets the number of the last message published to a topic.
func SetSeq(o hub.Outlet, t *hub.Topic, seq uint32) { o.(*shard).seats(t).seq = seq }

// Flags gives a descriptor's status flags.
func Flags(fd int) int {
	flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	return int(flags)
}

// Under gives the TCP connection that was handed to the HTTP server.
func Under(nc net.Conn) *net.TCPConn { return nc.(*handed).Conn.(*net.TCPConn) }

// Deliver hands a connection to the HTTP server behind a listener.
func Deliver(l net.Listener, nc net.Conn) { l.(*front).deliver(nc) }

// UpgradeGone has a shard read the request head of a connection that has ended.
func (e *Sharded) UpgradeGone(t testing.TB, head []byte) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pair[1])
	s := e.shards[0]
	s.mu.Lock()
	c := s.add(int32(pair[0]))
	c.head = &partHead{address: netip.MustParseAddrPort("192.0.2.1:1")}
	s.mu.Unlock()
	c.lost()
	c.take(head)
}

// Hold keeps a shard from writing until release is called.
func Hold(o hub.Outlet) (release func()) {
	s := o.(*shard)
	s.mu.Lock()
	return s.mu.Unlock
}

// Idle reports whether nothing is queued in a shard, or on its way.
func Idle(o hub.Outlet) bool {
	s := o.(*shard)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.qmu.Lock()
	defer s.qmu.Unlock()
	return s.work.Load() == 0 && len(s.queue)+len(s.closing) == 0 && s.round.seats == nil
}

// Leftover says what an idle shard has not let go of, and what is wrong with a
// topic's seats.
func Leftover(o hub.Outlet, t *hub.Topic) string {
	s := o.(*shard)
	s.mu.Lock()
	defer s.mu.Unlock()
	seats := s.seats(t)
	s.valve.mu.Lock()
	defer s.valve.mu.Unlock()
	queued := 0
	if f := s.flows[t]; f != nil {
		queued = f.queued
	}
	if s.cost.Load() != 0 || s.shared.Load() != 0 || queued != 0 || len(seats.batch) != 0 || seats.holes != 0 || seats.live != len(seats.all) {
		return fmt.Sprintf("cost %d, shared %d, queued %d, batch %d, holes %d, %d of %d seats taken",
			s.cost.Load(), s.shared.Load(), queued, len(seats.batch), seats.holes, seats.live, len(seats.all))
	}
	for i, seat := range seats.all {
		if seat.sub == nil || int(seat.sub.Pos) != i {
			return fmt.Sprintf("seat %d is %+v", i, seat.sub)
		}
	}
	return ""
}

// HasURing reports whether shards send with io_uring.
func (e *Sharded) HasURing() bool {
	for _, s := range e.shards {
		s.mu.Lock()
		has := s.caller != nil
		s.mu.Unlock()
		if !has {
			return false
		}
	}
	return true
}

// Call has shards make their calls with another caller; call it before Run.
func (e *Sharded) Call(with interface {
	Do([]uring.Call) (int, error)
	Close()
}) {
	for _, s := range e.shards {
		if s.caller != nil {
			s.caller.Close()
		}
		s.caller = with
	}
}
