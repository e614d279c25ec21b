package socket

import (
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
)

// maxHead bounds a request head that a shard reads itself.
const maxHead = 16 << 10

// partHead is what a shard keeps of a connection that is no WebSocket yet. It is
// the reader's; while the connection is not corked, whoever holds shard.mu may
// look at it.
type partHead struct {
	address netip.AddrPort
	peer    string // the same as text, once a request needs it
	bytes   []byte // of a request that has not all come, or has to wait
	lacks   bool   // of that request, only the body has not all come
	served  bool   // a request was answered on this connection
}

// emptyLine ends a request head.
var emptyLine = []byte("\r\n\r\n")

// takeHead takes in what has come of a request. It gives the rest when there may
// be more to do with it, nil when there is nothing.
func (c *shardConn) takeHead(in []byte) (rest []byte) {
	f, h := c.shard.engine.front.Load(), c.head
	all := in
	if len(h.bytes) > 0 {
		h.bytes = append(h.bytes, in...)
		all = h.bytes
	}
	socket, perhaps := begins(all, f.want)
	for _, want := range f.posts {
		yes, may := begins(all, want)
		switch {
		case yes && c.shard.desk:
			return c.takePost(all, in)
		case yes:
			c.toDesk(all)
			return nil
		}
		perhaps = perhaps || may
	}
	switch {
	case !perhaps:
		c.handOver(all)
		return nil
	case !socket:
		c.keep(in)
		return nil
	}
	end := bytes.Index(all, emptyLine)
	if end < 0 {
		if len(all) > maxHead {
			c.handOver(all)
		} else {
			c.keep(in)
		}
		return nil
	}
	end += len(emptyLine)
	up, ok := c.shard.parse(all[:end], f.opens, h.address)
	if !ok {
		c.handOver(all) // the HTTP server says what is wrong with it
		return nil
	}
	if c.shard.desk {
		c.toShard(up, all[end:])
		return nil
	}
	c.head = nil
	s := c.shard
	s.mu.Lock()
	gone := c.gone
	c.counted = !gone
	s.mu.Unlock()
	if gone { // it was cut meanwhile, when it was not counted yet
		s.engine.leave()
		return nil
	}
	c.begin(up)
	return all[end:]
}

// keep keeps what has come of a request until there is more. One that is not the
// connection's first has as much time for its head as the first.
func (c *shardConn) keep(in []byte) {
	h := c.head
	if len(h.bytes) > 0 { // in is in there
		return
	}
	h.bytes = append(h.bytes, in...)
	if !h.served {
		return
	}
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.gone {
		c.kept = false
		c.vitals.ask(s.engine.now.Load() + 1 + seconds(s.engine.cfg.HandshakeTimeout))
		s.engine.wheel.schedule(&c.place, c, c.vitals.asked())
	}
}

// parse reads a request head; ok is false for one that becomes no WebSocket.
func (s *shard) parse(head []byte, opens string, address netip.AddrPort) (up upgraded, ok bool) {
	if s.opening.parse(head, opens) {
		return s.engine.admit(&s.opening, address)
	}
	s.head.Reset(bytes.NewReader(head))
	r, err := http.ReadRequest(s.head)
	s.head.Reset(strings.NewReader(""))
	if err != nil || r.Host == "" {
		return up, false
	}
	r.RemoteAddr = peerText(address)
	up, rejected := s.engine.accept(r)
	return up, rejected == nil
}

// late ends a connection whose request has not come in time. What lacks only its
// body is the HTTP server's, which has no such limit. shard.mu is held.
func (c *shardConn) late() {
	if !c.head.lacks {
		c.finish()
		return
	}
	c.paused = true
	read := c.head.bytes
	c.shard.engine.tasks.Go(func() { c.handOver(read) })
}

// letGo takes the connection out of its shard without closing it; false when it
// is gone.
func (c *shardConn) letGo() bool {
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.gone {
		return false
	}
	s.poller.control(syscall.EPOLL_CTL_DEL, c.fd, 0, 0, 0)
	s.forget(c)
	return true
}

// toDesk gives the connection to a desk, with what was read. A desk's reader goes
// on with it.
func (c *shardConn) toDesk(read []byte) {
	e := c.shard.engine
	read = bytes.Clone(read)
	if !c.letGo() {
		return
	}
	d := e.desks[int(e.deal.Add(1))%len(e.desks)]
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping {
		syscall.Close(int(c.fd))
		return
	}
	moved := d.add(c.fd)
	moved.head = &partHead{address: c.head.address, bytes: read}
	moved.held, moved.paused = true, true
	moved.vitals.pinged = c.vitals.pinged
	if err := moved.register(syscall.EPOLL_CTL_ADD); err != nil {
		e.cfg.Logger.Error("the engine cannot watch a connection", "error", err)
		moved.finish()
		return
	}
	e.wheel.schedule(&moved.place, moved, moved.vitals.asked())
}

// toShard gives an upgraded connection, which was counted in, from a desk to a
// shard, with what came behind its request.
func (c *shardConn) toShard(up upgraded, rest []byte) {
	e := c.shard.engine
	up.early = bytes.Clone(rest)
	if !c.letGo() {
		e.leave()
		return
	}
	e.next().adopt(c.fd, up)
}

// handOver gives the connection to the HTTP server, with what was read.
func (c *shardConn) handOver(read []byte) {
	s, f := c.shard, c.shard.engine.front.Load()
	read = bytes.Clone(read)
	if !c.letGo() {
		return
	}
	nc, err := toNetConn(c.fd)
	if err != nil {
		s.engine.cfg.Logger.Error("a connection cannot be handed to the HTTP server", "error", err)
		return
	}
	f.deliver(&handed{Conn: nc, early: read})
}

// handed is a connection that a shard has read from.
type handed struct {
	net.Conn
	early []byte
}

// Read gives what was read before, then what comes.
func (h *handed) Read(b []byte) (int, error) {
	if len(h.early) == 0 {
		return h.Conn.Read(b)
	}
	n := copy(b, h.early)
	if h.early = h.early[n:]; len(h.early) == 0 {
		h.early = nil
	}
	return n, nil
}

// CloseWrite ends our direction, as the HTTP server does behind an answer that
// ends the connection.
func (h *handed) CloseWrite() error { return h.Conn.(*net.TCPConn).CloseWrite() }
