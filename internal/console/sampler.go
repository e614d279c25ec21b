package console

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/belfryhq/belfry/internal/trace"
)

// sampler holds what one reader is to see next. When more happens than it may
// see, each entry has the same chance, but for failures, which go first.
type sampler struct {
	filter filter
	quota  int // of one batch

	mu     sync.Mutex // guards all below
	n      int        // entries of this batch, failures apart
	order  uint64
	rest   []kept
	urgent []kept
	seen   int // in this second
	shown  int
}

// kept is an entry with its place in the order of arrival.
type kept struct {
	order   uint64
	entry   trace.Entry
	payload *rawPayload // nil but for the data of an event
}

// sampled is what a reader is told of each second in which it did not see all.
type sampled struct {
	Shown int     `json:"shown"`
	Seen  int     `json:"seen"`
	OneIn float64 `json:"one_in"`
	// Traced is one in so many events that the trace itself keeps.
	Traced int `json:"trace_one_in"`
}

func newSampler(f filter, rate int) *sampler {
	return &sampler{filter: f, quota: max(1, rate/int(streamSecond/streamBatch))}
}

// see is called for each record, while events are on their way.
func (s *sampler) see(e trace.Entry) {
	if !s.filter.picks(&e) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen++
	s.order++
	one := kept{order: s.order, entry: e}
	if urgent(&e) && len(s.urgent) < s.quota {
		s.urgent = append(s.urgent, one)
		return
	}
	if i, ok := s.place(); ok {
		s.rest[i] = one
	}
}

// seePayload is called for the data of an event, which is copied if it is to be
// shown.
func (s *sampler) seePayload(p *Payload) {
	e := p.entry()
	if !s.filter.picks(&e) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen++
	s.order++
	if i, ok := s.place(); ok {
		s.rest[i] = kept{s.order, e, p.take()}
	}
}

// place gives the place of the next entry in rest, if it is to be shown. mu is
// held.
func (s *sampler) place() (i int, ok bool) {
	if s.n++; len(s.rest) < s.quota {
		s.rest = append(s.rest, kept{})
		return len(s.rest) - 1, true
	}
	i = rand.IntN(s.n)
	return i, i < s.quota
}

// take gives the next batch, in order.
func (s *sampler) take() []line {
	s.mu.Lock()
	all := s.urgent
	all = append(all, s.rest[:min(len(s.rest), s.quota-len(s.urgent))]...)
	s.urgent, s.rest, s.n = nil, nil, 0
	s.shown += len(all)
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b kept) int { return cmp.Compare(a.order, b.order) })
	lines := make([]line, len(all))
	for i := range all {
		lines[i] = line{Entry: all[i].entry, Kind: kindOf(&all[i].entry)}
		if all[i].payload != nil {
			lines[i].Payload = all[i].payload.shown()
		}
	}
	return lines
}

// second gives the figures of the last second if not all was shown. What waits
// for the next batch counts as shown.
func (s *sampler) second(traced int) (said sampled, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := min(s.quota, len(s.rest)+len(s.urgent))
	said = sampled{Shown: s.shown + waiting, Seen: s.seen, OneIn: 1, Traced: max(1, traced)}
	s.seen, s.shown = 0, -waiting
	if said.Shown > 0 && said.Seen > said.Shown {
		said.OneIn = float64(said.Seen*10/said.Shown) / 10
	}
	return said, said.Seen > said.Shown || said.Traced > 1
}
