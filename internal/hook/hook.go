// Package hook posts an app's events to its webhook endpoints: filtered,
// signed, optionally batched, retried, bounded (section 7 of the protocol).
//
// An event goes through three stages. The delay keeps a vacated channel or a
// removed member back for a while; a return in that time cancels the leave and
// the join alike (HOOK-18). Then each endpoint that wants the event gets it
// into its own queue, so that a slow endpoint delays no other. There a few
// requests at a time are under way.
//
// Order is kept within a channel: its next event waits until the one before is
// delivered or given up, but not for more than Config.HoldFor, so that one
// event that its receiver chokes on does not stop the rest. After that, and
// between channels, order is best effort and receivers go by time_ms (HOOK-06).
package hook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/httpx"
)

// Hooks takes events and posts them. Make it with New, then call Run; events
// that come earlier wait. All methods are safe for concurrent use.
type Hooks struct {
	cfg         Config
	closeClient func()   // set when the client is our own
	records     *records // nil: no database keeps calls
	wake        chan struct{}
	senders     sync.WaitGroup
	leaves      atomic.Int64 // how many are in delayed, to be read without mu

	mu        sync.Mutex      // guards what follows
	ctx       context.Context // Run's; nil before
	closed    bool            // Run has ended
	draining  bool
	alarms    alarms
	delayed   delayed
	endpoints map[endpointKey]*endpoint
	apps      map[string]*counters
	order     uint64 // of the last event queued
	events    int    // delayed, queued and under way
	bytes     int    // of the queued ones
	emptied   chan struct{}
	ring      ring
	drops     dropLog
	lines     []line // to be logged by Run
}

// New makes Hooks.
func New(cfg Config) *Hooks {
	h := &Hooks{
		cfg:       cfg.withDefaults(),
		wake:      make(chan struct{}, 1),
		endpoints: make(map[endpointKey]*endpoint),
		apps:      make(map[string]*counters),
	}
	h.delayed.init()
	if h.cfg.Client == nil {
		h.cfg.Client = httpx.NewClient(httpx.Config{Timeout: h.cfg.Timeout, IdlePerHost: h.cfg.InFlight})
		h.closeClient = h.cfg.Client.CloseIdleConnections
	}
	return h
}

// Notify takes an event for the endpoints that app has now, to be signed with
// its first key (HOOK-03). It never blocks: when the queue is full the event is
// dropped and counted. Calls for one channel must come in order. Events of
// channels that begin with # are ignored (HOOK-21).
func (h *Hooks) Notify(app *belfry.App, event Event) {
	if strings.HasPrefix(event.Channel, "#") {
		return
	}
	leave, isJoin := leaveOf(event.Name)
	heard := wanted(app, event.Name, event.Channel)
	if !heard && (!isJoin || h.leaves.Load() == 0) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	kept := event // so that an event that nobody wants costs no allocation
	if isJoin && h.cancelLeave(keyOf(app.ID, leave, &kept)) || !heard {
		return
	}
	if _, isLeave := joinOf(event.Name); isLeave && h.cfg.Delay > 0 && !h.draining && !h.closed {
		h.delayLeave(app, &kept, now)
		return
	}
	h.release(app, &kept, now)
}

// release hands an event to the queues of the endpoints that want it.
func (h *Hooks) release(app *belfry.App, event *Event, now time.Time) {
	for i := range app.Webhooks {
		if w := &app.Webhooks[i]; wants(w, event.Name, event.Channel) {
			h.enqueue(h.endpoint(app.ID, w.URL, now), item{event: event, app: app, hook: w, at: now})
		}
	}
}

// Run sends what is and will be queued until ctx ends, and returns nil when
// its goroutines are gone. What then still waits is dropped, counted and, with
// Keep, kept as failed: call Drain before. It may be called once.
func (h *Hooks) Run(ctx context.Context) error {
	if err := h.start(ctx); err != nil {
		return err
	}
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	kept := h.records.start(keeping)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait := h.step()
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-h.wake:
		case <-timer.C:
		}
	}
	h.stop()
	h.senders.Wait()
	stopKeeping()
	<-kept
	h.mu.Lock()
	h.sayDrops(time.Now())
	h.mu.Unlock()
	h.step() // the last lines
	if h.closeClient != nil {
		h.closeClient()
	}
	return nil
}

func (h *Hooks) start(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx != nil {
		return errors.New("hook: Run was called twice")
	}
	h.ctx = ctx
	for _, ep := range h.endpoints {
		h.dispatch(ep, time.Now())
	}
	return nil
}

// step does what is due, logs what is to be logged and gives the time until
// there is more to do.
func (h *Hooks) step() time.Duration {
	h.mu.Lock()
	now := time.Now()
	if !h.closed {
		h.alarms.ring(now)
	}
	lines := h.lines
	h.lines = nil
	at, ok := h.alarms.next()
	h.mu.Unlock()
	for _, l := range lines {
		h.cfg.Logger.Log(context.Background(), l.level, l.message, l.attrs...)
	}
	if !ok {
		return time.Hour
	}
	return max(at.Sub(now), 0)
}

// stop ends all queueing and drops what waits; requests under way are given up
// by the end of their context.
func (h *Hooks) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.alarms.clear()
	h.dropDelayed()
	for _, ep := range h.endpoints {
		h.dropQueued(ep)
	}
}

// Drain is for shutdown, while Run still runs: it ends the delay and the
// batch windows at once, now and for what is yet to come, brings waiting
// retries forward, and returns when nothing waits any more, or with an error
// that counts what does when ctx ends. The senders of events should be done.
func (h *Hooks) Drain(ctx context.Context) error {
	empty := h.flush()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.events == 0 {
		return nil
	}
	return fmt.Errorf("%d webhook events were not delivered in time: %w", h.events, context.Cause(ctx))
}

// flush begins to drain and gives a channel that is closed when nothing waits.
func (h *Hooks) flush() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.draining = true
	h.releaseDelayed(now, true)
	for _, ep := range h.endpoints {
		h.hurry(ep, now)
		h.dispatch(ep, now)
	}
	if h.emptied == nil {
		h.emptied = make(chan struct{})
	}
	empty := h.emptied
	h.settle(0, 0)
	return empty
}

// settle takes events off the books.
func (h *Hooks) settle(events, bytes int) {
	h.events -= events
	h.bytes -= bytes
	if h.events == 0 && h.emptied != nil {
		close(h.emptied)
		h.emptied = nil
	}
}

// kick makes Run look at the alarms and the log lines.
func (h *Hooks) kick() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// setAlarm sets an alarm and wakes Run when it is the soonest.
func (h *Hooks) setAlarm(at time.Time, ring func(now time.Time)) *alarm {
	entry := h.alarms.set(at, ring)
	if entry.index == 0 {
		h.kick()
	}
	return entry
}
