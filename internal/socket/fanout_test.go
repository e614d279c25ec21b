package socket_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/socket"
)

// Every subscriber gets every event, in order; the receipt says for how many.
func testFanOut(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	const peers, events = 20, 200
	var all []*peer
	for range peers {
		all = append(all, b.subscribed("news", "other"))
	}
	go func() {
		for i := range events {
			if r, err := b.publish("news", "n", fmt.Sprint(i)); err != nil || r.Matched != peers || r.Written+r.Waiting != peers {
				t.Errorf("receipt %+v, %v", r, err)
			}
		}
	}()
	for _, p := range all {
		for i := range events {
			if m := p.message(); m.Channel != "news" || m.text() != fmt.Sprint(i) {
				t.Fatalf("event %d: %+v", i, m)
			}
		}
	}
	if s := b.engine.Stats(); s.PendingBytes != 0 {
		t.Errorf("%d bytes are said to wait", s.PendingBytes)
	}
}

// Subscribers that come and go leave the others' places alone.
func testJoinAndLeave(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	rng := rand.New(rand.NewPCG(1, 2))
	peers := make([]*peer, 12)
	in := make([]bool, len(peers))
	for i := range peers {
		peers[i] = b.connect()
	}
	for round := range 150 {
		i := rng.IntN(len(peers))
		if in[i] {
			peers[i].send(`{"event":"pusher:unsubscribe","data":{"channel":"news"}}`)
			peers[i].send(`{"event":"pusher:ping"}`)
			if m := peers[i].message(); m.Event != "pusher:pong" {
				t.Fatalf("%+v", m)
			}
		} else {
			peers[i].subscribe("news")
		}
		in[i] = !in[i]
		want := 0
		for _, on := range in {
			if on {
				want++
			}
		}
		if r := b.mustPublish("news", "n", fmt.Sprint(round)); r.Matched != want {
			t.Fatalf("round %d: matched %d, want %d", round, r.Matched, want)
		}
		for j, on := range in {
			if on {
				if m := peers[j].message(); m.text() != fmt.Sprint(round) {
					t.Fatalf("round %d: %+v", round, m)
				}
			}
		}
	}
}

// One of twenty stops reading: the others get everything, what waits for the
// one is bounded, and when it reads again it finds whole frames and then 4100
// (WS-45).
func testSlowReader(t *testing.T, open opening) {
	const buffer, size = 64 << 10, 8 << 10
	b := listen(t, open, socket.Config{SendBuffer: buffer})
	slow := b.dial()
	if tcp, ok := slow.nc.(*net.TCPConn); ok {
		tcp.SetReadBuffer(64 << 10)
	}
	slow.write([]byte(request(target)))
	slow.switched()
	slow.message()
	slow.subscribe("news")
	var others []*peer
	for range 19 {
		others = append(others, b.subscribed("news"))
	}
	published := 0
	for b.engine.Stats().SlowClosed == 0 {
		r := b.mustPublish("news", "n", strings.Repeat("x", size))
		for _, p := range others {
			if m := p.message(); len(m.text()) != size {
				t.Fatalf("%+v", m)
			}
		}
		if published++; published > 5000 {
			t.Fatal("the stalled reader was never closed")
		}
		if pending := b.engine.Stats().PendingBytes; pending > buffer+size {
			t.Fatalf("%d bytes wait", pending)
		}
		if r.Matched == 20 && r.Dropped == 1 && b.engine.Stats().SlowClosed != 1 {
			t.Errorf("dropped, but not closed: %+v", r)
		}
	}
	until(t, "the hub to know", func() bool { return b.notices.disconnected() == 1 })
	if r := b.mustPublish("news", "n", "after"); r.Matched != 19 {
		t.Errorf("matched %d", r.Matched)
	}
	for _, p := range others {
		p.message()
	}
	// It reads again.
	got := 0
	for {
		op, payload, err := slow.next()
		if err != nil {
			t.Fatal(err)
		}
		if op == 8 {
			if len(payload) < 2 || int(payload[0])<<8|int(payload[1]) != 4100 {
				t.Errorf("close frame %q", payload)
			}
			break
		}
		got++
	}
	if got == 0 || got >= published {
		t.Errorf("it got %d of %d", got, published)
	}
	slow.write(closing(4100, ""))
	slow.wantEnd()
	if s := b.engine.Stats(); s.Closed[4100] != 1 || s.SlowClosed != 1 {
		t.Errorf("stats: %+v", s)
	}
}

// Publishers that offer more than subscribers can read are slowed down; nobody
// who reads is cut, and everybody gets everything.
func testFlood(t *testing.T, open opening) {
	const peers, publishers, events, size = 10, 4, 150, 8 << 10
	b := listen(t, open, socket.Config{SendBuffer: 128 << 10})
	var reading sync.WaitGroup
	for range peers {
		p := b.subscribed("news")
		reading.Go(func() {
			for i := range publishers * events {
				if _, payload, err := p.next(); err != nil || len(payload) < size {
					t.Errorf("message %d: %d bytes, %v", i, len(payload), err)
					return
				}
				if i%8 == 0 {
					time.Sleep(500 * time.Microsecond) // slower than the publishers
				}
			}
		})
	}
	var publishing sync.WaitGroup
	for range publishers {
		publishing.Go(func() {
			for range events {
				if r, err := b.publish("news", "n", strings.Repeat("x", size)); err != nil || r.Dropped != 0 {
					t.Errorf("receipt %+v, %v", r, err)
				}
			}
		})
	}
	publishing.Wait()
	reading.Wait()
	if s := b.engine.Stats(); s.SlowClosed != 0 {
		t.Errorf("%d were cut", s.SlowClosed)
	}
}

// A subscriber of many channels that comes to be far behind slows the publishers
// of all of them, not only of those that have met it so.
func testManyChannels(t *testing.T, open opening) {
	const channels, rounds, size = 80, 4, 8 << 10
	b := listen(t, open, socket.Config{SendBuffer: 256 << 10})
	var names []string
	for i := range channels {
		names = append(names, fmt.Sprintf("channel-%d", i))
	}
	p := b.subscribed(names...)
	var reading sync.WaitGroup
	reading.Go(func() {
		for i := range channels * rounds {
			if op, payload, err := p.next(); err != nil || op != 1 {
				t.Errorf("message %d: opcode %d, %q, %v", i, op, payload, err)
				return
			}
			time.Sleep(time.Millisecond) // slower than the publisher
		}
	})
	for range rounds {
		for _, name := range names {
			b.mustPublish(name, "n", strings.Repeat("x", size))
		}
	}
	reading.Wait()
	if s := b.engine.Stats(); s.SlowClosed != 0 {
		t.Errorf("%d were cut", s.SlowClosed)
	}
}
