package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

func TestGEN01_AppsAreClosedToEachOther(t *testing.T) {
	t.Parallel()
	one := testApp(func(a *belfry.App) { a.SubscriptionCount = true })
	two := testApp(func(a *belfry.App) {
		a.ID, a.Keys, a.SubscriptionCount = "2", []belfry.Credential{{Key: "key-two", Secret: "secret-two"}}, true
	})
	h := serve(t, one, two)
	a, b := h.connect(one), h.connect(two)
	a.subscribe("cache-x")
	a.expect("pusher:cache_miss", "cache-x")
	a.expect("pusher_internal:subscription_count", "cache-x")
	a.join("presence-x", `{"user_id":"1"}`)
	a.signin(`{"id":"7","watchlist":["8"]}`)
	a.expect("pusher_internal:watchlist_events", "")
	h.publish(one, "cache-x", "e", "of one")
	a.expect("e", "cache-x")

	b.subscribe("cache-x")
	b.expect("pusher:cache_miss", "cache-x")
	if m := b.expect("pusher_internal:subscription_count", "cache-x"); m.text(t) != `{"subscription_count":1}` {
		t.Errorf("the other app counts %s", m.raw)
	}
	if got := b.join("presence-x", `{"user_id":"2"}`); !strings.Contains(got, `"ids":["2"]`) {
		t.Errorf("the other app's members are %s", got)
	}
	b.signin(`{"id":"8"}`)
	h.publish(two, "cache-x", "e", "of two")
	if m := b.expect("e", "cache-x"); m.text(t) != "of two" {
		t.Errorf("got %s", m.raw)
	}
	if status, _ := h.call(two, "POST", "/users/7/terminate_connections", "", map[string]any{}); status != 200 {
		t.Errorf("terminate answers %d", status)
	}
	a.quiet()
	if got := h.state(one, "", ""); got != `{"channels":{"cache-x":{},"presence-x":{}}}` {
		sameJSON(t, got, `{"channels":{"cache-x":{},"presence-x":{}}}`)
	}
	// A signature with the other app's key is none.
	b.emit("pusher:subscribe", "", map[string]any{"channel": "private-x", "auth": sign(one, b.id+":private-x")})
	b.expectRefusal("private-x", "AuthError", 401, 4009, "invalid key")
}

func TestGEN02_AnyActiveKeyOfTheApp(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) {
		a.Keys = append(a.Keys, belfry.Credential{Key: "second", Secret: "second-secret"}, belfry.Credential{Key: appKey, Secret: "rotated-in"})
	})
	h := serve(t, app)
	w := h.dial(app, "/app/second?protocol=7").established()
	for i, c := range app.Keys {
		channel := fmt.Sprintf("private-%d", i)
		w.emit("pusher:subscribe", "", map[string]any{"channel": channel, "auth": c.Key + ":" + pusher.Sign(c.Secret, w.id+":"+channel)})
		w.expect("pusher_internal:subscription_succeeded", channel)
		userData := `{"id":"7"}`
		w.emit("pusher:signin", "", map[string]any{"auth": c.Key + ":" + pusher.Sign(c.Secret, w.id+"::user::"+userData), "user_data": userData})
		w.expect("pusher:signin_success", "")
	}
}

func TestGEN04_EventsArriveInTheirOrder(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	subscribers := make([]*wire, 5)
	for i := range subscribers {
		subscribers[i] = h.connect(testApp())
		subscribers[i].subscribe("x")
	}
	const n = 100
	for i := range n {
		h.publish(testApp(), "x", "e", fmt.Sprint(i))
	}
	for _, w := range subscribers {
		for i := range n {
			if m := w.expect("e", "x"); m.text(t) != fmt.Sprint(i) {
				t.Fatalf("event %d is %s", i, m.raw)
			}
		}
	}
}

func TestGEN05_CommandsTakeEffectInTheirOrder(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.connect(testApp())
	const rounds = 20
	for range rounds { // all at once, without reading
		w.ask("private-x")
		w.unsubscribe("private-x")
	}
	w.ask("private-x")
	for range rounds + 1 {
		w.expect("pusher_internal:subscription_succeeded", "private-x")
	}
	w.quiet()
	h.publish(testApp(), "private-x", "e", "1")
	w.expect("e", "private-x")
	w.quiet()
}

func TestCH01_EachKindIsSubscribedInItsWay(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	for _, c := range []struct {
		channel       string
		signed, cache bool
	}{
		{"x", false, false}, {"private-x", true, false}, {"private-encrypted-x", true, false}, {"cache-x", false, true},
		{"private-cache-x", true, true}, {"private-encrypted-cache-x", true, true},
		{"my-cache-x", false, false}, {"private-foo-cache-x", true, false}, {"Cache-x", false, false}, {"privately", false, false}, // CH-02
		{"private-", true, false}, {"cache-", false, true}, // CH-05
	} {
		w := h.connect(testApp())
		if c.signed {
			w.emit("pusher:subscribe", "", map[string]any{"channel": c.channel, "auth": ""})
			w.expectRefusal(c.channel, "AuthError", 401, 4009)
		}
		w.subscribe(c.channel)
		if c.cache {
			w.expectText(`{"event":"pusher:cache_miss","channel":"` + c.channel + `","data":"{}"}`)
		}
		w.quiet()
	}
}

