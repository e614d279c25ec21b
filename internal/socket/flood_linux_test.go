package socket_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket"
)

// Much at once: large messages, many channels, long lives.

// A subscriber hears everything however long it stays: the numbers that tell
// newcomers from others go round.
func TestSequenceGoesRound(t *testing.T) {
	b := listen(t, sharded(t, 1), socket.Config{})
	topic := &hub.Topic{Slots: make([]any, 1)}
	var peers []*peer
	var clients []*hub.Client
	var outlet hub.Outlet
	join := func() {
		p, c := b.client()
		outlet = socket.OutletOf(c)
		outlet.Join(&hub.Subscription{Topic: topic, Client: c}, nil)
		peers, clients = append(peers, p), append(clients, c)
	}
	for range socket.Few + 1 {
		join()
	}
	for turn := range uint32(20) { // more than twice round
		socket.SetSeq(outlet, topic, (turn+1)*socket.Aging-1)
		if turn%4 == 1 {
			join()
		}
		outlet.Publish(topic, hub.Delivery{Message: sealed("next")})
		for _, p := range peers {
			p.wantFrame(1, "next")
		}
		name := fmt.Sprint(turn)
		resume := socket.Hold(outlet)
		for i := range 6 {
			// The first is left out of some, so that their messages are picked.
			outlet.Publish(topic, hub.Delivery{Message: sealed(name + "." + fmt.Sprint(i)), Except: clients[i]})
		}
		resume()
		for n, p := range peers {
			for i := range 6 {
				if i != n {
					p.wantFrame(1, name+"."+fmt.Sprint(i))
				}
			}
		}
	}
}

