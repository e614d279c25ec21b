package console

import (
	"context"
	"math"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// Lengths of what is kept.
const (
	seriesEvery = 5                     // seconds between two points
	seriesMost  = 15 * 60 / seriesEvery // points
	rateOver    = 10                    // seconds that rates are over
	latencyOver = 60                    // seconds that the percentiles are over
)

// counts are the counters of one moment.
type counts struct {
	at                                           time.Time
	events, deliveries, clientEvents             int64
	opened, closed, webhooks, denials, errors    int64
	connections, channels, subscriptions, people int64
}

// rates are what happened a second.
type rates struct {
	Events       float64 `json:"events"`
	Deliveries   float64 `json:"deliveries"`
	ClientEvents float64 `json:"client_events"`
	Opened       float64 `json:"connections_opened"`
	Closed       float64 `json:"connections_closed"`
	Webhooks     float64 `json:"webhooks"`
	Denials      float64 `json:"denials"`
	Errors       float64 `json:"errors"`
}

// point is one of the charts'.
type point struct {
	At          time.Time `json:"at"`
	Connections int64     `json:"connections"`
	Events      float64   `json:"events"`
	Deliveries  float64   `json:"deliveries"`
	// WaitingJobs and FailedJobs are null while they cannot be counted, ProbeMS
	// before the first probe.
	WaitingJobs *int     `json:"waiting_jobs"`
	FailedJobs  *int     `json:"failed_jobs"`
	ProbeMS     *float64 `json:"probe_ms"`
	CPU         float64  `json:"cpu_percent"`
	Memory      uint64   `json:"memory_bytes"`
}

// figures are those of the last minutes.
type figures struct {
	cfg  Config
	took histogram

	mu      sync.Mutex // guards all below
	seconds []counts   // the last rateOver+1
	took0   []snapshot // the last latencyOver+1
	points  []point
	cpu     time.Duration // used until the last point
	pointAt time.Time
	n       int
}

func (f *figures) init(cfg Config) { f.cfg = cfg }

// now reads the counters.
func (f *figures) now() counts {
	c := counts{at: f.cfg.Now()}
	for _, a := range f.cfg.Hub.Stats() {
		c.events += a.Published
		c.deliveries += a.Delivered
		c.clientEvents += a.ClientEvents
		c.opened += a.ConnectionsTotal
		c.closed += a.ConnectionsTotal - a.Connections
		c.denials += a.Denied
		c.errors += a.Dropped
		for _, n := range a.Limits {
			c.errors += n
		}
		for _, n := range a.Refused {
			c.errors += n
		}
		c.connections += a.Connections
		c.people += a.Users
		for _, n := range a.Channels {
			c.channels += n
		}
		for _, n := range a.Subscriptions {
			c.subscriptions += n
		}
	}
	for _, h := range f.cfg.Hooks.Stats() {
		c.webhooks += int64(h.Attempts)
		c.errors += int64(h.Failed)
	}
	return c
}

// tick is called each second.
func (f *figures) tick(ctx context.Context) {
	c := f.now()
	f.mu.Lock()
	f.seconds = last(append(f.seconds, c), rateOver+1)
	f.took0 = last(append(f.took0, f.took.snapshot()), latencyOver+1)
	due := f.n%seriesEvery == 0
	f.n++
	f.mu.Unlock()
	if !due {
		return
	}
	p := point{At: c.at.UTC().Truncate(time.Millisecond), Connections: c.connections, Memory: memory()}
	if sizes, err := f.cfg.Sizes(ctx); err == nil {
		waiting, failed := 0, 0
		for _, s := range sizes {
			waiting += s.Waiting + s.Delayed
			failed += s.Failed
		}
		p.WaitingJobs, p.FailedJobs = &waiting, &failed
	}
	if probes := f.cfg.Probes(); len(probes.Last) > 0 && probes.Last[0].Error == "" {
		p.ProbeMS = &probes.Last[0].Milliseconds
	}
	used := processTime()
	f.mu.Lock()
	defer f.mu.Unlock()
	over := f.rates()
	p.Events, p.Deliveries = over.Events, over.Deliveries
	if gone := c.at.Sub(f.pointAt); !f.pointAt.IsZero() && gone > 0 {
		p.CPU = math.Round(1000*float64(used-f.cpu)/float64(gone)) / 10
	}
	f.cpu, f.pointAt = used, c.at
	f.points = last(append(f.points, p), seriesMost)
}

// last keeps the end of a row.
func last[T any](row []T, most int) []T {
	if over := len(row) - most; over > 0 {
		row = row[:copy(row, row[over:])]
	}
	return row
}

// rates compares the first with the last second. mu is held.
func (f *figures) rates() rates {
	if len(f.seconds) < 2 {
		return rates{}
	}
	a, b := f.seconds[0], f.seconds[len(f.seconds)-1]
	gone := b.at.Sub(a.at).Seconds()
	per := func(from, to int64) float64 {
		if gone <= 0 || to < from { // an app is gone with its counters
			return 0
		}
		return math.Round(10*float64(to-from)/gone) / 10
	}
	return rates{Events: per(a.events, b.events), Deliveries: per(a.deliveries, b.deliveries), ClientEvents: per(a.clientEvents, b.clientEvents),
		Opened: per(a.opened, b.opened), Closed: per(a.closed, b.closed), Webhooks: per(a.webhooks, b.webhooks),
		Denials: per(a.denials, b.denials), Errors: per(a.errors, b.errors)}
}

// read gives what is shown; the points are a copy.
func (f *figures) read() (rates, []point, latency) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var l latency
	if len(f.took0) > 0 {
		l.P50, l.P99 = f.took.since(f.took0[0])
	}
	return f.rates(), append([]point{}, f.points...), l
}

// histogram counts durations in steps of a quarter of a power of two, from
// 16 µs.
type histogram struct{ counts [96]atomic.Uint64 }

type snapshot [96]uint64

func (h *histogram) add(d time.Duration) {
	us := max(float64(d)/float64(time.Microsecond), 16)
	i := int(math.Ceil(4 * math.Log2(us/16)))
	h.counts[min(max(i, 0), len(h.counts)-1)].Add(1)
}

func (h *histogram) snapshot() (s snapshot) {
	for i := range h.counts {
		s[i] = h.counts[i].Load()
	}
	return s
}

// since gives the median and the 99th percentile in milliseconds since then, nil
// without any.
func (h *histogram) since(then snapshot) (p50, p99 *float64) {
	now, total := h.snapshot(), uint64(0)
	for i := range now {
		now[i] -= then[i]
		total += now[i]
	}
	if total == 0 {
		return nil, nil
	}
	at := func(part float64) *float64 {
		want, sum := uint64(math.Ceil(part*float64(total))), uint64(0)
		for i, n := range now {
			if sum += n; sum >= want {
				ms := math.Round(16*math.Pow(2, float64(i)/4)) / 1000
				return &ms
			}
		}
		return nil
	}
	return at(.5), at(.99)
}

// memory is what the process has of the system, in bytes.
func memory() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 || s[1].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}
