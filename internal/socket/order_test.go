package socket_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket"
)

// faraway is a cluster whose other node owns every channel and answers when the
// test lets it.
type faraway struct {
	hub.Cluster
	asked chan func()
}

func (f faraway) Owns(string, string) bool { return false }
func (f faraway) Ask(op hub.Op, reply func(hub.Answer, error)) {
	if op.Kind != hub.OpJoin {
		reply(hub.Answer{}, nil)
		return
	}
	f.asked <- func() { reply(hub.Answer{}, nil) }
}
func (f faraway) Publish(_ hub.Cast, done func(error)) {
	if done != nil {
		done(nil)
	}
}
func (f faraway) Gather(_ hub.Op, reply func([]hub.Answer, error)) { reply(nil, nil) }

// While another node decides about one message, the connection's next ones
// wait (GEN-05).
func TestMessagesWaitForTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := faraway{asked: make(chan func(), 1)}
		b := startWith(t, portable, hub.Config{Cluster: cluster}, socket.Config{})
		p := b.pipe(target)
		for i := range 3 {
			go p.write(frame(0x81, fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":"c%d"}}`, i)), frame(0x81, `{"event":"pusher:ping"}`))
			answer := <-cluster.asked
			p.nc.SetReadDeadline(time.Now().Add(time.Second))
			if op, payload, err := p.next(); err == nil {
				t.Fatalf("got %d, %s before the answer", op, payload)
			}
			p.nc.SetReadDeadline(time.Time{})
			answer()
			if m := p.message(); m.Event != "pusher_internal:subscription_succeeded" {
				t.Errorf("%+v", m)
			}
			if m := p.message(); m.Event != "pusher:pong" {
				t.Errorf("%+v", m)
			}
		}
		b.stop()
	})
}

// A close does not wait for another node's answer.
func TestCloseWhileAMessageIsDecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := faraway{asked: make(chan func(), 1)}
		b := startWith(t, portable, hub.Config{Cluster: cluster}, socket.Config{})
		p := b.pipe(target)
		p.send(`{"event":"pusher:subscribe","data":{"channel":"news"}}`)
		answer := <-cluster.asked
		b.hub.SetApps(nil)
		p.wantClose(4001)
		synctest.Wait()
		if b.notices.disconnected() != 1 {
			t.Error("the hub was not told")
		}
		answer()
		p.write(closing(4001, ""))
		p.wantEnd()
		b.stop()
	})
}

// A crowd that goes leaves those who stay subscribed.
func TestCrowdLeaves(t *testing.T) {
	bubble(t, portable, socket.Config{}, func(t *testing.T, b *bench) {
		peers := make([]*peer, 300)
		for i := range peers {
			peers[i] = b.pipe(target)
			peers[i].subscribe("news")
		}
		for i, p := range peers {
			if i%30 != 0 {
				p.write(closing(1000, ""))
				p.wantClose(1000)
				p.wantEnd()
			}
		}
		if r := b.mustPublish("news", "n", "still here?"); r.Matched != 10 || r.Written != 10 {
			t.Errorf("receipt %+v", r)
		}
		for i, p := range peers {
			if i%30 == 0 {
				if m := p.message(); m.Event != "n" {
					t.Errorf("%+v", m)
				}
			}
		}
	})
}
