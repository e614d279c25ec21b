package trace

import (
	"cmp"
	"slices"
)

// Recent gives the latest records in memory that wanted says yes to, of events
// and connections alike, the newest first, limit at most. It looks at all that
// is remembered, newer chunks first, and stops when older ones hold nothing
// newer. wanted may be called from here only, and must not keep its argument.
func (t *Trace) Recent(limit int, wanted func(*Entry) bool) []Entry {
	since := t.from(t.cfg.Now().Add(-t.cfg.For))
	var texts []dated
	for _, b := range [...]*book{&t.events, &t.links} {
		for i := range b.shards {
			texts = b.shards[i].dated(texts, since)
		}
	}
	slices.SortFunc(texts, func(a, b dated) int { return cmp.Compare(b.last, a.last) })
	var found []Entry
	newest := func(a, b Entry) int { return b.At.Compare(a.At) }
	for _, one := range texts {
		if len(found) >= limit && one.last < found[limit-1].At.UnixNano() {
			break
		}
		for text := one.text; len(text) > 0; {
			var r record
			text = r.read(text)
			if e := r.entry(); r.at >= since && wanted(&e) {
				found = append(found, e)
			}
		}
		slices.SortStableFunc(found, newest)
		found = found[:min(limit, len(found))]
	}
	return found
}

// dated is a chunk's text with the time of its last record.
type dated struct {
	text []byte
	last int64
}

func (s *shard) dated(all []dated, since int64) []dated {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.chunks {
		if c.last >= since {
			all = append(all, dated{c.text, c.last})
		}
	}
	return all
}
