package socket_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket"
)

// The traps that the design of the Linux engine names, each as a test that
// fails without its cure.

// halt holds a fan-out up where it yields.
type halt struct {
	after         atomic.Int32 // the yield to stop at, counted down
	yields        atomic.Int32
	reached, goOn chan struct{}
}

func newHalt() *halt { return &halt{reached: make(chan struct{}, 1), goOn: make(chan struct{})} }

func (h *halt) yield() {
	h.yields.Add(1)
	if h.after.Add(-1) == 0 {
		h.reached <- struct{}{}
		<-h.goOn
		return
	}
	runtime.Gosched()
}

// wait waits until a fan-out stands still, and gives what lets it go on.
func (h *halt) wait(t testing.TB) (release func()) {
	t.Helper()
	release = sync.OnceFunc(func() { close(h.goOn) })
	t.Cleanup(release)
	select {
	case <-h.reached:
	case <-time.After(10 * time.Second):
		t.Fatal("the fan-out did not yield")
	}
	return release
}

func (h *halt) into(e *socket.Sharded) { e.OnYield(h.yield) }

func (b *bench) sharded() *socket.Sharded { return b.engine.(*socket.Sharded) }

// crowd connects many subscribers.
func (b *bench) crowd(n int, channels ...string) []*peer {
	b.t.Helper()
	all := make([]*peer, n)
	for i := range all {
		all[i] = b.subscribed(channels...)
	}
	return all
}

// wantEvents reads messages with that data, in that order.
func (p *peer) wantEvents(data ...string) {
	p.t.Helper()
	for _, want := range data {
		if m := p.message(); m.text() != want {
			p.t.Fatalf("got %+v, %s; want %q", m, m.Data, want)
		}
	}
}

// wantNothing fails if anything is on its way.
func (p *peer) wantNothing() {
	p.t.Helper()
	p.send(`{"event":"pusher:ping"}`)
	if m := p.message(); m.Event != "pusher:pong" {
		p.t.Fatalf("got %+v, %s; want nothing but the pong", m, m.Data)
	}
}

func (p *peer) unsubscribe(channel string) {
	p.t.Helper()
	p.send(fmt.Sprintf(`{"event":"pusher:unsubscribe","data":{"channel":%q}}`, channel))
}

func (b *bench) subscribers(channel string) int {
	s, err := b.hub.Channel(context.Background(), "1", channel)
	if err != nil {
		b.t.Error(err)
	}
	return s.Subscriptions
}

// adopted opens a connection that reaches its shard by way of the HTTP server.
func (b *bench) adopted() *peer {
	b.t.Helper()
	p := b.dial()
	p.write([]byte("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"))
	io.Copy(io.Discard, p.answer().Body)
	p.write([]byte(request(target)))
	p.switched()
	p.message()
	return p
}

// client gives the engine's side of a connection, whose established message was
// not read yet.
func (b *bench) client() (*peer, *hub.Client) {
	b.t.Helper()
	p := b.open(target)
	m := p.message()
	id := strings.Split(m.text(), `"`)[3]
	c := b.sharded().Client(id)
	if c == nil {
		b.t.Fatalf("no connection %q (%s)", id, m.text())
	}
	return p, c
}

