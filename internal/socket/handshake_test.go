package socket_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/socket"
	"github.com/belfryhq/belfry/pusher"
)

func testEstablished(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	p := b.open(target, "Sec-WebSocket-Protocol: pusher", "Sec-WebSocket-Extensions: permessage-deflate")
	m := p.message()
	var data struct {
		SocketID        string `json:"socket_id"`
		ActivityTimeout int    `json:"activity_timeout"`
	}
	if err := json.Unmarshal([]byte(m.text()), &data); err != nil || !pusher.ValidSocketID(data.SocketID) || data.ActivityTimeout != 30 {
		t.Errorf("established: %+v, %v", data, err)
	}
	if b.notices.address() != "127.0.0.1" {
		t.Errorf("address %q", b.notices.address())
	}
	p = b.dial()
	p.write([]byte(request(target, "Sec-WebSocket-Protocol: pusher", "Sec-WebSocket-Extensions: permessage-deflate")))
	for name := range p.answer().Header {
		if strings.HasPrefix(name, "Sec-Websocket-") && name != "Sec-Websocket-Accept" {
			t.Errorf("the answer takes up %s", name) // WS-09
		}
	}
	if s := b.engine.Stats(); s.Open != 2 || s.BytesOut == 0 {
		t.Errorf("stats: %+v", s)
	}
}

// A client may send its first frames in one packet with the request.
func testEarlyData(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	p := b.dial()
	p.write([]byte(request(target)), frame(0x81, `{"event":"pusher:subscribe","data":{"channel":"news"}}`), frame(0x89, "x"))
	p.switched()
	if m := p.message(); m.Event != "pusher:connection_established" {
		t.Errorf("%+v", m)
	}
	if m := p.message(); m.Event != "pusher_internal:subscription_succeeded" || m.Channel != "news" {
		t.Errorf("%+v", m)
	}
	p.wantFrame(10, "x")
}

