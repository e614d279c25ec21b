package socket

import (
	"net"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket/wsframe"
	"github.com/belfryhq/belfry/pusher"
)

const (
	// maxWrite is how many bytes are joined into one write.
	maxWrite = 64 << 10
	// kernelBuffer is how many bytes the kernel may hold for one connection.
	kernelBuffer = 128 << 10
)

// pushed says what became of a message.
type pushed uint8

const (
	written pushed = iota // nothing waited before it
	waiting               // behind others
	dropped               // the connection is closing, or now has to
)

// Send queues one sealed message (hub.Conn).
func (c *conn) Send(message []byte) { c.push(message) }

// Close ends the connection (hub.Conn, WS-34).
func (c *conn) Close(code pusher.CloseCode, reason string, message []byte) {
	c.shut(int(code), reason, message)
}

// push queues one sealed message, and starts to write when nobody does.
func (c *conn) push(message []byte) pushed {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pushLocked(message)
}

func (c *conn) pushLocked(message []byte) pushed {
	switch {
	case c.closing:
		return dropped
	case c.pending > 0 && c.pending+len(message) > c.engine.cfg.SendBuffer:
		c.cutLocked()
		return dropped
	}
	c.queue = append(c.queue, message)
	c.setPending(c.pending + len(message))
	if c.flushing {
		return waiting
	}
	c.startLocked()
	return written
}

// startLocked starts to write what waits.
func (c *conn) startLocked() {
	c.flushing = true
	c.progress = c.engine.now.Load()
	go c.flush()
}

// flush writes until nothing waits.
func (c *conn) flush() {
	for c.writeSome() {
	}
}

// writeSome writes part of what waits, joined, and reports whether to go on. It
// is called while flushing is true, by the one who set it, and ends that with
// the last of it.
func (c *conn) writeSome() (more bool) {
	c.mu.Lock()
	batch, size := c.nextBatch()
	c.mu.Unlock()
	var n int64
	var err error
	if len(batch) > 0 {
		n, err = c.write(batch, size)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytesOut += n
	c.setPending(c.pending - size)
	c.progress = c.engine.now.Load()
	c.engine.outlet.progress(&c.lag)
	if err == nil && len(c.queue) > 0 {
		return true
	}
	if err != nil {
		c.cut() // serve sees it and ends
	} else if c.closing {
		c.sentLocked()
	}
	c.flushing = false
	c.changed.Broadcast()
	return false
}

// nextBatch takes as much from the queue as one write should have.
func (c *conn) nextBatch() (batch [][]byte, size int) {
	n := 0
	for n < len(c.queue) && (n == 0 || size+len(c.queue[n]) <= maxWrite) {
		size += len(c.queue[n])
		n++
	}
	batch, c.queue = c.queue[:n:n], c.queue[n:]
	if len(c.queue) == 0 {
		c.queue = nil // an idle connection keeps no memory for it
	}
	return batch, size
}

// write writes a batch in one piece, and says how many bytes were taken.
func (c *conn) write(batch [][]byte, size int) (n int64, err error) {
	switch c.nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		buffers := net.Buffers(batch)
		n, err = buffers.WriteTo(c.nc)
	default:
		// TLS seals each write by itself, so the joining is done here.
		written := 0
		if len(batch) == 1 {
			written, err = c.nc.Write(batch[0])
		} else {
			joined := c.engine.joined.Get().(*[]byte)
			all := (*joined)[:0]
			for _, message := range batch {
				all = append(all, message...)
			}
			written, err = c.nc.Write(all)
			*joined = all
			c.engine.joined.Put(joined)
		}
		n = int64(written)
	}
	c.engine.bytesOut.Add(n)
	return n, err
}

// sentLocked notes that the close frame is written. It gives up the lock while
// it ends our direction, since TLS may block on that.
func (c *conn) sentLocked() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok && c.halfClose {
		c.mu.Unlock()
		half.CloseWrite() // best effort: the deadline of the close comes in any case
		c.mu.Lock()
	}
	c.closeSent = c.engine.now.Load()
}

// setPending sets what waits, here and for the valve. c.mu is held.
func (c *conn) setPending(n int) {
	c.pending = n
	c.engine.outlet.set(&c.lag, n, c.closing)
}

// eachTopic implements stallable.
func (c *conn) eachTopic(f func(t *hub.Topic)) { c.client.EachTopic(f) }

// cutIfStalled implements stallable.
func (c *conn) cutIfStalled(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	much := c.lag.level.Load() != none || c.pending >= stallBytes
	if much && !c.closing && c.flushing && now-c.progress >= stallAfter {
		c.cutLocked()
	}
}

// cutLocked ends a connection that lags too far (WS-45): the write under way
// is finished, the rest is dropped, and the close frame is left for when the
// peer reads again.
func (c *conn) cutLocked() {
	c.engine.slow.Add(1)
	kept := c.pending
	for _, message := range c.queue {
		kept -= len(message)
	}
	c.queue = nil
	c.setPending(kept)
	c.endLocked(pusher.CloseOverCapacity, "this connection reads too slowly: too much was waiting for it")
}

// endLocked closes on the engine's own account: clients of old protocols, and
// of apps that want it, get pusher:error before (WS-34).
func (c *conn) endLocked(code pusher.CloseCode, reason string) {
	var message []byte
	if app := c.client.App(); c.client.Protocol() < 6 || app != nil && app.Compat.ErrorBeforeClose {
		message = errorMessage(code, reason)
	}
	c.shutLocked(int(code), reason, message)
}

// shut begins the end: behind all that waits goes message, if there is one,
// then a close frame; nothing goes behind that. Only the first call counts.
func (c *conn) shut(code int, reason string, message []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.shutLocked(code, reason, message)
	}
}

func (c *conn) shutLocked(code int, reason string, message []byte) {
	p := c.engine
	c.closing, c.closingAt = true, p.now.Load()
	if !c.peerClosed {
		p.countClosed(code)
	}
	last := wsframe.AppendClose(nil, code, reason)
	if message != nil {
		c.queue = append(c.queue, message)
	}
	c.queue = append(c.queue, last)
	c.setPending(c.pending + len(message) + len(last))
	if !c.flushing {
		c.startLocked()
	}
	p.wheel.schedule(&c.place, c, c.closingAt+1)
	c.client.Ended(code, reason)
	c.changed.Broadcast()
	c.nc.SetReadDeadline(time.Unix(1, 0)) // wakes serve
}