// Who leaves or comes while a fan-out has yielded costs nobody else a message,
// and brings nobody one twice; a newcomer gets what is published after its
// success (CH-11).
func TestLeavingDuringAFanOut(t *testing.T) {
	h := newHalt()
	b := listen(t, sharded(t, 1, h.into), socket.Config{})
	peers := b.crowd(200, "news")
	h.after.Store(2) // the first 64 are served by then, those behind 128 are not
	if r := b.mustPublish("news", "n", "1"); r.Matched != 200 || r.Written+r.Waiting != 200 {
		t.Errorf("receipt %+v", r)
	}
	release := h.wait(t)
	for _, p := range peers[:10] {
		p.unsubscribe("news")
		p.wantEvents("1")
		p.wantNothing()
	}
	for _, p := range peers[10:20] {
		p.wantEvents("1")
		p.write(closing(1000, ""))
		p.wantClose(1000)
		p.wantEnd()
	}
	for _, p := range peers[150:160] {
		p.unsubscribe("news")
		p.wantNothing()
	}
	for _, p := range peers[160:165] {
		p.nc.Close()
	}
	until(t, "those who vanished to be gone", func() bool { return b.subscribers("news") == 165 })
	newcomers := b.crowd(5, "news")
	back := peers[155] // left, and comes back
	back.subscribe("news")
	release()

	if r := b.mustPublish("news", "n", "2"); r.Matched != 171 {
		t.Errorf("receipt %+v", r)
	}
	var stay []*peer
	stay = append(append(stay, peers[20:150]...), peers[165:]...)
	for _, p := range stay {
		p.wantEvents("1", "2")
	}
	newcomers = append(newcomers, back)
	for _, p := range newcomers {
		p.wantEvents("2")
	}
	for _, p := range stay[10:] {
		p.unsubscribe("news")
		p.wantNothing()
	}
	until(t, "the fan-out to be over", func() bool { return b.engine.Stats().PendingBytes == 0 })
	if r := b.mustPublish("news", "n", "3"); r.Matched != 16 {
		t.Errorf("receipt %+v", r)
	}
	for _, p := range append(newcomers, stay[:10]...) {
		p.wantEvents("3")
		p.wantNothing()
	}
}

// A long fan-out has others served in between: requests, pings, other channels.
func TestLongFanOutYields(t *testing.T) {
	h := newHalt()
	b := listen(t, sharded(t, 1, h.into), socket.Config{})
	crowd := b.crowd(130, "news")
	other := b.subscribed("quiet")
	h.after.Store(1)
	b.mustPublish("news", "n", "1")
	release := h.wait(t)
	other.wantNothing()
	up := b.dial()
	up.write([]byte("GET /up HTTP/1.1\r\nHost: x\r\n\r\n"))
	if r := up.answer(); r.StatusCode != 404 {
		t.Errorf("%d", r.StatusCode)
	}
	late := b.subscribed("news")
	release()
	for _, p := range crowd {
		p.wantEvents("1")
	}
	late.wantNothing()
}

// It does so every few writes, however many subscribers there are.
func TestFanOutYieldsOften(t *testing.T) {
	const conns, each = 20, 100
	h := newHalt()
	b := listen(t, sharded(t, 1, h.into), socket.Config{})
	topic := &hub.Topic{Slots: make([]any, 1)}
	var peers []*peer
	var outlet hub.Outlet
	for range conns {
		p, c := b.client()
		outlet = socket.OutletOf(c)
		for range each {
			outlet.Join(&hub.Subscription{Topic: topic, Client: c}, nil)
		}
		peers = append(peers, p)
	}
	outlet.Publish(topic, hub.Delivery{Message: sealed("")})
	for _, p := range peers {
		for range each {
			p.wantFrame(1, "")
		}
	}
	until(t, "the fan-out to be over", func() bool { return h.yields.Load() >= conns*each/socket.YieldAfter })
}

// No descriptor of the engine ever blocks, wherever it comes from.
func TestDescriptorsDoNotBlock(t *testing.T) {
	b := listen(t, sharded(t, 1), socket.Config{})
	check := func(name string, fd int) {
		t.Helper()
		if socket.Flags(fd)&syscall.O_NONBLOCK == 0 {
			t.Errorf("the descriptor of %s blocks", name)
		}
	}
	_, accepted := b.client()
	check("an accepted connection", socket.StateOf(accepted).FD)

	p := b.dial()
	p.write([]byte("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"))
	io.Copy(io.Discard, p.answer().Body)
	p.write([]byte(request(target)))
	p.switched()
	adopted := b.sharded().Client(strings.Split(p.message().text(), `"`)[3])
	check("an adopted connection", socket.StateOf(adopted).FD)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := start(t, sharded(t, 1), socket.Config{}).engine.Listener(l)
	defer front.Close()
	q, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	io.WriteString(q, "GET /up HTTP/1.1\r\n")
	handed, err := front.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer handed.Close()
	raw, err := socket.Under(handed).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { check("a connection handed to the HTTP server", int(fd)) })
	raw, err = l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { check("the listener", int(fd)) })
}

