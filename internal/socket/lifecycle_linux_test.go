package socket_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/hub/hubtest"
	"github.com/belfryhq/belfry/internal/hub/memcluster"
	"github.com/belfryhq/belfry/internal/socket"
)

// Messages that other nodes decide about, and connections that end in the
// moments between two steps.

// twoNodes is an engine in a cluster with another node.
func twoNodes(t *testing.T, open opening) *bench {
	t.Helper()
	net := &memcluster.Network{}
	here, there := net.Add(), net.Add()
	b := startWith(t, open, hub.Config{Cluster: here}, socket.Config{})
	other := hub.New(hub.Config{Cluster: there})
	other.AddOutlet(&hubtest.Outlet{})
	other.SetApps(b.hub.Apps())
	here.Start(b.hub)
	there.Start(other)
	t.Cleanup(func() { // when the engine has ended: its connections leave their channels
		b.stop()
		here.Stop()
		there.Stop()
	})
	b.serve(nil)
	return b
}

func subscription(event, channel string) []byte {
	return frame(0x81, fmt.Sprintf(`{"event":"pusher:%s","data":{"channel":%q}}`, event, channel))
}

// Messages of one packet take effect in their order, whoever decides about
// them (GEN-05).
func TestOrderOfDeferredMessages(t *testing.T) {
	b := twoNodes(t, sharded(t, 2))
	for i := range 40 {
		channel := fmt.Sprintf("channel-%d", i) // about half are the other node's
		p := b.dial()
		if i%2 == 0 { // by way of the HTTP server
			p.write([]byte("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"))
			io.Copy(io.Discard, p.answer().Body)
		}
		var packet [][]byte
		for range 3 {
			packet = append(packet, subscription("subscribe", channel), subscription("unsubscribe", channel))
		}
		packet = append(packet, subscription("subscribe", channel), frame(0x81, `{"event":"pusher:ping"}`))
		p.write([]byte(request(target)), bytes.Join(packet, nil))
		p.switched()
		p.message()
		for range 4 {
			if m := p.message(); m.Event != "pusher_internal:subscription_succeeded" {
				t.Fatalf("%s: %+v %s", channel, m, m.Data)
			}
		}
		if m := p.message(); m.Event != "pusher:pong" {
			t.Fatalf("%s: %+v", channel, m)
		}
		if r := b.mustPublish(channel, "n", "x"); r.Matched != 1 {
			t.Fatalf("%s: %+v", channel, r)
		}
		p.wantEvents("x")
	}
}

// handing is a cluster whose other node owns every channel. It holds the shard
// between the moment when it answers the first question and the one when the
// connection learns of that; later questions it holds up as they are asked.
type handing struct {
	faraway
	shard    hub.Outlet
	joined   chan struct{} // the first question is answered, but for the last step
	held     chan func()   // gives what releases the shard
	proceed  chan struct{} // the last step may be taken
	asked    chan struct{} // a later question was asked
	answered chan struct{} // and may be answered
	first    atomic.Bool
}

func (h *handing) Ask(op hub.Op, reply func(hub.Answer, error)) {
	switch {
	case op.Kind != hub.OpJoin:
		reply(hub.Answer{}, nil)
	case h.first.CompareAndSwap(false, true):
		go reply(hub.Answer{}, nil)
		<-h.joined
		h.held <- socket.Hold(h.shard)
	default:
		h.asked <- struct{}{}
		<-h.answered
		go reply(hub.Answer{}, nil)
	}
}

// Notice holds the first answer up behind the subscription.
func (h *handing) Notice(n hub.Notice) {
	if n.Kind == hub.NoticeSubscribed && n.Channel == "first" {
		h.joined <- struct{}{}
		<-h.proceed
	}
}

// A connection has one reader, also while the HTTP server's goroutine still
// hands it over and another goroutine goes on with its messages already.
func TestOneReaderWhileAdopting(t *testing.T) {
	cluster := &handing{joined: make(chan struct{}), held: make(chan func()), proceed: make(chan struct{}),
		asked: make(chan struct{}), answered: make(chan struct{})}
	b := startWith(t, sharded(t, 1), hub.Config{Cluster: cluster, Observers: []hub.Observer{cluster}}, socket.Config{})
	b.serve(nil)
	cluster.shard = b.sharded().Shards()[0]
	p := b.dial()
	p.write([]byte("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"))
	io.Copy(io.Discard, p.answer().Body)
	p.write([]byte(request(target)), subscription("subscribe", "first"), subscription("subscribe", "second"))
	// The adopting goroutine waits for the shard first, then the one that goes
	// on. A mutex goes to who waits longest once it was missed for long.
	release := <-cluster.held
	time.Sleep(20 * time.Millisecond)
	close(cluster.proceed)
	time.Sleep(20 * time.Millisecond)
	release()
	release = socket.Hold(cluster.shard)
	time.Sleep(20 * time.Millisecond)
	release()
	<-cluster.asked
	p.write(frame(0x81, `{"event":"pusher:ping"}`))
	p.switched()
	p.message()
	if m := p.message(); m.Channel != "first" {
		t.Errorf("%+v", m)
	}
	p.nc.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if op, payload, err := p.next(); err == nil {
		t.Errorf("got %d, %s while a message before it was not done with", op, payload)
	}
	p.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	close(cluster.answered)
	if m := p.message(); m.Channel != "second" {
		t.Errorf("%+v", m)
	}
	if m := p.message(); m.Event != "pusher:pong" {
		t.Errorf("%+v", m)
	}
}

