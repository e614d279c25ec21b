package hook

import (
	"cmp"
	"log/slog"
	"slices"
	"time"
)

// Stats are the figures of one app since the start.
type Stats struct {
	App string
	Counters
	// Endpoints are those in use of late, by URL.
	Endpoints []EndpointStats
}

// Counters count events, but for Attempts, Failed and Retried, which count
// requests.
type Counters struct {
	Sent     uint64 // delivered, once for each endpoint
	Attempts uint64 // requests made
	Failed   uint64 // of them not answered with 2xx
	Retried  uint64 // of them not the first for their events
	Dropped  Drops
	Pending  int // queued or under way, once for each endpoint
	Delayed  int // leaves that wait for a return
}

// Drops counts events that were given up, by the reason.
type Drops struct {
	Full    uint64 // the queue was full
	Expired uint64 // the time for retries was over
	Stopped uint64 // the server stopped
}

// Total is the sum.
func (d Drops) Total() uint64 { return d.Full + d.Expired + d.Stopped }

// EndpointStats is how one endpoint does. The URL has no query.
type EndpointStats struct {
	URL         string
	Pending     int // events
	InFlight    int // requests
	LastSuccess time.Time
	LastFailure time.Time
	LastError   string // of LastFailure; kept after a success
}

// Outcome is what became of an attempt.
type Outcome string

// The outcomes.
const (
	Delivered Outcome = "delivered"
	Retrying  Outcome = "retrying"
	Dropped   Outcome = "dropped"
)

// Attempt is one request to an endpoint. It holds no secret, no payload and
// not the query of the URL.
type Attempt struct {
	ID       string    // for Resend; sorts by time
	Time     time.Time // of its start
	App      string
	URL      string
	Status   int // 0: no answer
	Duration time.Duration
	Number   int      // 1 for the first
	Events   []string // the events' names; not to be changed
	IDs      []string // of the client events among them; not to be changed
	Outcome  Outcome
	Error    string // empty when delivered
	Call     string // the id of the request that this is an attempt of

	// What Calls tells of the request.
	channels []string
	accepted time.Time
	tries    []Try // up to this one
	resent   time.Time
	resentAs string
}

// Stats gives the figures of every app that had an event, by id.
func (h *Hooks) Stats() []Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	byApp := make(map[string][]EndpointStats)
	for key, ep := range h.endpoints {
		byApp[key.app] = append(byApp[key.app], EndpointStats{
			URL: ep.safeURL, Pending: ep.queued, InFlight: ep.inFlight,
			LastSuccess: ep.health.success, LastFailure: ep.health.failure, LastError: ep.health.reason,
		})
	}
	all := make([]Stats, 0, len(h.apps))
	for id, c := range h.apps {
		endpoints := byApp[id]
		slices.SortFunc(endpoints, func(a, b EndpointStats) int { return cmp.Compare(a.URL, b.URL) })
		all = append(all, Stats{App: id, Counters: *c, Endpoints: endpoints})
	}
	slices.SortFunc(all, func(a, b Stats) int { return cmp.Compare(a.App, b.App) })
	return all
}

// Attempts gives the last attempts of all apps, 200 at most, the newest first.
func (h *Hooks) Attempts() []Attempt {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ring.newestFirst()
}

type counters = Counters

func (h *Hooks) counters(app string) *counters {
	c := h.apps[app]
	if c == nil {
		c = &counters{}
		h.apps[app] = c
	}
	return c
}

// ring holds the last attempts.
type ring struct {
	last  [200]Attempt
	sent  [200]*request // what each sent, as far as it is kept
	bytes int           // of the bodies in sent
	total int
}

// keepBytes bounds the bodies that are kept for Resend.
const keepBytes = 8 << 20

func (r *ring) add(a Attempt, sent *request) {
	i := r.total % len(r.last)
	r.forget(i)
	for oldest := r.total - len(r.last) + 1; r.bytes+len(sent.body) > keepBytes && oldest < r.total; oldest++ {
		if oldest >= 0 {
			r.forget(oldest % len(r.last))
		}
	}
	r.last[i] = a
	if r.bytes+len(sent.body) <= keepBytes {
		r.sent[i] = sent
		r.bytes += len(sent.body)
	}
	r.total++
}

