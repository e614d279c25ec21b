package socket

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// front is the listener's place in the engine: shards accept from it. A request
// for a WebSocket is served by its shard, and so are those that Express answers;
// every other connection goes, with what was read of it, to the HTTP server, which
// sees front as its listener.
type front struct {
	engine *Sharded
	l      *net.TCPListener
	want   string   // how a WebSocket's request begins
	opens  string   // the same, where shards may read it themselves
	posts  []string // how those begin that Express may answer

	mu         sync.Mutex // guards all below
	complained int64      // second of the last complaint
	fd         int32      // a copy of the listener's descriptor, -1 when closed
	ready      *sync.Cond // something is queued, or it is closed
	queue      []net.Conn
	plain      bool // the engine has stopped: the HTTP server accepts by itself
	closed     bool
}

// Listener takes the place of a TCP listener; any other it gives back.
func (e *Sharded) Listener(l net.Listener) net.Listener {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return l
	}
	fd, err := dup(tcp)
	if err != nil {
		e.cfg.Logger.Error("the engine cannot have the listener: WebSockets come by the HTTP server", "error", err)
		return l
	}
	f := &front{engine: e, l: tcp, fd: fd, want: "GET " + e.cfg.PathPrefix + "/app/", opens: e.cfg.opens(), posts: e.cfg.posts()}
	f.ready = sync.NewCond(&f.mu)
	// What is set here, accepted connections inherit.
	syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	setSendBuffer(fd)
	e.front.Store(f)
	f.watch(syscall.EPOLL_CTL_ADD)
	return f
}

// setSendBuffer bounds what the kernel holds for a slow reader; best effort.
func setSendBuffer(fd int32) {
	syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, kernelBuffer)
}

// watch adds the listener to the first shard's epoll set, or removes it. In all
// of them, each connection would wake every shard, and the quickest would have
// them all.
func (f *front) watch(op int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fd < 0 {
		return
	}
	if err := f.engine.shards[0].poller.control(op, f.fd, syscall.EPOLLIN, 0, 0); err != nil && op == syscall.EPOLL_CTL_ADD {
		f.engine.cfg.Logger.Error("the engine cannot watch the listener", "error", err)
	}
}

// is reports whether an event is the listener's; connections have keys from 1.
func (f *front) is(ev *syscall.EpollEvent) bool { return ev.Pad == 0 }

// accept takes the connections that have come, and deals them to the shards. It
// is the reader of s.
func (f *front) accept(s *shard) {
	for range 64 {
		f.mu.Lock()
		if f.fd < 0 {
			f.mu.Unlock()
			return
		}
		fd, peer, err := sysAccept(f.fd)
		f.mu.Unlock()
		switch {
		case err == 0:
			home := f.engine.next()
			if c := home.meet(fd, peer); c != nil && home == s {
				s.read(c, false) // mostly the request is here already
			}
		case err == syscall.ECONNABORTED, err == syscall.EINTR:
		case err == syscall.EMFILE, err == syscall.ENFILE, err == syscall.ENOMEM, err == syscall.ENOBUFS:
			f.complain(err)
			f.watch(syscall.EPOLL_CTL_DEL)
			time.AfterFunc(100*time.Millisecond, func() { f.watch(syscall.EPOLL_CTL_ADD) })
			return
		default:
			return
		}
	}
}

// complain logs, now and then, that connections have to wait.
func (f *front) complain(err error) {
	f.mu.Lock()
	now := f.engine.now.Load()
	again := f.complained != 0 && now < f.complained+10
	if !again {
		f.complained = now
	}
	f.mu.Unlock()
	if !again {
		f.engine.cfg.Logger.Error("no connection can be taken: raise the limit of open files (ulimit -n, LimitNOFILE)", "error", err)
	}
}

// meet takes a new connection in, whose request head is to be read; nil when
// that is not possible. s.mu is held, and given up.
func (s *shard) meet(fd int32, address netip.AddrPort) *shardConn {
	e := s.engine
	if s.stopping {
		s.mu.Unlock()
		sysClose(fd)
		return nil
	}
	c := s.add(fd)
	c.head = &partHead{address: address}
	c.vitals.ask(e.now.Load() + 1 + seconds(e.cfg.HandshakeTimeout)) // until it is known, its deadline
	err := c.register(syscall.EPOLL_CTL_ADD)
	e.wheel.schedule(&c.place, c, c.vitals.asked())
	s.mu.Unlock()
	if err != nil {
		e.cfg.Logger.Error("the engine cannot watch a connection", "error", err)
		c.lost()
		return nil
	}
	return c
}

func (f *front) deliver(nc net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.plain { // nobody may look here again
		nc.Close()
		return
	}
	f.queue = append(f.queue, nc)
	f.ready.Signal()
}

// Accept gives the next connection that is for the HTTP server (net.Listener).
func (f *front) Accept() (net.Conn, error) {
	f.mu.Lock()
	for len(f.queue) == 0 && !f.closed && !f.plain {
		f.ready.Wait()
	}
	if len(f.queue) == 0 && !f.closed {
		f.mu.Unlock()
		return f.l.Accept()
	}
	defer f.mu.Unlock()
	if f.closed {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: f.l.Addr(), Err: net.ErrClosed}
	}
	nc := f.queue[0]
	f.queue[0] = nil
	f.queue = f.queue[1:]
	return nc, nil
}

// leave takes the listener from the shards, when the engine stops; who comes
// then goes to the HTTP server.
func (f *front) leave() {
	f.watch(syscall.EPOLL_CTL_DEL)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fd >= 0 {
		syscall.Close(int(f.fd))
		f.fd = -1
	}
	f.plain = true
	f.ready.Broadcast()
}

// Close takes no more connections (net.Listener). Those that are kept for a next
// request end; one under way is answered and ends then.
func (f *front) Close() error {
	f.leave()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return net.ErrClosed
	}
	f.closed = true
	for _, nc := range f.queue {
		nc.Close()
	}
	f.queue = nil
	f.ready.Broadcast()
	f.engine.leaving.Store(true)
	for _, s := range f.engine.desks {
		for c := range s.everyone {
			c.(*shardConn).cutIfKept()
		}
	}
	return f.l.Close()
}

// Addr is the listener's address (net.Listener).
func (f *front) Addr() net.Addr { return f.l.Addr() }
