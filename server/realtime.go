package server

import (
	"context"
	"sync"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/pusher"
)

// hubRealtime is this process's own hub, for the broadcaster "local".
type hubRealtime struct{ *hub.Hub }

// PublishEvent implements Realtime.
func (h hubRealtime) PublishEvent(ctx context.Context, appID, eventID string, e pusher.Event) (belfry.Receipt, bool, error) {
	p, repeat, err := h.PublishOnce(ctx, appID, eventID, e)
	return p.Receipt, repeat, err
}

// Occupied implements Realtime.
func (h hubRealtime) Occupied(ctx context.Context, appID string, channels []string) (bool, error) {
	for _, name := range channels {
		if state, err := h.Channel(ctx, appID, name); err != nil || state.Occupied {
			return state.Occupied, err
		}
	}
	return false, nil
}

// Link is the realtime server of the data folder, reached over its control
// link from another process. It looks for the server at every use until it
// finds one, so the server may come later or be started anew. Its methods may
// be called concurrently.
type Link struct {
	dir string

	mu     sync.Mutex // guards client
	client *control.Client
}

// NewLink gives the link of a data folder. It connects to nothing yet.
func NewLink(dataDir string) *Link { return &Link{dir: dataDir} }

// with calls f with a connected client. After a failure to reach the server the
// next use looks for it anew.
func (l *Link) with(ctx context.Context, f func(c *control.Client) error) error {
	l.mu.Lock()
	c := l.client
	l.mu.Unlock()
	if c == nil {
		var err error
		if c, err = control.Dial(ctx, l.dir); err != nil {
			return err
		}
		l.mu.Lock()
		l.client = c
		l.mu.Unlock()
	}
	err := f(c)
	if code := belfry.CodeOf(err); code == belfry.CodeUnavailable || code == belfry.CodeInternal {
		l.mu.Lock()
		if l.client == c {
			l.client = nil
		}
		l.mu.Unlock()
		c.Close()
	}
	return err
}

// Close ends the link's connections.
func (l *Link) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client != nil {
		l.client.Close()
		l.client = nil
	}
}

// PublishEvent implements Realtime.
func (l *Link) PublishEvent(ctx context.Context, appID, eventID string, e pusher.Event) (r belfry.Receipt, repeat bool, err error) {
	err = l.with(ctx, func(c *control.Client) error {
		p, err := c.PublishOnce(ctx, appID, eventID, e)
		r, repeat = p.Receipt, p.Repeat
		return err
	})
	return r, repeat, err
}

// Occupied implements Realtime.
func (l *Link) Occupied(ctx context.Context, appID string, channels []string) (occupied bool, err error) {
	err = l.with(ctx, func(c *control.Client) error {
		for _, name := range channels {
			state, err := c.Channel(ctx, appID, name)
			if occupied = state.Occupied; err != nil || occupied {
				return err
			}
		}
		return nil
	})
	return occupied, err
}

// Check reaches the server, or says why it cannot.
func (l *Link) Check(ctx context.Context) error {
	return l.with(ctx, func(c *control.Client) error {
		_, err := c.Status(ctx)
		return err
	})
}

// Poke tells the server and its other worker processes that jobs came. That
// nobody is there to hear it is no error.
func (l *Link) Poke(ctx context.Context) {
	_ = l.with(ctx, func(c *control.Client) error { return c.Poke(ctx) })
}

// Pokes calls f each time that jobs came, until the server cannot be reached or
// ctx ends.
func (l *Link) Pokes(ctx context.Context, f func()) error {
	return l.with(ctx, func(c *control.Client) error { return c.Pokes(ctx, f) })
}
