package server_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/server"
)

func TestWS40_BadMessagesAreAnsweredAndTheConnectionStays(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	for _, c := range []struct{ text, says string }{
		{`hello`, "not valid JSON"},
		{`{"event":"pusher:ping"`, "not valid JSON"},
		{`[]`, "not a JSON object"},
		{`"pusher:ping"`, "not a JSON object"},
		{`null`, "not a JSON object"},
		{`{}`, `"event" is missing`},
		{`{"event":7}`, `"event" must be a string`},
		{`{"event":null}`, `"event" must be a string`},
		{`{"event":"client-x","channel":["private-x"],"data":{}}`, `"channel" must be a string`},
		{`{"event":"pusher:subscribe"}`, "data is missing"},
		{`{"event":"pusher:subscribe","data":{}}`, "channel"},
		{`{"event":"pusher:subscribe","data":{"channel":7}}`, "channel"},
	} {
		w.send(c.text)
		w.expectError(0, c.says)
	}
	w.quiet()
}

func TestWS40_ManyBadMessagesEndTheConnection(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	for range 20 {
		w.send("bad")
		w.expectError(0)
	}
	// Tokens come back at two a second: the next 40 cannot all pass.
	for range 40 {
		w.write(clientFrame(0x81, []byte("bad")))
	}
	for {
		opcode, payload, err := w.read()
		if err != nil {
			t.Fatal(err)
		}
		if opcode == 8 {
			if code := int(payload[0])<<8 | int(payload[1]); code != 4009 {
				t.Errorf("closed with %d, want 4009", code)
			}
			return
		}
	}
}

func TestWS41_UnknownEventsAreNamed(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w, other := h.connect(testApp()), h.connect(testApp())
	w.subscribe("private-x")
	other.subscribe("private-x")
	for _, event := range []string{"greeting", "pusher:unknown", "Client-x", "pusher", ""} {
		w.emit(event, "private-x", map[string]any{"a": 1})
		w.expectError(0, `"`+event+`"`)
	}
	w.quiet()
	other.quiet()
}

func TestWS42_EventsOfTheServerAreRefusedFromClients(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w, other := h.connect(testApp()), h.connect(testApp())
	w.subscribe("private-x")
	other.subscribe("private-x")
	for _, event := range []string{
		"pusher_internal:subscription_succeeded", "pusher_internal:member_added", "pusher_internal:anything", "pusher:connection_established",
		"pusher:error", "pusher:signin_success", "pusher:cache_miss", "pusher:subscription_error", "pusher:subscription_count",
	} {
		w.emit(event, "private-x", map[string]any{"a": 1})
		w.expectError(0, event)
	}
	w.quiet()
	other.quiet()
}

func TestWS43_FramesThatEndTheConnection(t *testing.T) {
	t.Parallel()
	h := serveWith(t, func(c *server.Config) { c.MaxMessage = 4096 }, testApp())
	for name, c := range map[string]struct {
		first   byte
		payload []byte
		code    int
	}{
		"binary":                 {0x82, []byte(`{"event":"pusher:ping"}`), 1003},
		"over the limit":         {0x81, []byte(strings.Repeat(" ", 4097)), 1009},
		"invalid UTF-8":          {0x81, []byte("{\"event\":\"\xff\"}"), 1007},
		"surrogate half":         {0x81, []byte("{\"event\":\"\xed\xa0\x80\"}"), 1007},
		"reserved bit":           {0xc1, []byte(`{}`), 1002},
		"reserved opcode":        {0x83, []byte(`{}`), 1002},
		"fragment without start": {0x80, []byte(`{}`), 1002},
		"long control frame":     {0x89, []byte(strings.Repeat("p", 126)), 1002},
	} {
		t.Run(name, func(t *testing.T) {
			w := h.connect(testApp())
			w.t = t
			w.frame(c.first, c.payload)
			w.expectClose(c.code)
		})
	}
	t.Run("no mask", func(t *testing.T) {
		w := h.connect(testApp())
		w.t = t
		w.write([]byte("\x81\x02{}"))
		w.expectClose(1002)
	})
	t.Run("at the limit", func(t *testing.T) {
		w := h.connect(testApp())
		ping := `{"event":"pusher:ping"}`
		w.send(ping + strings.Repeat(" ", 4096-len(ping)))
		w.expect("pusher:pong", "")
	})
}

