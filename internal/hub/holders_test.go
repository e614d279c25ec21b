package hub_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/hub/hubtest"
	"github.com/belfryhq/belfry/pusher"
)

// held is a world whose authorization writes "who:USER" or "doubt:USER" into
// channel_data.
type held struct {
	*world
	doubts []string
	signed string // whom a sign-in stands for
}

func newHeld() *held {
	w := &held{world: &world{notices: &hubtest.Notices{}, outlet: &hubtest.Outlet{}, app: testApp()}}
	w.app.SubscriptionCount = false
	w.Hub = hub.New(hub.Config{
		Observers: []hub.Observer{w.notices},
		Principal: func(_ *belfry.App, _, channel, data string) (hub.Principal, bool) {
			if channel == "" {
				return hub.Principal{User: w.signed}, w.signed != ""
			}
			if pusher.KindOf(channel).Is(pusher.Encrypted) {
				return hub.Principal{User: "secretive"}, data == ""
			}
			kind, rest, found := strings.Cut(strings.Trim(data, `{}"`), ":")
			user, _, _ := strings.Cut(rest, ";")
			return hub.Principal{User: user, Doubtful: kind == "doubt"}, found && (kind == "who" || kind == "doubt")
		},
		Doubt: func(user string) { w.doubts = append(w.doubts, user) },
	})
	w.AddOutlet(w.outlet)
	w.SetApps([]*belfry.App{w.app})
	return w
}

func (w *held) join(t *testing.T, channel, data string) *hubtest.Conn {
	t.Helper()
	c := hubtest.Connect(t, w.Hub, key)
	c.SubscribeAs(key, secret, channel, data)
	c.Expect(pusher.EventSucceeded)
	return c
}

func TestEncryptedChannelsAreRevokedToo(t *testing.T) {
	w := newHeld()
	c := w.join(t, "private-encrypted-vault", "")
	if n := w.Revoke("secretive", func(h hub.Holding) bool { return h.Channel == "private-encrypted-vault" }); n != 1 {
		t.Errorf("%d connections closed, want 1", n)
	}
	if code, _ := c.Closed(); code != pusher.CloseReconnect {
		t.Errorf("closed with %d", code)
	}
}

func TestRevokeEndsDeliveryAndClosesWith4200(t *testing.T) {
	w := newHeld()
	seven := w.join(t, "private-admin", `"who:7"`)
	seven.SubscribeAs(key, secret, "private-user.7", `"who:7"`)
	seven.Expect(pusher.EventSucceeded)
	eight := w.join(t, "private-admin", `"who:8"`)
	stranger := w.join(t, "private-admin", "")

	if n := len(w.Holdings("7")); n != 2 {
		t.Fatalf("%d holdings of user 7, want 2", n)
	}
	if got := w.Holders(); !slices.Equal(got, []string{"7", "8"}) {
		t.Errorf("holders = %q", got)
	}
	n := w.Revoke("7", func(h hub.Holding) bool { return h.Channel == "private-admin" })
	if n != 1 {
		t.Errorf("%d connections closed, want 1", n)
	}
	w.publish(t, "news", "private-admin", "{}")
	for _, c := range []*hubtest.Conn{eight, stranger} {
		c.Expect("news")
	}
	seven.ExpectNothing()
	if code, _ := seven.Closed(); code != pusher.CloseReconnect {
		t.Errorf("closed with %d, want 4200", code)
	}
	seven.Disconnect()
	if n := len(w.Holdings("7")); n != 0 {
		t.Errorf("%d holdings of user 7 after the end of the connection", n)
	}
}

func TestUnsubscribedIsNotHeld(t *testing.T) {
	w := newHeld()
	c := w.join(t, "private-a", `"who:7"`)
	c.Unsubscribe("private-a")
	if got := w.Holders(); len(got) != 0 {
		t.Errorf("holders = %q", got)
	}
	if n := w.Revoke("7", func(hub.Holding) bool { return true }); n != 0 {
		t.Errorf("%d connections closed", n)
	}
}