func testPaths(t *testing.T, open opening) {
	odd := app()
	odd.Keys = append(odd.Keys, belfry.Credential{Key: "a/b c", Secret: "s"})
	b := listen(t, open, socket.Config{PathPrefix: "ws/"}, odd)
	for _, path := range []string{"/ws/app/demo-key", "/ws/app/demo-key/", "/ws/app/%64emo-key?protocol=7", "/ws/app/a%2Fb%20c",
		"/ws/app/demo-key?protocol=7&unknown=1&bad=%zz;;&", "/ws/app/demo-key?", "/app/demo-key"} {
		p := b.open(path)
		if m := p.message(); m.Event != "pusher:connection_established" {
			t.Errorf("%s: %+v", path, m)
		}
	}
	for _, path := range []string{"/", "/ap/demo-key", "/ws/app", "/ws/app/", "/ws/app/demo-key/x", "/ws/application/demo-key"} {
		p := b.dial()
		p.write([]byte(request(path)))
		if r := p.answer(); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	if n := b.engine.Stats().Rejected["not_found"]; n != 6 {
		t.Errorf("%d rejected", n)
	}
}

func testRejected(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	tests := []struct {
		name, old, new string // replaces part of a correct request
		status         int
		header, value  string
	}{
		{"another method", "GET /", "POST /", 405, "Allow", "GET"},
		{"no upgrade", "Upgrade: websocket\r\n", "", 426, "Upgrade", "websocket"},
		{"another upgrade", "Upgrade: websocket", "Upgrade: h2c", 426, "Upgrade", "websocket"},
		{"no connection token", "keep-alive, Upgrade", "keep-alive", 426, "Upgrade", "websocket"},
		{"old version", "Version: 13", "Version: 8", 426, "Sec-Websocket-Version", "13"},
		{"no version", "Sec-WebSocket-Version: 13\r\n", "", 426, "Sec-Websocket-Version", "13"},
		{"no key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400, "", ""},
		{"short key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", 400, "", ""},
		{"key not base64", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ!==", 400, "", ""},
		{"two keys", "Sec-WebSocket-Version", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version", 400, "", ""},
		{"HTTP/1.0", "HTTP/1.1", "HTTP/1.0", 400, "", ""},
		{"a body", "Sec-WebSocket-Version", "Content-Length: 2\r\nSec-WebSocket-Version", 400, "", ""},
		{"a chunked body", "Sec-WebSocket-Version", "Transfer-Encoding: chunked\r\nSec-WebSocket-Version", 400, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := b.dial()
			p.write([]byte(strings.Replace(request(target), test.old, test.new, 1)), []byte("0\r\n\r\n"))
			r := p.answer()
			body, _ := io.ReadAll(r.Body)
			var said struct{ Error, Code string }
			if err := json.Unmarshal(body, &said); err != nil || said.Error == "" || said.Code == "" {
				t.Errorf("body %q: %v", body, err)
			}
			if r.StatusCode != test.status || test.header != "" && r.Header.Get(test.header) != test.value {
				t.Errorf("%d, %v", r.StatusCode, r.Header)
			}
		})
	}
	if s := b.engine.Stats(); s.Open != 0 || s.Rejected["method_not_allowed"] != 1 || s.Rejected["bad_request"] != 7 {
		t.Errorf("stats: %+v", s)
	}
}

// Clients are refused after the upgrade, by pusher:error and a close frame with
// the same code and text (WS-04, WS-34, WS-36).
func testRefused(t *testing.T, open opening) {
	off := app()
	off.ID, off.Keys, off.Disabled = "2", []belfry.Credential{{Key: "off", Secret: "s"}}, true
	b := listen(t, open, socket.Config{}, app(), off)
	for path, code := range map[string]int{
		"/app/nobody": 4001,
		"/app/" + strings.Repeat("long-", 60) + "k": 4001,
		"/app/off?protocol=7":                       4003,
		"/app/demo-key?protocol=2":                  4007,
		"/app/demo-key?protocol=seven":              4007,
	} {
		p := b.open(path)
		p.wantError(code)
		if reason := p.wantClose(code); reason == "" || len(reason) > 123 {
			t.Errorf("%s: reason %q", path, reason)
		}
		p.write(closing(code, ""))
		p.wantEnd()
	}
	if s := b.engine.Stats(); s.Closed[4001] != 2 || s.Closed[4003] != 1 || s.Closed[4007] != 2 {
		t.Errorf("stats: %+v", s)
	}
}

func testServerFull(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{MaxConnections: 2})
	first := b.connect()
	b.connect()
	third := b.open(target)
	third.wantError(4100)
	third.wantClose(4100)
	third.write(closing(4100, ""))
	third.wantEnd()
	first.write(closing(1000, ""))
	first.wantClose(1000)
	first.wantEnd()
	until(t, "the connections to be gone", func() bool { return b.engine.Stats().Open == 1 })
	b.connect()
}

func testThrottle(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{AcceptRate: 1, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	try := func(from string) int {
		p := b.dial()
		p.write([]byte(request(target, "X-Forwarded-For: "+from)))
		r := p.answer()
		if r.StatusCode == 429 && r.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
		return r.StatusCode
	}
	refused := 0
	for range 10 {
		if try("2001:db8::1") == 429 {
			refused++
		}
	}
	if refused == 0 {
		t.Error("ten connections at once passed a limit of one a second")
	}
	for range 3 { // the same network
		if try("2001:db8::2") == 429 {
			refused = -1
		}
	}
	if refused != -1 {
		t.Error("another address of the same /64 counted apart")
	}
	if got := try("198.51.100.7"); got != 101 {
		t.Errorf("another address: %d", got)
	}
}

func testProxies(t *testing.T, open opening) {
	secure := app()
	secure.RequireTLS = true
	trusted := socket.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}}
	behind, direct := listen(t, open, trusted, secure), listen(t, open, socket.Config{}, secure)
	tests := []struct {
		name    string
		b       *bench
		header  string
		refused bool // with 4000 (WS-37)
		address string
	}{
		{"plain", direct, "X-None: 1", true, ""},
		{"a header from nobody trusted", direct, "X-Forwarded-Proto: https", true, ""},
		{"the proxy says nothing", behind, "X-None: 1", false, "127.0.0.1"},
		{"https before the proxy", behind, "X-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.9", false, "203.0.113.9"},
		{"http before the proxy", behind, "X-Forwarded-Proto: http", true, ""},
		{"several proxies", behind, "X-Forwarded-For: 198.51.100.1, 203.0.113.9, 10.1.1.1\r\nX-Forwarded-For: 10.2.2.2", false, "203.0.113.9"},
		{"ports and brackets", behind, "X-Forwarded-For: [2001:db8::7]:4711", false, "2001:db8::7"},
		{"nonsense", behind, "X-Forwarded-For: 203.0.113.9, unknown", false, "127.0.0.1"},
		{"Forwarded", behind, `Forwarded: for="[2001:db8::7]:80";proto=https, for=10.1.1.1`, false, "2001:db8::7"},
		{"Forwarded says http", behind, `Forwarded: For=203.0.113.9;Proto=http`, true, ""},
		{"both: the X headers count", behind, "Forwarded: for=1.2.3.4;proto=http\r\nX-Forwarded-For: 203.0.113.9", false, "203.0.113.9"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := test.b.open(target, test.header)
			if test.refused {
				p.wantError(4000)
				p.wantClose(4000)
				return
			}
			if m := p.message(); m.Event != "pusher:connection_established" || test.b.notices.address() != test.address {
				t.Errorf("%+v from %q, want %q", m, test.b.notices.address(), test.address)
			}
		})
	}
}

