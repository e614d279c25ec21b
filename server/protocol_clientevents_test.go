package server_test

import (
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
)

func TestCE01_FormOfAClientEvent(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b := h.connect(testApp()), h.connect(testApp())
	a.subscribe("private-x")
	b.subscribe("private-x")
	a.send(`{"event":"client-x","channel":"private-x","data":null}`)
	if m := b.expect("client-x", "private-x"); m.text(t) != "null" {
		t.Errorf("got %s", m.raw)
	}
	a.send(`{"event":"client-x","channel":"private-x"}`)
	a.expectError(0, "must contain channel and data")
	a.send(`{"event":"client-x","data":{}}`)
	a.expectError(0, "must contain channel and data")
	b.quiet()
}

func TestCE02_WhereClientEventsAreAccepted(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b := h.connect(testApp()), h.connect(testApp())
	for _, channel := range []string{"private-x", "private-cache-x"} {
		for _, w := range []*wire{a, b} {
			w.subscribe(channel)
			if strings.Contains(channel, "cache") {
				w.expect("pusher:cache_miss", channel)
			}
		}
		a.emit("client-x", channel, map[string]any{"n": 1})
		b.expectText(`{"event":"client-x","channel":"` + channel + `","data":"{\"n\":1}"}`)
	}
	for _, channel := range []string{"presence-x", "presence-cache-x"} {
		a.join(channel, `{"user_id":"1"}`)
		b.join(channel, `{"user_id":"2"}`)
		if strings.Contains(channel, "cache") {
			a.expect("pusher:cache_miss", channel)
			b.expect("pusher:cache_miss", channel)
		}
		a.expect("pusher_internal:member_added", channel)
		a.emit("client-x", channel, map[string]any{"n": 1})
		b.expectText(`{"event":"client-x","channel":"` + channel + `","data":"{\"n\":1}","user_id":"1"}`)
	}
	a.quiet()
}

func TestCE02_NameOf200Characters(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b := h.connect(testApp()), h.connect(testApp())
	a.subscribe("private-x")
	b.subscribe("private-x")
	name := "client-" + strings.Repeat("é", 193)
	a.emit(name, "private-x", "")
	b.expect(name, "private-x")
	a.emit(name+"é", "private-x", "")
	a.expectError(0, "201", "200")
	b.quiet()
}

func TestCE03_NotOnEncryptedChannels(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b := h.connect(testApp()), h.connect(testApp())
	a.subscribe("private-encrypted-x")
	b.subscribe("private-encrypted-x")
	a.emit("client-x", "private-encrypted-x", "1")
	a.expectError(0, "encrypted")
	b.quiet()
}

func TestCE04_EveryOtherSubscriberGetsIt(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	sender, tab, other, outside := h.connect(testApp()), h.connect(testApp()), h.connect(testApp()), h.connect(testApp())
	sender.join("presence-x", `{"user_id":"1"}`)
	tab.join("presence-x", `{"user_id":"1"}`) // another socket of the same user
	other.join("presence-x", `{"user_id":"2"}`)
	sender.expect("pusher_internal:member_added", "presence-x")
	tab.expect("pusher_internal:member_added", "presence-x")
	sender.emit("client-x", "presence-x", "1")
	tab.expect("client-x", "presence-x")
	other.expect("client-x", "presence-x")
	sender.quiet()
	outside.quiet()
}

func TestCE05_TheFrameIsRebuilt(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b := h.connect(testApp()), h.connect(testApp())
	a.join("presence-x", `{"user_id":7}`)
	b.join("presence-x", `{"user_id":"8"}`)
	a.expect("pusher_internal:member_added", "presence-x")
	a.send(`{"event":"client-x","channel":"presence-x","data":"d","user_id":"8","extra":{"a":1},"socket_id":"1.1"}`)
	b.expectText(`{"event":"client-x","channel":"presence-x","data":"d","user_id":"7"}`)
	a.subscribe("private-x")
	b.subscribe("private-x")
	a.send(`{"event":"client-x","channel":"private-x","data":"d","user_id":"8"}`)
	b.expectText(`{"event":"client-x","channel":"private-x","data":"d"}`)
}

func TestCE06_DataBecomesAString(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b := h.connect(testApp()), h.connect(testApp())
	a.subscribe("private-x")
	b.subscribe("private-x")
	for in, want := range map[string]string{
		`"as it is"`: "as it is", `"{\"a\":1}"`: `{"a":1}`, `""`: "", `{ "a" : [ 1, 2.50 ] }`: `{"a":[1,2.50]}`, `5`: "5", `true`: "true",
		`"\u00e9\n"`: "é\n",
	} {
		a.send(`{"event":"client-x","channel":"private-x","data":` + in + `}`)
		if m := b.expect("client-x", "private-x"); m.text(t) != want {
			t.Errorf("%s came as %s", in, m.raw)
		}
	}
}

