package queue

import (
	"cmp"
	"slices"
	"sync"
)

// lanes keep the order of jobs that share a lane. A job enters all its lanes at
// once, in the order in which it was taken, and may start when it is first in
// each; so nobody ever waits for one behind him.
type lanes struct {
	mu   sync.Mutex           // guards what follows, and ahead of every ticket
	last map[string][]*ticket // by lane, the first in front
}

// ticket is a job's place in its lanes.
type ticket struct {
	names []string
	ahead int           // lanes in which another is first
	ready chan struct{} // closed when none is
}

// enter gives a place behind all that are in the lanes of a queue.
func (l *lanes) enter(queue string, names []string) *ticket {
	t := &ticket{ready: make(chan struct{})}
	for _, name := range names {
		t.names = append(t.names, queue+"\n"+name)
	}
	slices.Sort(t.names)
	t.names = slices.Compact(t.names)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[string][]*ticket{}
	}
	for _, name := range t.names {
		if len(l.last[name]) > 0 {
			t.ahead++
		}
		l.last[name] = append(l.last[name], t)
	}
	if t.ahead == 0 {
		close(t.ready)
	}
	return t
}

// leave gives the place up, whether it was first or not. It may be called
// again.
func (l *lanes) leave(t *ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range t.names {
		row := l.last[name]
		i := slices.Index(row, t)
		if i < 0 {
			continue
		}
		row = slices.Delete(row, i, i+1)
		if len(row) == 0 {
			delete(l.last, name)
			continue
		}
		l.last[name] = row
		if i == 0 {
			if row[0].ahead--; row[0].ahead == 0 {
				close(row[0].ready)
			}
		}
	}
}

// seats are the jobs that one worker runs at once. Who waits for one gets it by
// the importance of his queue, his priority, and the order of coming.
type seats struct {
	mu      sync.Mutex // guards what follows
	free    int
	limits  map[string]int // of queues that have one of their own
	taken   map[string]int // by queue
	waiting []*seat        // in the order in which they are to be served
	coming  int
}

// seat is one job's wait.
type seat struct {
	queue    string
	rank     [3]int // the queue's place, the priority, the coming
	given    chan struct{}
	released bool
}

func newSeats(n int, limits map[string]int) *seats {
	return &seats{free: n, limits: limits, taken: map[string]int{}}
}

// ask queues for a seat; given is closed when it is there.
func (s *seats) ask(queue string, place, priority int) *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming++
	asks := &seat{queue: queue, rank: [3]int{place, priority, s.coming}, given: make(chan struct{})}
	i, _ := slices.BinarySearchFunc(s.waiting, asks, func(a, b *seat) int { return slices.Compare(a.rank[:], b.rank[:]) })
	s.waiting = slices.Insert(s.waiting, i, asks)
	s.serve()
	return asks
}

// serve gives free seats to those who may have one.
func (s *seats) serve() {
	for i := 0; i < len(s.waiting) && s.free > 0; {
		next := s.waiting[i]
		if limit := s.limits[next.queue]; limit > 0 && s.taken[next.queue] >= limit {
			i++
			continue
		}
		s.waiting = slices.Delete(s.waiting, i, i+1)
		s.free--
		s.taken[next.queue]++
		close(next.given)
	}
}

// leave gives the seat back, or the wait for it up. It may be called again.
func (s *seats) leave(a *seat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.released {
		return
	}
	a.released = true
	if i := slices.Index(s.waiting, a); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		return
	}
	s.free++
	s.taken[a.queue]--
	s.serve()
}

// active counts the jobs that have a seat.
func (s *seats) active() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, taken := range s.taken {
		n += taken
	}
	return n
}

// place gives a queue's importance, 0 for the first.
func place(queues []string, queue string) int {
	return cmp.Or(slices.Index(queues, queue)+1, len(queues)+1) - 1
}
