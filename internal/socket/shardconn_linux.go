package socket

import (
	"context"
	"syscall"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket/wsframe"
	"github.com/belfryhq/belfry/pusher"
)

// shardConn is one connection of a shard. There may be very many, mostly idle:
// what only few need at a time stands behind pointers.
//
// What says that it is the reader's belongs to whoever handles the connection's
// input: the shard's reading goroutine, or, after the hub deferred a message,
// the goroutine that goes on with it. Everything else is guarded by shard.mu.
type shardConn struct {
	// What a delivery looks at stands together.
	shard  *shard
	out    *backlog // what waits to be written; nil when nothing does
	end    *ending  // how it ends; nil before
	fd     int32
	index  int32  // in shard.conns
	key    uint32 // tells the connection from an earlier one with its index
	gone   bool   // the descriptor is closed, or somebody else's
	corked bool   // input is being handled: what is sent meanwhile leaves in one write

	kept bool // kept for a next HTTP request, of which nothing has come
	held bool // what came behind an HTTP request is looked at when the answer is written

	bytesOut int64 // written to it as a WebSocket, with the answer to its upgrade
	bytesIn  int64 // read from it as a WebSocket

	sending  bool // a message for it is among those that leave together
	armed    bool // the epoll set tells when it can be written
	paused   bool // input is not read
	resumed  bool // the hub was done with a message before the connection paused for it
	known    bool // the hub knows the connection; set by the reader
	counted  bool // the engine counts it
	upgraded bool // the reader's: the request head is over
	deaf     bool // the reader's: the peer broke the protocol

	client hub.Client
	frames wsframe.Reader // the reader's
	vitals vitals
	place  entry[*shardConn] // on the wheel
	head   *partHead         // the reader's: what is known before the upgrade; nil after
	waits  *deferred         // input that waits for the hub, or an HTTP request that waits; nil when none does
}

// backlog is what waits to be written to one connection.
type backlog struct {
	lag      lag
	frames   [][]byte
	off      int   // how much of the first frame is written
	size     int   // bytes that wait
	progress int64 // second of the last write that took something, or of the beginning
}

// ending is how a connection ends.
type ending struct {
	since      int64 // second when closing began
	sent       int64 // second when the close frame was written, or 0
	peerClosed bool  // the peer's close frame is here: end when ours is written
	halfClose  bool  // end our direction behind the close frame
}

// deferred is what waits: input behind a message that the hub is not done with
// (GEN-05), or an HTTP request.
type deferred struct {
	rest   []byte
	cancel context.CancelFunc // of an HTTP request; nil when it was called
}

func newShardConn(s *shard, fd int32, key uint32) *shardConn {
	c := &shardConn{shard: s, fd: fd, key: key}
	c.vitals.hear(s.engine.now.Load())
	return c
}

// register tells the epoll set what the connection waits for. shard.mu is held.
func (c *shardConn) register(op int) error {
	if c.gone {
		return nil
	}
	var events uint32
	if !c.paused {
		events = syscall.EPOLLIN
	}
	c.armed = c.wantsOut()
	if c.armed {
		events |= syscall.EPOLLOUT
	}
	if c.waits != nil && c.waits.cancel != nil {
		events |= syscall.EPOLLRDHUP
	}
	return c.shard.poller.control(op, c.fd, events, c.index, c.key)
}

// wantsOut reports whether the epoll set is to tell when it can be written.
func (c *shardConn) wantsOut() bool { return c.out != nil || c.held }

// begin brings an upgraded connection to the hub, or refuses it (WS-04, WS-34).
// It is the reader, and the connection is corked: the answer to the upgrade and
// the first message leave in one write.
func (c *shardConn) begin(up upgraded) {
	s, e := c.shard, c.shard.engine
	c.upgraded = true
	s.mu.Lock()
	c.queue(appendSwitching(make([]byte, 0, 160), up.accept))
	s.mu.Unlock()
	var refusal *hub.Refusal
	if e.full() {
		refusal = &hub.Refusal{Code: pusher.CloseOverCapacity, Message: "this server has all the connections it may have: try again later"}
	} else {
		refusal = e.cfg.Hub.Connect(&c.client, c, s.slot, up.hs)
	}
	if refusal != nil {
		e.cfg.Logger.Debug("connection refused", "code", int(refusal.Code), "reason", refusal.Message, "address", up.hs.Address)
		c.Close(refusal.Code, refusal.Message, errorMessage(refusal.Code, refusal.Message))
		return
	}
	s.mu.Lock()
	c.known = true
	c.vitals.pinged = 0  // was the deadline of the request head
	over := c.end != nil // cut, or closed by the hub: nobody has told the hub
	if !over {
		e.wheel.schedule(&c.place, c, 0)
	}
	s.mu.Unlock()
	if over {
		c.client.Disconnect()
	}
}

// take handles input. It is the reader, and reports whether it still is: when
// the hub defers a message, another goroutine goes on with the connection.
func (c *shardConn) take(in []byte) bool {
	for len(in) > 0 {
		switch {
		case c.deaf:
			return true
		case !c.upgraded:
			if in = c.takeHead(in); in == nil {
				return true
			}
			continue
		}
		m, rest, ok, broken := c.frames.Next(in, c.shard.engine.cfg.MaxMessage)
		if broken != nil {
			c.breach(broken)
			return true
		}
		if !ok {
			return true
		}
		in = rest
		switch m.Op {
		case wsframe.Text:
			if !c.receive(m.Payload, in) {
				return false
			}
		case wsframe.Ping: // WS-21
			c.Send(wsframe.Append(nil, wsframe.Pong, m.Payload))
		case wsframe.Close:
			c.answerClose(m.Code)
			return true
		}
	}
	return true
}

