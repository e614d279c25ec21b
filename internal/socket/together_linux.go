package socket

import (
	"syscall"

	"github.com/belfryhq/belfry/internal/uring"
)

// caller makes many calls on sockets with one system call: a *uring.Ring.
type caller interface {
	Do(calls []uring.Call) (made int, err error)
	Close()
}

// together is what of a fan-out leaves with one system call. It is empty whenever the
// shard's mutex is free.
type together struct {
	calls  []uring.Call
	takers []*shardConn // of the calls
}

// tally counts what became of a message's writes.
type tally struct {
	written, waiting, dropped int
	lagging
}

func (t *tally) count(c *shardConn, p pushed) {
	switch p {
	case written:
		t.written++
	case waiting:
		t.waiting++
		t.lagging.count(c)
	case dropped:
		t.dropped++
	}
}

// put is push for a fan-out: with a caller, messages leave together, at the latest
// with sendAll. shard.mu is held until then.
func (s *shard) put(c *shardConn, message []byte, t *tally) {
	if s.caller == nil || len(message) >= longWrite {
		t.count(c, c.push(message))
		return
	}
	if c.sending { // twice in one fan-out: in order, and not behind half a message
		s.sendAll(t)
	}
	if c.out != nil || c.corked || c.gone || c.end != nil {
		t.count(c, c.push(message))
		return
	}
	c.sending = true
	s.calls = append(s.calls, uring.Call{FD: c.fd, Buffer: message})
	if s.takers = append(s.takers, c); len(s.takers) == uring.Size {
		s.sendAll(t)
	}
}

// sendAll sends what was put. s.mu is held.
func (s *shard) sendAll(t *tally) {
	if len(s.calls) == 0 {
		return
	}
	made := 0
	if len(s.calls) > 1 { // one is a system call either way
		var err error
		if made, err = s.caller.Do(s.calls); err != nil {
			s.engine.cfg.Logger.Error("io_uring fails: going on with a system call for each message", "error", err)
			s.caller.Close()
			s.caller = nil
		}
	}
	for i, c := range s.takers {
		call := &s.calls[i]
		c.sending = false
		switch {
		case i >= made:
			t.count(c, c.push(call.Buffer))
		case call.Result < 0:
			t.count(c, c.pushed(call.Buffer, 0, syscall.Errno(-call.Result)))
		default:
			t.count(c, c.pushed(call.Buffer, int(call.Result), 0))
		}
	}
	clear(s.calls)
	clear(s.takers)
	s.calls, s.takers = s.calls[:0], s.takers[:0]
}
