package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/hub/hubtest"
	"github.com/belfryhq/belfry/pusher"
)

const (
	key    = "a-key"
	secret = "a-secret"
)

// testApp is an app with everything on.
func testApp() *belfry.App {
	return &belfry.App{ID: "1", Keys: []belfry.Credential{{Key: key, Secret: secret}},
		ClientEvents: true, SubscriptionCount: true, Watchlist: true, Limits: belfry.DefaultLimits(),
		Webhooks: []belfry.Webhook{{URL: "http://example.test"}}}
}

type world struct {
	*hub.Hub
	notices *hubtest.Notices
	outlet  *hubtest.Outlet
	app     *belfry.App
}

func newWorld(change func(*belfry.App)) *world {
	w := &world{notices: &hubtest.Notices{}, outlet: &hubtest.Outlet{}, app: testApp()}
	w.app.SubscriptionCount = false
	if change != nil {
		change(w.app)
	}
	w.Hub = hub.New(hub.Config{Observers: []hub.Observer{w.notices}})
	w.AddOutlet(w.outlet)
	w.SetApps([]*belfry.App{w.app})
	return w
}

func (w *world) publish(t testing.TB, event, channel, data string) hub.Published {
	t.Helper()
	return w.publishExcept(t, event, channel, data, "")
}

func (w *world) publishExcept(t testing.TB, event, channel, data, socket string) hub.Published {
	t.Helper()
	done, err := w.Publish(t.Context(), "1", []pusher.Event{{Name: event, Channels: []string{channel},
		Data: pusher.AppendString(nil, data), Size: len(data), SocketID: socket}})
	if err != nil {
		t.Fatal(err)
	}
	return done[0]
}

func TestSubscribeAndPublish(t *testing.T) {
	w := newWorld(nil)
	a, b := hubtest.Connect(t, w.Hub, key), hubtest.Connect(t, w.Hub, key)
	a.Subscribe("orders")
	if got := a.Expect(pusher.EventSucceeded); got.Text() != "{}" || got.Channel != "orders" {
		t.Errorf("success = %s", got.Raw)
	}
	b.Subscribe("orders")
	b.Expect(pusher.EventSucceeded)

	p := w.publishExcept(t, "shipped", "orders", `{"id":1}`, b.ID().String())
	if got := a.Expect("shipped"); got.Text() != `{"id":1}` {
		t.Errorf("event = %s", got.Raw)
	}
	b.ExpectNothing()
	if want := (hub.Receipt{Matched: 1, Written: 1}); p.Receipt != want {
		t.Errorf("receipt = %+v, want %+v", p.Receipt, want)
	}

	a.Unsubscribe("orders")
	w.publish(t, "shipped", "orders", "2")
	a.ExpectNothing()
	b.Expect("shipped")
	b.Disconnect()
	b.Disconnect()
	if p := w.publish(t, "shipped", "orders", "3"); p.Receipt != (hub.Receipt{}) {
		t.Errorf("receipt of a vacant channel = %+v", p.Receipt)
	}
	kinds := []hub.NoticeKind{}
	for _, n := range w.notices.Take(hub.NoticeOccupied, hub.NoticeVacated) {
		kinds = append(kinds, n.Kind)
	}
	if want := fmt.Sprint([]hub.NoticeKind{hub.NoticeOccupied, hub.NoticeVacated}); fmt.Sprint(kinds) != want {
		t.Errorf("transitions = %v, want %v", kinds, want)
	}
}

func TestPresence(t *testing.T) {
	w := newWorld(nil)
	a, a2, b := hubtest.Connect(t, w.Hub, key), hubtest.Connect(t, w.Hub, key), hubtest.Connect(t, w.Hub, key)
	a.SubscribeAs(key, secret, "presence-room", `{"user_id":7,"user_info":{"b":2, "a":1.50}}`)
	want := `{"presence":{"ids":["7"],"hash":{"7":{"b":2, "a":1.50}},"count":1}}`
	if got := a.Expect(pusher.EventSucceeded).Text(); got != want {
		t.Errorf("success = %s, want %s", got, want)
	}
	a2.SubscribeAs(key, secret, "presence-room", `{"user_id":"7","user_info":{"other":true}}`)
	a2.Expect(pusher.EventSucceeded)
	a.ExpectNothing() // CH-35
	b.SubscribeAs(key, secret, "presence-room", `{"user_id":"8"}`)
	if got := b.Expect(pusher.EventSucceeded).Text(); !strings.Contains(got, `"count":2`) || !strings.Contains(got, `"8":null`) {
		t.Errorf("success = %s", got)
	}
	for _, c := range []*hubtest.Conn{a, a2} {
		if got := c.Expect(pusher.EventMemberAdded).Text(); got != `{"user_id":"8"}` {
			t.Errorf("member_added = %s", got)
		}
	}
	b.ExpectNothing()
	a.Disconnect()
	b.ExpectNothing()
	a2.Unsubscribe("presence-room")
	if got := b.Expect(pusher.EventMemberRemoved).Text(); got != `{"user_id":"7"}` {
		t.Errorf("member_removed = %s", got)
	}
}

func TestCacheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		a := hubtest.Connect(t, w.Hub, key)
		a.Subscribe("cache-prices")
		a.Expect(pusher.EventSucceeded)
		a.Expect(pusher.EventCacheMiss)
		w.publish(t, "price", "cache-prices", "1")
		a.Expect("price")
		a.Disconnect()
		time.Sleep(29 * time.Minute) // fake time
		b := hubtest.Connect(t, w.Hub, key)
		b.Subscribe("cache-prices")
		b.Expect(pusher.EventSucceeded)
		b.Expect("price")
		b.Disconnect()
		time.Sleep(2 * time.Minute)
		if s, err := w.Channel(t.Context(), "1", "cache-prices"); err != nil || s.Cache != nil {
			t.Errorf("state = %+v, %v; want nothing kept", s, err)
		}
		c := hubtest.Connect(t, w.Hub, key)
		c.Subscribe("cache-prices")
		c.Expect(pusher.EventSucceeded)
		c.Expect(pusher.EventCacheMiss)
	})
}

func TestSubscriptionCountIsSpacedAndFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(func(a *belfry.App) { a.SubscriptionCount = true })
		conns := make([]*hubtest.Conn, 120)
		for i := range conns {
			conns[i] = hubtest.Connect(t, w.Hub, key)
			conns[i].Subscribe("busy")
		}
		time.Sleep(6 * time.Second)
		var last string
		n := 0
		for _, f := range conns[0].Drain() {
			if f.Event == pusher.EventSubscriptionCount {
				last = f.Text()
				n++
			}
		}
		if last != `{"subscription_count":120}` || n > 102 {
			t.Errorf("last of %d counts = %s, want 120 after about 101", n, last)
		}
	})
}

func TestWatchlist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		signin := func(c *hubtest.Conn, data string) {
			c.Say(fmt.Sprintf(`{"event":"pusher:signin","data":{"auth":%q,"user_data":%q}}`,
				key+":"+pusher.Sign(secret, pusher.UserText(c.ID().String(), data)), data))
			c.Expect(pusher.EventSigninSuccess)
		}
		a, b := hubtest.Connect(t, w.Hub, key), hubtest.Connect(t, w.Hub, key)
		signin(a, `{"id":"a","watchlist":["b","c"]}`)
		if got := a.Expect(pusher.EventWatchlist).Text(); got != `{"events":[{"name":"offline","user_ids":["b","c"]}]}` {
			t.Errorf("state = %s", got)
		}
		signin(b, `{"id":"b"}`)
		if got := a.Expect(pusher.EventWatchlist).Text(); got != `{"events":[{"name":"online","user_ids":["b"]}]}` {
			t.Errorf("change = %s", got)
		}
		b.Disconnect()
		time.Sleep(2 * time.Second)
		b = hubtest.Connect(t, w.Hub, key)
		signin(b, `{"id":"b"}`)
		time.Sleep(10 * time.Second)
		a.ExpectNothing() // a reconnect is no change
		b.Disconnect()
		time.Sleep(4 * time.Second)
		if got := a.Expect(pusher.EventWatchlist).Text(); got != `{"events":[{"name":"offline","user_ids":["b"]}]}` {
			t.Errorf("change = %s", got)
		}
	})
}

// What a member says of itself is for the client that sent it, not for logs.
func TestRefusalsTellObserversNoData(t *testing.T) {
	w := newWorld(nil)
	a := hubtest.Connect(t, w.Hub, key)
	a.SubscribeAs(key, "another-secret", "presence-room", `{"user_id":"7","user_info":{"mail":"ada@example.test"}}`)
	if got := a.Expect(pusher.EventSubscriptionError).Text(); !strings.Contains(got, "ada@example.test") {
		t.Errorf("the client does not see the string to sign: %s", got)
	}
	data := `{"id":"7","user_info":{"mail":"ada@example.test"}}`
	a.Say(fmt.Sprintf(`{"event":"pusher:signin","data":{"auth":"%s:bad","user_data":%q}}`, key, data))
	told := w.notices.Take(hub.NoticeRefused)
	if len(told) != 2 {
		t.Fatalf("%d refusals told", len(told))
	}
	for _, n := range told {
		if strings.Contains(n.Text, "ada@") || !strings.Contains(n.Text, "invalid signature") {
			t.Errorf("observers are told %q", n.Text)
		}
	}
}