// TLS in the process is served alike.
func testTLS(t *testing.T, open opening) {
	secure := app()
	secure.RequireTLS = true
	b := secured(t, open, secure)
	p := b.subscribed("news")
	for range 3 {
		b.mustPublish("news", "n", strings.Repeat("x", 9000))
	}
	for range 3 {
		if m := p.message(); len(m.text()) != 9000 {
			t.Errorf("%+v", m)
		}
	}
	// A close that another goroutine begins reaches a reader that waits.
	b.hub.SetApps(nil)
	p.wantClose(4001)
	p.write(closing(4001, ""))
	p.wantEnd()

	b.hub.SetApps([]*belfry.App{secure})
	p = b.connect()
	p.write(frame(0x82, "binary"))
	p.wantClose(1003)
	p.wantEnd() // at once: our direction ends behind the close frame
}

// secured runs an engine behind TLS.
func secured(t *testing.T, open opening, apps ...*belfry.App) *bench {
	t.Helper()
	borrowed := httptest.NewUnstartedServer(nil) // for its certificate
	borrowed.StartTLS()
	borrowed.Close()
	b := start(t, open, socket.Config{}, apps...)
	b.serve(&borrowed.TLS.Certificates[0])
	b.tls = borrowed.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	b.tls.ServerName, b.tls.NextProtos = "example.com", []string{"http/1.1"}
	return b
}

// A request over HTTP/2 cannot become a WebSocket here, and is told so.
func testHTTP2(t *testing.T, open opening) {
	b := secured(t, open)
	config := b.tls.Clone()
	config.NextProtos = nil
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	r, err := (&http.Client{Transport: transport}).Get("https://" + b.address + target)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, _ := io.ReadAll(r.Body); r.ProtoMajor != 2 || r.StatusCode != 426 || !strings.Contains(string(body), "HTTP/1.1") {
		t.Errorf("%s %s: %s", r.Proto, r.Status, body)
	}
}

// A proxy with keep-alive upgrades on a connection that served other requests
// before.
func testKeepAlive(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	p := b.dial()
	p.write([]byte("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"))
	r := p.answer()
	io.Copy(io.Discard, r.Body)
	if r.StatusCode != 404 {
		t.Fatal(r.Status)
	}
	p.write([]byte(request(target)))
	p.switched()
	if m := p.message(); m.Event != "pusher:connection_established" {
		t.Errorf("%+v", m)
	}
}
