package trace

import (
	"hash/maphash"
	"sync"
	"time"
)

// A book is a log of records, in shards so that publishers do not meet.
const (
	shards     = 8
	chunkSize  = 64 << 10
	filterSize = 512 // words of 64 bits: two bits for each of some 1,500 keys fill a tenth
	chunkBytes = chunkSize + 8*filterSize
)

type book struct {
	seed   maphash.Seed
	keep   time.Duration
	born   time.Time
	most   int // chunks of a shard
	shards [shards]shard
}

type shard struct {
	mu      sync.Mutex // guards all below
	chunks  []*chunk   // the oldest first
	records uint64
	dropped uint64
	lost    int64 // the time of the youngest record that went for want of room

	_ [64]byte // shards are locked by different processors
}

// chunk is some records. What stands in text is never changed.
type chunk struct {
	text        []byte
	filter      [filterSize]uint64
	first, last int64 // nanoseconds
	n           int
}

func (b *book) init(seed maphash.Seed, bytes int, keep time.Duration) {
	b.seed, b.keep, b.born = seed, keep, time.Now()
	b.most = max(bytes/shards/chunkBytes, 2)
}

func (b *book) hash(key string) uint64 { return maphash.String(b.seed, key) }

// add appends a record to the shard of its key's hash. The record can be found
// by that, and by its other keys.
func (b *book) add(hash uint64, r *record) {
	s := &b.shards[hash%shards]
	most := r.most()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.current(r.at, most, b)
	c.text = r.append(c.text)
	c.mark(hash)
	for _, key := range [...]string{r.socket, r.user, r.channel} {
		if key != "" {
			c.mark(b.hash(key))
		}
	}
	for _, key := range r.channels {
		c.mark(b.hash(key))
	}
	if c.n == 0 {
		c.first = r.at
	}
	c.first, c.last = min(c.first, r.at), max(c.last, r.at)
	c.n++
	s.records++
}

// current gives the chunk with room for one more record. s.mu is held.
func (s *shard) current(now int64, most int, b *book) *chunk {
	if n := len(s.chunks); n > 0 && cap(s.chunks[n-1].text)-len(s.chunks[n-1].text) >= most {
		return s.chunks[n-1]
	}
	s.expire(now - int64(b.keep))
	for len(s.chunks) >= b.most {
		s.lost = max(s.lost, s.chunks[0].last)
		s.dropped += uint64(s.chunks[0].n)
		s.forget(1)
	}
	c := &chunk{text: make([]byte, 0, max(chunkSize, most))}
	s.chunks = append(s.chunks, c)
	return c
}

// expire lets the chunks go whose time is over. s.mu is held.
func (s *shard) expire(before int64) {
	n := 0
	for n < len(s.chunks) && s.chunks[n].last < before {
		n++
	}
	s.forget(n)
}

func (s *shard) forget(n int) {
	if n == 0 {
		return
	}
	left := copy(s.chunks, s.chunks[n:])
	clear(s.chunks[left:])
	s.chunks = s.chunks[:left]
}

// clean lets go what is too old.
func (b *book) clean(now time.Time) {
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		s.expire(now.Add(-b.keep).UnixNano())
		s.mu.Unlock()
	}
}

// mark notes a key in the filter.
func (c *chunk) mark(hash uint64) {
	x, y := hash&(64*filterSize-1), hash>>24&(64*filterSize-1)
	c.filter[x/64] |= 1 << (x % 64)
	c.filter[y/64] |= 1 << (y % 64)
}

// may reports whether a record with that key may be in the chunk.
func (c *chunk) may(hash uint64) bool {
	x, y := hash&(64*filterSize-1), hash>>24&(64*filterSize-1)
	return c.filter[x/64]&(1<<(x%64)) != 0 && c.filter[y/64]&(1<<(y%64)) != 0
}

// wanted says which records a reader is after; zero fields do not count.
type wanted struct {
	key   string // an id, channel, socket or user that the record bears
	own   bool   // key is the one that the record was added under
	since int64
	kinds kinds // none: all
}

// kinds is a set of kinds.
type kinds uint32

func setOf(list ...kind) (set kinds) {
	for _, k := range list {
		set |= 1 << k
	}
	return set
}

func (set kinds) has(k kind) bool { return set == 0 || set&(1<<k) != 0 }

// each calls f with the records that are wanted, those of one shard in the order
// in which they came, until it gives false. Others may come too: the filter
// lets some pass, and f has to look. The record is f's until it returns.
func (b *book) each(w wanted, f func(r *record) bool) {
	hash := uint64(0)
	if w.key != "" {
		hash = b.hash(w.key)
	}
	for i := range b.shards {
		if w.own && uint64(i) != hash%shards {
			continue
		}
		for _, text := range b.shards[i].snapshot(w, hash) {
			for len(text) > 0 {
				if size, k, at := peek(text); !w.kinds.has(k) || at < w.since {
					text = text[size:]
					continue
				}
				var r record
				text = r.read(text)
				if !f(&r) {
					return
				}
			}
		}
	}
}

// snapshot gives the text of the chunks that may hold what is wanted.
func (s *shard) snapshot(w wanted, hash uint64) (texts [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.chunks {
		if c.last >= w.since && (w.key == "" || c.may(hash)) {
			texts = append(texts, c.text)
		}
	}
	return texts
}

// bookStats are a book's figures.
type bookStats struct {
	records, dropped uint64
	bytes            int64
	oldest           time.Time
}

func (b *book) stats() (all bookStats) {
	oldest := int64(0)
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		all.records += s.records
		all.dropped += s.dropped
		all.bytes += int64(len(s.chunks)) * chunkBytes
		if len(s.chunks) > 0 && (oldest == 0 || s.chunks[0].first < oldest) {
			oldest = s.chunks[0].first
		}
		s.mu.Unlock()
	}
	if oldest > 0 {
		all.oldest = time.Unix(0, oldest).UTC()
	}
	return all
}

// since gives from when on nothing is missing.
func (b *book) since(now time.Time) time.Time {
	from := now.Add(-b.keep)
	if b.born.After(from) {
		from = b.born
	}
	for i := range b.shards {
		s := &b.shards[i]
		s.mu.Lock()
		if lost := time.Unix(0, s.lost); s.lost > 0 && lost.After(from) {
			from = lost
		}
		s.mu.Unlock()
	}
	return from.UTC()
}
