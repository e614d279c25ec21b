package socket

import (
	"context"
	"fmt"
	"iter"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/uring"
)

// Sharded is the engine for plain TCP on Linux: connections are dealt to
// shards, each an epoll set with one goroutine that reads and one that writes;
// an idle connection has neither a goroutine nor a buffer. What is not plain
// TCP goes to a portable engine that it carries along.
//
// Locks, outermost first: the hub's of a channel, a shard's, then the valve's,
// the wheel's or a shard's queue's, then a hub.Client's. Under them nothing of the
// hub is called but what looks at one client.
type Sharded struct {
	*core
	portable *Portable
	shards   []*shard
	desks    []*shard // of connections that send requests which Express answers
	wheel    *wheel[*shardConn]
	deal     atomic.Uint32
	tasks    sync.WaitGroup // short-lived goroutines
	joined   bool           // shards have callers
	leaving  atomic.Bool    // the listener is closed: HTTP connections end behind their answer

	front atomic.Pointer[front] // nil until Listener
}

// Open makes the best engine for this system, unless cfg wants the portable one.
func Open(cfg Config) (Engine, error) {
	if cfg.Portable {
		return New(cfg), nil
	}
	return NewSharded(cfg)
}

// NewSharded makes the engine and adds its outlets to the hub, before the
// hub's first Connect.
func NewSharded(cfg Config) (*Sharded, error) {
	base := newCore(cfg)
	e := &Sharded{core: base, wheel: newWheel[*shardConn](1)}
	cores := runtime.GOMAXPROCS(0)
	var err error
	if e.shards, err = newShards(e, max(1, cores-1)); err == nil && cfg.Express != nil {
		e.desks, err = newShards(e, cores)
	}
	if err != nil {
		for s := range e.loops() {
			s.poller.close()
		}
		return nil, fmt.Errorf("open engine: %w", err)
	}
	for _, d := range e.desks {
		d.desk = true
	}
	for _, s := range e.shards {
		s.slot = base.cfg.Hub.AddOutlet(s)
	}
	e.joinCalls()
	e.portable = newPortable(base)
	return e, nil
}

// joinCalls gives each shard that has subscribers a ring, if the system lets it.
func (e *Sharded) joinCalls() {
	if e.cfg.OneCallEach {
		return
	}
	for _, s := range e.shards {
		ring, err := uring.Open()
		if err != nil {
			e.cfg.Logger.Debug("io_uring is not used: each message to each subscriber takes a system call", "error", err)
			return
		}
		s.caller = ring
	}
	e.joined = true
}

// newShards makes n shards, or fewer with an error.
func newShards(e *Sharded, n int) (all []*shard, err error) {
	for range n {
		s, err := newShard(e)
		if err != nil {
			return all, err
		}
		all = append(all, s)
	}
	return all, nil
}

// loops gives all shards, desks too.
func (e *Sharded) loops() iter.Seq[*shard] {
	return func(yield func(*shard) bool) {
		for _, s := range e.shards {
			if !yield(s) {
				return
			}
		}
		for _, d := range e.desks {
			if !yield(d) {
				return
			}
		}
	}
}

// String names the engine for people.
func (e *Sharded) String() string {
	how := "epoll"
	if e.joined {
		how += " and io_uring"
	}
	return fmt.Sprintf("%s (%d shards) for plain TCP, portable for TLS", how, len(e.shards))
}

// ServeHTTP upgrades a request that came to the HTTP server: over TLS, or on a
// connection that carried other requests before, as proxies with keep-alive
// send it.
func (e *Sharded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	nc, up, ok := e.upgrade(w, r)
	if !ok {
		return
	}
	plain := nc
	if h, ok := nc.(*handed); ok {
		up.early = append(up.early, h.early...)
		plain = h.Conn
	}
	tcp, ok := plain.(*net.TCPConn)
	if !ok {
		e.portable.start(nc, up)
		return
	}
	fd, err := dup(tcp)
	tcp.Close()
	if err != nil {
		e.leave()
		e.cfg.Logger.Error("a connection cannot be taken over from the HTTP server", "error", err)
		return
	}
	setSendBuffer(fd)
	e.next().adopt(fd, up)
}

// next gives the shard that the next connection goes to, locked: they have
// their turns, but for one whose lock somebody has.
func (e *Sharded) next() *shard {
	turn, n := e.deal.Add(1), uint32(len(e.shards))
	for i := range n {
		if s := e.shards[(turn+i)%n]; s.mu.TryLock() {
			return s
		}
	}
	s := e.shards[turn%n]
	s.mu.Lock()
	return s
}

// Run serves the shards and looks after all connections once a second, as the
// portable engine does.
func (e *Sharded) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	for s := range e.loops() {
		loops.Go(s.poll)
		if !s.desk {
			loops.Go(s.flush)
			loops.Go(s.seeOff)
		}
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var due []*shardConn
	var portable []*conn
	for {
		select {
		case <-ticker.C:
			now := e.tick()
			due = e.wheel.advance(now, due[:0])
			for _, c := range due {
				c.check(now)
			}
			clear(due)
			for _, s := range e.shards {
				s.watch(now, s.everyone)
			}
			portable = e.portable.look(now, portable)
		case <-ctx.Done():
			e.core.stop()
			if f := e.front.Load(); f != nil {
				f.leave()
			}
			e.portable.cutOpen()
			for s := range e.loops() {
				s.cutOpen()
			}
			e.finish(func() {
				e.portable.cutAll()
				for s := range e.loops() {
					s.cutAll()
				}
			})
			for s := range e.loops() {
				s.cutAll() // HTTP connections whose last answer was written
				s.stop()
			}
			loops.Wait()
			e.tasks.Wait()
			for _, s := range e.shards {
				s.parting()
			}
			return nil
		}
	}
}

// Stats gives the engine's figures.
func (e *Sharded) Stats() Stats {
	pending := e.portable.outlet.pending.Load()
	in, out := int64(0), int64(0)
	for s := range e.loops() {
		pending += s.pending.Load()
		s.mu.Lock()
		in += s.bytesIn
		out += s.bytesOut
		s.mu.Unlock()
	}
	all := e.stats(pending)
	all.BytesIn += in
	all.BytesOut += out
	return all
}
