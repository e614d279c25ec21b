package socket_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

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
			// publish sends event i of publisher n, which leaves out any one or nobody.
			publish := func(channel string, n, i, except int) {
				want := map[string]int{"big": crowd + 1, "small": few + 1}[channel]
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
				if r := done[0].Receipt; r.Matched < want || r.Matched > want+churners || r.Written+r.Waiting != r.Matched {
					t.Errorf("%s: receipt %+v, want %d", channel, r, want)
				}
			}
			var publishing sync.WaitGroup
			for n := range publishers {
				publishing.Go(func() {
					rng := rand.New(rand.NewPCG(1, uint64(n)))
					for i := range events {
						publish("big", n, i, rng.IntN(2*crowd))
						publish("small", n, i, rng.IntN(2*crowd))
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
					if channel == "big" || i < few {
						wantAllBut(t, channel, i, logs[i][channel], order)
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

// wantAllBut fails unless peer i got all events in their order, but those that
// leave it out.
func wantAllBut(t *testing.T, channel string, i int, got, all []string) {
	t.Helper()
	suffix := fmt.Sprintf(":%d", i)
	want := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return strings.HasSuffix(s, suffix) && strings.Count(s, ":") == 2 })
	if !slices.Equal(got, want) {
		t.Errorf("%s: peer %d got %d events, want %d, or in another order", channel, i, len(got), len(want))
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
