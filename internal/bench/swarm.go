package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
)

// swarm moves the bytes of many sessions. Its methods may be called from any
// goroutine but its own.
type swarm interface {
	// dial connects sessions, so many at once, and returns when each is ready
	// or has failed, or ctx ends.
	dial(ctx context.Context, list []*session, atOnce int) error
	// do runs f while nothing else touches the sessions and the tally.
	do(f func())
	// pause stops reading, resume goes on.
	pause(list []*session)
	resume(list []*session)
	// drop closes connections without a word.
	drop(list []*session)
	// close ends all and returns when the swarm's goroutines are gone.
	close()
	// kind says what it is, for the report.
	kind() string
}

// swarmConfig is what a swarm needs.
type swarmConfig struct {
	address netip.AddrPort // of the server
	tally   *tally         // where its sessions count
	clock   *clock
	gauge   *gauge
	limit   float64   // deliveries a second that are read; 0: as many as come
	sources *sources  // local addresses to connect from
	tls     *tlsNames // nil: plain TCP

	portable bool // no other swarm, wherever this runs
}

var errTooLong = errors.New("the server took too long to answer")

// gauge lets a publisher wait for deliveries without asking the swarm.
type gauge struct {
	delivered atomic.Uint64
	awaited   atomic.Uint64 // 0: nobody waits
	reached   chan struct{} // of room 1
}

func newGauge() *gauge { return &gauge{reached: make(chan struct{}, 1)} }

// set is called by the swarm when it has handled what there was.
func (g *gauge) set(delivered uint64) {
	g.delivered.Store(delivered)
	if want := g.awaited.Load(); want != 0 && delivered >= want && g.awaited.CompareAndSwap(want, 0) {
		g.reached <- struct{}{}
	}
}

// wait returns when that many have been delivered. Only one may wait.
func (g *gauge) wait(ctx context.Context, delivered uint64, patience time.Duration) error {
	g.awaited.Store(delivered)
	if g.delivered.Load() >= delivered && g.awaited.CompareAndSwap(delivered, 0) {
		return nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-g.reached:
		return nil
	case <-ctx.Done():
	case <-timer.C:
	}
	if !g.awaited.CompareAndSwap(delivered, 0) {
		<-g.reached
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%d of %d deliveries came within %s", g.delivered.Load(), delivered, patience)
}

// clock counts the nanoseconds of a run.
type clock struct{ start time.Time }

func newClock() *clock { return &clock{time.Now()} }

func (c *clock) now() int64 { return int64(time.Since(c.start)) }

// sources hands out local addresses. A connection's port is taken for a minute
// after it was closed, and one address has about 28,000 for one server.
type sources struct {
	loopback bool
	used     int
}

// perSource is how many connections are made from one address.
const perSource = 15_000

// next gives the address to connect from; none leaves it to the system.
func (s *sources) next() netip.Addr {
	if !s.loopback {
		return netip.Addr{}
	}
	n := s.used / perSource
	s.used++
	return netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + n%250)})
}
