package socket

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket/wsframe"
	"github.com/belfryhq/belfry/pusher"
)

// readBuffer is what one read takes at most: more than most messages.
const readBuffer = 2 << 10

// conn is one connection of the portable engine. Its goroutine, serve, reads
// and handles; another, flush, writes while something waits; the engine's
// watcher looks at it now and then.
type conn struct {
	engine  *Portable
	nc      net.Conn
	client  hub.Client
	vitals  vitals
	place   entry[*conn] // on the wheel
	lag     lag          // set under mu
	bytesIn atomic.Int64 // read from it as a WebSocket; serve counts

	// serve's own.
	frames   wsframe.Reader
	deaf     bool // the peer broke the protocol: what it says is not read any more
	resumeFn func()

	mu       sync.Mutex // guards all below
	changed  sync.Cond  // of resumed, closing, flushing
	queue    [][]byte   // sealed messages that wait, in order
	pending  int        // bytes in queue and in the write under way
	bytesOut int64      // written to it, with the answer to its upgrade
	// flushing says that a goroutine writes, or is about to; it alone writes.
	flushing   bool
	resumed    bool  // the hub is done with the message it took
	progress   int64 // second of the last write that came to an end
	closing    bool  // a close frame is queued or sent: nothing follows it
	closingAt  int64 // second when closing began
	closeSent  int64 // second when the close frame was written, or 0
	peerClosed bool  // the peer's close frame is here
	known      bool  // the hub knows the connection; serve, which alone sets it, reads it without mu
	gone       bool  // nothing of the connection is left to look after
	halfClose  bool  // end our direction behind the close frame
}

// newConn makes a connection that its own goroutine will write for at first.
func newConn(p *Portable, nc net.Conn) *conn {
	c := &conn{engine: p, nc: nc, flushing: true}
	c.changed.L = &c.mu
	c.lag.conn = c
	c.resumeFn = c.resume
	c.vitals.hear(p.now.Load())
	c.progress = p.now.Load()
	return c
}

// serve is the connection's life. early is what the client sent behind its
// request.
func (c *conn) serve(early []byte, hs hub.Handshake) {
	defer c.finish()
	c.connect(hs)
	// The answer to the upgrade and the first message leave in one write, from
	// here; later writes have a goroutine of their own.
	if c.writeSome() {
		go c.flush()
	}
	if len(early) > 0 && !c.take(early) {
		return
	}
	buf := make([]byte, readBuffer)
	for {
		n, err := c.nc.Read(buf)
		if n > 0 {
			c.vitals.hear(c.engine.now.Load())
			c.engine.bytesIn.Add(int64(n))
			c.bytesIn.Add(int64(n))
			if !c.take(buf[:n]) {
				return
			}
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || !c.isClosing() {
			return
		}
		// shut woke this goroutine. The hub is told at once; then the peer has
		// its time to answer the close frame.
		c.leaveHub()
		if c.nc.SetReadDeadline(time.Time{}) != nil {
			return
		}
	}
}

// connect brings the connection to the hub, or refuses it: pusher:error, then
// a close frame with the same code (WS-04, WS-34).
func (c *conn) connect(hs hub.Handshake) {
	p := c.engine
	var refusal *hub.Refusal
	if p.full() {
		refusal = &hub.Refusal{Code: pusher.CloseOverCapacity, Message: "this server has all the connections it may have: try again later"}
	} else {
		refusal = p.cfg.Hub.Connect(&c.client, c, p.slot, hs)
	}
	if refusal == nil {
		c.mu.Lock()
		c.known = true
		c.mu.Unlock()
		return
	}
	p.cfg.Logger.Debug("connection refused", "code", int(refusal.Code), "reason", refusal.Message, "address", hs.Address)
	c.Close(refusal.Code, refusal.Message, errorMessage(refusal.Code, refusal.Message))
}

// errorMessage is a sealed pusher:error.
func errorMessage(code pusher.CloseCode, message string) []byte {
	return sealed(func(b []byte) []byte { return pusher.AppendError(b, code, message) })
}

// take handles what came in; false when reading is over.
func (c *conn) take(in []byte) bool {
	for len(in) > 0 && !c.deaf {
		m, rest, ok, broken := c.frames.Next(in, c.engine.cfg.MaxMessage)
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
			c.receive(m.Payload)
		case wsframe.Ping: // WS-21
			c.push(wsframe.Append(nil, wsframe.Pong, m.Payload))
		case wsframe.Close:
			c.answerClose(m.Code)
			return false
		}
	}
	return true
}

