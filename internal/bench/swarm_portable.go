package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"
)

// portable serves each session in a goroutine, over any net.Conn. All share
// one lock: it is for small loads, TLS, and systems without epoll.
type portable struct {
	cfg     swarmConfig
	readers sync.WaitGroup

	mu    sync.Mutex // guards the sessions and the tally
	moved sync.Cond  // a session was resumed or dropped
	all   map[*session]bool
}

// portableLink is what the portable swarm keeps with a session.
type portableLink struct {
	conn   net.Conn
	paused bool
	landed chan struct{} // closed when the session is ready or has ended
}

func newPortable(cfg swarmConfig) *portable {
	p := &portable{cfg: cfg, all: map[*session]bool{}}
	p.moved.L = &p.mu
	return p
}

func (p *portable) kind() string { return "a goroutine a connection" }

func (p *portable) do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *portable) dial(ctx context.Context, list []*session, atOnce int) error {
	room := make(chan struct{}, max(1, atOnce))
	var dialers sync.WaitGroup
	defer dialers.Wait()
	for _, s := range list {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			p.do(func() {
				for _, s := range list {
					if s.phase == idle {
						s.end(errTooLong)
					}
				}
			})
			return context.Cause(ctx)
		}
		dialers.Go(func() {
			defer func() { <-room }()
			p.connect(ctx, s)
		})
	}
	dialers.Wait()
	return ctx.Err()
}

// connect brings one session to the server and waits until it is ready.
func (p *portable) connect(ctx context.Context, s *session) {
	conn, err := p.open(ctx)
	p.mu.Lock()
	s.landed = make(chan struct{})
	s.conn = conn
	first := s.open() // before its end, so that it counts
	if err != nil {
		s.end(err)
		p.mu.Unlock()
		return
	}
	p.all[s] = true
	p.mu.Unlock()
	p.readers.Go(func() { p.read(s) })
	if _, err := conn.Write(first); err != nil {
		p.cut(s, err)
	}
	select {
	case <-s.landed:
	case <-ctx.Done():
		p.cut(s, errTooLong)
	}
}

func (p *portable) open(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	p.mu.Lock()
	if from := p.cfg.sources.next(); from.IsValid() && p.cfg.address.Addr().Is4() && elsewhere(from.As4()) {
		dialer.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
	}
	p.mu.Unlock()
	conn, err := dialer.DialContext(ctx, "tcp", p.cfg.address.String())
	if err != nil || p.cfg.tls == nil {
		return conn, err
	}
	secure := tls.Client(conn, p.cfg.tls.config())
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secure, nil
}

// elsewhere reports whether a loopback address is another than the usual one,
// which not every system has.
func elsewhere(a [4]byte) bool { return a != [4]byte{127, 0, 0, 1} }

// read is the goroutine of one session.
func (p *portable) read(s *session) {
	buf := make([]byte, 16<<10)
	for {
		n, err := s.conn.Read(buf)
		p.mu.Lock()
		for s.paused && s.phase == ready {
			p.moved.Wait()
		}
		if s.phase == ended {
			p.mu.Unlock()
			return
		}
		var reply []byte
		if n > 0 {
			var broken error
			// take may keep what is left of s.tail's memory: give it a copy.
			in := append(append([]byte(nil), s.tail...), buf[:n]...)
			if reply, broken = s.take(in, p.cfg.clock.now()); broken != nil {
				err = broken
			}
			p.cfg.gauge.set(p.cfg.tally.delivered)
		} else if err != nil {
			err = fmt.Errorf("%w (%w)", errGone, err)
		}
		if err != nil {
			s.end(err)
		}
		done := s.phase == ready || s.phase == ended
		p.mu.Unlock()
		if len(reply) > 0 {
			s.conn.Write(reply) // the next read finds what is wrong
		}
		p.slow()
		if done {
			p.land(s)
		}
		if err != nil {
			p.forget(s)
			return
		}
	}
}

// slow keeps to the limit of what is read, roughly: each reader sleeps for all.
func (p *portable) slow() {
	if p.cfg.limit > 0 {
		time.Sleep(time.Duration(1e9 / p.cfg.limit))
	}
}

func (p *portable) land(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-s.landed:
	default:
		close(s.landed)
	}
}

// cut ends a session from this side.
func (p *portable) cut(s *session, cause error) {
	p.mu.Lock()
	s.end(cause)
	s.paused = false
	p.moved.Broadcast()
	p.mu.Unlock()
	p.forget(s)
	p.land(s)
}

func (p *portable) forget(s *session) {
	p.mu.Lock()
	delete(p.all, s)
	p.mu.Unlock()
	if t, ok := s.conn.(*tls.Conn); ok {
		t.NetConn().Close()
		return
	}
	s.conn.Close()
}

func (p *portable) pause(list []*session)  { p.setPaused(list, true) }
func (p *portable) resume(list []*session) { p.setPaused(list, false) }

func (p *portable) setPaused(list []*session, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range list {
		s.paused = paused
	}
	p.moved.Broadcast()
}

func (p *portable) drop(list []*session) {
	for _, s := range list {
		p.mu.Lock()
		known := p.all[s]
		p.mu.Unlock()
		if known {
			p.cut(s, nil)
		}
	}
}

func (p *portable) close() {
	p.mu.Lock()
	var list []*session
	for s := range p.all {
		list = append(list, s)
	}
	p.mu.Unlock()
	p.drop(list)
	p.readers.Wait()
}
