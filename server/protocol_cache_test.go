package server_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
)

func TestCH40_TheLastAPIEventIsKept(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.connect(testApp())
	h.publish(testApp(), "private-cache-x", "one", "1")
	h.publish(testApp(), "private-cache-x", `App\Two`, `{ "b" : 2 }`)
	w.subscribe("private-cache-x")
	if m := w.expect(`App\Two`, "private-cache-x"); m.text(t) != `{ "b" : 2 }` {
		t.Errorf("kept %s", m.raw)
	}
	w.emit("client-x", "private-cache-x", "not kept")
	w.quiet()
	again := h.connect(testApp())
	again.subscribe("private-cache-x")
	again.expect(`App\Two`, "private-cache-x")
	// Vacancy does not end it (CH-04).
	w.unsubscribe("private-cache-x")
	again.close()
	w.subscribe("private-cache-x")
	w.expect(`App\Two`, "private-cache-x")
	w.quiet()
	var n int
	if _, err := fmt.Sscanf(h.state(testApp(), "/private-cache-x", "info=cache"), `{"occupied":true,"cache":{"data":"{ \"b\" : 2 }","ttl":%d}}`, &n); err == nil && (n < 1700 || n > 1800) {
		t.Errorf("the cache has %d s to live, want nearly 1800", n)
	}
}

func TestCH40_TheCacheEndsWithItsTime(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.CacheTTL = 300 * time.Millisecond })
	h := serve(t, app)
	begun := time.Now()
	h.publish(app, "cache-x", "e", "1")
	for {
		w := h.connect(app)
		w.subscribe("cache-x")
		m := w.next()
		if m.Event == "pusher:cache_miss" {
			break
		}
		if m.Event != "e" || time.Since(begun) > patience {
			t.Fatalf("after %s: %s", time.Since(begun), m.raw)
		}
		w.close()
	}
	if took := time.Since(begun); took < app.CacheTTL {
		t.Errorf("the cache ended after %s", took)
	}
}

func TestCH41_CachedEventOrCacheMiss(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	for _, channel := range []string{"cache-x", "private-cache-x", "private-encrypted-cache-x", "presence-cache-x"} {
		w := h.connect(testApp())
		join := func() {
			if strings.HasPrefix(channel, "presence-") {
				w.join(channel, `{"user_id":"1"}`)
				return
			}
			w.subscribe(channel)
		}
		join()
		w.expectText(`{"event":"pusher:cache_miss","channel":"` + channel + `","data":"{}"}`)
		w.quiet()
		h.publish(testApp(), channel, "e", "kept")
		w.expect("e", channel)
		w.unsubscribe(channel)
		join()
		w.expectText(`{"event":"e","channel":"` + channel + `","data":"kept"}`)
		w.quiet()
	}
}

// CH-42: whoever subscribes while an event is published gets it, and no cache
// miss behind it.
func TestCH42_APublishRacingWithASubscribe(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	for i := range 25 {
		channel := fmt.Sprintf("cache-%d", i)
		w := h.connect(testApp())
		var publishing sync.WaitGroup
		publishing.Go(func() { h.publish(testApp(), channel, "e", "1") })
		w.ask(channel)
		publishing.Wait()
		w.expect("pusher_internal:subscription_succeeded", channel)
		switch m := w.next(); m.Event {
		case "pusher:cache_miss":
			w.expect("e", channel)
		case "e":
		default:
			t.Fatalf("got %s", m.raw)
		}
		w.quiet() // once, and no miss after it
	}
}

func TestCH43_AnEventThatExcludesASocketIsKept(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.connect(testApp())
	w.subscribe("cache-x")
	w.expect("pusher:cache_miss", "cache-x")
	if status, answer := h.call(testApp(), "POST", "/events", "", map[string]any{"name": "e", "channels": []string{"cache-x"}, "data": "1", "socket_id": w.id}); status != 200 {
		t.Fatalf("publish answers %d %s", status, answer)
	}
	w.quiet()
	other := h.connect(testApp())
	other.subscribe("cache-x")
	other.expect("e", "cache-x")
}

func TestCH44_EncryptedDataIsReplayedUntouched(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	const data = `{"nonce":"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7","ciphertext":"fZuMgffX3ahssueEB7rS7NRxFmUCIHG+gvHUk6BskEreUhUleb4McjCH"}`
	h.publish(testApp(), "private-encrypted-cache-x", "secret", data)
	w := h.connect(testApp())
	w.subscribe("private-encrypted-cache-x")
	if m := w.expect("secret", "private-encrypted-cache-x"); m.text(t) != data {
		t.Errorf("got %s", m.raw)
	}
}

func counting(a *belfry.App) { a.SubscriptionCount = true }

// expectCount expects the count of a channel's subscriptions.
func (w *wire) expectCount(channel string, n int) {
	w.t.Helper()
	w.expectText(fmt.Sprintf(`{"event":"pusher_internal:subscription_count","channel":%q,"data":"{\"subscription_count\":%d}"}`, channel, n))
}

func TestCH50_CountsGoToAllSubscribers(t *testing.T) {
	t.Parallel()
	app := testApp(counting)
	h := serve(t, app)
	a, b := h.connect(app), h.connect(app)
	a.subscribe("x")
	a.expectCount("x", 1)
	b.subscribe("x")
	b.expectCount("x", 2)
	a.expectCount("x", 2)
	b.unsubscribe("x")
	b.quiet()
	a.expectCount("x", 1)
	b.subscribe("x")
	b.expectCount("x", 2)
	a.expectCount("x", 2)
	b.close()
	a.expectCount("x", 1)
	a.join("presence-x", `{"user_id":"1"}`) // presence channels have members instead
	a.quiet()
}

func TestCH50_NoCountsUnlessTheAppAsks(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	a, b := h.connect(testApp()), h.connect(testApp())
	a.subscribe("x")
	b.subscribe("x")
	b.quiet()
	a.quiet()
}

func TestCH51_BusyChannelsSpaceTheirCounts(t *testing.T) {
	t.Parallel()
	app := testApp(counting)
	h := serve(t, app)
	first := h.connect(app)
	first.subscribe("x")
	first.expectCount("x", 1)
	const more = 109
	for i := range more {
		w := h.connect(app)
		w.subscribe("x")
		if i < 99 {
			w.expectCount("x", i+2)
		}
	}
	var counts []string
	for last := fmt.Sprintf(`{"subscription_count":%d}`, more+1); len(counts) == 0 || counts[len(counts)-1] != last; {
		counts = append(counts, first.expect("pusher_internal:subscription_count", "x").text(t))
	}
	// 2 to 100 at once; after that one within five seconds of the last, or two
	// when joining took longer than that.
	if n := len(counts); n < 100 || n > 102 {
		t.Errorf("%d counts, want 99 and then the last one: %v", n, counts)
	}
}

func TestCH53_JavaHearsNothingClearOnEncryptedChannels(t *testing.T) {
	t.Parallel()
	app := testApp(counting)
	h := serve(t, app)
	java := h.connectAs(app, "?protocol=5&client=java-client&version=2.4.4")
	w := h.connect(app)
	java.subscribe("private-encrypted-x")
	java.quiet()
	w.subscribe("private-encrypted-x")
	w.expectCount("private-encrypted-x", 2)
	java.quiet()
	java.emit("pusher:subscribe", "", map[string]any{"channel": "private-encrypted-y", "auth": "bad"})
	java.expectError(4009)
	java.quiet()
	java.subscribe("private-x") // elsewhere it hears all
	java.expectCount("private-x", 1)
}
