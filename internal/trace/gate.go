package trace

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// gate decides which events are traced when there are many. One in 2^level is,
// chosen by the event's own hash, so that all steps of an event agree.
type gate struct {
	rate   int64
	second atomic.Int64
	n      atomic.Int64 // in this second
	level  atomic.Int32

	mu    sync.Mutex // guards spans
	spans []span     // the latest, while the level was not zero
}

// span is a time of sampling.
type span struct {
	from, to int64 // seconds; to is 0 while it lasts
	level    int32
}

// maxSpans bounds what is remembered of sampling.
const maxSpans = 256

// maxLevel is one in a million.
const maxLevel = 20

// turn sets the level for the second that a step is in. Down it goes by one a
// second, since loads come back.
func (g *gate) turn(now int64) {
	last := g.second.Load()
	if now <= last || !g.second.CompareAndSwap(last, now) {
		return
	}
	seconds := now - last
	want := level(g.n.Swap(0)/seconds, g.rate)
	if least := int64(g.level.Load()) - seconds; int64(want) < least {
		want = int32(least)
	}
	g.set(want, last, now)
}

// count counts a step of this second, which turn has begun, and raises the level.
func (g *gate) count(now int64) {
	n := g.n.Add(1)
	if at := g.level.Load(); n > g.rate<<(at+1) && at < maxLevel { // at once, not only in the next second
		g.set(at+1, now, now)
	}
}

// level gives the level at which n a second become rate at most.
func level(n, rate int64) int32 {
	if n <= rate {
		return 0
	}
	return int32(min(bits.Len64(uint64((n-1)/rate)), maxLevel))
}

// set sets the level from a second on; until is the last at the old level.
func (g *gate) set(want int32, until, now int64) {
	old := g.level.Swap(want)
	if old == want {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if last := len(g.spans) - 1; last >= 0 && g.spans[last].to == 0 {
		g.spans[last].to = max(until, g.spans[last].from)
	}
	if want > 0 {
		if len(g.spans) == maxSpans {
			g.spans = append(g.spans[:0], g.spans[1:]...)
		}
		g.spans = append(g.spans, span{from: now, level: want})
	}
}

// keeps reports whether an event with that hash is traced now.
func (g *gate) keeps(hash uint64) bool {
	return hash>>40&(1<<g.level.Load()-1) == 0
}

// oneIn gives the highest rate of sampling from one time to another.
func (g *gate) oneIn(from, to time.Time) int {
	first, last := from.Unix(), to.Unix()
	g.mu.Lock()
	defer g.mu.Unlock()
	most := int32(0)
	for _, s := range g.spans {
		if s.to == 0 { // until the next step comes, which then finds it so
			s.to = g.second.Load() + int64(s.level)
		}
		if s.from <= last && first <= s.to {
			most = max(most, s.level)
		}
	}
	return 1 << most
}
