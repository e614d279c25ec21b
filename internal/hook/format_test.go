package hook_test

import (
	"encoding/json"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hook"
)

type vector struct {
	ID    string
	Input struct{ Body string }

	Expect struct{ Headers map[string]string }
}

func webhookVectors(t testing.TB) map[string]vector {
	t.Helper()
	b, err := os.ReadFile("../../pusher/testdata/auth-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []json.RawMessage }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]vector)
	for _, raw := range file.Vectors {
		var kind struct{ Kind string }
		if err := json.Unmarshal(raw, &kind); err != nil || kind.Kind != "webhook" {
			continue
		}
		var v vector
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		found[v.ID] = v
	}
	return found
}

func TestRequestsMatchTheVectors(t *testing.T) {
	for id, v := range webhookVectors(t) {
		t.Run(id, func(t *testing.T) {
			app, events := newApp(), []hook.Event{occupied("orders")}
			if id == "V27" {
				app, events = batched(newApp()), []hook.Event{
					added("presence-room.9", "u-7"),
					{Name: hook.ClientEvent, Channel: "presence-room.9", Event: "client-typing",
						Data: `{"who":"Zoë"}`, SocketID: "4321.98765", UserID: "u-7"},
					{Name: hook.SubscriptionCount, Channel: "orders", Count: 3},
					{Name: hook.CacheMiss, Channel: "cache-prices"},
				}
			}
			var body struct {
				TimeMS int64 `json:"time_ms"`
			}
			if err := json.Unmarshal([]byte(v.Input.Body), &body); err != nil {
				t.Fatal(err)
			}
			inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
				time.Sleep(time.Until(time.UnixMilli(body.TimeMS)))
				for _, e := range events {
					h.Notify(app, e)
				}
				time.Sleep(time.Second)
				posts := s.all()
				if len(posts) != 1 {
					t.Fatalf("%d requests, want 1", len(posts))
				}
				equal(t, "body", posts[0].body, v.Input.Body)
				for name, want := range v.Expect.Headers {
					equal(t, name, posts[0].header[name], []string{want})
				}
			})
		})
	}
}

func TestClientEventNamesItsUserOnPresenceChannelsOnly(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		e := client("private-a", "client-x", "1")
		e.UserID = "u-7"
		h.Notify(newApp(), e)
		synctest.Wait()
		const want = `"events":[{"name":"client_event","channel":"private-a","event":"client-x","data":"1","socket_id":"1.2"}]}`
		_, got, _ := cutBefore(s.all()[0].body, `"events"`)
		equal(t, "body", got, want)
	})
}

func cutBefore(s, sep string) (before, rest string, ok bool) {
	for i := range s {
		if len(s)-i >= len(sep) && s[i:i+len(sep)] == sep {
			return s[:i], s[i:], true
		}
	}
	return s, "", false
}

func TestServerToUserChannelsAreSilent(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		h.Notify(newApp(), occupied("#server-to-user-7"))
		h.Notify(newApp(), vacated("#server-to-user-7"))
		time.Sleep(10 * time.Second)
		equal(t, "requests", len(s.all()), 0)
	})
}

func TestFiltersComeBeforeTheSignature(t *testing.T) {
	app := batched(newApp(
		belfry.Webhook{URL: "http://a.example/", Events: []string{hook.ChannelOccupied}},
		belfry.Webhook{URL: "http://b.example/", ChannelPrefix: "private-"},
		belfry.Webhook{URL: "http://c.example/", ChannelSuffix: "-eu"},
		belfry.Webhook{URL: "http://d.example/", Events: []string{hook.CacheMiss}},
	))
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		h.Notify(app, occupied("orders-eu"))
		h.Notify(app, occupied("private-x"))
		h.Notify(app, client("private-x", "client-a", "{}"))
		time.Sleep(time.Second)
		got := make(map[string][]string)
		for _, p := range s.all() {
			checkSignature(t, p)
			got[p.url] = append(got[p.url], p.names(t)...)
		}
		equal(t, "events", got, map[string][]string{
			"http://a.example/": {"channel_occupied:orders-eu", "channel_occupied:private-x"},
			"http://b.example/": {"channel_occupied:private-x", "client_event:private-x:client-a"},
			"http://c.example/": {"channel_occupied:orders-eu"},
		})
	})
}

func TestCustomHeadersCannotReplaceOurs(t *testing.T) {
	app := newApp(belfry.Webhook{URL: testURL, Headers: map[string]string{
		"content-type": "text/plain", "x-pusher-key": "x", "X-PUSHER-SIGNATURE": "x", "Content-Length": "1",
		"Authorization": "Bearer abc", "host": "inner.example", "X-Team": "blue",
	}})
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		h.Notify(app, occupied("a"))
		synctest.Wait()
		p := s.all()[0]
		checkSignature(t, p)
		for name, want := range map[string]string{
			"Content-Type": "application/json", "X-Pusher-Key": testKey, "Content-Length": "",
			"Authorization": "Bearer abc", "X-Team": "blue", "User-Agent": "Belfry",
		} {
			equal(t, name, p.header.Get(name), want)
		}
		equal(t, "host", p.host, "inner.example")
	})
}

func TestAppsWithoutKeysOrEndpointsAreSkipped(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		h.Notify(&belfry.App{ID: "1", Webhooks: []belfry.Webhook{{URL: testURL}}}, occupied("a"))
		h.Notify(&belfry.App{ID: "2", Keys: []belfry.Credential{{Key: "k", Secret: "s"}}}, occupied("a"))
		time.Sleep(time.Second)
		equal(t, "requests", len(s.all()), 0)
		equal(t, "stats", h.Stats(), []hook.Stats{})
	})
}

func TestBatchesEndWithTheWindowOrWhenFull(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		app := batched(newApp())
		h.Notify(app, occupied("a"))
		time.Sleep(40 * time.Millisecond)
		h.Notify(app, occupied("b"))
		time.Sleep(time.Second)
		equal(t, "window", s.log(t), []string{"50ms channel_occupied:a", "50ms channel_occupied:b"})
		for range 250 {
			h.Notify(app, client("c", "client-x", "1"))
		}
		time.Sleep(time.Second)
		var sizes []int
		for _, p := range s.all() {
			checkSignature(t, p)
			sizes = append(sizes, len(p.names(t)))
		}
		equal(t, "batches", sizes, []int{2, 100, 100, 50})
	})
}

func TestReloadTakesEffectWithTheNextEvent(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		old, fresh := batched(newApp()), batched(newApp())
		fresh.Keys = []belfry.Credential{{Key: "new", Secret: "new-secret"}}
		h.Notify(old, occupied("a"))
		h.Notify(fresh, occupied("b"))
		h.Notify(old, occupied("c"))
		time.Sleep(time.Second)
		got := make(map[string][]string)
		for _, p := range s.all() {
			got[p.header.Get("X-Pusher-Key")] = append(got[p.header.Get("X-Pusher-Key")], p.names(t)...)
		}
		equal(t, "events", got, map[string][]string{
			testKey: {"channel_occupied:a", "channel_occupied:c"}, "new": {"channel_occupied:b"},
		})
	})
}