// Messages of any size arrive whole, at a few and at many.
func TestLargeMessages(t *testing.T) {
	for _, n := range []int{3, socket.Few + 8} {
		b := listen(t, sharded(t, 1), socket.Config{SendBuffer: 512 << 10})
		sizes := []int{1<<16 - 40, 1 << 16, 150_000, 300_000}
		var reading sync.WaitGroup
		for _, p := range b.crowd(n, "news") {
			reading.Go(func() {
				for _, size := range sizes {
					for _, want := range []int{size / 10 * 10, len("behind it")} {
						_, payload, err := p.next()
						var m message
						if json.Unmarshal(payload, &m); err != nil || len(m.text()) != want {
							t.Errorf("got %d bytes, %v; want %d", len(m.text()), err, want)
							return
						}
					}
				}
			})
		}
		for _, size := range sizes {
			if r := b.mustPublish("news", "n", strings.Repeat("0123456789", size/10)); r.Matched != n || r.Dropped != 0 {
				t.Errorf("%d bytes: %+v", size, r)
			}
			b.mustPublish("news", "n", "behind it")
		}
		reading.Wait()
		if s := b.engine.Stats(); s.SlowClosed != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// One who leaves a thousand channels leaves all at once, and the others hear on.
func TestLeavesAThousandChannels(t *testing.T) {
	busy := app()
	busy.Limits.ChannelsPerConnection = belfry.Unlimited
	b := listen(t, sharded(t, 2), socket.Config{}, busy)
	var channels []string
	for i := range 1000 {
		channels = append(channels, fmt.Sprintf("channel-%d", i))
	}
	for _, vanish := range []bool{false, true} {
		p, stays := b.connect(), b.connect()
		for _, q := range []*peer{p, stays} {
			for _, c := range channels {
				q.write(subscription("subscribe", c))
			}
			for range channels {
				q.message()
			}
		}
		b.mustPublish(channels[0], "n", "1")
		if vanish {
			p.nc.Close()
			until(t, "the connection to be gone", func() bool { return b.engine.Stats().Open == 1 })
		} else {
			p.wantEvents("1")
			p.write(closing(1000, ""))
			p.wantClose(1000)
		}
		for _, c := range channels {
			if r := b.mustPublish(c, "n", c); r.Matched != 1 {
				t.Fatalf("%s: %+v", c, r)
			}
		}
		stays.wantEvents("1")
		stays.wantEvents(channels...)
		stays.write(closing(1000, ""))
		stays.wantClose(1000)
		until(t, "nobody to be left", func() bool { return b.engine.Stats().Open == 0 })
		if left, err := b.hub.Channels(t.Context(), "1", ""); err != nil || len(left) != 0 {
			t.Errorf("%d channels are left, %v", len(left), err)
		}
	}
}

// One who reads is not cut, also when many channels are flooded at once and it
// is in all of them.
func TestFloodOverManyChannels(t *testing.T) {
	// All of it is three times what may wait: none can lag as far as that by the turns
	// that a busy machine gives it, but all would if every channel had its own bound.
	const channels, subscribers, events, size = 32, 40, 24, 1 << 10
	b := listen(t, sharded(t, 1), socket.Config{SendBuffer: 256 << 10})
	var names []string
	for i := range channels {
		names = append(names, fmt.Sprintf("channel-%d", i))
	}
	var reading, publishing sync.WaitGroup
	for range subscribers {
		p := b.connect()
		p.nc.(*net.TCPConn).SetReadBuffer(128 << 10)
		p.subscribe(names...)
		reading.Go(func() {
			for i := range channels * events {
				if op, payload, err := p.next(); err != nil || op != 1 {
					t.Errorf("message %d: opcode %d, %q, %v", i, op, payload, err)
					return
				}
				if i%4 == 0 {
					time.Sleep(time.Millisecond) // slower than the publishers
				}
			}
		})
	}
	release := socket.Hold(b.sharded().Shards()[0]) // as if it were slow to write
	for _, name := range names {
		publishing.Go(func() {
			for range events {
				if _, err := b.publish(name, "n", strings.Repeat("x", size)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	time.Sleep(100 * time.Millisecond) // they publish what they may
	release()
	publishing.Wait()
	reading.Wait()
	if s := b.engine.Stats(); s.SlowClosed != 0 {
		t.Errorf("%d were cut", s.SlowClosed)
	}
}

// What publishers were let in with counts against others, on all topics
// together, until it is released; a lone message of any size gets in.
func TestReservationsCount(t *testing.T) {
	b := listen(t, sharded(t, 1), socket.Config{SendBuffer: 80 << 10})
	o := b.sharded().Shards()[0]
	ended, end := context.WithCancel(t.Context())
	end()
	one, other := &hub.Topic{Name: "one"}, &hub.Topic{Name: "other"}
	for _, size := range []int{10 << 10, 200 << 10} {
		if err := o.Reserve(ended, one, size); err != nil {
			t.Errorf("%d bytes alone: %v", size, err)
		}
		for _, topic := range []*hub.Topic{one, other} {
			if err := o.Reserve(ended, topic, 1); err != hub.ErrTight {
				t.Errorf("behind %d bytes, on %s: %v", size, topic.Name, err)
			}
		}
		released := make(chan error, 1)
		go func() { released <- o.Reserve(t.Context(), other, 1) }()
		o.Release(one, size)
		if err := <-released; err != nil {
			t.Error(err)
		}
		o.Release(other, 1)
	}
}

// What is queued is bounded by the work that it makes, bytes times subscribers,
// over all topics: without that, a minute of fan-out could lie before a message.
func TestQueuedWorkIsBounded(t *testing.T) {
	const seats, size, topics = 2000, 1 << 10, 9
	b := listen(t, sharded(t, 1), socket.Config{})
	_, c := b.client()
	outlet := socket.OutletOf(c)
	var all []*hub.Topic
	for range topics {
		topic := &hub.Topic{Slots: make([]any, 1)}
		for range seats {
			outlet.Join(&hub.Subscription{Topic: topic, Client: c}, nil)
		}
		all = append(all, topic)
	}
	release := socket.Hold(outlet)
	defer release()
	ended, end := context.WithCancel(t.Context())
	end()
	for i, topic := range all {
		if err := outlet.Reserve(ended, topic, size); err != nil {
			t.Fatalf("message %d of %d bytes to %d subscribers finds no room: %v", i+1, size, seats, err)
		}
		outlet.Publish(topic, hub.Delivery{Message: sealed(strings.Repeat("x", size))})
		outlet.Release(topic, size)
	}
	if err := outlet.Reserve(ended, &hub.Topic{Name: "one more"}, 1); err != context.Canceled {
		t.Errorf("with %d bytes times subscribers queued, one more message: %v, want it to wait", topics*seats*size, err)
	}
}
