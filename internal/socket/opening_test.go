package socket_test

import (
	"bufio"
	"bytes"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/socket"
)

const fields = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// plainOpenings are what clients send: those of browsers, of pusher-js in Node.js, of
// other libraries, and of proxies.
var plainOpenings = map[string]string{
	"short":  "GET /app/key HTTP/1.1\r\n" + fields + "\r\n",
	"usual":  "GET /app/key-1_a.b~c?protocol=7&client=js&version=8.4.0&flash=false HTTP/1.1\r\n" + fields + "\r\n",
	"slash":  "GET /app/key/?protocol=5 HTTP/1.1\r\n" + fields + "\r\n",
	"twice":  "GET /app/key?protocol=7&protocol=4&client=a&client=b&version=&version=1&&=&x HTTP/1.1\r\n" + fields + "\r\n",
	"no '='": "GET /app/key?protocol HTTP/1.1\r\n" + fields + "\r\n",
	"escape": "GET /app/key?protocol=%37&client=a+b&version=%zz HTTP/1.1\r\n" + fields + "\r\n",
	";":      "GET /app/key?protocol=7;client=x&version=3 HTTP/1.1\r\n" + fields + "\r\n",
	"query":  "GET /app/key?a?b=/\"<>\\^`{|}&protocol=7 HTTP/1.1\r\n" + fields + "\r\n",
	"Chromium": "GET /app/key?protocol=7&client=js&version=8.4.0&flash=false HTTP/1.1\r\nHost: ws.example.com:8080\r\nConnection: Upgrade\r\nPragma: no-cache\r\n" +
		"Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nUpgrade: websocket\r\nOrigin: https://example.com\r\nSec-WebSocket-Version: 13\r\n" +
		"Accept-Encoding: gzip, deflate, br\r\nCookie: a=b; c=\"d\"\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
	"Firefox": "GET /app/key HTTP/1.1\r\nhost: [::1]:80\r\nconnection:keep-alive, Upgrade\r\nUPGRADE: \tWebSocket \r\nsec-websocket-version: 13\r\n" +
		"sec-websocket-key: AQIDBAUGBwgJCgsMDQ4PEA==\r\norigin: null\r\n\r\n",
	"proxy":               "GET /app/key HTTP/1.1\r\n" + fields + "X-Forwarded-For: 203.0.113.9, 198.51.100.2\r\nx-forwarded-for: 10.0.0.3\r\nX-Forwarded-Proto: https\r\n\r\n",
	"RFC 7239":            "GET /app/key HTTP/1.1\r\n" + fields + "Forwarded: for=\"[2001:db8::7]:4711\";proto=http, for=10.0.0.9\r\n\r\n",
	"nonsense of a proxy": "GET /app/key HTTP/1.1\r\n" + fields + "X-Forwarded-For: nobody\r\nForwarded: ;;=\r\nX-Forwarded-: a\r\n\r\n",
}

