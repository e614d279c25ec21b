package hook

import (
	"container/heap"
	"time"
)

// alarm is something to do at a time, under the lock of Hooks.
type alarm struct {
	at    time.Time
	order uint64 // alarms of one time ring in the order in which they were set
	index int    // in the heap; -1 when not in it
	ring  func(now time.Time)
}

// alarms are what is to be done later, the soonest first. One goroutine waits
// for all of them, so that none outlives Run.
type alarms struct {
	heap  alarmHeap
	order uint64
}

func (a *alarms) set(at time.Time, ring func(now time.Time)) *alarm {
	a.order++
	entry := &alarm{at: at, order: a.order, ring: ring}
	heap.Push(&a.heap, entry)
	return entry
}

// unset takes back an alarm; nil and one that has rung are fine.
func (a *alarms) unset(entry *alarm) {
	if entry != nil && entry.index >= 0 {
		heap.Remove(&a.heap, entry.index)
	}
}

// clear takes back all alarms.
func (a *alarms) clear() {
	for _, entry := range a.heap {
		entry.index = -1
	}
	a.heap = nil
}

// next gives the time of the soonest alarm.
func (a *alarms) next() (at time.Time, ok bool) {
	if len(a.heap) == 0 {
		return time.Time{}, false
	}
	return a.heap[0].at, true
}

// ring carries out what is due.
func (a *alarms) ring(now time.Time) {
	for len(a.heap) > 0 && !a.heap[0].at.After(now) {
		heap.Pop(&a.heap).(*alarm).ring(now)
	}
}

type alarmHeap []*alarm

func (h alarmHeap) Len() int { return len(h) }

func (h alarmHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].order < h[j].order
	}
	return h[i].at.Before(h[j].at)
}

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *alarmHeap) Push(x any) {
	entry := x.(*alarm)
	entry.index = len(*h)
	*h = append(*h, entry)
}

func (h *alarmHeap) Pop() any {
	old := *h
	entry := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	entry.index = -1
	return entry
}
