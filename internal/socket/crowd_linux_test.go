package socket_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket"
	"github.com/belfryhq/belfry/pusher"
)

// Fan-outs to crowds: who gets what, and in which order.

// log is what a peer read, by channel.
type log map[string][]string

// read reads events until one says "end" on each of so many channels.
func (p *peer) read(ends int) (log, error) {
	got := log{}
	for ends > 0 {
		op, payload, err := p.next()
		if err != nil || op != 1 {
			return got, fmt.Errorf("opcode %d, %q, %v", op, payload, err)
		}
		var m message
		if err := json.Unmarshal(payload, &m); err != nil {
			return got, err
		}
		if m.Event != "n" {
			return got, fmt.Errorf("got %s", payload)
		}
		got[m.Channel] = append(got[m.Channel], m.text())
		if m.text() == "end" {
			ends--
		}
	}
	return got, nil
}

// identified is a connection whose socket id is known.
type identified struct {
	*peer
	id string
}

func (b *bench) identified(channels ...string) identified {
	b.t.Helper()
	p := b.open(target)
	id := strings.Split(p.message().text(), `"`)[3]
	p.subscribe(channels...)
	return identified{p, id}
}

// Eight publishers at once, to a crowd and to a few: everybody sees the same
// order on each channel, without what leaves it out, and every receipt counts
// right. Others come and go meanwhile.
func TestOrderUnderManyPublishers(t *testing.T) {
	const publishers, events, crowd, few = 8, 60, 80, 10
	for _, churners := range []int{0, 6} {
		t.Run(fmt.Sprintf("%d come and go", churners), func(t *testing.T) {
			b := listen(t, sharded(t, 2), socket.Config{})
			var all []identified
			for i := range crowd {
				channels := []string{"big"}
				if i < few {
					channels = append(channels, "small")
				}
				all = append(all, b.identified(channels...))
			}
			monitor := b.identified("big", "small") // is never left out
			logs := make([]log, crowd+1)
			var reading sync.WaitGroup
			for i, p := range append(slices.Clone(all), monitor) {
				reading.Go(func() {
					ends := 1
					if i < few || i == crowd {
						ends = 2
					}
					var err error
					if logs[i], err = p.read(ends); err != nil {
						t.Errorf("peer %d: %v", i, err)
					}
				})
			}
			stop := make(chan struct{})
			var comeAndGo sync.WaitGroup
			runs := make([][]log, churners)
			for i := range churners {
				p := b.connect()
				comeAndGo.Go(func() { runs[i] = churn(t, p, stop) })
			}
			var publishing sync.WaitGroup
			for n := range publishers {
				publishing.Go(func() {
					rng := rand.New(rand.NewPCG(1, uint64(n)))
					for i := range events {
						for _, channel := range []string{"big", "small"} {
							members := map[string]int{"big": crowd + 1, "small": few + 1}[channel]
							except, want := rng.IntN(2*crowd), members
							e := event(channel, "n", fmt.Sprintf("%d:%d:%d", n, i, except))
							if except < crowd {
								e[0].SocketID = all[except].id
								if channel == "big" || except < few {
									want--
								}
							}
							done, err := b.hub.Publish(context.Background(), "1", e)
							if err != nil {
								t.Error(err)
								return
							}
							r := done[0].Receipt
							if r.Matched < want || r.Matched > want+churners || r.Written+r.Waiting != r.Matched {
								t.Errorf("%s: receipt %+v, want %d", channel, r, want)
							}
						}
					}
				})
			}
			publishing.Wait()
			close(stop)
			comeAndGo.Wait()
			b.mustPublish("big", "n", "end")
			b.mustPublish("small", "n", "end")
			reading.Wait()
			for channel, order := range logs[crowd] {
				if len(order) != publishers*events+1 {
					t.Errorf("%s: %d events", channel, len(order))
				}
				wantPerPublisher(t, order)
				for i := range all {
					if channel == "small" && i >= few {
						continue
					}
					suffix := fmt.Sprintf(":%d", i)
					want := slices.DeleteFunc(slices.Clone(order), func(s string) bool { return strings.HasSuffix(s, suffix) && strings.Count(s, ":") == 2 })
					if !slices.Equal(logs[i][channel], want) {
						t.Errorf("%s: peer %d got %d events, want %d, or in another order", channel, i, len(logs[i][channel]), len(want))
					}
				}
				for _, of := range runs {
					for _, run := range of {
						wantRun(t, channel, run[channel], order)
					}
				}
			}
		})
	}
}

