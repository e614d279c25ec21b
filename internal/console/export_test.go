package console

import (
	"net/url"
	"time"

	"github.com/belfryhq/belfry/internal/trace"
)

// Alike gives the group of an error.
func Alike(text string) string { return alike(text) }

// Sample is a reader's sampler.
type Sample struct{ s *sampler }

// NewSample makes one of a stream's query.
func NewSample(query string, rate int) (Sample, error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return Sample{}, err
	}
	f, err := newFilter(q)
	return Sample{newSampler(f, rate)}, err
}

// See takes an entry in.
func (s Sample) See(e trace.Entry) { s.s.see(e) }

// Take gives the ids of the next batch.
func (s Sample) Take() (ids, kinds []string) {
	for _, l := range s.s.take() {
		ids, kinds = append(ids, l.ID), append(kinds, l.Kind)
	}
	return ids, kinds
}

// Second gives what was shown and seen in the last second.
func (s Sample) Second() (shown, seen int, oneIn float64, sampled bool) {
	said, ok := s.s.second(1)
	return said.Shown, said.Seen, said.OneIn, ok
}

// Percentiles gives the median and the 99th percentile of durations, in
// milliseconds.
func Percentiles(all []time.Duration) (p50, p99 *float64) {
	var h histogram
	before := h.snapshot()
	for _, d := range all {
		h.add(d)
	}
	return h.since(before)
}