// Data that the signature does not cover says nothing about a user.
func TestUnsignedDataStandsForNobody(t *testing.T) {
	w := newHeld()
	c := hubtest.Connect(t, w.Hub, key)
	auth := key + ":" + pusher.Sign(secret, pusher.ChannelText(c.ID().String(), "private-a", "", false))
	c.Say(`{"event":"pusher:subscribe","data":{"channel":"private-a","auth":"` + auth + `","channel_data":"\"who:7\""}}`)
	c.Expect(pusher.EventSucceeded)
	if got := w.Holders(); len(got) != 0 {
		t.Errorf("holders = %q", got)
	}
}

func TestExpelClosesSignInsToo(t *testing.T) {
	w := newHeld()
	w.join(t, "private-a", `"who:7"`)
	c := hubtest.Connect(t, w.Hub, key)
	data := `{"id":"7"}`
	w.signed = "7"
	auth := key + ":" + pusher.Sign(secret, pusher.UserText(c.ID().String(), data))
	c.Say(`{"event":"pusher:signin","data":{"auth":"` + auth + `","user_data":"{\"id\":\"7\"}"}}`)
	c.Expect("pusher:signin_success")
	if n := w.Expel("7"); n != 2 {
		t.Errorf("%d connections closed, want 2", n)
	}
	if code, _ := c.Closed(); code != pusher.CloseUnauthorized {
		t.Errorf("closed with %d, want 4009", code)
	}
}

func TestDoubtfulRightsAreLookedAtOnceTheyStand(t *testing.T) {
	w := newHeld()
	w.join(t, "private-a", `"who:7"`)
	if len(w.doubts) != 0 {
		t.Errorf("doubts = %q", w.doubts)
	}
	w.join(t, "private-a", `"doubt:8"`)
	if !slices.Equal(w.doubts, []string{"8"}) {
		t.Errorf("doubts = %q, want 8", w.doubts)
	}
}

func TestPublishOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		c := hubtest.Connect(t, w.Hub, key)
		c.Subscribe("orders")
		c.Expect(pusher.EventSucceeded)
		event := pusher.Event{Name: "shipped", Channels: []string{"orders"}, Data: []byte(`"{}"`), Size: 2}
		publish := func(id string) bool {
			t.Helper()
			p, repeat, err := w.PublishOnce(t.Context(), "1", id, event)
			if err != nil || p.ID != id {
				t.Fatalf("published %q: %v", p.ID, err)
			}
			return repeat
		}
		if publish("one") || publish("two") || !publish("one") {
			t.Error("an id is published once, each")
		}
		c.Expect("shipped")
		c.Expect("shipped")
		c.ExpectNothing()
		time.Sleep(5*time.Minute - time.Second)
		if !publish("one") {
			t.Error("forgotten within five minutes")
		}
		time.Sleep(10 * time.Minute)
		if publish("one") {
			t.Error("remembered for more than a quarter of an hour")
		}
	})
}

func TestPublishOnceOfTwoAtATimeIsOne(t *testing.T) {
	w := newWorld(nil)
	c := hubtest.Connect(t, w.Hub, key)
	c.Subscribe("orders")
	c.Expect(pusher.EventSucceeded)
	repeats := make(chan bool, 8)
	for range cap(repeats) {
		go func() {
			_, repeat, err := w.PublishOnce(t.Context(), "1", "same", pusher.Event{Name: "e", Channels: []string{"orders"}, Data: []byte(`""`)})
			repeats <- repeat && err == nil
		}()
	}
	n := 0
	for range cap(repeats) {
		if <-repeats {
			n++
		}
	}
	if n != cap(repeats)-1 {
		t.Errorf("%d of %d were repeats", n, cap(repeats))
	}
	c.Expect("e")
	c.ExpectNothing()
}