// churn subscribes and unsubscribes until stop; it gives what came in each
// round.
func churn(t *testing.T, p *peer, stop chan struct{}) (rounds []log) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return rounds
		default:
		}
		p.nc.Write(bytes.Join([][]byte{subscription("subscribe", "big"), subscription("subscribe", "small"), frame(0x89, "in")}, nil))
		got := log{}
		for heard, leaving := 0, false; ; {
			op, payload, err := p.next()
			if err != nil {
				t.Error(err)
				return rounds
			}
			if op == 10 && string(payload) == "out" {
				break
			}
			if heard++; !leaving && (heard > n%40 || op == 10) {
				leaving = true
				p.nc.Write(bytes.Join([][]byte{subscription("unsubscribe", "big"), subscription("unsubscribe", "small"), frame(0x89, "out")}, nil))
			}
			var m message
			if json.Unmarshal(payload, &m); m.Event == "n" {
				got[m.Channel] = append(got[m.Channel], m.text())
			}
			if m.Event == "pusher:error" {
				t.Errorf("%s", payload)
			}
		}
		rounds = append(rounds, got)
	}
}

// wantPerPublisher fails unless each publisher's events are in order.
func wantPerPublisher(t *testing.T, order []string) {
	t.Helper()
	next := map[int]int{}
	for _, s := range order {
		var n, i int
		if c, _ := fmt.Sscanf(s, "%d:%d", &n, &i); c < 2 {
			continue
		}
		if i != next[n] {
			t.Errorf("publisher %d: got %d, want %d", n, i, next[n])
			return
		}
		next[n]++
	}
}

// wantRun fails unless some stands in all without a gap.
func wantRun(t *testing.T, channel string, some, all []string) {
	t.Helper()
	if len(some) == 0 {
		return
	}
	at := slices.Index(all, some[0])
	if at < 0 || at+len(some) > len(all) || !slices.Equal(all[at:at+len(some)], some) {
		t.Errorf("%s: who came and went got %d events with gaps", channel, len(some))
	}
}

// The official Java client gets no count on an encrypted channel, also when
// messages are joined (CH-53); it gets everything else.
func TestJavaClientsGetNoCounts(t *testing.T) {
	const each = 25
	counting := app()
	counting.SubscriptionCount = true
	b := listen(t, sharded(t, 1), socket.Config{}, counting)
	const channel = "private-encrypted-room"
	join := func(client string) *peer {
		p := b.open("/app/" + appKey + "?protocol=7&client=" + client + "&version=2.4")
		id := strings.Split(p.message().text(), `"`)[3]
		p.send(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":%q,"auth":"%s:%s"}}`, channel, appKey,
			pusher.Sign("demo-secret", pusher.ChannelText(id, channel, "", false))))
		if m := p.message(); m.Event != "pusher_internal:subscription_succeeded" {
			t.Fatalf("%+v %s", m, m.Data)
		}
		return p
	}
	published := 0
	var reading, publishing sync.WaitGroup
	var counts atomic.Int64
	for i := range 2 * each {
		java := i%2 == 0
		publishing.Wait()
		publishing.Go(func() { // while one joins
			for range 20 {
				if _, err := b.publish(channel, "n", fmt.Sprint(published)); err != nil {
					t.Error(err)
				}
				published++
			}
		})
		p := join(map[bool]string{true: "java-client", false: "js"}[java])
		reading.Go(func() {
			last := -1
			for {
				_, payload, err := p.next()
				if err != nil {
					t.Error(err)
					return
				}
				var m message
				json.Unmarshal(payload, &m)
				switch {
				case m.Event == "pusher_internal:subscription_count":
					if counts.Add(1); java {
						t.Errorf("a Java client got %s", payload)
						return
					}
				case m.text() == "end":
					return
				default:
					var n int
					if fmt.Sscan(m.text(), &n); last >= 0 && n != last+1 {
						t.Errorf("%d after %d", n, last)
						return
					}
					last = n
				}
			}
		})
	}
	publishing.Wait()
	if r := b.mustPublish(channel, "n", "end"); r.Matched != 2*each {
		t.Errorf("%+v", r)
	}
	reading.Wait()
	if counts.Load() < each*each/2 {
		t.Errorf("%d counts came", counts.Load())
	}
}

