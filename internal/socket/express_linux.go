package socket

import (
	"bytes"
	"context"
	"runtime/debug"
	"syscall"
)

// A connection that sends requests which Express answers stays on its shard, and
// costs no goroutine while it is idle. Requests are answered one after another:
// behind one that waits, or whose answer the peer does not take, nothing is read.

// takePost takes in what has come of a POST, and answers it when all has. It
// gives the rest when there may be more to do with it.
func (c *shardConn) takePost(all, in []byte) (rest []byte) {
	s, h := c.shard, c.head
	end := bytes.Index(all, emptyLine)
	switch {
	case end < 0 && (len(all) > maxHead || bareLine(all)), end > maxHead:
		c.handOver(all)
		return nil
	case end < 0:
		c.keep(in)
		return nil
	}
	end += len(emptyLine)
	p := &s.post
	if !p.parse(all[:end]) || end+p.length > maxExpress {
		c.handOver(all)
		return nil
	}
	size := end + p.length
	if len(all) < size {
		c.keep(in)
		h.lacks = true
		return nil
	}
	if h.peer == "" {
		h.peer = peerText(h.address)
	}
	a, later, do := s.express(Request{Peer: h.peer, Target: string(p.target), Fields: p.fields, Body: all[end:size]})
	rest = all[size:]
	switch {
	case do == handItOver:
		c.handOver(all)
		return nil
	case do == cutIt:
		c.lost()
		return nil
	case later != nil:
		c.await(later, p.closes, rest)
		return nil
	}
	h.bytes, h.lacks = nil, false
	if !c.reply(&a, p.closes) {
		h.bytes = bytes.Clone(rest)
		return nil
	}
	return rest
}

// What is to be done with a request.
const (
	answerIt = iota
	handItOver
	cutIt
)

// express asks the API. A panic there ends the connection, as it does in the HTTP
// server.
func (s *shard) express(r Request) (a Answer, later func(context.Context) Answer, do int) {
	defer func() {
		if p := recover(); p != nil {
			s.engine.panicked(p)
			do = cutIt
		}
	}()
	a, later, ok := s.engine.cfg.Express(r)
	if !ok {
		return a, nil, handItOver
	}
	return a, later, answerIt
}

func (e *Sharded) panicked(p any) {
	e.cfg.Logger.Error("a request to the API panicked: this is a bug", "panic", p, "stack", string(debug.Stack()))
}

// reply writes an answer. It reports whether the next request may be looked at;
// if not, the connection ends, or goOn looks at it when this answer is written.
func (c *shardConn) reply(a *Answer, closes bool) bool {
	s, e := c.shard, c.shard.engine
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.gone {
		return false
	}
	closes = closes || e.leaving.Load()
	c.waits = nil
	b := appendAnswer(s.scratch[:0], a, *e.date.Load(), closes)
	if cap(b) <= readChunk {
		s.scratch = b
	}
	n, errno := sysWrite(c.fd, b)
	switch errno {
	case 0:
	case syscall.EAGAIN, syscall.EINTR:
		n = 0
	default:
		c.finish()
		return false
	}
	if n < len(b) {
		c.queue(bytes.Clone(b))
		c.advance(n)
	}
	c.vitals.ask(e.now.Load() + 1 + seconds(e.cfg.IdleTimeout))
	if closes {
		c.endHTTP()
		return false
	}
	c.head.served, c.kept = true, true
	if c.out != nil {
		c.held, c.paused = true, true
		c.register(syscall.EPOLL_CTL_MOD)
		return false
	}
	return true
}

// endHTTP ends our direction behind the last answer. The peer is to end its own:
// closing both while it still sends might lose the answer to a reset. shard.mu is
// held.
func (c *shardConn) endHTTP() {
	e := c.shard.engine
	c.end = &ending{since: e.now.Load(), halfClose: true}
	c.paused = true
	e.wheel.schedule(&c.place, c, c.end.since+1)
	if c.out == nil {
		c.endWritten()
	}
	c.register(syscall.EPOLL_CTL_MOD) // tells of the peer's end still
}

// await has a request answered that has to wait. Meanwhile nothing is read.
func (c *shardConn) await(later func(context.Context) Answer, closes bool, rest []byte) {
	s, e := c.shard, c.shard.engine
	if !e.hold() {
		c.lost()
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.gone {
		cancel()
		e.conns.Done()
		return
	}
	c.paused, c.corked, c.kept = true, false, false
	c.head.bytes, c.head.lacks = bytes.Clone(rest), false
	c.waits = &deferred{cancel: cancel}
	c.register(syscall.EPOLL_CTL_MOD)
	e.tasks.Go(func() {
		defer e.conns.Done()
		defer cancel()
		defer func() {
			if p := recover(); p != nil {
				e.panicked(p)
				c.lost()
			}
		}()
		a := later(ctx)
		if c.reply(&a, closes) {
			c.next()
		}
	})
}

// next goes on behind an answer that was waited for: the reader does, since what
// it handles requests with is its own.
func (c *shardConn) next() {
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.gone {
		return
	}
	c.held = len(c.head.bytes) > 0
	c.paused = c.held
	c.register(syscall.EPOLL_CTL_MOD)
}

// hungUp tells a request that waits that its peer sends nothing more: it has
// most likely gone. shard.mu is held.
func (c *shardConn) hungUp() {
	if c.waits == nil || c.waits.cancel == nil {
		return
	}
	c.waits.cancel()
	c.waits.cancel = nil
	c.register(syscall.EPOLL_CTL_MOD) // not told again
}

// released reports whether requests that were held up behind an answer are to be
// looked at now. shard.mu is held; the caller, the reader, then calls goOn.
func (c *shardConn) released() bool {
	if !c.held || c.gone || c.end != nil || c.out != nil {
		return false
	}
	c.held, c.paused, c.corked = false, false, true
	return true
}

// goOn handles what was held up.
func (c *shardConn) goOn() {
	rest := c.head.bytes
	c.head.bytes = nil
	if c.take(rest) {
		c.uncork()
	}
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	c.register(syscall.EPOLL_CTL_MOD)
}

// cutIfKept ends a connection that is only kept for a next request.
func (c *shardConn) cutIfKept() {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	if c.kept && !c.corked && c.out == nil && c.end == nil {
		c.finish()
	}
}

// hold has Run wait for a request; false when the engine has stopped.
func (e *core) hold() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.stopped {
		e.conns.Add(1)
	}
	return !e.stopped
}
