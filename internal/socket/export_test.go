package socket

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
)

// Valve is the flow control alone.
type Valve interface {
	Reserve(ctx context.Context, t *hub.Topic, size int) error
	Release(t *hub.Topic, size int)
}

// NewValve makes the flow control of an outlet with nothing behind it.
func NewValve(sendBuffer int) Valve {
	v := &valve{place: func() int { return 0 }}
	v.init(&Config{SendBuffer: sendBuffer, MaxPending: 64 << 20}, time.Now())
	return v
}

// Post is what a shard reads of a POST's head.
type Post struct {
	Target string
	Fields [][2][]byte
	Length int
	Closes bool
}

// Opening is what a request for a WebSocket asks for.
type Opening struct {
	Accept    string
	Handshake hub.Handshake
}

// ParseOpening reads a request head as shards do.
func ParseOpening(cfg Config, head []byte, from netip.AddrPort) (Opening, bool) {
	cfg = cfg.withDefaults()
	var o opening
	if !o.parse(head, cfg.opens()) {
		return Opening{}, false
	}
	up, ok := newCore(cfg).admit(&o, from)
	return Opening{string(up.accept[:]), up.hs}, ok
}

// AcceptRequest judges a request as the HTTP server's handler does.
func AcceptRequest(cfg Config, r *http.Request) (Opening, bool) {
	up, rejected := newCore(cfg).accept(r)
	return Opening{string(up.accept[:]), up.hs}, rejected == nil
}

// ParsePost reads a head as shards do.
func ParsePost(head []byte) (Post, bool) {
	var p postHead
	ok := p.parse(head)
	return Post{string(p.target), p.fields, p.length, p.closes}, ok
}
