package queue

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Stats are the figures of one queue in this process since its start.
type Stats struct {
	Queue    string
	Enqueued uint64 // taken in here
	Dropped  uint64 // of them not kept, by a rule of unique jobs
	Done     uint64
	Failed   uint64 // given up
	Retried  uint64 // failed and kept for another try
	Running  int
	Wait     Histogram // from when a job could start until it did
	Run      Histogram // one try
}

// Histogram counts durations.
type Histogram struct {
	Bounds []time.Duration // upper bounds, ascending; not to be changed
	Counts []uint64        // not above the bound, each without the ones before; one more at the end, above all
	Count  uint64
	Sum    time.Duration
}

// maxStats bounds the queues that have figures of their own; the others share
// the last, named "other".
const maxStats = 100

type stats struct {
	mu      sync.RWMutex // guards byQueue
	byQueue map[string]*figures
}

type figures struct {
	enqueued, dropped, done, failed, retried atomic.Uint64
	running                                  atomic.Int64
	wait, run                                histogram
}

func (s *stats) of(queue string) *figures {
	s.mu.RLock()
	f := s.byQueue[queue]
	s.mu.RUnlock()
	if f != nil {
		return f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byQueue == nil {
		s.byQueue = map[string]*figures{}
	}
	if s.byQueue[queue] == nil && len(s.byQueue) >= maxStats {
		queue = "other"
	}
	if s.byQueue[queue] == nil {
		s.byQueue[queue] = &figures{}
	}
	return s.byQueue[queue]
}

// histogram is safe for concurrent use.
type histogram struct {
	counts [bounds + 1]atomic.Uint64
	sum    atomic.Int64
}

const bounds = 14

func histogramBounds() [bounds]time.Duration {
	const ms = time.Millisecond
	return [bounds]time.Duration{ms / 2, ms, 5 * ms / 2, 5 * ms, 10 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 1000 * ms, 5000 * ms, 15000 * ms, 60000 * ms, 300000 * ms}
}

func (h *histogram) observe(d time.Duration) {
	d = max(d, 0)
	all := histogramBounds()
	i, _ := slices.BinarySearch(all[:], d)
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

func (h *histogram) read() Histogram {
	bounds := histogramBounds()
	all := Histogram{Bounds: bounds[:], Sum: time.Duration(h.sum.Load())}
	for i := range h.counts {
		n := h.counts[i].Load()
		all.Counts = append(all.Counts, n)
		all.Count += n
	}
	return all
}

// Stats gives the figures of every queue that had a job here, by name.
func (q *Queue) Stats() []Stats {
	q.stats.mu.RLock()
	defer q.stats.mu.RUnlock()
	all := make([]Stats, 0, len(q.stats.byQueue))
	for name, f := range q.stats.byQueue {
		all = append(all, Stats{
			Queue: name, Enqueued: f.enqueued.Load(), Dropped: f.dropped.Load(), Done: f.done.Load(), Failed: f.failed.Load(),
			Retried: f.retried.Load(), Running: int(f.running.Load()), Wait: f.wait.read(), Run: f.run.read(),
		})
	}
	slices.SortFunc(all, func(a, b Stats) int { return strings.Compare(a.Queue, b.Queue) })
	return all
}
