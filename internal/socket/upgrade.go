package socket

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry/internal/hub"
)

// rejection is an HTTP answer to a request that becomes no WebSocket.
type rejection struct {
	status  int
	reason  string // a fixed word, for Stats.Rejected and the answer's code
	message string
	header  http.Header // more headers, or nil
}

// write answers with the rejection as JSON.
func (r *rejection) write(w http.ResponseWriter) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	body, _ := json.Marshal(map[string]string{"error": r.message, "code": r.reason}) // two strings always encode
	w.Write(append(body, '\n'))
}

// checkUpgrade checks that a request is the opening handshake of RFC 6455,
// section 4.2.1, and gives the accept token of the answer. What is refused here
// never was a WebSocket client; clients are refused after the upgrade (WS-04).
func checkUpgrade(r *http.Request) (accept token, rejected *rejection) {
	refuse := func(status int, reason, message string, header ...string) (token, *rejection) {
		rejected := &rejection{status: status, reason: reason, message: message, header: http.Header{}}
		for i := 0; i < len(header); i += 2 {
			rejected.header.Set(header[i], header[i+1])
		}
		return token{}, rejected
	}
	if r.Method != http.MethodGet {
		return refuse(http.StatusMethodNotAllowed, "method_not_allowed",
			"this is a WebSocket endpoint: connect to it with GET and an Upgrade header", "Allow", "GET")
	}
	if r.ProtoMajor >= 2 {
		return refuse(http.StatusUpgradeRequired, "upgrade_required",
			"this is a WebSocket endpoint, and WebSockets are served over HTTP/1.1 only: connect with a Pusher client, or let the proxy speak HTTP/1.1 to this server")
	}
	if !hasToken(r.Header, "Upgrade", "websocket") || !hasToken(r.Header, "Connection", "upgrade") {
		return refuse(http.StatusUpgradeRequired, "upgrade_required",
			"this is a WebSocket endpoint: connect with a Pusher client; behind a proxy, have it pass the Upgrade and Connection headers on",
			"Upgrade", "websocket", "Connection", "Upgrade")
	}
	if version := r.Header.Values("Sec-WebSocket-Version"); len(version) != 1 || strings.TrimSpace(version[0]) != "13" {
		return refuse(http.StatusUpgradeRequired, "unsupported_version",
			"WebSocket version 13 is served, no other: send Sec-WebSocket-Version: 13",
			"Sec-WebSocket-Version", "13", "Upgrade", "websocket", "Connection", "Upgrade")
	}
	if r.ProtoMinor == 0 {
		return refuse(http.StatusBadRequest, "bad_request", "a WebSocket begins with HTTP/1.1, not HTTP/1.0; a proxy in between may need to be told so")
	}
	if r.ContentLength != 0 {
		return refuse(http.StatusBadRequest, "bad_request", "a request for a WebSocket has no body")
	}
	keys := r.Header.Values("Sec-WebSocket-Key")
	if len(keys) != 1 || !validKey([]byte(strings.TrimSpace(keys[0]))) {
		return refuse(http.StatusBadRequest, "bad_request", "Sec-WebSocket-Key must be there once and hold 16 bytes in base64")
	}
	return acceptToken([]byte(strings.TrimSpace(keys[0]))), nil
}

// validKey reports whether key is 16 bytes in base64.
func validKey(key []byte) bool {
	var b [18]byte
	if len(key) != base64.StdEncoding.EncodedLen(16) {
		return false
	}
	n, err := base64.StdEncoding.Decode(b[:], key)
	return err == nil && n == 16
}

// token is the proof that a handshake was understood.
type token [28]byte

// acceptToken gives it for the key of a handshake (RFC 6455, section 4.2.2).
func acceptToken(key []byte) (t token) {
	var b [60]byte
	sum := sha1.Sum(append(append(b[:0], key...), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	base64.StdEncoding.Encode(t[:], sum[:])
	return t
}

// hasToken reports whether a header that lists tokens holds token.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// appKey gives the key of {prefix}/app/{key}, percent-decoded; a trailing
// slash is tolerated (WS-01). Without the prefix it is served too, since a
// reverse proxy may have taken it off.
func appKey(u *url.URL, prefix string) (key string, ok bool) {
	path := u.EscapedPath()
	raw, ok := strings.CutPrefix(path, prefix+"/app/")
	if !ok {
		raw, ok = strings.CutPrefix(path, "/app/")
	}
	if !ok {
		return "", false
	}
	raw = strings.TrimSuffix(raw, "/")
	if raw == "" || strings.Contains(raw, "/") {
		return "", false
	}
	key, err := url.PathUnescape(raw)
	return key, err == nil
}

// handshake gives what a request asks for (WS-02). Unknown and unreadable
// parameters are ignored.
func (c *Config) handshake(r *http.Request, key string) hub.Handshake {
	p := c.peer(r)
	hs := hub.Handshake{Key: key, Origin: r.Header.Get("Origin"), Agent: r.UserAgent(), Address: p.String(), Plain: p.plain}
	asks(&hs, r.URL.Query())
	return hs
}

// appendSwitching appends the answer that ends the opening handshake. An
// offered subprotocol or extension is not taken up (WS-09).
func appendSwitching(dst []byte, accept token) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = append(dst, accept[:]...)
	return append(dst, "\r\n\r\n"...)
}
