package trace

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// Find gives what is known of an event: from memory, else, of one that failed,
// from the database.
func (t *Trace) Find(ctx context.Context, id string) (Timeline, bool, error) {
	if found, ok := t.find(id); ok {
		return found, true, nil
	}
	return t.failures.find(ctx, id)
}

// find looks in memory.
func (t *Trace) find(id string) (Timeline, bool) {
	found := Timeline{ID: id}
	if id == "" {
		return found, false
	}
	since := t.cfg.Now().Add(-t.cfg.For).UnixNano()
	t.events.each(wanted{key: id, own: true, since: since}, func(r *record) bool {
		if r.id == id {
			r.into(&found)
		}
		return true
	})
	found.order()
	return found, len(found.Steps) > 0
}

// order sorts the steps by time, and those of one moment as a life goes.
func (t *Timeline) order() {
	slices.SortStableFunc(t.Steps, func(a, b Step) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(kindOf(a.What), kindOf(b.What)))
	})
	if len(t.Channels) == 0 {
		for _, s := range t.Steps {
			if s.Channel != "" && !slices.Contains(t.Channels, s.Channel) {
				t.Channels = append(t.Channels, s.Channel)
			}
		}
		t.ChannelCount = len(t.Channels)
	}
}

// Filter picks events. What is zero does not count.
type Filter struct {
	App, Channel, Event string
	// Since is the first moment, Until the first that is too late.
	Since, Until time.Time
	// Failed takes only events that failed or were refused.
	Failed bool
	// Limit bounds the answer; default 100, at most 1000.
	Limit int
}

// stepKinds are those that events are found by: each names event and channels.
const steps = kinds(1<<kindAccepted | 1<<kindQueued | 1<<kindPublished | 1<<kindFailed | 1<<kindGaveUp | 1<<kindSkipped | 1<<kindRefused | 1<<kindSent)

// Events gives the events in memory that the filter picks, the newest first.
func (t *Trace) Events(f Filter) []Timeline {
	limit := min(cmp.Or(max(f.Limit, 0), 100), 1000)
	when := map[string]int64{}
	w := wanted{key: f.Channel, since: t.from(f.Since), kinds: steps}
	if f.Failed {
		w.kinds = setOf(kindFailed, kindGaveUp, kindRefused)
	}
	t.events.each(w, func(r *record) bool {
		if f.picks(r) {
			if at, known := when[r.id]; !known || r.at < at {
				when[r.id] = r.at
			}
		}
		return true
	})
	ids := make([]string, 0, len(when))
	for id := range when {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(cmp.Compare(when[b], when[a]), strings.Compare(b, a)) })
	var all []Timeline
	for _, id := range ids[:min(limit, len(ids))] {
		if found, ok := t.find(id); ok {
			all = append(all, found)
		}
	}
	return all
}

func (f *Filter) picks(r *record) bool {
	switch {
	case f.App != "" && r.app != f.App,
		f.Event != "" && r.name != f.Event,
		f.Channel != "" && r.channel != f.Channel && !slices.Contains(r.channels, f.Channel),
		!f.Until.IsZero() && r.at >= f.Until.UnixNano():
		return false
	}
	return true
}

// from gives the first moment to look at.
func (t *Trace) from(since time.Time) int64 {
	first := t.cfg.Now().Add(-t.cfg.For)
	if since.After(first) {
		first = since
	}
	return first.UnixNano()
}

// Name is an event's name on a channel, with how often and when last.
type Name struct {
	App     string    `json:"app"`
	Event   string    `json:"event"`
	Channel string    `json:"channel"`
	Count   int       `json:"count"`
	Last    time.Time `json:"last"`
	LastID  string    `json:"last_id"`
}

// maxNames bounds Names.
const maxNames = 5000

// Names gives the events and channels of an app, of all for "", that were
// published or handed over since then, the last ones first, 5000 at most.
func (t *Trace) Names(app string, since time.Time) []Name {
	type key struct{ app, event, channel string }
	found := map[key]*Name{}
	t.events.each(wanted{since: t.from(since), kinds: setOf(kindAccepted, kindPublished)}, func(r *record) bool {
		channels := r.channels
		if r.kind == kindPublished {
			channels = []string{r.channel}
		}
		for _, channel := range channels {
			k := key{r.app, r.name, channel}
			if app != "" && r.app != app || found[k] == nil && len(found) >= maxNames {
				continue
			}
			if found[k] == nil {
				found[k] = &Name{App: r.app, Event: r.name, Channel: channel}
			}
			n := found[k]
			if r.kind == kindPublished {
				n.Count++
			}
			if at := r.time(); !at.Before(n.Last) {
				n.Last, n.LastID = at, r.id
			}
		}
		return true
	})
	all := make([]Name, 0, len(found))
	for _, n := range found {
		all = append(all, *n)
	}
	slices.SortFunc(all, func(a, b Name) int {
		return cmp.Or(b.Last.Compare(a.Last), strings.Compare(a.Channel, b.Channel), strings.Compare(a.Event, b.Event))
	})
	return all
}

// Refusals gives the requests with events that were refused at the door, the
// newest first; app "" is all.
func (t *Trace) Refusals(app string, since time.Time, limit int) []Timeline {
	var all []Timeline
	t.events.each(wanted{since: t.from(since), kinds: setOf(kindRefused)}, func(r *record) bool {
		if app == "" || r.app == app {
			one := Timeline{ID: r.id}
			r.into(&one)
			one.order()
			all = append(all, one)
		}
		return true
	})
	slices.SortFunc(all, func(a, b Timeline) int {
		return cmp.Or(b.Steps[0].At.Compare(a.Steps[0].At), strings.Compare(b.ID, a.ID))
	})
	return all[:min(len(all), cmp.Or(limit, 100))]
}
