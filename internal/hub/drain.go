package hub

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/pusher"
)

// drainSlice is the time between two slices of closed connections.
const drainSlice = 50 * time.Millisecond

// Draining reports whether Drain was called.
func (h *Hub) Draining() bool { return h.draining.Load() }

// Drain refuses new connections with 4100 and closes those there are with 4200,
// spread over window because clients come back at once (WS-38). It returns when
// all are gone or ctx ends, with ctx's error.
func (h *Hub) Drain(ctx context.Context, window time.Duration) error {
	h.draining.Store(true)
	var all []*Client
	for _, a := range h.registry.Load().byID {
		all = append(all, a.clients()...)
	}
	slices := max(1, int(window/drainSlice))
	for i := range slices {
		for _, c := range all[len(all)*i/slices : len(all)*(i+1)/slices] {
			c.close(pusher.CloseReconnect, "this server is shutting down: reconnect")
		}
		if i == slices-1 || h.open.Load() == 0 {
			break
		}
		if err := h.pause(ctx, drainSlice); err != nil {
			return err
		}
	}
	for h.open.Load() > 0 {
		select {
		case <-h.empty:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// pause waits for d on the hub's clock.
func (h *Hub) pause(ctx context.Context, d time.Duration) error {
	over := make(chan struct{})
	timer := h.clock.AfterFunc(d, func() { close(over) })
	defer timer.Stop()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
