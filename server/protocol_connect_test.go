package server_test

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/server"
)

func TestWS01_TheKeyNamesTheApp(t *testing.T) {
	t.Parallel()
	other := testApp(func(a *belfry.App) {
		a.ID, a.Keys = "2", []belfry.Credential{{Key: "a key/é", Secret: "secret-of-odd"}}
	})
	h := serve(t, testApp(), other)
	for _, target := range []string{"/app/app-key", "/app/app-key/", "/app/app-key?protocol=7", "/app/app%2Dkey/?protocol=7", "/app/a%20key%2F%C3%A9?protocol=7"} {
		h.dial(testApp(), target).established()
	}
}

func TestWS01_PathPrefix(t *testing.T) {
	t.Parallel()
	h := serveWith(t, func(c *server.Config) { c.PathPrefix = "/realtime" }, testApp())
	h.dial(testApp(), "/realtime/app/app-key?protocol=7").established()
}

func TestWS02_QueryIsReadLeniently(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	for _, query := range []string{
		"", "?", "?protocol=7&client=js&version=8.6.0&flash=false", "?protocol=5&client=java-client&version=2.4.4",
		"?flash=true&unknown=1&x[]=%zz&;&&=", "?version=latest&protocol=7", "?protocol=7&client=" + strings.Repeat("c", 2000),
	} {
		h.connectAs(testApp(), query)
	}
}

func TestWS03_ProtocolVersions(t *testing.T) {
	t.Parallel()
	strict := testApp(func(a *belfry.App) {
		a.ID, a.Keys, a.Compat.StrictProtocol = "2", []belfry.Credential{{Key: "strict", Secret: "secret-of-strict"}}, true
	})
	h := serve(t, testApp(), strict)
	for _, query := range []string{"", "?protocol=4", "?protocol=5", "?protocol=6", "?protocol=7", "?protocol=8", "?protocol=1000"} {
		h.connectAs(testApp(), query)
	}
	for _, query := range []string{"?protocol=1", "?protocol=2", "?protocol=3", "?protocol=0", "?protocol=-7", "?protocol=seven", "?protocol=7.0", "?protocol="} {
		h.refusesHandshake(testApp(), "/app/app-key"+query, 4007)
	}
	h.connectAs(strict, "?protocol=7&version=8.6.0")
	h.refusesHandshake(strict, "/app/strict?version=8.6.0", 4008)
	h.refusesHandshake(strict, "/app/strict?protocol=7&version=latest", 4006)
}

// refusesHandshake: pusher:error first of all, then a close with the same code
// and the same text (WS-05, WS-34, WS-36).
func (h *host) refusesHandshake(app *belfry.App, target string, code int, headers ...string) {
	h.t.Helper()
	w := h.dial(app, target, headers...)
	text := w.expectError(code)
	if reason := w.expectClose(code); reason == "" || !strings.HasPrefix(text, strings.TrimSuffix(reason, "…")) {
		h.t.Errorf("%s: closed with %q after the error %q", target, reason, text)
	}
}

func TestWS04_RefusalsComeAfterTheUpgrade(t *testing.T) {
	t.Parallel()
	apps := []*belfry.App{testApp()}
	add := func(id string, change func(*belfry.App)) {
		apps = append(apps, testApp(func(a *belfry.App) {
			a.ID, a.Keys = id, []belfry.Credential{{Key: "key-" + id, Secret: "secret-of-" + id}}
		}, change))
	}
	add("2", func(a *belfry.App) { a.Disabled = true })
	add("3", func(a *belfry.App) { a.RequireTLS = true })
	add("4", func(a *belfry.App) { a.Limits.Connections = 0 })
	add("5", func(a *belfry.App) { a.Limits.Connections, a.Compat.QuotaCode = 0, 4100 })
	add("6", func(a *belfry.App) { a.AllowedOrigins = []string{"app.example.com"} })
	h := serve(t, apps...)
	for target, code := range map[string]int{
		"/app/unknown?protocol=7": 4001, "/app/key-2": 4003, "/app/key-3": 4000, "/app/key-4": 4004, "/app/key-5": 4100, "/app/key-6": 4009,
		"/app/" + strings.Repeat("k", 3000): 4001, "/app/%22%3Cb%3E%00": 4001,
	} {
		h.refusesHandshake(apps[0], target, code)
	}
	for _, path := range []string{"/apps", "/application/app-key", "/App/app-key", "/x/app/app-key"} {
		if status := h.upgradeStatus(path); status < 400 || status >= 500 {
			t.Errorf("%s answers %d", path, status)
		}
	}
	if status := h.upgradeStatus("/nothing/here"); status != http.StatusNotFound {
		t.Errorf("another path answers %d, want 404", status)
	}
}

func (h *host) upgradeStatus(path string) int {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), "GET", "http://"+h.addr+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "AAECAwQFBgcICQoLDA0ODw==", "Sec-WebSocket-Version": "13",
	} {
		request.Header.Set(name, value)
	}
	response, err := h.http.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

