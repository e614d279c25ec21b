package socket

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"
)

// Portable is the engine with a goroutine a connection. It runs on every
// system and on every net.Conn. Make it with New, before the hub's first
// Connect; its methods are safe for concurrent use.
type Portable struct {
	*core
	outlet *outlet
	slot   int // the outlet's, in Topic.Slots
	wheel  *wheel[*conn]
	joined sync.Pool // of *[]byte, for writes that are joined by copying
}

// New makes the portable engine and adds its outlet to the hub.
func New(cfg Config) *Portable { return newPortable(newCore(cfg)) }

func newPortable(base *core) *Portable {
	p := &Portable{core: base, outlet: &outlet{}, wheel: newWheel[*conn](1)}
	p.joined.New = func() any { b := make([]byte, 0, maxWrite); return &b }
	p.outlet.init(&p.cfg, p.started)
	p.outlet.place = func() int { return p.outlet.slot }
	p.slot = p.cfg.Hub.AddOutlet(p.outlet)
	p.outlet.slot = p.slot
	return p
}

// String names the engine for people.
func (p *Portable) String() string {
	return "portable (a goroutine per connection) on " + runtime.GOOS
}

// Listener gives l as it is: this engine takes its connections from the HTTP
// server.
func (p *Portable) Listener(l net.Listener) net.Listener { return l }

// ServeHTTP upgrades the connection and returns; the connection lives on in a
// goroutine that Run waits for. Clients that are to be refused are upgraded
// too, then told why (WS-04).
func (p *Portable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if nc, up, ok := p.upgrade(w, r); ok {
		p.start(nc, up)
	}
}

// start serves an upgraded connection, which was counted in.
func (p *Portable) start(nc net.Conn, up upgraded) {
	if tcp := underlyingTCP(nc); tcp != nil {
		// Bounds what the kernel holds for a slow reader, and lets progress be
		// seen in steps of that size; best effort.
		tcp.SetWriteBuffer(kernelBuffer)
	}
	c := newConn(p, nc)
	c.push(appendSwitching(nil, up.accept))
	p.wheel.schedule(&c.place, c, 0)
	if p.isStopped() { // Run may not have found it on the wheel
		c.cut()
	}
	go c.serve(up.early, up.hs)
}

// underlyingTCP gives the TCP connection under nc, or nil.
func underlyingTCP(nc net.Conn) *net.TCPConn {
	if under, ok := nc.(interface{ NetConn() net.Conn }); ok { // tls.Conn
		nc = under.NetConn()
	}
	tcp, _ := nc.(*net.TCPConn)
	return tcp
}

// Run looks after the connections once a second: silent ones are pinged and at
// last closed (WS-23), those that do not answer a close frame are cut. When ctx
// ends it takes no more connections, cuts those that are left, at once or, when
// they are closing, after CloseTimeout, and returns nil when their goroutines
// are gone; draining them is the hub's business, before.
func (p *Portable) Run(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var due []*conn
	for {
		select {
		case <-ticker.C:
			due = p.look(p.tick(), due)
		case <-ctx.Done():
			p.stop()
			p.cutOpen()
			p.finish(p.cutAll)
			return nil
		}
	}
}

// look looks after the connections that are due in second now.
func (p *Portable) look(now int64, due []*conn) []*conn {
	due = p.wheel.advance(now, due[:0])
	for _, c := range due {
		c.check(now)
	}
	clear(due)
	p.outlet.watch(now, p.everyone)
	return due
}

// everyone gives all connections.
func (p *Portable) everyone(yield func(stallable) bool) {
	for _, c := range p.wheel.all() {
		if !yield(c) {
			return
		}
	}
}

// cutOpen ends what is open when the engine stops. Those that are closing may
// still have to take their close frame, and what goes before it.
func (p *Portable) cutOpen() {
	p.outlet.stop()
	for _, c := range p.wheel.all() {
		if !c.isClosing() {
			c.cut()
		}
	}
}

func (p *Portable) cutAll() {
	for _, c := range p.wheel.all() {
		c.cut()
	}
}

// Stats gives the engine's figures.
func (p *Portable) Stats() Stats { return p.stats(p.outlet.pending.Load()) }
