package socket

import (
	"context"
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

// ParsePost reads a head as shards do.
func ParsePost(head []byte) (Post, bool) {
	var p postHead
	ok := p.parse(head)
	return Post{string(p.target), p.fields, p.length, p.closes}, ok
}