// receive hands one message to the hub and waits until that is done with it
// (GEN-05), or the connection is closing.
func (c *conn) receive(message []byte) {
	if !c.known || c.isClosing() || c.client.Receive(message, c.resumeFn) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.resumed && !c.closing {
		c.changed.Wait()
	}
	c.resumed = false
}

// resume is called by the hub when it is done with a message.
func (c *conn) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resumed = true
	c.changed.Broadcast()
}

// breach ends a connection whose peer broke the protocol. Our direction ends
// behind the close frame, since the peer's own close frame will not be
// understood; what it still sends is read and thrown away, so that the close
// frame is not lost to a reset.
func (c *conn) breach(e *wsframe.Error) {
	c.deaf = true
	c.client.Ended(e.Code, e.Reason)
	c.leaveHub()
	c.mu.Lock()
	c.halfClose = true
	c.mu.Unlock()
	c.shut(e.Code, e.Reason, nil)
}

// peerEnded is why a connection ends whose peer closes it.
const peerEnded = "closed by the client"

// answerClose leaves the hub (CH-22), returns the peer's close frame unless
// one was sent before, and waits until all is written.
func (c *conn) answerClose(code int) {
	c.client.Ended(code, peerEnded)
	c.leaveHub()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peerClosed = true
	if !c.closing {
		c.shutLocked(code, "", nil)
	}
	for c.flushing && c.closeSent == 0 {
		c.changed.Wait()
	}
}

// leaveHub leaves every channel; more than once is once.
func (c *conn) leaveHub() {
	if c.known {
		c.client.Disconnect()
	}
}

func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// cut ends the transport at once, without a word: closing TLS in order may
// block for seconds.
func (c *conn) cut() {
	if under, ok := c.nc.(interface{ NetConn() net.Conn }); ok {
		under.NetConn().Close()
		return
	}
	c.nc.Close()
}

// finish ends everything that belongs to the connection.
func (c *conn) finish() {
	c.leaveHub()
	c.nc.Close()
	c.mu.Lock()
	if !c.closing {
		c.closing, c.closingAt = true, c.engine.now.Load()
	}
	for c.flushing {
		c.changed.Wait()
	}
	c.setPending(0)
	c.queue = nil
	c.gone = true
	c.mu.Unlock()
	c.engine.wheel.remove(&c.place)
	c.engine.leave()
}

// cutAfter is how long a close frame may take to be written, in seconds.
const cutAfter = 60

// check looks after the connection in second now, and puts it on the wheel
// again. Only the engine's watcher calls it.
func (c *conn) check(now int64) {
	p := c.engine
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return
	}
	if c.closing {
		deadline := c.closingAt + cutAfter
		if c.closeSent != 0 {
			deadline = min(deadline, c.closeSent+seconds(p.cfg.CloseTimeout))
		}
		if now >= deadline {
			c.cut()
		}
	}
	if c.closing || !c.known {
		p.wheel.schedule(&c.place, c, now+1) // finish takes it off
		return
	}
	do, again := c.vitals.judge(now, &p.cfg, c.client.Protocol(), c.client.App())
	p.wheel.schedule(&c.place, c, again)
	switch do {
	case ping:
		p.pings.Add(1)
		if c.client.Protocol() < 5 {
			c.pushLocked(p.pingFrame)
		} else {
			c.pushLocked(p.pingBoth)
		}
	case lost:
		c.endLocked(pusher.ClosePongTimeout, "no answer to a ping")
	case stale:
		c.endLocked(pusher.CloseInactive, "nothing was heard for a day")
	}
}

// Gauge implements hub.Gauged.
func (c *conn) Gauge() hub.Gauge {
	c.mu.Lock()
	defer c.mu.Unlock()
	return hub.Gauge{Waiting: c.pending, Silent: c.engine.silence(c.vitals.seen()), In: c.bytesIn.Load(), Out: c.bytesOut}
}