// Readers that stand still hang nobody, in whatever way they came.
func TestStalledReadersHangNobody(t *testing.T) {
	b := listen(t, sharded(t, 1), socket.Config{SendBuffer: 64 << 10})
	stalled := []*peer{b.connect(), b.adopted()}
	for _, p := range stalled {
		p.nc.(*net.TCPConn).SetReadBuffer(32 << 10)
		p.subscribe("news")
	}
	others := b.crowd(socket.Few, "news") // too many for the direct path
	for n := 0; b.engine.Stats().SlowClosed < 2; n++ {
		if n > 2000 {
			t.Fatal("the stalled readers were never closed")
		}
		b.mustPublish("news", "n", strings.Repeat("x", 8<<10))
		for _, p := range others {
			p.wantEvents(strings.Repeat("x", 8<<10))
		}
		others[0].wantNothing()
	}
}

// What the system reported of a connection that is closed by now does not reach
// the one that has its place since.
func TestStaleEventReachesNobody(t *testing.T) {
	cluster := faraway{asked: make(chan func(), 1)}
	b := startWith(t, sharded(t, 1), hub.Config{Cluster: cluster}, socket.Config{})
	b.serve(nil)
	p, c := b.client()
	before := socket.StateOf(c)
	for range 50 {
		p.write(closing(1000, ""))
		p.wantClose(1000)
		p.wantEnd()
		p.nc.Close()
		p, c = b.client()
		if socket.StateOf(c).Index == before.Index {
			break
		}
	}
	now := socket.StateOf(c)
	if now.Index != before.Index || now.Key == before.Key {
		t.Fatalf("before %+v, now %+v", before, now)
	}
	// A connection that waits for the hub is where it would hurt: it is cut when
	// the system says that its peer is gone.
	p.send(`{"event":"pusher:subscribe","data":{"channel":"news"}}`)
	answer := <-cluster.asked
	until(t, "the connection to wait", func() bool { return socket.StateOf(c).Waits })
	socket.Report(socket.OutletOf(c), now.Index, before.Key, syscall.EPOLLIN|syscall.EPOLLOUT|syscall.EPOLLHUP|syscall.EPOLLERR)
	answer()
	if m := p.message(); m.Event != "pusher_internal:subscription_succeeded" {
		t.Errorf("%+v", m)
	}
	p.wantNothing()
}

// The system is asked to tell when a connection can be written only while
// something waits for it.
func TestWritableConnectionsAreQuiet(t *testing.T) {
	b := listen(t, sharded(t, 1), socket.Config{})
	quiet := func(when string, clients ...*hub.Client) {
		t.Helper()
		for _, c := range clients {
			if s := socket.StateOf(c); s.Armed || s.Pending > 0 {
				t.Errorf("%s: %+v", when, s)
			}
			if n := socket.Ready(socket.OutletOf(c), 20); n != 0 {
				t.Errorf("%s: %d descriptors are ready", when, n)
			}
		}
	}
	p, c := b.client()
	quiet("idle", c)
	p.nc.(*net.TCPConn).SetReadBuffer(16 << 10)
	p.subscribe("news")
	n := 0
	for ; socket.StateOf(c).Pending == 0; n++ {
		b.mustPublish("news", "n", strings.Repeat("x", 4<<10))
	}
	if s := socket.StateOf(c); !s.Armed {
		t.Errorf("nobody tells when %+v can be written", s)
	}
	for range n {
		p.wantEvents(strings.Repeat("x", 4<<10))
	}
	quiet("after a stall", c)
	until(t, "no byte to wait", func() bool { return b.engine.Stats().PendingBytes == 0 })
}