// oddOpenings are not taken: the HTTP server reads those, or says what is wrong.
var oddOpenings = map[string]string{
	"another path":            "GET /apps/key HTTP/1.1\r\n" + fields + "\r\n",
	"no key":                  "GET /app/ HTTP/1.1\r\n" + fields + "\r\n",
	"no key but a query":      "GET /app/?protocol=7 HTTP/1.1\r\n" + fields + "\r\n",
	"two slashes":             "GET /app/key// HTTP/1.1\r\n" + fields + "\r\n",
	"a longer path":           "GET /app/key/x HTTP/1.1\r\n" + fields + "\r\n",
	"an escaped key":          "GET /app/ke%79 HTTP/1.1\r\n" + fields + "\r\n",
	"an escaped slash":        "GET /app/a%2Fb HTTP/1.1\r\n" + fields + "\r\n",
	"a key beyond ASCII":      "GET /app/k\xc3\xa9y HTTP/1.1\r\n" + fields + "\r\n",
	"a fragment":              "GET /app/key?a#b HTTP/1.1\r\n" + fields + "\r\n",
	"a control byte":          "GET /app/key?a\x01 HTTP/1.1\r\n" + fields + "\r\n",
	"another method":          "PUT /app/key HTTP/1.1\r\n" + fields + "\r\n",
	"HTTP/1.0":                "GET /app/key HTTP/1.0\r\n" + fields + "\r\n",
	"HTTP/2":                  "GET /app/key HTTP/2.0\r\n" + fields + "\r\n",
	"two spaces":              "GET /app/key  HTTP/1.1\r\n" + fields + "\r\n",
	"three words":             "GET /app/key x HTTP/1.1\r\n" + fields + "\r\n",
	"a whole address":         "GET http://x/app/key HTTP/1.1\r\n" + fields + "\r\n",
	"no host":                 "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, "Host: x\r\n", "", 1) + "\r\n",
	"an empty host":           "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, "Host: x", "Host:", 1) + "\r\n",
	"two hosts":               "GET /app/key HTTP/1.1\r\nHost: y\r\n" + fields + "\r\n",
	"a host that is none":     "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, "Host: x", "Host: x y", 1) + "\r\n",
	"no upgrade":              "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, "Upgrade: websocket\r\n", "", 1) + "\r\n",
	"another upgrade":         "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, "websocket", "h2c, websocket", 1) + "\r\n",
	"two upgrades":            "GET /app/key HTTP/1.1\r\nUpgrade: websocket\r\n" + fields + "\r\n",
	"no connection":           "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, "Connection: Upgrade\r\n", "", 1) + "\r\n",
	"another connection":      "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, "Connection: Upgrade", "Connection: keep-alive, upgrades", 1) + "\r\n",
	"two connections":         "GET /app/key HTTP/1.1\r\nConnection: keep-alive\r\n" + fields + "\r\n",
	"no version":              "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, "Sec-WebSocket-Version: 13\r\n", "", 1) + "\r\n",
	"another version":         "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, ": 13", ": 8", 1) + "\r\n",
	"two versions":            "GET /app/key HTTP/1.1\r\nSec-WebSocket-Version: 13\r\n" + fields + "\r\n",
	"no WebSocket key":        "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 1) + "\r\n",
	"a short WebSocket key":   "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", 1) + "\r\n",
	"a long WebSocket key":    "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, "ZQ==", "ZWVl", 1) + "\r\n",
	"a broken WebSocket key":  "GET /app/key HTTP/1.1\r\n" + strings.Replace(fields, "dGhl", "d!hl", 1) + "\r\n",
	"two WebSocket keys":      "GET /app/key HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + fields + "\r\n",
	"two agents":              "GET /app/key HTTP/1.1\r\nUser-Agent: a\r\nuser-agent: b\r\n" + fields + "\r\n",
	"two origins":             "GET /app/key HTTP/1.1\r\nOrigin: a\r\nOrigin: b\r\n" + fields + "\r\n",
	"a length":                "GET /app/key HTTP/1.1\r\nContent-Length: 0\r\n" + fields + "\r\n",
	"a body":                  "GET /app/key HTTP/1.1\r\nContent-Length: 2\r\n" + fields + "\r\n{}",
	"chunks":                  "GET /app/key HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + fields + "\r\n0\r\n\r\n",
	"trailers":                "GET /app/key HTTP/1.1\r\nTrailer: a\r\n" + fields + "\r\n",
	"bare line feeds":         "GET /app/key HTTP/1.1\n" + strings.ReplaceAll(fields, "\r", "") + "\n\r\n\r\n",
	"a carriage return":       "GET /app/key HTTP/1.1\r\nX: a\rb\r\n" + fields + "\r\n",
	"a folded line":           "GET /app/key HTTP/1.1\r\nX: a\r\n b\r\n" + fields + "\r\n",
	"a space before a colon":  "GET /app/key HTTP/1.1\r\nX : a\r\n" + fields + "\r\n",
	"no colon":                "GET /app/key HTTP/1.1\r\nX\r\n" + fields + "\r\n",
	"no name":                 "GET /app/key HTTP/1.1\r\n: a\r\n" + fields + "\r\n",
	"a zero byte":             "GET /app/key HTTP/1.1\r\nX: \x00\r\n" + fields + "\r\n",
	"a value beyond ASCII":    "GET /app/key HTTP/1.1\r\nUser-Agent: \xc3\xa9\r\n" + fields + "\r\n",
	"many fields":             "GET /app/key HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 80) + fields + "\r\n",
	"an empty request":        "\r\n\r\n",
	"nothing but a beginning": "GET /app/",
}

// proxied trusts the proxies of the examples.
var proxied = socket.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("198.51.100.0/24")}}

func TestPlainOpenings(t *testing.T) {
	for name, text := range plainOpenings {
		if !openAlike(t, []byte(text)) {
			t.Errorf("%s: not taken", name)
		}
	}
	for name, text := range oddOpenings {
		if openAlike(t, []byte(text)) {
			t.Errorf("%s: taken", name)
		}
	}
}

// A prefix that may be written in several ways is read by the HTTP server alone.
func TestOpeningsUnderAPrefix(t *testing.T) {
	from := netip.MustParseAddrPort("192.0.2.7:1")
	for prefix, want := range map[string]bool{"": true, "ws": true, "/real/time/": true, "a-b.c_d~": true, "a%20b": false, "a?b": false, "a b": false, "é": false, "a;b": false} {
		line := "GET /" + strings.Trim(prefix, "/") + "/app/key HTTP/1.1\r\n"
		if prefix == "" {
			line = "GET /app/key HTTP/1.1\r\n"
		}
		got, ok := socket.ParseOpening(socket.Config{PathPrefix: prefix}, []byte(line+fields+"\r\n"), from)
		if ok != want || ok && got.Handshake.Key != "key" {
			t.Errorf("prefix %q: %v, %+v", prefix, ok, got)
		}
		if _, ok := socket.ParseOpening(socket.Config{PathPrefix: prefix}, []byte("GET /other/app/key HTTP/1.1\r\n"+fields+"\r\n"), from); ok {
			t.Errorf("prefix %q: another is taken", prefix)
		}
	}
}

// FuzzOpening: what a shard takes of a request for a WebSocket, the HTTP server
// reads in just the same way.
func FuzzOpening(f *testing.F) {
	for _, text := range plainOpenings {
		f.Add([]byte(text))
	}
	for _, text := range oddOpenings {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) { openAlike(t, b) })
}

// openAlike compares the two readings of a request for a WebSocket, without and
// with trusted proxies.
func openAlike(t *testing.T, b []byte) (taken bool) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return false
	}
	head := b[:end+4]
	for _, from := range []string{"192.0.2.7:4711", "10.1.2.3:80", "[2001:db8::1]:9"} {
		for _, cfg := range []socket.Config{{}, proxied} {
			got, ok := socket.ParseOpening(cfg, head, netip.MustParseAddrPort(from))
			if !ok {
				continue
			}
			taken = true
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
			if err != nil || r.Host == "" {
				t.Fatalf("%q is taken: %v", head, err)
			}
			r.RemoteAddr = from
			if want, ok := socket.AcceptRequest(cfg, r); !ok || got != want {
				t.Errorf("%q from %s: %+v; want %v, %+v", head, from, got, ok, want)
			}
		}
	}
	return taken
}