// receive hands one message to the hub. It reports whether to go on with rest;
// if not, the connection writes what it has, and pauses until the hub is done
// (GEN-05).
func (c *shardConn) receive(message, rest []byte) bool {
	s := c.shard
	s.mu.Lock()
	handle := c.known && c.end == nil && !c.gone
	s.mu.Unlock()
	if !handle || c.client.Receive(message, c.resume) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.resumed {
		c.resumed = false
		return true
	}
	if c.gone {
		return false
	}
	c.paused, c.corked = true, false
	c.waits = &deferred{rest: append([]byte(nil), rest...)}
	if c.out != nil {
		c.writeOut()
	}
	c.register(syscall.EPOLL_CTL_MOD) // in vain before adopt has added it
	return false
}

// resume is called by the hub when it is done with a message.
func (c *shardConn) resume() {
	s := c.shard
	s.mu.Lock()
	waits := c.waits
	if waits == nil {
		c.resumed = true
		s.mu.Unlock()
		return
	}
	c.waits = nil
	c.corked = true
	s.engine.tasks.Go(func() {
		if !c.take(waits.rest) {
			return
		}
		c.uncork()
		s.mu.Lock()
		defer s.mu.Unlock()
		c.paused = c.deafened()
		c.register(syscall.EPOLL_CTL_MOD)
	})
	s.mu.Unlock() // not before: Run waits for the tasks once nothing is left
}

// deafened reports whether there is nothing left to read: behind its close frame
// a peer says nothing but that it has ended, and may still read. shard.mu is
// held.
func (c *shardConn) deafened() bool { return c.end != nil && c.end.peerClosed }

// breach ends a connection whose peer broke the protocol, as the portable
// engine does.
func (c *shardConn) breach(e *wsframe.Error) {
	c.deaf = true
	c.client.Ended(e.Code, e.Reason)
	c.leaveHub()
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.end == nil {
		c.shut(e.Code, e.Reason, nil)
		c.end.halfClose = true
	}
}

// answerClose leaves the hub (CH-22), returns the peer's close frame unless one
// was sent before, and ends when all is written.
func (c *shardConn) answerClose(code int) {
	c.deaf = true
	c.client.Ended(code, peerEnded)
	c.leaveHub()
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.gone {
		return
	}
	if c.end == nil {
		c.end = &ending{since: s.engine.now.Load(), peerClosed: true}
		c.queue(wsframe.AppendClose(nil, code, ""))
		s.engine.wheel.schedule(&c.place, c, c.end.since+1)
	}
	c.end.peerClosed, c.paused = true, true
	switch {
	case c.out == nil:
		c.finish()
	case c.armed: // else the epoll set is told when the rest cannot be written at once
		c.register(syscall.EPOLL_CTL_MOD)
	}
}

// leaveHub leaves every channel; more than once is once.
func (c *shardConn) leaveHub() {
	c.shard.mu.Lock()
	known := c.known
	c.shard.mu.Unlock()
	if known {
		c.client.Disconnect()
	}
}

// lost ends a connection at once: its peer is gone.
func (c *shardConn) lost() {
	c.shard.mu.Lock()
	c.finish()
	c.shard.mu.Unlock()
}

// cutUnlessClosing ends a connection that has no close frame on its way, and
// answers no request.
func (c *shardConn) cutUnlessClosing() {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	if c.end == nil && (c.counted || c.waits == nil) {
		c.finish()
	}
}

// finish closes the descriptor and lets go of everything. The hub is told by
// another goroutine, since finish may be called below the hub. shard.mu is held.
func (c *shardConn) finish() {
	if c.gone {
		return
	}
	s := c.shard
	s.forget(c)
	sysClose(c.fd)
	if !c.counted {
		return
	}
	s.leave(c, true)
}

// forget takes a connection out of the shard. s.mu is held.
func (s *shard) forget(c *shardConn) {
	c.gone = true
	s.remove(c)
	if c.end == nil {
		c.end = &ending{since: s.engine.now.Load()}
	}
	c.dropOut()
	if c.waits != nil && c.waits.cancel != nil {
		c.waits.cancel()
	}
	c.waits = nil
	s.engine.wheel.remove(&c.place)
}

// check looks after the connection in second now and puts it on the wheel
// again. Only the engine's watcher calls it.
func (c *shardConn) check(now int64) {
	s, e := c.shard, c.shard.engine
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.gone:
		return
	case c.end != nil:
		deadline := c.end.since + cutAfter
		if c.end.sent != 0 {
			deadline = min(deadline, c.end.sent+seconds(e.cfg.CloseTimeout))
		}
		if now >= deadline {
			c.finish()
			return
		}
		e.wheel.schedule(&c.place, c, now+1)
		return
	case !c.counted: // its request has not all come, or is under way
		switch {
		case c.corked || c.waits != nil:
			e.wheel.schedule(&c.place, c, now+1)
		case now >= c.vitals.asked():
			c.late()
		default:
			e.wheel.schedule(&c.place, c, c.vitals.asked())
		}
		return
	case !c.known: // begin is at work
		e.wheel.schedule(&c.place, c, now+1)
		return
	}
	do, again := c.vitals.judge(now, &e.cfg, c.client.Protocol(), c.client.App())
	e.wheel.schedule(&c.place, c, again)
	switch do {
	case ping:
		e.pings.Add(1)
		if c.client.Protocol() < 5 {
			c.push(e.pingFrame)
		} else {
			c.push(e.pingBoth)
		}
	case lost:
		c.endWith(pusher.ClosePongTimeout, "no answer to a ping")
	case stale:
		c.endWith(pusher.CloseInactive, "nothing was heard for a day")
	}
}