func TestCE07_DataOf10KB(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b := h.connect(testApp()), h.connect(testApp())
	a.subscribe("private-x")
	b.subscribe("private-x")
	a.emit("client-x", "private-x", strings.Repeat("\n", 10240)) // twice as long on the wire
	if m := b.expect("client-x", "private-x"); len(m.text(t)) != 10240 {
		t.Errorf("got %d bytes", len(m.text(t)))
	}
	a.emit("client-x", "private-x", strings.Repeat("a", 10241))
	a.expectError(4301, "client-x", "private-x", "10241", "10240")
	b.quiet()
}

func TestCE08_TenASecond(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b := h.connect(testApp()), h.connect(testApp())
	a.subscribe("private-x")
	b.subscribe("private-x")
	const n = 40
	var burst []byte
	for range n {
		burst = append(burst, clientFrame(0x81, []byte(`{"event":"client-x","channel":"private-x","data":1}`))...)
	}
	a.write(burst)
	a.send(`{"event":"pusher:ping"}`)
	refused := 0
	for m := a.next(); m.Event != "pusher:pong"; m = a.next() {
		if m.Event != "pusher:error" || !strings.Contains(string(m.Data), `"code":4301`) {
			t.Fatalf("got %s", m.raw)
		}
		refused++
	}
	b.send(`{"event":"pusher:ping"}`)
	got := 0
	for m := b.next(); m.Event != "pusher:pong"; m = b.next() {
		got++
	}
	if got+refused != n || got < 10 || refused == 0 {
		t.Errorf("%d relayed and %d refused of %d", got, refused, n)
	}
	a.quiet() // the connection stays
}

func TestCE08_CloseWhenTheAppSaysSo(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.Limits.ClientEventsPerSecond, a.Compat.CloseOnRate = 1, true })
	w := serve(t, app).connect(app)
	w.subscribe("private-x")
	w.emit("client-x", "private-x", 1)
	w.emit("client-x", "private-x", 2)
	w.expectError(4301)
	w.expectClose(4100)
}

func TestCE09_RefusedClientEvents(t *testing.T) {
	t.Parallel()
	off := testApp(func(a *belfry.App) {
		a.ID, a.Keys, a.ClientEvents = "2", []belfry.Credential{{Key: "off", Secret: "secret-of-off"}}, false
	})
	h := serve(t, testApp(), off)
	a, b := h.connect(testApp()), h.connect(testApp())
	b.subscribe("private-x")
	a.emit("client-x", "private-x", 1) // CE-10: before the subscription
	a.expectError(0, "not subscribed", "private-x")
	for _, w := range []*wire{a, b} {
		w.subscribe("x")
		w.subscribe("private-y")
	}
	a.unsubscribe("private-y")
	a.emit("client-x", "private-y", 1)
	a.expectError(0, "not subscribed")
	a.emit("client-x", "x", 1)
	a.expectError(0, "private and presence")
	a.emit("client-x", "a b", 1)
	a.expectError(0)
	b.quiet()
	d := h.connect(off)
	d.subscribe("private-x")
	d.emit("client-x", "private-x", 1)
	d.expectError(0, "disabled")
	d.quiet()
}

func TestCE11_ClientEventsAreNotCached(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b := h.connect(testApp()), h.connect(testApp())
	a.subscribe("private-cache-x")
	a.expect("pusher:cache_miss", "private-cache-x")
	a.emit("client-x", "private-cache-x", 1)
	a.quiet()
	b.subscribe("private-cache-x")
	b.expect("pusher:cache_miss", "private-cache-x")
	b.quiet()
}

func TestCE12_ClientEventsOnPublicChannels(t *testing.T) {
	t.Parallel()
	members := testApp(func(a *belfry.App) { a.PublicClientEvents = belfry.PublicClientEventsMembers })
	all := testApp(func(a *belfry.App) {
		a.ID, a.Keys, a.PublicClientEvents = "2", []belfry.Credential{{Key: "all", Secret: "secret-of-all"}}, belfry.PublicClientEventsAll
	})
	h := serve(t, members, all)
	for _, app := range []*belfry.App{members, all} {
		a, b, outside := h.connect(app), h.connect(app), h.connect(app)
		a.subscribe("x")
		b.subscribe("x")
		a.emit("client-x", "x", 1)
		b.expect("client-x", "x")
		outside.emit("client-x", "x", 2)
		if app == members {
			outside.expectError(0, "not subscribed")
			a.quiet()
			continue
		}
		a.expect("client-x", "x")
		b.expect("client-x", "x")
		outside.quiet()
	}
}