func TestLIMIT13_MessagesOf128KiB(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.connect(testApp())
	ping := `{"event":"pusher:ping"}`
	w.send(ping + strings.Repeat(" ", 128<<10-len(ping)))
	w.expect("pusher:pong", "")
	w.write([]byte{0x81, 0x80 | 127, 0, 0, 0, 0, 0, 2, 0, 1, 1, 2, 3, 4}) // announced is enough
	w.expectClose(1009)
}

func TestWS46_AuthorizedConnectionsOnly(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.AuthorizedOnly, a.AuthorizationTimeout = true, time.Second })
	h := serve(t, app)
	user, private, presence, anonymous := h.connect(app), h.connect(app), h.connect(app), h.connect(app)
	user.signin(`{"id":"7"}`)
	private.subscribe("private-x")
	presence.join("presence-x", `{"user_id":"7"}`)
	anonymous.subscribe("x") // a public channel proves nothing
	anonymous.expectClose(4009)
	// The others connected before and have outlived their time.
	user.quiet()
	private.quiet()
	presence.quiet()
}

// The frames of refused commands keep to the form of WS-11 and name the
// channel; the connection stays (WS-35, WS-44).
func TestWS44_CommandErrors(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.ClientEvents = false })
	w := serve(t, app).connect(app)
	w.subscribe("private-x")
	for _, c := range []struct{ text, says string }{
		{`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":""}}`, "existing subscription"},
		{`{"event":"pusher:unsubscribe","data":{"channel":"y"}}`, "no current subscription"},
		{`{"event":"client-x","channel":"private-x","data":{}}`, "disabled"},
		{`{"event":"client-x","channel":"private-x"}`, "must contain channel and data"},
		{`{"event":"client-x","data":{}}`, "must contain channel and data"},
	} {
		w.send(c.text)
		w.expectError(0, c.says)
	}
	for _, c := range []struct{ auth, says string }{
		{"", "auth info required"},
		{"nocolon", "key:signature"},
		{"other:abc", "invalid key"},
		{"app-key:abc", "invalid signature"},
	} {
		w.emit("pusher:subscribe", "", map[string]any{"channel": "private-y", "auth": c.auth})
		w.expectRefusal("private-y", "AuthError", 401, 4009, c.says)
	}
	w.quiet()
}

func TestGEN06_ErrorsShowTheStringToSignAndNoSecret(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	w.emit("pusher:subscribe", "", map[string]any{"channel": "private-x", "auth": appKey + ":" + strings.Repeat("0", 64)})
	w.expectRefusal("private-x", "AuthError", 401, 4009, w.id+":private-x")
	w.emit("pusher:signin", "", map[string]any{"auth": appKey + ":0", "user_data": `{"id":"7"}`})
	w.expectError(4009, w.id+"::user::")
}

func TestTRAP10_SuccessOfPresenceAlwaysHasPresence(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	for _, channel := range []string{"presence-", "presence-x", "presence-cache-x"} {
		var data struct {
			Presence *struct {
				IDs   []string
				Hash  map[string]json.RawMessage
				Count int
			}
		}
		if err := json.Unmarshal([]byte(w.join(channel, `{"user_id":"7"}`)), &data); err != nil || data.Presence == nil || data.Presence.Count != 1 {
			t.Errorf("%s: %+v, %v", channel, data.Presence, err)
		}
		if channel == "presence-cache-x" {
			w.expect("pusher:cache_miss", channel)
		}
	}
}
