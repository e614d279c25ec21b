package dashboard

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Stats is what one dashboard has done, since it is as it is.
type Stats struct {
	Dashboard string
	Changes   uint64 // that it was told of
	// Broadcasts that went out; Large of them only said that there is something to
	// fetch. Unsent are those that could not go out and were tried again.
	Broadcasts, Large, Unsent uint64
	// Failures are figures that could not be computed, each time that they were to
	// be.
	Failures uint64
	// Computations of all figures, by how long they took: Buckets counts those up
	// to each of Bounds.
	Computations uint64
	Seconds      float64 // in all
	Bounds       []time.Duration
	Buckets      []uint64
	// Figures are the figures' states, for each range that was asked for.
	Figures []FigureStats
}

// FigureStats is the state of a figure for one range.
type FigureStats struct {
	Figure, Range string
	// AsOf is when the value that is shown was computed; zero when there is none.
	AsOf time.Time
	// Failing is one of the kinds of failures, empty while the figure is fine; then
	// Reason says more, for operators alone, and Since from when.
	Failing, Reason string
	Since           time.Time
}

// bounds are the limits of the buckets.
func bounds() []time.Duration {
	return []time.Duration{5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second}
}

// counts counts for one dashboard. It may be used concurrently.
type counts struct {
	changes, broadcasts, large, unsent, failures atomic.Uint64
	computations                                 atomic.Uint64
	spent                                        atomic.Int64
	buckets                                      [11]atomic.Uint64 // as bounds
}

func (c *counts) computed(took time.Duration) {
	c.computations.Add(1)
	c.spent.Add(int64(took))
	for i, most := range bounds() {
		if took <= most {
			c.buckets[i].Add(1)
			return
		}
	}
}

func (c *counts) broadcast(large bool) {
	c.broadcasts.Add(1)
	if large {
		c.large.Add(1)
	}
}

// Stats gives what all dashboards have done, in the order of the settings.
func (d *Dashboards) Stats() []Stats {
	d.mu.Lock()
	boards := slices.Clone(d.order)
	d.mu.Unlock()
	all := make([]Stats, len(boards))
	for i, b := range boards {
		all[i] = b.stats()
	}
	return all
}

func (b *board) stats() Stats {
	c := &b.count
	s := Stats{Dashboard: b.plan.Name, Changes: c.changes.Load(), Broadcasts: c.broadcasts.Load(), Large: c.large.Load(), Unsent: c.unsent.Load(),
		Failures: c.failures.Load(), Computations: c.computations.Load(), Seconds: time.Duration(c.spent.Load()).Seconds(), Bounds: bounds()}
	below := uint64(0)
	for i := range c.buckets {
		below += c.buckets[i].Load()
		s.Buckets = append(s.Buckets, below)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, k := range b.kept {
		f := FigureStats{Figure: key.figure, Range: key.rangeName, AsOf: k.asOf}
		if k.failure != nil {
			f.Failing, f.Reason, f.Since = k.failure.kind, k.failure.reason, k.since
		}
		s.Figures = append(s.Figures, f)
	}
	slices.SortFunc(s.Figures, func(a, b FigureStats) int {
		if c := strings.Compare(a.Figure, b.Figure); c != 0 {
			return c
		}
		return strings.Compare(a.Range, b.Range)
	})
	return s
}