func TestWS06_EstablishedIsTheFirstMessage(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	form := regexp.MustCompile(`^\{"event":"pusher:connection_established","data":"\{\\"socket_id\\":\\"[1-9][0-9]{0,9}\.[1-9][0-9]{0,9}\\",\\"activity_timeout\\":30\}"\}$`)
	for _, query := range []string{"?protocol=4", "?protocol=5", "?protocol=6", "?protocol=7"} {
		begun := time.Now()
		m := h.dial(testApp(), "/app/app-key"+query).next()
		if !form.MatchString(m.raw) {
			t.Errorf("%s: first message %s", query, m.raw)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("%s: it came after %s (WS-08)", query, took)
		}
	}
}

func TestWS07_SocketIDsDiffer(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	seen := map[string]bool{}
	for range 50 {
		w := h.connect(testApp())
		if seen[w.id] {
			t.Fatalf("socket id %s came twice", w.id)
		}
		seen[w.id] = true
	}
}

func TestWS09_SubprotocolsAndExtensionsAreNotEchoed(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.dial(testApp(), "/app/app-key?protocol=7", "Sec-WebSocket-Protocol: pusher, chat", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "Origin: https://anywhere.example").established()
	for _, name := range []string{"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"} {
		if value := w.head.Get(name); value != "" {
			t.Errorf("%s: %s is answered", name, value)
		}
	}
	if got := w.head.Get("Sec-WebSocket-Accept"); got != "vVErU80RbfYC5ODNxBpLOMhlk2M=" && len(got) != 28 {
		t.Errorf("Sec-WebSocket-Accept: %q", got)
	}
	w.quiet()
}

func TestWS09_OriginsOfTheApp(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) {
		a.AllowedOrigins = []string{"app.example.com", "*.example.org", "https://exact.example:8443"}
	})
	h := serve(t, app)
	for _, origin := range []string{
		"https://app.example.com", "http://app.example.com:3000", "https://APP.example.com", "https://a.example.org", "https://a.b.example.org", "https://exact.example:8443",
	} {
		h.dial(app, "/app/app-key?protocol=7", "Origin: "+origin).established()
	}
	for _, origin := range []string{
		"https://example.com", "https://example.org", "https://evil-example.org", "https://app.example.com.evil.example", "http://exact.example:8443", "https://exact.example", "null",
	} {
		h.refusesHandshake(app, "/app/app-key?protocol=7", 4009, "Origin: "+origin)
	}
	h.refusesHandshake(app, "/app/app-key?protocol=7", 4009) // a browser always sends one
}

func TestWS10_FragmentsMakeOneMessage(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	w.frame(0x01, []byte(`{"event":"pusher:subscribe",`))
	w.frame(0x89, []byte("between"))
	w.frame(0x00, []byte(`"data":{"channel":`))
	w.frame(0x80, []byte(`"x"}}`))
	if opcode, payload, err := w.read(); err != nil || opcode != 10 || string(payload) != "between" {
		t.Fatalf("a ping between fragments is answered with %d %q %v", opcode, payload, err)
	}
	w.expectText(`{"event":"pusher_internal:subscription_succeeded","channel":"x","data":"{}"}`)
}

func TestWS13_CommandDataIsAnObjectOrAString(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	w.send(`{"event":"pusher:subscribe","data":"{\"channel\":\"x\"}","more":{"event":1}}`)
	w.expect("pusher_internal:subscription_succeeded", "x")
	w.send(`{"event":"pusher:unsubscribe","data":"{\"channel\":\"x\"}"}`)
	w.send(`{"event":"pusher:subscribe","data":{"channel":"x"}}`)
	w.expect("pusher_internal:subscription_succeeded", "x")
	userData := `{"id":"7"}`
	w.emit("pusher:signin", "", asJSON(t, map[string]string{"auth": sign(w.app, w.id+"::user::"+userData), "user_data": userData}))
	w.expect("pusher:signin_success", "")
	for _, ping := range []string{`{"event":"pusher:ping"}`, `{"event":"pusher:ping","data":{}}`, `{"event":"pusher:ping","data":"{}"}`, `{"event":"pusher:ping","data":null}`, `{"event":"pusher:ping","data":[1]}`} {
		w.send(ping)
		w.expectText(`{"event":"pusher:pong","data":"{}"}`)
	}
}

func TestWS14_PublishedDataIsDeliveredByteForByte(t *testing.T) {
	t.Parallel()
	h := serve(t, testApp())
	w := h.connect(testApp())
	w.subscribe("x")
	for _, data := range []string{
		"", " ", "{}", `{ "a" : 1.50 , "b":[ ] }`, "plain text", `{"broken`, "null", "123", `"quoted"`, "Zoë 東京 🚀", "tab\tline\nreturn\r", "\u2028<&>'\x7f\x00",
		`{"a":12345678901234567890.10}`,
	} {
		h.publish(testApp(), "x", `App\Events\Order.Sent`, data)
		if m := w.expect(`App\Events\Order.Sent`, "x"); m.text(t) != data || m.UserID != nil {
			t.Errorf("%q came as %s", data, m.raw)
		}
	}
}