// Receipts count whom a message is for, at a few and at many: all but the one
// left out, if that one is there, and but Java clients when they are left out.
func TestReceipts(t *testing.T) {
	b := listen(t, sharded(t, 2), socket.Config{})
	connect := func(library string) (*peer, *hub.Client) {
		p := b.open("/app/" + appKey + "?protocol=7&client=" + library)
		return p, b.sharded().Client(strings.Split(p.message().text(), `"`)[3])
	}
	for _, n := range []int{4, 2 * (socket.Few + 1)} { // more than a few in each shard
		channel := fmt.Sprint("room-", n)
		var topic *hub.Topic
		publish := func(d hub.Delivery) (r hub.Receipt) {
			// The hub publishes under the channel's lock; here nobody joins or leaves
			// meanwhile, and these take that lock before and after.
			b.subscribers(channel)
			defer b.subscribers(channel)
			d.Message = sealed("{}")
			for _, o := range b.sharded().Shards() {
				r.Add(o.Publish(topic, d))
			}
			return r
		}
		var clients []*hub.Client
		var peers []*peer
		java := 0
		for i := range n {
			library := "js"
			if i%4 == 0 {
				library, java = "java-client", java+1
			}
			p, c := connect(library)
			p.subscribe(channel)
			c.EachTopic(func(t *hub.Topic) { topic = t })
			peers, clients = append(peers, p), append(clients, c)
		}
		_, outsider := connect("js")
		for name, test := range map[string]struct {
			d    hub.Delivery
			want int
		}{
			"all":                   {hub.Delivery{}, n},
			"but one":               {hub.Delivery{Except: clients[1]}, n - 1},
			"but an outsider":       {hub.Delivery{Except: outsider}, n},
			"no Java":               {hub.Delivery{NotJava: true}, n - java},
			"no Java, and but one":  {hub.Delivery{NotJava: true, Except: clients[1]}, n - java - 1},
			"no Java, and but Java": {hub.Delivery{NotJava: true, Except: clients[0]}, n - java},
		} {
			if r := publish(test.d); r.Matched != test.want || r.Written+r.Waiting != test.want {
				t.Errorf("%d subscribers, %s: %+v, want %d", n, name, r, test.want)
			}
		}
		for _, p := range peers {
			p.nc.Close()
		}
		until(t, "all to be gone", func() bool { return b.subscribers(channel) == 0 })
		if r := publish(hub.Delivery{}); r != (hub.Receipt{}) {
			t.Errorf("nobody: %+v", r)
		}
	}
}

// sealed is a text frame as the hub gives it to outlets.
func sealed(text string) []byte { return socket.Seal(append(make([]byte, 16), text...), 16) }

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
	const channels, subscribers, events, size = 32, 40, 15, 4 << 10
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

// Everything at once: crowds that come, go, vanish, stall and are thrown out,
// while many publish. Nothing of it is left in the end.
func TestChurn(t *testing.T) {
	before := descriptors(t)
	b := listen(t, sharded(t, 3), socket.Config{SendBuffer: 32 << 10})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var work sync.WaitGroup
	for n := range 40 {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(n)))
			for ctx.Err() == nil {
				live(t, b.address, rng, ctx)
			}
		})
	}
	for n := range 4 {
		work.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				channel := fmt.Sprintf("channel-%d", (i+n)%3)
				if _, err := b.publish(channel, "n", strings.Repeat("x", 1000)); err != nil && belfry.CodeOf(err) != belfry.CodeUnavailable && belfry.CodeOf(err) != belfry.CodeNotFound {
					t.Error(err)
				}
			}
		})
	}
	work.Go(func() { // all are thrown out now and then
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
				b.hub.SetApps(nil)
				b.hub.SetApps([]*belfry.App{app()})
			}
		}
	})
	work.Wait()
	late := b.crowd(40, "channel-0")
	b.mustPublish("channel-0", "n", "last")
	drain, end := context.WithTimeout(t.Context(), 10*time.Second)
	defer end()
	if err := b.hub.Drain(drain, 100*time.Millisecond); err != nil {
		t.Errorf("drain: %v", err)
	}
	for _, p := range late {
		p.wantEvents("last")
		p.wantClose(4200)
		p.nc.Close()
	}
	b.stop()
	if s := b.engine.Stats(); s.Open != 0 || s.PendingBytes != 0 {
		t.Errorf("left: %+v", s)
	}
	if left, _ := b.hub.Channels(t.Context(), "1", ""); len(left) != 0 {
		t.Errorf("channels left: %v", left)
	}
	// The listener and its poller are still there.
	until(t, "the descriptors to be closed", func() bool { return descriptors(t) <= before+2 })
}

// live is one connection's life.
func live(t *testing.T, address string, rng *rand.Rand, ctx context.Context) {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(4 * time.Second))
	fate := rng.IntN(8)
	if fate == 0 { // not even a request
		nc.Write([]byte(request(target))[:rng.IntN(60)])
		return
	}
	if fate == 1 { // by way of the HTTP server
		nc.Write([]byte("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"))
	}
	packet := [][]byte{[]byte(request(target))}
	for range rng.IntN(6) {
		packet = append(packet, subscription([]string{"subscribe", "unsubscribe"}[rng.IntN(2)], fmt.Sprintf("channel-%d", rng.IntN(3))))
	}
	nc.Write(bytes.Join(packet, nil))
	if fate == 2 { // does not read
		nc.(*net.TCPConn).SetReadBuffer(4 << 10)
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.IntN(400)) * time.Millisecond):
		}
		return
	}
	buf := make([]byte, 8<<10)
	for range rng.IntN(200) {
		if _, err := nc.Read(buf); err != nil || ctx.Err() != nil {
			return
		}
		if rng.IntN(10) == 0 {
			nc.Write(subscription([]string{"subscribe", "unsubscribe"}[rng.IntN(2)], fmt.Sprintf("channel-%d", rng.IntN(3))))
		}
	}
	switch fate {
	case 3:
		nc.Write(closing(1000, ""))
	case 4:
		nc.(*net.TCPConn).SetLinger(0)
	case 5:
		nc.Write(frame(0x82, "binary"))
	case 6:
		nc.(*net.TCPConn).CloseWrite()
	}
}
