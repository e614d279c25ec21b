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

// count counts a step and keeps the level.
func (g *gate) count(now int64) {
	if last := g.second.Load(); now > last && g.second.CompareAndSwap(last, now) {
		seconds := now - last
		n := g.n.Swap(0)
		want := level(n/max(seconds, 1), g.rate)
		if at := g.level.Load(); want < at-1 { // down step by step, since loads come back
			want = at - 1
		}
		g.set(want, now)
	}
	n := g.n.Add(1)
	if at := g.level.Load(); n > g.rate<<(at+1) && at < maxLevel { // at once, not only in the next second
		g.set(at+1, now)
	}
}

// level gives the level at which n a second become rate at most.
func level(n, rate int64) int32 {
	if n <= rate {
		return 0
	}
	return int32(min(bits.Len64(uint64((n-1)/rate)), maxLevel))
}

func (g *gate) set(want int32, now int64) {
	old := g.level.Swap(want)
	if old == want {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if last := len(g.spans) - 1; last >= 0 && g.spans[last].to == 0 {
		g.spans[last].to = now
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

// oneIn gives the rate of sampling at a time.
func (g *gate) oneIn(at time.Time) int {
	second := at.Unix()
	g.mu.Lock()
	defer g.mu.Unlock()
	most := int32(0)
	for _, s := range g.spans {
		if s.from <= second && (s.to == 0 || second <= s.to) {
			most = max(most, s.level)
		}
	}
	return 1 << most
}