func TestWS20_PingIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	w := serve(t, testApp()).connect(testApp())
	w.quiet()
	w.frame(0x89, []byte("are you there")) // WS-21
	if opcode, payload, err := w.read(); err != nil || opcode != 10 || string(payload) != "are you there" {
		t.Errorf("a ping frame is answered with %d %q %v", opcode, payload, err)
	}
	w.send(`{"event":"pusher:pong","data":{}}`) // WS-24: silence
	w.subscribe("x")
	w.send(`{"event":"pusher:pong"}`)
	w.frame(0x8a, []byte("unasked"))
	w.quiet()
}

func TestWS23_ASilentConnectionIsPingedThenClosed(t *testing.T) {
	t.Parallel()
	h := serveWith(t, func(c *server.Config) { c.PingAfter, c.PingTimeout = time.Second, time.Second }, testApp())
	for _, query := range []string{"?protocol=7", "?protocol=5"} {
		w := h.connectAs(testApp(), query)
		w.expectPing()
		w.expectText(`{"event":"pusher:ping","data":"{}"}`)
		if query == "?protocol=5" { // older protocols get an error before the close (WS-34)
			w.expectError(4201)
		}
		w.expectClose(4201)
	}
}

func TestWS26_ClientsWithoutPingSupportGetOnlyPingFrames(t *testing.T) {
	t.Parallel()
	h := serveWith(t, func(c *server.Config) { c.PingAfter, c.PingTimeout = time.Second, time.Second }, testApp())
	w := h.connectAs(testApp(), "?protocol=4")
	w.expectPing()
	w.expectPing() // unanswered, and still there
	w.quiet()
}

func TestWS22_AnyFrameProvesThePeerAlive(t *testing.T) {
	t.Parallel()
	h := serveWith(t, func(c *server.Config) { c.PingAfter, c.PingTimeout = time.Second, 2*time.Second }, testApp())
	w := h.connect(testApp())
	for range 3 { // only control frames answer, as native clients do
		payload := w.expectPing()
		w.expectText(`{"event":"pusher:ping","data":"{}"}`)
		w.frame(0x8a, payload)
	}
	w.quiet()
}

func TestWS25_AnnouncedActivityTimeout(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.ActivityTimeout = 2 * time.Minute })
	m := serve(t, app).dial(app, "/app/app-key?protocol=7").next()
	if !strings.Contains(m.text(t), `"activity_timeout":120`) {
		t.Errorf("established with %s", m.raw)
	}
}

func TestWS34_ErrorsBeforeClosesOfOlderProtocols(t *testing.T) {
	t.Parallel()
	always := testApp(func(a *belfry.App) {
		a.ID, a.Keys, a.Compat.ErrorBeforeClose = "2", []belfry.Credential{{Key: "always", Secret: "secret-of-always"}}, true
	})
	h := serve(t, testApp(), always)
	for _, c := range []struct {
		app   *belfry.App
		query string
		first bool
	}{{testApp(), "?protocol=4", true}, {testApp(), "?protocol=5", true}, {testApp(), "?protocol=6", false}, {testApp(), "?protocol=7", false}, {testApp(), "", false}, {always, "?protocol=7", true}} {
		w := h.connectAs(c.app, c.query)
		w.signin(`{"id":"7"}`)
		if status, answer := h.call(c.app, "POST", "/users/7/terminate_connections", "", map[string]any{}); status != 200 {
			t.Fatalf("terminate answers %d %s", status, answer)
		}
		if c.first {
			w.expectError(4009)
		}
		if reason := w.expectClose(4009); reason == "" {
			t.Errorf("%s: closed without a reason", c.query)
		}
	}
}

func TestWS37_OnlyATrustedProxyVouchesForTLS(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.RequireTLS = true })
	h := serve(t, app)
	h.refusesHandshake(app, "/app/app-key?protocol=7", 4000, "X-Forwarded-Proto: https")
	behind := serveWith(t, func(c *server.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }, app)
	behind.dial(app, "/app/app-key?protocol=7", "X-Forwarded-Proto: https").established()
	behind.refusesHandshake(app, "/app/app-key?protocol=7", 4000, "X-Forwarded-Proto: http")
}

func TestWS38_ConnectionQuota(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.Limits.Connections = 2 })
	h := serve(t, app)
	first, second := h.connect(app), h.connect(app)
	h.refusesHandshake(app, "/app/app-key?protocol=7", 4004)
	second.quiet()
	first.close() // its place is free when its close frame has come (CH-22)
	h.connect(app)
}

func TestWS38_ServerCapacity(t *testing.T) {
	t.Parallel()
	h := serveWith(t, func(c *server.Config) { c.MaxConnections = 1 }, testApp())
	h.connect(testApp())
	h.refusesHandshake(testApp(), "/app/app-key?protocol=7", 4100)
}
