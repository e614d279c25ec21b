package socket

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/socket/wsframe"
	"github.com/belfryhq/belfry/pusher"
)

// Portable is the engine with a goroutine a connection. It runs on every
// system and on every net.Conn. Make it with New, before the hub's first
// Connect; its methods are safe for concurrent use.
type Portable struct {
	cfg      Config
	outlet   *outlet
	slot     int // the outlet's, in Topic.Slots
	throttle *throttle
	wheel    *wheel[*conn]
	started  time.Time
	now      atomic.Int64 // seconds since started, and one; set by Run
	joined   sync.Pool    // of *[]byte, for writes that are joined by copying

	// Messages that are the same for everyone, sealed.
	pingFrame, pingBoth []byte

	mu       sync.Mutex // guards all below
	stopped  bool       // no connection is added any more
	closed   map[int]int64
	rejected map[string]int64

	conns    sync.WaitGroup
	open     atomic.Int64
	bytesIn  atomic.Int64
	bytesOut atomic.Int64
	pings    atomic.Int64
	slow     atomic.Int64
}

// New makes the portable engine and adds its outlet to the hub.
func New(cfg Config) *Portable {
	p := &Portable{
		cfg:      cfg.withDefaults(),
		throttle: newThrottle(cfg.AcceptRate),
		wheel:    newWheel[*conn](1),
		started:  time.Now(),
		closed:   make(map[int]int64),
		rejected: make(map[string]int64),
	}
	p.now.Store(1)
	p.joined.New = func() any { b := make([]byte, 0, maxWrite); return &b }
	p.outlet = newOutlet(&p.cfg)
	p.slot = p.cfg.Hub.AddOutlet(p.outlet)
	p.outlet.slot = p.slot
	p.pingFrame = wsframe.Append(nil, wsframe.Ping, nil)
	p.pingBoth = append(wsframe.Append(nil, wsframe.Ping, nil), sealed(pusher.AppendPing)...)
	return p
}

// Seal turns an encoded message, which stands in buf behind start spare bytes,
// into a text frame without copying it. It is the hub's Config.Seal for every
// engine of this package.
func Seal(buf []byte, start int) []byte { return wsframe.Seal(buf, start) }

// sealed gives what build appends as a text frame.
func sealed(build func([]byte) []byte) []byte {
	return wsframe.Seal(build(make([]byte, wsframe.Room)), wsframe.Room)
}

// String names the engine for people.
func (p *Portable) String() string {
	return "portable (a goroutine per connection) on " + runtime.GOOS
}

// ServeHTTP upgrades the connection and returns; the connection lives on in a
// goroutine that Run waits for. Clients that are to be refused are upgraded
// too, then told why (WS-04).
func (p *Portable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, ok := appKey(r.URL, p.cfg.PathPrefix)
	if !ok {
		p.reject(w, &rejection{status: http.StatusNotFound, reason: "not_found",
			message: "there is nothing here: WebSocket clients connect to " + p.cfg.PathPrefix + "/app/{key}"})
		return
	}
	accept, rejected := checkUpgrade(r)
	if rejected != nil {
		p.reject(w, rejected)
		return
	}
	hs := p.cfg.handshake(r, key)
	if !p.throttle.admits(p.cfg.peer(r).address) {
		p.reject(w, &rejection{status: http.StatusTooManyRequests, reason: "rate_limited",
			message: "too many connections a second from this address: wait a second", header: http.Header{"Retry-After": {"1"}}})
		return
	}
	if !p.enter() {
		p.reject(w, &rejection{status: http.StatusServiceUnavailable, reason: "unavailable",
			message: "this server has stopped taking connections", header: http.Header{"Retry-After": {"1"}}})
		return
	}
	nc, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.leave()
		p.cfg.Logger.Error("a connection cannot be taken over from the HTTP server", "error", err)
		p.reject(w, &rejection{status: http.StatusInternalServerError, reason: "internal",
			message: "this server cannot serve WebSockets on this connection"})
		return
	}
	nc.SetDeadline(time.Time{}) // the HTTP server's own; a failure shows in the first read
	early := make([]byte, buffered.Reader.Buffered())
	io.ReadFull(buffered.Reader, early) // from memory alone
	if tcp := underlyingTCP(nc); tcp != nil {
		// Bounds what the kernel holds for a slow reader, and lets progress be
		// seen in steps of that size; best effort.
		tcp.SetWriteBuffer(kernelBuffer)
	}
	c := newConn(p, nc)
	c.push(appendSwitching(nil, accept))
	p.wheel.schedule(&c.place, c, 0)
	if p.isStopped() { // Run may not have found it on the wheel
		c.cut()
	}
	go c.serve(early, hs)
}

// underlyingTCP gives the TCP connection under nc, or nil.
func underlyingTCP(nc net.Conn) *net.TCPConn {
	if under, ok := nc.(interface{ NetConn() net.Conn }); ok { // tls.Conn
		nc = under.NetConn()
	}
	tcp, _ := nc.(*net.TCPConn)
	return tcp
}

// reject answers a request that becomes no WebSocket.
func (p *Portable) reject(w http.ResponseWriter, r *rejection) {
	p.mu.Lock()
	p.rejected[r.reason]++
	p.mu.Unlock()
	r.write(w)
}

// enter counts a connection in; false when the engine has stopped.
func (p *Portable) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return false
	}
	p.conns.Add(1)
	p.open.Add(1)
	return true
}

func (p *Portable) isStopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

func (p *Portable) leave() {
	p.open.Add(-1)
	p.conns.Done()
}

// full reports whether there are more connections than the engine may have.
func (p *Portable) full() bool {
	return p.cfg.MaxConnections > 0 && p.open.Load() > int64(p.cfg.MaxConnections)
}

// Run looks after the connections once a second: silent ones are pinged and at
// last closed (WS-23), those that do not answer a close frame are cut. When ctx
// ends it takes no more connections, cuts those that are left, and returns nil
// when their goroutines are gone; draining them is the hub's business, before.
func (p *Portable) Run(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var due []*conn
	for {
		select {
		case <-ticker.C:
			now := int64(time.Since(p.started)/time.Second) + 1
			p.now.Store(now)
			due = p.wheel.advance(now, due[:0])
			for _, c := range due {
				c.check(now)
			}
			clear(due)
			p.outlet.watch(now, p.wheel)
		case <-ctx.Done():
			p.mu.Lock()
			p.stopped = true
			p.mu.Unlock()
			p.outlet.stop()
			for _, c := range p.wheel.all() {
				c.cut()
			}
			p.conns.Wait()
			return nil
		}
	}
}

// countClosed counts a connection that the server closes with code.
func (p *Portable) countClosed(code int) {
	p.mu.Lock()
	p.closed[code]++
	p.mu.Unlock()
}

// Stats gives the engine's figures.
func (p *Portable) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Open:         p.open.Load(),
		PendingBytes: p.outlet.pending.Load(),
		BytesIn:      p.bytesIn.Load(),
		BytesOut:     p.bytesOut.Load(),
		Pings:        p.pings.Load(),
		SlowClosed:   p.slow.Load(),
		Closed:       maps.Clone(p.closed),
		Rejected:     maps.Clone(p.rejected),
	}
}
