package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// result is one computation of a dashboard for one range.
type result struct {
	rangeName string
	window    Window
	change    uint64
	at        time.Time
	id        string
	reason    string
	figures   []outcome // as the plan's
}

// outcome is what one figure gave: a value that is good, or the last good one.
type outcome struct {
	known    bool // there is a value
	value    json.RawMessage
	previous json.RawMessage // of the range before; nil when it is not known
	asOf     time.Time       // when the value was computed; zero without one
	failure  *failure        // nil: the value is of now
}

// failure is why a figure has no value of now.
type failure struct {
	kind   string
	reason string // for operators
}

// Kinds of failures.
const (
	FailedUnreachable = "unreachable" // the database is away
	FailedTimeout     = "timeout"
	FailedRefused     = "refused" // it does not read, or is not one statement
	FailedSQL         = "sql"     // the database does not take it
	FailedShape       = "shape"   // the answer is not what the kind wants, or too large
)

// failed counts the figures without a value of now.
func (r *result) failed() (n int) {
	for _, o := range r.figures {
		if o.failure != nil {
			n++
		}
	}
	return n
}

// flight is a computation under way.
type flight struct {
	change uint64
	window Window
	done   chan struct{}
	result *result
}

// get gives the figures of the latest change, computing them unless that was
// done or is being done.
func (b *board) get(ctx context.Context, rangeName string) (*result, error) {
	now := b.d.cfg.Now()
	window, before := WindowOf(rangeName, now, b.plan.zone, b.plan.week)
	b.mu.Lock()
	if r := b.results[rangeName]; r != nil && r.change == b.change && r.window.equal(window) && now.Sub(r.at) < b.plan.Refresh && !now.Before(r.at) {
		b.mu.Unlock()
		return r, nil
	}
	f := b.flights[rangeName]
	if f == nil || f.change != b.change || !f.window.equal(window) {
		if b.ctx.Err() != nil {
			b.mu.Unlock()
			return nil, errClosed
		}
		f = &flight{change: b.change, window: window, done: make(chan struct{})}
		b.flights[rangeName] = f
		reason := b.reason
		b.work.Go(func() { b.fly(f, rangeName, before, now, reason) })
	}
	b.mu.Unlock()
	select {
	case <-f.done:
		return f.result, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fly computes all figures side by side.
func (b *board) fly(f *flight, rangeName string, before Window, now time.Time, reason string) {
	r := &result{rangeName: rangeName, window: f.window, change: f.change, at: now, id: belfry.NewID(now), reason: reason, figures: make([]outcome, len(b.plan.figures))}
	previous := make([]outcome, len(r.figures))
	var all sync.WaitGroup
	var away atomic.Pointer[failure] // the database is, so that nobody else waits for it
	for i := range b.plan.figures {
		figure := &b.plan.figures[i]
		all.Go(func() { r.figures[i] = b.compute(figure, rangeName, f.window, &away) })
		if figure.Kind == KindNumber && figure.Compare {
			all.Go(func() { previous[i] = b.compute(figure, rangeName, before, &away) })
		}
	}
	all.Wait()
	b.count.computed(b.d.cfg.Now().Sub(now))
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range r.figures {
		o := &r.figures[i]
		if previous[i].failure == nil && previous[i].known {
			o.previous = previous[i].value
		}
		b.settle(&b.plan.figures[i], rangeName, o, now)
	}
	f.result = r
	if b.flights[rangeName] == f {
		delete(b.flights, rangeName)
	}
	if old := b.results[rangeName]; old == nil || old.change <= r.change {
		b.results[rangeName] = r
	}
	close(f.done)
}

// compute asks for one figure.
func (b *board) compute(f *figure, rangeName string, w Window, away *atomic.Pointer[failure]) (o outcome) {
	fail := func(kind, reason string) outcome { return outcome{failure: &failure{kind, reason}} }
	dialect := b.source.Dialect()
	s := f.statement[dialect]
	if s.refused != "" {
		return fail(FailedRefused, s.refused)
	}
	select {
	case b.source.places <- struct{}{}:
		defer func() { <-b.source.places }()
	case <-b.ctx.Done():
		return fail(FailedUnreachable, errClosed.Message)
	}
	if gone := away.Load(); gone != nil {
		return outcome{failure: gone}
	}
	read := maxBytes
	if f.Kind == KindSeries {
		read = maxSeries
	}
	t, err := b.source.Read(b.ctx, store.Question{SQL: s.text, Args: s.arguments(w, b.plan.Timezone, rangeName, dialect),
		Timeout: b.plan.Timeout, Rows: b.plan.Rows, Bytes: read})
	if code := belfry.CodeOf(err); err == nil || code == belfry.CodeUnavailable && b.ctx.Err() == nil {
		b.source.reached(b.d.log, err)
	}
	if err == nil {
		value, err := f.value(t, b.plan, w)
		if err == nil && len(value) > maxBytes {
			err = fmt.Errorf("it gives more than %d KB; aggregate in the SQL, or give fewer rows", maxBytes>>10)
		}
		if err != nil {
			return fail(FailedShape, err.Error())
		}
		return outcome{known: true, value: value}
	}
	switch belfry.CodeOf(err) {
	case belfry.CodeUnavailable:
		o = fail(FailedUnreachable, err.Error())
		away.Store(o.failure)
		return o
	case belfry.CodeRateLimited:
		return fail(FailedTimeout, err.Error())
	case belfry.CodeForbidden:
		return fail(FailedRefused, err.Error())
	case belfry.CodeTooLarge:
		return fail(FailedShape, err.Error())
	}
	if b.ctx.Err() != nil {
		return fail(FailedUnreachable, errClosed.Message)
	}
	return fail(FailedSQL, err.Error())
}

// kept is what is remembered of a figure for one range.
type kept struct {
	outcome // the last good one
	failure *failure
	since   time.Time // of the failure
}

type keptKey struct{ figure, rangeName string }

// settle remembers a good value, or puts the last good one in the place of one
// that failed, and says so once. b.mu is held.
func (b *board) settle(f *figure, rangeName string, o *outcome, now time.Time) {
	key := keptKey{f.Name, rangeName}
	k := b.kept[key]
	if k == nil {
		k = &kept{}
		b.kept[key] = k
	}
	if o.failure == nil {
		if k.failure != nil && k.failure.kind != FailedUnreachable {
			b.d.log.Info("a figure is computed again", "dashboard", b.plan.Name, "figure", f.Name, "range", rangeName)
		}
		if o.previous == nil {
			o.previous = k.previous
		}
		o.asOf = now
		k.outcome, k.failure = *o, nil
		return
	}
	if b.ctx.Err() != nil {
		return // not a fault of the figure
	}
	b.count.failures.Add(1)
	if k.failure == nil || k.failure.kind != o.failure.kind {
		k.since = now
		if o.failure.kind != FailedUnreachable { // of that the source has told
			b.d.log.Warn("a figure cannot be computed and keeps its last value", "dashboard", b.plan.Name, "figure", f.Name, "range", rangeName,
				"kind", o.failure.kind, "database", b.source.String(), "reason", cut(o.failure.reason, 1000))
		}
	}
	k.failure = o.failure
	o.known, o.value, o.previous, o.asOf = k.known, k.value, k.previous, k.asOf
}

// Meta marks a figure whose value is not of now.
type Meta struct {
	Stale bool `json:"stale"`
	// AsOf is when the value was computed; nil when there has been none.
	AsOf *time.Time `json:"as_of"`
}

// Update is what pages are told.
type Update struct {
	Type      string          `json:"type"` // stats_update, or stats_changed: too large for an event, to be fetched
	Dashboard string          `json:"dashboard"`
	Stats     json.RawMessage `json:"stats"` // an object of the figures, with timestamp and range; null for stats_changed
	// Previous are the numbers of the range before.
	Previous map[string]json.RawMessage `json:"previous"`
	// Meta are the figures that failed, by name.
	Meta      map[string]Meta `json:"meta"`
	Reason    string          `json:"reason"`
	Range     string          `json:"range"`
	Timestamp time.Time       `json:"timestamp"`
	ID        string          `json:"id"`
}

// The types of updates.
const (
	TypeUpdate  = "stats_update"
	TypeChanged = "stats_changed"
)

// View is an Update with what a page needs to show it.
type View struct {
	Update
	Title      string       `json:"title"`
	Timezone   string       `json:"timezone"`
	WeekStarts string       `json:"week_starts"`
	Start      time.Time    `json:"start"`
	End        time.Time    `json:"end"`
	Channel    string       `json:"channel"`
	Public     bool         `json:"public"`
	Ranges     []string     `json:"ranges"`
	Figures    []FigureInfo `json:"figures"`
}

// FigureInfo says how to show a figure.
type FigureInfo struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Kind     string `json:"kind"`
	Unit     string `json:"unit"`
	Better   string `json:"better"`
	Personal bool   `json:"personal"`
	Bucket   string `json:"bucket,omitempty"` // of a series: the one in effect
}

// update gives what pages are told of a result.
func (b *board) update(r *result) Update {
	at := r.at.UTC().Truncate(time.Millisecond)
	u := Update{Type: TypeUpdate, Dashboard: b.plan.Name, Previous: map[string]json.RawMessage{}, Meta: map[string]Meta{},
		Reason: r.reason, Range: r.rangeName, Timestamp: at, ID: r.id}
	var stats bytes.Buffer
	stats.WriteByte('{')
	for i, o := range r.figures {
		name := b.plan.figures[i].Name
		value := o.value
		if !o.known {
			value = json.RawMessage("null")
		}
		stats.Write(quote(name))
		stats.WriteByte(':')
		stats.Write(value)
		stats.WriteByte(',')
		if o.previous != nil {
			u.Previous[name] = o.previous
		}
		if o.failure != nil {
			m := Meta{Stale: true}
			if o.known {
				asOf := o.asOf.UTC().Truncate(time.Millisecond)
				m.AsOf = &asOf
			}
			u.Meta[name] = m
		}
	}
	stats.WriteString(`"timestamp":`)
	stamp, _ := json.Marshal(at) // a time of this era can be written
	stats.Write(stamp)
	stats.WriteString(`,"range":`)
	stats.Write(quote(r.rangeName))
	stats.WriteByte('}')
	u.Stats = stats.Bytes()
	return u
}

// view gives a result with what describes it.
func (b *board) view(r *result) View {
	p := b.plan
	v := View{Update: b.update(r), Title: p.Title, Timezone: p.Timezone, WeekStarts: p.WeekStarts, Start: r.window.Start, End: r.window.End,
		Channel: p.channel(), Public: p.Public, Ranges: Ranges(), Figures: make([]FigureInfo, len(p.figures))}
	for i, f := range p.figures {
		v.Figures[i] = FigureInfo{Name: f.Name, Title: f.Title, Kind: f.Kind, Unit: f.Unit, Better: f.Better, Personal: f.Personal}
		if f.Kind == KindSeries {
			v.Figures[i].Bucket = bucketOf(f.Bucket, r.window)
		}
	}
	return v
}