func (r *ring) forget(i int) {
	if r.sent[i] != nil {
		r.bytes -= len(r.sent[i].body)
		r.sent[i] = nil
	}
}

// find gives what an attempt or a call sent, nil when that is not kept; known is
// false when there is none of that id.
func (r *ring) find(id string) (sent *request, known bool) {
	for i := range r.last {
		if id != "" && (r.last[i].ID == id || r.last[i].Call == id) {
			known = true
			if r.sent[i] != nil {
				return r.sent[i], true
			}
		}
	}
	return nil, known
}

// mark notes that a call was sent again.
func (r *ring) mark(call string, at time.Time, as string) {
	for i := range r.last {
		if r.last[i].Call == call {
			r.last[i].resent, r.last[i].resentAs = at, as
		}
	}
}

func (r *ring) newestFirst() []Attempt {
	n := min(r.total, len(r.last))
	all := make([]Attempt, 0, n)
	for i := range n {
		all = append(all, r.last[(r.total-1-i)%len(r.last)])
	}
	return all
}

// line is something to log, once no lock is held: a log's writer may block.
type line struct {
	level   slog.Level
	message string
	attrs   []any
}

func (h *Hooks) say(level slog.Level, message string, attrs ...any) {
	h.lines = append(h.lines, line{level, message, attrs})
	h.kick()
}

// health is how an endpoint has answered of late.
type health struct {
	success, failure time.Time
	reason           string
	warned           time.Time
	failing          bool // as the log has it
}

// judge notes an attempt's outcome and logs when the endpoint begins to fail
// and when it answers again.
func (h *Hooks) judge(ep *endpoint, a *Attempt, now time.Time) {
	if a.Error == "" {
		ep.health.success = now
		if ep.health.failing {
			ep.health.failing = false
			h.say(slog.LevelInfo, "webhook endpoint answers again", "app", a.App, "url", a.URL)
		}
		return
	}
	ep.health.failure, ep.health.reason = now, a.Error
	if h.closed || !ep.health.warned.IsZero() && now.Sub(ep.health.warned) < sayEvery {
		return
	}
	ep.health.failing, ep.health.warned = true, now
	h.say(slog.LevelWarn, "webhook endpoint fails", "app", a.App, "url", a.URL, "error", a.Error,
		"attempt", a.Number, "outcome", string(a.Outcome), "pending", ep.queued)
}

type dropReason uint8

const (
	dropFull dropReason = iota
	dropExpired
	dropStopped
)

// dropLog is what is to be said about dropped events.
type dropLog struct {
	Drops
	app, url string // of the last one
	alarm    *alarm
	said     time.Time
}

// drop counts events that are given up. ep may be nil.
func (h *Hooks) drop(c *counters, ep *endpoint, events int, why dropReason) {
	for _, d := range []*Drops{&c.Dropped, &h.drops.Drops} {
		switch why {
		case dropFull:
			d.Full += uint64(events)
		case dropExpired:
			d.Expired += uint64(events)
		case dropStopped:
			d.Stopped += uint64(events)
		}
	}
	if ep != nil {
		h.drops.app, h.drops.url = ep.key.app, ep.safeURL
	}
	if h.drops.alarm == nil && !h.closed {
		at := time.Now()
		if next := h.drops.said.Add(sayEvery); next.After(at) {
			at = next
		}
		h.drops.alarm = h.setAlarm(at, func(now time.Time) {
			h.drops.alarm = nil
			h.sayDrops(now)
		})
	}
}

// sayDrops logs what has been dropped since it last did.
func (h *Hooks) sayDrops(now time.Time) {
	d := h.drops
	if d.Total() == 0 {
		return
	}
	h.drops = dropLog{alarm: d.alarm, said: now}
	h.say(slog.LevelWarn, "webhook events dropped", "full", d.Full, "expired", d.Expired, "stopped", d.Stopped,
		"last_app", d.app, "last_url", d.url)
}
