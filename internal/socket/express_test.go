package socket_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/socket"
)

var plainPosts = []string{
	"POST /apps/1/events?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"POST /apps/1/events HTTP/1.1\r\nhost: [::1]:80\r\nCONTENT-LENGTH:\t002 \r\nConnection: Close\r\nAccept: */*\r\nX-Y: \t a\tb \r\n\r\n{}",
	"POST /apps/1/channels/a%40b/events?q=%zz&;\" HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
}

var oddPosts = map[string]string{
	"no length":             "POST /apps/1/events HTTP/1.1\r\nHost: x\r\n\r\n",
	"two lengths":           "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
	"signed length":         "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}",
	"negative length":       "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n{}",
	"hexadecimal length":    "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 0x2\r\n\r\n{}",
	"list of lengths":       "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\n{}",
	"empty length":          "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n{}",
	"long length":           "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 0000002\r\n\r\n{}",
	"chunked":               "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"chunked and a length":  "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	"no host":               "POST /apps/1/events HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
	"two hosts":             "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"a host that is none":   "POST /apps/1/events HTTP/1.1\r\nHost: x y\r\nContent-Length: 2\r\n\r\n{}",
	"expect":                "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
	"upgrade":               "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
	"trailer":               "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nTrailer: a\r\nContent-Length: 2\r\n\r\n{}",
	"connection: upgrade":   "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\n{}",
	"two connections":       "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
	"a list of connections": "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nConnection: close, x\r\nContent-Length: 2\r\n\r\n{}",
	"HTTP/1.0":              "POST /apps/1/events HTTP/1.0\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"HTTP/2":                "POST /apps/1/events HTTP/2.0\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"bare line feeds":       "POST /apps/1/events HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}",
	"one bare line feed":    "POST /apps/1/events HTTP/1.1\r\nHost: x\nContent-Length: 2\r\n\r\n{}",
	"a carriage return":     "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nX: a\rb\r\nContent-Length: 2\r\n\r\n{}",
	"space before colon":    "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length : 2\r\n\r\n{}",
	"folded line":           "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
	"no colon":              "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nX\r\nContent-Length: 2\r\n\r\n{}",
	"no name":               "POST /apps/1/events HTTP/1.1\r\nHost: x\r\n: a\r\nContent-Length: 2\r\n\r\n{}",
	"a zero byte":           "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nX: \x00\r\nContent-Length: 2\r\n\r\n{}",
	"more than ASCII":       "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nX: \xc3\xa9\r\nContent-Length: 2\r\n\r\n{}",
	"two spaces":            "POST /apps/1/events  HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"three words":           "POST /apps/1/events a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"a fragment":            "POST /apps/1/events?a#b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"a broken escape":       "POST /apps/%zz/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"half an escape":        "POST /apps/1/events%4 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"many fields":           "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" + strings.Repeat("X: y\r\n", 80) + "\r\n{}",
	"a long head":           "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX: " + strings.Repeat("y", 17<<10) + "\r\n\r\n{}",
	"a long body":           "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n" + strings.Repeat("y", 40000),
	"another path":          "POST /app/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"another method":        "PUT /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"a whole address":       "POST http://x/apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
}

func TestPlainPosts(t *testing.T) {
	for _, text := range plainPosts {
		if !readAlike(t, []byte(text)) {
			t.Errorf("%q is not taken", text)
		}
	}
	for name, text := range oddPosts {
		head, _, _ := strings.Cut(text, "\r\n\r\n")
		if _, ok := socket.ParsePost([]byte(head + "\r\n\r\n")); ok && len(text) < 16<<10 && strings.HasPrefix(text, "POST /apps/") {
			t.Errorf("%s: taken", name)
		}
	}
}

// FuzzPostHead: what a shard takes of a request, the HTTP server reads in just the
// same way.
func FuzzPostHead(f *testing.F) {
	for _, text := range plainPosts {
		f.Add([]byte(text))
	}
	for _, text := range oddPosts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) { readAlike(t, b) })
}

// readAlike compares the two readings of a request that a shard takes.
func readAlike(t *testing.T, b []byte) (taken bool) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return false
	}
	p, ok := socket.ParsePost(b[:end+4])
	if !ok {
		return false
	}
	in := bufio.NewReader(bytes.NewReader(b))
	r, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("%q is taken: %v", b, err)
	}
	if r.Method != "POST" || r.RequestURI != p.Target || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Host == "" {
		t.Errorf("%q: %s %s %s %q", b, r.Method, r.RequestURI, r.Proto, r.Host)
	}
	path, query, _ := strings.Cut(p.Target, "?")
	if raw := r.URL.EscapedPath(); raw != path && r.URL.RawPath != path || r.URL.RawQuery != query || r.URL.Host != "" {
		t.Errorf("%q: %#v", b, r.URL)
	}
	if r.ContentLength != int64(p.Length) || len(r.TransferEncoding) != 0 || len(r.Trailer) != 0 || r.Close != p.Closes {
		t.Errorf("%q: length %d, %v, closes %v; want %+v", b, r.ContentLength, r.TransferEncoding, r.Close, p)
	}
	header := http.Header{}
	for _, field := range p.Fields {
		header.Add(string(field[0]), string(field[1]))
	}
	header.Del("Host")
	for name := range header {
		if strings.Join(header[name], "\n") != strings.Join(r.Header[name], "\n") && name != "Connection" && name != "Cache-Control" {
			t.Errorf("%q: %s is %q, want %q", b, name, r.Header[name], header[name])
		}
	}
	for name := range r.Header {
		if header[name] == nil && name != "Cache-Control" {
			t.Errorf("%q: %s is not there", b, name)
		}
	}
	rest := b[end+4:]
	if len(rest) < p.Length {
		return true
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || !bytes.Equal(body, rest[:p.Length]) {
		t.Errorf("%q: body %q, %v", b, body, err)
	}
	if left, _ := io.ReadAll(in); !bytes.Equal(left, rest[p.Length:]) {
		t.Errorf("%q: %q is left", b, left)
	}
	return true
}
