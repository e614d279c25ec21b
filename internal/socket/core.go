package socket

import (
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket/wsframe"
	"github.com/belfryhq/belfry/pusher"
)

// core is what every engine has: the settings, the count of connections, the
// figures, the clock of whole seconds.
type core struct {
	cfg      Config
	throttle *throttle
	started  time.Time
	now      atomic.Int64           // seconds since started, and one; set by Run
	date     atomic.Pointer[string] // of HTTP answers; set by Run

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

func newCore(cfg Config) *core {
	e := &core{
		cfg:      cfg.withDefaults(),
		throttle: newThrottle(cfg.AcceptRate),
		started:  time.Now(),
		closed:   make(map[int]int64),
		rejected: make(map[string]int64),
	}
	e.now.Store(1)
	e.setDate()
	e.pingFrame = wsframe.Append(nil, wsframe.Ping, nil)
	e.pingBoth = append(wsframe.Append(nil, wsframe.Ping, nil), sealed(pusher.AppendPing)...)
	return e
}

// Seal turns an encoded message, which stands in buf behind start spare bytes,
// into a text frame without copying it. It is the hub's Config.Seal for every
// engine of this package.
func Seal(buf []byte, start int) []byte { return wsframe.Seal(buf, start) }

// sealed gives what build appends as a text frame.
func sealed(build func([]byte) []byte) []byte {
	return wsframe.Seal(build(make([]byte, wsframe.Room)), wsframe.Room)
}

// upgraded is what is known of a request that becomes a WebSocket.
type upgraded struct {
	accept token // of the answer
	hs     hub.Handshake
	early  []byte // what the client sent behind its request
}

// accept judges a request for the door. It becomes a WebSocket unless rejected
// is given, and is then counted in.
func (e *core) accept(r *http.Request) (up upgraded, rejected *rejection) {
	key, ok := appKey(r.URL, e.cfg.PathPrefix)
	if !ok {
		return up, &rejection{status: http.StatusNotFound, reason: "not_found",
			message: "there is nothing here: WebSocket clients connect to " + e.cfg.PathPrefix + "/app/{key}"}
	}
	if up.accept, rejected = checkUpgrade(r); rejected != nil {
		return up, rejected
	}
	up.hs = e.cfg.handshake(r, key)
	if !e.throttle.admits(e.cfg.peer(r).address) {
		return up, &rejection{status: http.StatusTooManyRequests, reason: "rate_limited",
			message: "too many connections a second from this address: wait a second", header: http.Header{"Retry-After": {"1"}}}
	}
	if !e.enter() {
		return up, &rejection{status: http.StatusServiceUnavailable, reason: "unavailable",
			message: "this server has stopped taking connections", header: http.Header{"Retry-After": {"1"}}}
	}
	return up, nil
}

// admit judges an opening, of a client at that address, as accept does.
func (e *core) admit(o *opening, from netip.AddrPort) (up upgraded, ok bool) {
	p := e.cfg.peerOf(o, from)
	if !e.throttle.admits(p.address) || !e.enter() {
		return up, false
	}
	return upgraded{accept: acceptToken(o.token), hs: o.handshake(p)}, true
}

// upgrade takes a request's connection over from the HTTP server, or answers
// why not.
func (e *core) upgrade(w http.ResponseWriter, r *http.Request) (nc net.Conn, up upgraded, ok bool) {
	up, rejected := e.accept(r)
	if rejected != nil {
		e.reject(w, rejected)
		return nil, up, false
	}
	nc, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		e.leave()
		e.cfg.Logger.Error("a connection cannot be taken over from the HTTP server", "error", err)
		e.reject(w, &rejection{status: http.StatusInternalServerError, reason: "internal",
			message: "this server cannot serve WebSockets on this connection"})
		return nil, up, false
	}
	nc.SetDeadline(time.Time{}) // the HTTP server's own; a failure shows in the first read
	up.early = make([]byte, buffered.Reader.Buffered())
	io.ReadFull(buffered.Reader, up.early) // from memory alone
	return nc, up, true
}

// reject answers a request that becomes no WebSocket.
func (e *core) reject(w http.ResponseWriter, r *rejection) {
	e.mu.Lock()
	e.rejected[r.reason]++
	e.mu.Unlock()
	r.write(w)
}

// enter counts a connection in; false when the engine has stopped.
func (e *core) enter() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return false
	}
	e.conns.Add(1)
	e.open.Add(1)
	return true
}

func (e *core) isStopped() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stopped
}

// stop takes no more connections.
func (e *core) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
}

// finish waits until no connection is left, and has cut end them when that takes
// longer than a peer may take to answer a close frame.
func (e *core) finish(cut func()) {
	late := time.AfterFunc(e.cfg.CloseTimeout, cut)
	defer late.Stop()
	e.conns.Wait()
}

func (e *core) leave() {
	e.open.Add(-1)
	e.conns.Done()
}

// full reports whether there are more connections than the engine may have.
func (e *core) full() bool {
	return e.cfg.MaxConnections > 0 && e.open.Load() > int64(e.cfg.MaxConnections)
}

// tick sets the engine's second and gives it.
func (e *core) tick() int64 {
	now := int64(time.Since(e.started)/time.Second) + 1
	e.now.Store(now)
	e.setDate()
	return now
}

func (e *core) setDate() {
	date := time.Now().UTC().Format(http.TimeFormat)
	e.date.Store(&date)
}

// countClosed counts a connection that the server closes with code.
func (e *core) countClosed(code int) {
	e.mu.Lock()
	e.closed[code]++
	e.mu.Unlock()
}

// stats gives the figures, with pending bytes waiting.
func (e *core) stats(pending int64) Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Stats{
		Open:         e.open.Load(),
		PendingBytes: pending,
		BytesIn:      e.bytesIn.Load(),
		BytesOut:     e.bytesOut.Load(),
		Pings:        e.pings.Load(),
		SlowClosed:   e.slow.Load(),
		Closed:       maps.Clone(e.closed),
		Rejected:     maps.Clone(e.rejected),
	}
}

// silence is how long ago a second of the engine's clock was.
func (e *core) silence(seen int64) time.Duration {
	return time.Duration(max(0, e.now.Load()-seen)) * time.Second
}