func TestCH03_IllegalNamesAreRefusedBeforeTheSignature(t *testing.T) {
	t.Parallel()
	strict := testApp(func(a *belfry.App) {
		a.ID, a.Keys, a.StrictNames = "2", []belfry.Credential{{Key: "strict", Secret: "secret-of-strict"}}, true
	})
	h := serve(t, testApp(), strict)
	w := h.connect(testApp())
	for _, channel := range []string{"a b", "a:b", "a/b", "é", "#x", "private-#x", strings.Repeat("x", 201), "private-x:y", `:user::{"id":"7"}`, "a\nb"} {
		w.ask(channel)
		w.expectRefusal(channel, "InvalidChannel", 400, 0)
	}
	w.subscribe("-_=@,.;Zz09")
	w.subscribe(strings.Repeat("x", 200))
	s := h.connect(strict)
	s.subscribe(strings.Repeat("x", 164))
	s.ask(strings.Repeat("x", 165))
	s.expectRefusal(strings.Repeat("x", 165), "InvalidChannel", 400, 0, "164")
	s.quiet()
}

func TestCH04_AChannelLivesFromFirstToLastSubscriber(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.connect(testApp())
	sameJSON(t, h.state(testApp(), "/x", "info=subscription_count"), `{"occupied":false,"subscription_count":0}`)
	w.subscribe("x")
	sameJSON(t, h.state(testApp(), "", ""), `{"channels":{"x":{}}}`)
	w.unsubscribe("x")
	w.quiet()
	sameJSON(t, h.state(testApp(), "", ""), `{"channels":{}}`)
}

func TestCH10_AuthOfPublicChannelsIsIgnored(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	w.emit("pusher:subscribe", "", map[string]any{"channel": "x", "auth": "nonsense", "channel_data": "nonsense"})
	w.expectText(`{"event":"pusher_internal:subscription_succeeded","channel":"x","data":"{}"}`)
	w.emit("pusher:subscribe", "", map[string]any{"channel": "y", "auth": nil, "channel_data": nil})
	w.expect("pusher_internal:subscription_succeeded", "y")
}

func TestCH11_SuccessComesBeforeEverythingElse(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.SubscriptionCount = true })
	h := serve(t, app)
	w := h.connect(app)
	h.publish(app, "cache-x", "kept", "1")
	h.publish(app, "x", "before", "1") // accepted before: not delivered
	w.subscribe("cache-x")
	w.expect("kept", "cache-x")
	w.expect("pusher_internal:subscription_count", "cache-x")
	w.subscribe("x")
	w.expect("pusher_internal:subscription_count", "x")
	w.quiet()
	h.publish(app, "x", "after", "1")
	w.expect("after", "x")
}

func TestCH13_ARefusedSubscriptionChangesNothing(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w, member := h.connect(testApp()), h.connect(testApp())
	member.join("presence-x", `{"user_id":"1"}`)
	for name, c := range map[string]struct{ channel, auth, data string }{
		"missing":            {"private-x", "", ""},
		"another channel's":  {"private-x", w.auth("private-y", "", false), ""},
		"another socket's":   {"private-x", member.auth("private-x", "", false), ""},
		"unsigned data":      {"presence-x", w.auth("presence-x", "", false), `{"user_id":"7"}`},
		"changed data":       {"presence-x", w.auth("presence-x", `{"user_id":"7"}`, true), `{"user_id":"8"}`},
		"a user's signature": {"private-x", sign(w.app, pusher.UserText(w.id, `{"id":"7"}`)), ""},
		"upper case":         {"private-x", strings.ToUpper(w.auth("private-x", "", false)), ""},
	} {
		data := map[string]any{"channel": c.channel, "auth": c.auth}
		if c.data != "" {
			data["channel_data"] = c.data
		}
		w.emit("pusher:subscribe", "", data)
		t.Log(name)
		w.expectRefusal(c.channel, "AuthError", 401, 4009)
	}
	w.quiet()
	member.quiet()
	sameJSON(t, h.state(testApp(), "", ""), `{"channels":{"presence-x":{}}}`)
	h.publish(testApp(), "private-x", "e", "1")
	w.quiet()
	w.subscribe("private-x") // it may try again
}

func TestCH13_OneFrameWhenTheAppSaysSo(t *testing.T) {
	t.Parallel()
	event := testApp(func(a *belfry.App) { a.Compat.Refusal = "subscription_error" })
	plain := testApp(func(a *belfry.App) {
		a.ID, a.Keys, a.Compat.Refusal = "2", []belfry.Credential{{Key: "plain", Secret: "secret-of-plain"}}, "error"
	})
	h := serve(t, event, plain)
	w := h.connect(event)
	w.emit("pusher:subscribe", "", map[string]any{"channel": "private-x"})
	w.expect("pusher:subscription_error", "private-x")
	w.quiet()
	w = h.connect(plain)
	w.emit("pusher:subscribe", "", map[string]any{"channel": "private-x"})
	w.expectError(4009)
	w.quiet()
}

