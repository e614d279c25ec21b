package socket

import (
	"syscall"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket/wsframe"
	"github.com/belfryhq/belfry/pusher"
)

// Send queues one sealed message (hub.Conn).
func (c *shardConn) Send(message []byte) {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	c.push(message)
}

// Close ends the connection (hub.Conn, WS-34), behind what is still queued for
// the fan-out (GEN-04).
func (c *shardConn) Close(code pusher.CloseCode, reason string, message []byte) {
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.end != nil || c.gone:
	case s.work.Load() > 0 && c.known:
		s.closeLater(farewell{c, code, reason, message})
	default:
		c.close(code, reason, message)
	}
}

// close ends the connection for the hub, which is told by another goroutine since
// it may be calling. shard.mu is held.
func (c *shardConn) close(code pusher.CloseCode, reason string, message []byte) {
	if c.end != nil || c.gone {
		return
	}
	c.shut(int(code), reason, message)
	if c.known {
		c.shard.leave(c, false)
	}
}

// push writes one sealed message, or as much of it as the connection takes, and
// keeps the rest. message may be several, joined. shard.mu is held.
func (c *shardConn) push(message []byte) pushed {
	if c.gone || c.end != nil {
		return dropped
	}
	if c.out == nil && !c.corked {
		n, errno := sysWrite(c.fd, message)
		return c.pushed(message, n, errno)
	}
	if c.out != nil && c.out.size+len(message) > c.shard.engine.cfg.SendBuffer {
		c.tooSlow()
		return dropped
	}
	c.queue(message)
	if c.corked {
		return written
	}
	return waiting
}

// pushed goes on behind a write of message that took n bytes, or failed. shard.mu
// is held.
func (c *shardConn) pushed(message []byte, n int, errno syscall.Errno) pushed {
	switch {
	case errno == 0 && n == len(message):
		c.wrote(n)
		return written
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		n = 0
	case errno != 0:
		c.finish() // the reader would learn of it later
		return dropped
	}
	c.wrote(n)
	c.queue(message)
	c.advance(n)
	c.arm()
	return waiting
}

// wrote counts n bytes that the connection took. shard.mu is held.
func (c *shardConn) wrote(n int) {
	c.bytesOut += int64(n)
	c.shard.bytesOut += int64(n)
}

// queue puts a message behind what waits. shard.mu is held.
func (c *shardConn) queue(message []byte) {
	if c.out == nil {
		c.out = &backlog{progress: c.shard.engine.now.Load()}
		c.out.lag.conn = c
	}
	c.out.frames = append(c.out.frames, message)
	c.setSize(c.out.size + len(message))
}

// advance takes n written bytes off what waits. shard.mu is held.
func (c *shardConn) advance(n int) {
	if n == 0 {
		return
	}
	o := c.out
	o.progress = c.shard.engine.now.Load()
	c.shard.progress(&o.lag)
	left := o.off + n
	i := 0
	for i < len(o.frames) && left >= len(o.frames[i]) {
		left -= len(o.frames[i])
		o.frames[i] = nil
		i++
	}
	o.frames, o.off = o.frames[i:], left
	c.setSize(o.size - n)
	if o.size == 0 {
		c.out = nil
	}
}

// dropOut lets go of what waits. shard.mu is held.
func (c *shardConn) dropOut() {
	if c.out != nil {
		c.setSize(0)
		c.out = nil
	}
}

// setSize sets how much waits, here and for the valve.
func (c *shardConn) setSize(n int) {
	c.out.size = n
	c.shard.set(&c.out.lag, n, c.end != nil || c.gone)
}

// arm has the epoll set tell when there is room, while something waits, and
// only then. shard.mu is held.
func (c *shardConn) arm() {
	if c.gone || c.armed == c.wantsOut() {
		return
	}
	if c.register(syscall.EPOLL_CTL_MOD) != nil {
		c.armed = false // not in the set yet: adopt adds it
	}
}

// uncork writes what was sent while input was handled.
func (c *shardConn) uncork() {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	if !c.gone && c.corked {
		c.corked = false
		if c.out != nil {
			c.writeOut()
		}
		if c.kept && c.shard.engine.leaving.Load() {
			c.finish()
		}
	}
}

