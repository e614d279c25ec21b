package hub

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// Stats are an app's figures for metrics and pages. Counters only grow while
// the process lives.
type Stats struct {
	App string
	// Gauges.
	Connections   int64
	Users         int64            // signed in
	Channels      map[string]int64 // with local subscribers, by kind (pusher.Kind.String)
	Subscriptions map[string]int64 // local, by kind
	// Counters.
	ConnectionsTotal int64
	Refused          map[int]int64 // connections refused, by close code
	MessagesIn       int64         // from clients
	BytesIn          int64
	Published        int64 // events of the HTTP API and of Belfry itself
	ClientEvents     int64
	Delivered        int64 // messages handed to subscribers
	BytesOut         int64
	Dropped          int64            // messages not delivered to lagging subscribers
	Denied           int64            // subscriptions and sign-ins refused
	Limits           map[string]int64 // refusals by the limit's configuration key
	MessagesToday    int64            // what counts against messages_per_day
}

// counters are an app's figures while it works.
type counters struct {
	connections, messagesIn, bytesIn, published, clientEvents atomic.Int64
	delivered, bytesOut, dropped, denied, total               atomic.Int64

	channels, subscriptions [32]atomic.Int64 // by pusher.Kind
	today                   day

	mu          sync.Mutex // guards the maps
	refusals    map[int]int64
	limitCounts map[string]int64
}

func (c *counters) init() {
	c.refusals = make(map[int]int64)
	c.limitCounts = make(map[string]int64)
}

func (c *counters) refused(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusals[code]++
}

func (c *counters) limit(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limitCounts[key]++
}

// subscribed counts a subscription in or out; edge tells that it was the first
// or the last of its channel here.
func (c *counters) subscribed(kind pusher.Kind, n int64, edge bool) {
	c.subscriptions[kind].Add(n)
	if edge {
		c.channels[kind].Add(n)
	}
}

// Stats gives the figures of every app, sorted by id. What belongs to none, the
// connections with an unknown key, stands under an empty id.
func (h *Hub) Stats() []Stats {
	reg := h.registry.Load()
	var all []Stats
	if n := h.strangers.Load(); n > 0 {
		all = append(all, Stats{Refused: map[int]int64{int(pusher.CloseNoApp): n}})
	}
	for _, settings := range h.Apps() {
		if a := reg.byID[settings.ID]; a != nil {
			all = append(all, a.stats())
		}
	}
	return all
}

func (a *app) stats() Stats {
	c := &a.counters
	s := Stats{
		App: a.settings.Load().ID, Connections: c.connections.Load(), Users: a.users.count(),
		Channels: make(map[string]int64), Subscriptions: make(map[string]int64),
		ConnectionsTotal: c.total.Load(), MessagesIn: c.messagesIn.Load(), BytesIn: c.bytesIn.Load(),
		Published: c.published.Load(), ClientEvents: c.clientEvents.Load(), Delivered: c.delivered.Load(),
		BytesOut: c.bytesOut.Load(), Dropped: c.dropped.Load(), Denied: c.denied.Load(),
		MessagesToday: c.today.value(a.hub.clock.Now()),
	}
	for kind := range c.channels {
		if n := c.subscriptions[kind].Load(); n != 0 {
			s.Subscriptions[pusher.Kind(kind).String()] += n
			s.Channels[pusher.Kind(kind).String()] += c.channels[kind].Load()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Refused, s.Limits = maps.Clone(c.refusals), maps.Clone(c.limitCounts)
	return s
}

// day counts messages of one UTC day.
type day struct {
	mu   sync.Mutex // guards all below
	date int64      // days since 1970
	n    int64
}

func dayOf(t time.Time) int64 { return t.Unix() / 86400 }

func (d *day) add(now time.Time, n int64) (before, after int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if date := dayOf(now); date != d.date {
		d.date, d.n = date, 0
	}
	before = d.n
	d.n += n
	return before, d.n
}

func (d *day) value(now time.Time) int64 {
	_, n := d.add(now, 0)
	return n
}

// withinDay refuses n publishes over the app's messages_per_day. Nobody is
// disconnected.
func (a *app) withinDay(n int64) error {
	limit := a.settings.Load().Limits.MessagesPerDay
	used := a.counters.today.value(a.hub.clock.Now())
	if !belfry.Over(used+n, limit) {
		return nil
	}
	a.limit("messages_per_day", Notice{}, used+n, limit)
	e := belfry.Errorf(belfry.CodeForbidden,
		"this app has used %d of its %d messages a day (a publish and each delivery count); the count begins anew at midnight UTC", used, limit)
	e.Err = ErrDayOver
	return e
}

// ErrDayOver is the cause of a publish that is refused because the app has used
// its messages of the day.
var ErrDayOver = errors.New("limits.messages_per_day is used up")

// countDay counts messages against the day's quota and warns at 80%.
func (a *app) countDay(now time.Time, n int64) {
	before, after := a.counters.today.add(now, n)
	limit := a.settings.Load().Limits.MessagesPerDay
	if edge := (limit*8 + 9) / 10; limit > 0 && before < edge && after >= edge {
		a.notice(Notice{Kind: NoticeLimit, Limit: "messages_per_day", Size: after, Max: limit, Near: true})
	}
}

// Usage is what an app has used of its day's messages, to be kept over a
// restart.
type Usage struct {
	Day      int64 `json:"day"` // days since 1970, UTC
	Messages int64 `json:"messages"`
}

// Usage gives each app's use of its day, by app id.
func (h *Hub) Usage() map[string]Usage {
	all := make(map[string]Usage)
	now := h.clock.Now()
	for id, a := range h.registry.Load().byID {
		if n := a.counters.today.value(now); n > 0 {
			all[id] = Usage{Day: dayOf(now), Messages: n}
		}
	}
	return all
}

// Restore adds what the apps had used before a restart, if the day is the same.
func (h *Hub) Restore(used map[string]Usage) {
	now := h.clock.Now()
	for id, a := range h.registry.Load().byID {
		if u := used[id]; u.Day == dayOf(now) {
			a.counters.today.add(now, u.Messages)
		}
	}
}