// A peer that vanishes while its message waits for the hub is gone at once, and
// the late answer hurts nobody.
func TestVanishedWhileWaiting(t *testing.T) {
	cluster := faraway{asked: make(chan func(), 1)}
	b := startWith(t, sharded(t, 1), hub.Config{Cluster: cluster}, socket.Config{})
	b.serve(nil)
	p, c := b.client()
	p.send(`{"event":"pusher:subscribe","data":{"channel":"news"}}`)
	answer := <-cluster.asked
	until(t, "the connection to wait", func() bool { return socket.StateOf(c).Waits })
	p.nc.(*net.TCPConn).SetLinger(0) // a reset
	p.nc.Close()
	until(t, "the connection to be gone", func() bool { return b.engine.Stats().Open == 0 })
	if n := socket.Ready(socket.OutletOf(c), 20); n != 0 {
		t.Errorf("%d descriptors are ready", n)
	}
	answer()
	if n := b.notices.disconnected(); n != 1 {
		t.Errorf("%d disconnected", n)
	}
}

// Stopping does not wait for another node's answer.
func TestStopWhileWaiting(t *testing.T) {
	cluster := faraway{asked: make(chan func(), 1)}
	b := startWith(t, sharded(t, 1), hub.Config{Cluster: cluster}, socket.Config{})
	b.serve(nil)
	p, c := b.client()
	p.send(`{"event":"pusher:subscribe","data":{"channel":"news"}}`)
	answer := <-cluster.asked
	until(t, "the connection to wait", func() bool { return socket.StateOf(c).Waits })
	b.stop()
	p.wantEnd()
	answer()
	if s := b.engine.Stats(); s.Open != 0 || s.PendingBytes != 0 || b.notices.disconnected() != 1 {
		t.Errorf("%+v", s)
	}
}

// onConnect is an observer that does something when a connection is made.
type onConnect func()

func (f onConnect) Notice(n hub.Notice) {
	if n.Kind == hub.NoticeConnected {
		f()
	}
}

// What the hub closes before the engine knows that it was accepted leaves the
// hub at once all the same.
func TestClosedWhileConnecting(t *testing.T) {
	left := make(chan struct{})
	var once sync.Once
	var b *bench
	begun := make(chan struct{})
	b = startWith(t, sharded(t, 1), hub.Config{Observers: []hub.Observer{onConnect(func() {
		close(begun)
		done := make(chan struct{})
		go func() {
			b.hub.SetApps(nil) // closes it with 4001
			close(done)
		}()
		<-done
	}), onDisconnect(func() { once.Do(func() { close(left) }) })}}, socket.Config{CloseTimeout: time.Minute})
	b.serve(nil)
	p := b.open(target)
	<-begun
	select {
	case <-left:
	case <-time.After(5 * time.Second):
		t.Error("the hub was not told")
	}
	p.wantClose(4001)
	p.write(closing(4001, ""))
	p.wantEnd()
}

type onDisconnect func()

func (f onDisconnect) Notice(n hub.Notice) {
	if n.Kind == hub.NoticeDisconnected {
		f()
	}
}

// A connection that ends while its request is judged is not counted for ever.
func TestGoneWhileUpgrading(t *testing.T) {
	b := start(t, sharded(t, 1), socket.Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := b.engine.Listener(l)
	defer front.Close()
	b.sharded().UpgradeGone(t, []byte(request(target)))
	until(t, "no connection to be counted", func() bool { return b.engine.Stats().Open == 0 })
	b.stop()
}

// A peer may end its direction behind its close frame and still read all that
// waits for it, the answer included.
func TestHalfCloseBehindBacklog(t *testing.T) {
	b := listen(t, sharded(t, 1), socket.Config{})
	p, c := b.client()
	p.nc.(*net.TCPConn).SetReadBuffer(16 << 10)
	p.subscribe("news")
	n := 0
	for ; socket.StateOf(c).Pending < 200<<10; n++ {
		b.mustPublish("news", "n", fmt.Sprintf("%04096d", n))
	}
	p.write(closing(1000, "enough"))
	p.nc.(*net.TCPConn).CloseWrite()
	until(t, "the hub to know", func() bool { return b.notices.disconnected() == 1 })
	if n := socket.Ready(socket.OutletOf(c), 50); n != 0 {
		t.Errorf("%d descriptors are ready while nothing can be done", n)
	}
	for i := range n {
		p.wantEvents(fmt.Sprintf("%04096d", i))
	}
	p.wantClose(1000)
	p.wantEnd()
}

// Whom a shard hands over when the engine has just stopped is not forgotten in a
// queue that nobody reads.
func TestHandedOverTooLate(t *testing.T) {
	b := start(t, sharded(t, 1), socket.Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := b.engine.Listener(l)
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(accepted)
		if nc, err := front.Accept(); err == nil {
			accepted <- nc
		}
	}()
	b.stop()
	ours, theirs := net.Pipe()
	defer ours.Close()
	socket.Deliver(front, theirs)
	ours.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection hangs: %v", err)
	}
	front.Close()
	<-accepted
}

// A crowd that is closed gets all that was published before (GEN-04).
func TestDrainBehindTheQueue(t *testing.T) {
	b := listen(t, sharded(t, 2), socket.Config{})
	crowd := b.crowd(150, "news")
	const events = 60
	for i := range events {
		b.mustPublish("news", "n", fmt.Sprint(i))
	}
	drained := make(chan error, 1)
	go func() { drained <- b.hub.Drain(context.Background(), 0) }()
	for _, p := range crowd {
		for i := range events {
			p.wantEvents(fmt.Sprint(i))
		}
		p.wantClose(4200)
		p.nc.Close()
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}