// writeOut writes as much of what waits as the connection takes, joined.
// shard.mu is held.
func (c *shardConn) writeOut() {
	if c.gone || c.corked {
		return
	}
	for c.out != nil {
		b := c.nextWrite()
		n, errno := sysWrite(c.fd, b)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 && errno != syscall.EAGAIN {
			c.finish()
			return
		}
		if errno == syscall.EAGAIN {
			n = 0
		}
		if c.counted {
			c.wrote(n)
		}
		c.advance(n)
		if n < len(b) {
			break
		}
	}
	c.arm()
	if c.out == nil && c.end != nil {
		c.endWritten()
	}
}

// nextWrite gives the next bytes to write, up to maxWrite.
func (c *shardConn) nextWrite() []byte {
	o := c.out
	first := o.frames[0][o.off:]
	if len(o.frames) == 1 || len(first) >= maxWrite {
		return first
	}
	b := append(c.shard.scratch[:0], first...)
	for _, f := range o.frames[1:] {
		if len(b)+len(f) > maxWrite {
			break
		}
		b = append(b, f...)
	}
	c.shard.scratch = b
	return b
}

// endWritten goes on when the close frame is written. shard.mu is held.
func (c *shardConn) endWritten() {
	switch {
	case c.end.peerClosed:
		c.finish()
	case c.end.sent == 0:
		c.end.sent = c.shard.engine.now.Load()
		if c.end.halfClose {
			syscall.Shutdown(int(c.fd), syscall.SHUT_WR)
		}
	}
}

// shut begins the end: behind all that waits goes message, if there is one, then
// a close frame; nothing goes behind that. shard.mu is held.
func (c *shardConn) shut(code int, reason string, message []byte) {
	e := c.shard.engine
	e.countClosed(code)
	c.client.Ended(code, reason)
	last := wsframe.AppendClose(nil, code, reason)
	if message != nil {
		last = append(message[:len(message):len(message)], last...)
	}
	c.queue(last)
	c.end = &ending{since: e.now.Load()}
	c.setSize(c.out.size)
	e.wheel.schedule(&c.place, c, c.end.since+1)
	if !c.corked {
		c.writeOut()
	}
}

// endWith closes on the engine's own account: clients of old protocols, and of
// apps that want it, get pusher:error before (WS-34). shard.mu is held.
func (c *shardConn) endWith(code pusher.CloseCode, reason string) {
	var message []byte
	if app := c.client.App(); c.client.Protocol() < 6 || app != nil && app.Compat.ErrorBeforeClose {
		message = errorMessage(code, reason)
	}
	c.shut(int(code), reason, message)
	c.shard.leave(c, false)
}

// tooSlow ends a connection that lags too far (WS-45): the write under way is
// finished, the rest is dropped, and the close frame is left for when the peer
// reads again. shard.mu is held.
func (c *shardConn) tooSlow() {
	c.shard.engine.slow.Add(1)
	o := c.out
	kept := o.frames[:0:0]
	size := 0
	if o.off > 0 {
		kept, size = append(kept, o.frames[0]), len(o.frames[0])-o.off
	}
	o.frames = kept
	c.setSize(size)
	c.endWith(pusher.CloseOverCapacity, "this connection reads too slowly: too much was waiting for it")
}

// eachTopic implements stallable.
func (c *shardConn) eachTopic(f func(t *hub.Topic)) { c.client.EachTopic(f) }

// cutIfStalled implements stallable.
func (c *shardConn) cutIfStalled(now int64) {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	if c.gone || c.end != nil || c.out == nil || c.corked || !c.known {
		return
	}
	much := c.out.lag.level.Load() != none || c.out.size >= stallBytes
	if much && now-c.out.progress >= stallAfter {
		c.tooSlow()
	}
}

// Gauge implements hub.Gauged.
func (c *shardConn) Gauge() hub.Gauge {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	g := hub.Gauge{Silent: c.shard.engine.silence(c.vitals.seen()), In: c.bytesIn, Out: c.bytesOut}
	if c.out != nil {
		g.Waiting = c.out.size
	}
	return g
}