func TestCH16_SecondSubscribeChangesNothing(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.SubscriptionCount = true })
	repeat := testApp(func(a *belfry.App) {
		a.ID, a.Keys, a.Compat.RepeatSuccess = "2", []belfry.Credential{{Key: "repeat", Secret: "secret-of-repeat"}}, true
	})
	h := serve(t, app, repeat)
	w, other := h.connect(app), h.connect(app)
	w.join("presence-x", `{"user_id":"1","user_info":"first"}`)
	w.askAs("presence-x", `{"user_id":"2","user_info":"second"}`)
	w.expectError(0, "existing subscription", "presence-x")
	sameJSON(t, other.join("presence-x", `{"user_id":"3"}`), `{"presence":{"ids":["1","3"],"hash":{"1":"first","3":null},"count":2}}`)
	w.expect("pusher_internal:member_added", "presence-x")
	w.unsubscribe("presence-x") // one is enough to leave
	other.expect("pusher_internal:member_removed", "presence-x")
	w.subscribe("x")
	w.expect("pusher_internal:subscription_count", "x")
	w.ask("x")
	w.expectError(0, "existing subscription")
	w.quiet()

	w = h.connect(repeat)
	w.subscribe("x")
	w.subscribe("x")
	w.quiet()
	sameJSON(t, h.state(repeat, "/x", "info=subscription_count"), `{"occupied":true,"subscription_count":1}`)
}

func TestCH18_ChannelsPerConnection(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.Limits.ChannelsPerConnection = 2 })
	w := serve(t, app).connect(app)
	w.subscribe("a")
	w.subscribe("b")
	w.ask("c")
	w.expectRefusal("c", "LimitReached", 403, 0, "2 channels")
	w.unsubscribe("a")
	w.subscribe("c")
}

func TestCH20_UnsubscribeIsSilentAndImmediate(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.connect(testApp())
	w.subscribe("private-x")
	w.unsubscribe("private-x")
	w.quiet()
	h.publish(testApp(), "private-x", "e", "1")
	w.quiet()
}

func TestCH21_UnsubscribeOfNothing(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.connect(testApp())
	w.subscribe("x")
	for _, channel := range []string{"y", "", "a b"} {
		w.unsubscribe(channel)
		w.expectError(0, "no current subscription")
	}
	w.quiet()
	h.publish(testApp(), "x", "e", "1")
	w.expect("e", "x")
}

func TestCH22_DisconnectLeavesEverythingOnce(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.SubscriptionCount = true })
	h := serve(t, app)
	w, other := h.connect(app), h.connect(app)
	for _, channel := range []string{"presence-a", "presence-b"} {
		other.join(channel, `{"user_id":"2"}`)
		w.join(channel, `{"user_id":"1"}`)
		other.expect("pusher_internal:member_added", channel)
	}
	w.subscribe("x")
	w.expect("pusher_internal:subscription_count", "x")
	w.signin(`{"id":"7"}`)
	w.close()
	// Gone when the close frame has come: a query right after counts it no more.
	sameJSON(t, h.state(app, "", "filter_by_prefix=presence-&info=user_count"), `{"channels":{"presence-a":{"user_count":1},"presence-b":{"user_count":1}}}`)
	sameJSON(t, h.state(app, "/x", "info=subscription_count"), `{"occupied":false,"subscription_count":0}`)
	gone := map[string]bool{}
	for range 2 {
		gone[other.next().raw] = true
	}
	for _, channel := range []string{"presence-a", "presence-b"} {
		if !gone[`{"event":"pusher_internal:member_removed","channel":"`+channel+`","data":"{\"user_id\":\"1\"}"}`] {
			t.Errorf("no member_removed on %s: %v", channel, gone)
		}
	}
	other.quiet()
}

func TestCH22_ADeadConnectionLeavesToo(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w, other := h.connect(testApp()), h.connect(testApp())
	other.join("presence-x", `{"user_id":"2"}`)
	w.join("presence-x", `{"user_id":"1"}`)
	other.expect("pusher_internal:member_added", "presence-x")
	w.conn.Close() // no close frame
	other.expect("pusher_internal:member_removed", "presence-x")
	other.quiet()
}

func TestTRAP22_NothingStaleReachesANewSubscription(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.connect(testApp())
	for i := range 30 {
		w.subscribe("x")
		h.publish(testApp(), "x", "e", fmt.Sprint(i))
		w.expect("e", "x")
		w.unsubscribe("x")
		w.quiet()
		h.publish(testApp(), "x", "stale", fmt.Sprint(i))
	}
	w.subscribe("x")
	w.quiet()
}
