package socket

import "sync"

// wheelSlots is how many seconds a wheel looks ahead; what is due later is
// looked at early and put off again.
const wheelSlots = 128

// wheel keeps things that are to be looked at in some second, at the cost of a
// few words each: no timer. It is safe for concurrent use.
type wheel[T any] struct {
	mu    sync.Mutex // guards all below, and every entry's links
	now   int64      // the last second that advance was called for
	slots [wheelSlots]entry[T]
}

// entry is one thing's place on a wheel, or a slot's anchor. The zero value is
// on none.
type entry[T any] struct {
	prev, next *entry[T]
	thing      T
}

func newWheel[T any](now int64) *wheel[T] {
	w := &wheel[T]{now: now}
	for i := range w.slots {
		a := &w.slots[i]
		a.prev, a.next = a, a
	}
	return w
}

// schedule puts e, which belongs to thing, where it will be found in second
// at, or in the next one if that is over. It moves one that is on the wheel.
func (w *wheel[T]) schedule(e *entry[T], thing T, at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.unlink()
	at = min(max(at, w.now+1), w.now+wheelSlots-1)
	a := &w.slots[at%wheelSlots]
	e.thing, e.prev, e.next = thing, a.prev, a
	e.prev.next, a.prev = e, e
}

// remove takes e off the wheel.
func (w *wheel[T]) remove(e *entry[T]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.unlink()
}

func (e *entry[T]) unlink() {
	if e.next == nil {
		return
	}
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
}

// advance turns the wheel to second now, takes off all that is due, and
// appends it to due.
func (w *wheel[T]) advance(now int64, due []T) []T {
	w.mu.Lock()
	defer w.mu.Unlock()
	for turns := 0; w.now < now; turns++ {
		if turns == wheelSlots { // every slot was seen
			w.now = now
			break
		}
		w.now++
		due = w.takeSlot(int(w.now%wheelSlots), due)
	}
	return due
}

// all gives everything on the wheel.
func (w *wheel[T]) all() (things []T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.slots {
		a := &w.slots[i]
		for e := a.next; e != a; e = e.next {
			things = append(things, e.thing)
		}
	}
	return things
}

func (w *wheel[T]) takeSlot(i int, due []T) []T {
	for a := &w.slots[i]; a.next != a; {
		e := a.next
		e.unlink()
		due = append(due, e.thing)
	}
	return due
}
