package hook

import (
	"container/list"
	"time"

	"github.com/belfryhq/belfry"
)

// leaveKey names what has been left: a channel, or a member of one. The same
// member on another channel is another key.
type leaveKey struct{ app, name, channel, user string }

// keyOf gives the key of a leave of that name, or of the leave of that name
// which a join would cancel.
func keyOf(app, name string, e *Event) leaveKey {
	if name == MemberRemoved {
		return leaveKey{app, name, e.Channel, e.UserID}
	}
	return leaveKey{app, name, e.Channel, ""}
}

// leave is an event that waits whether its join comes back.
type leave struct {
	key   leaveKey
	app   *belfry.App
	event *Event
	due   time.Time
}

// delayed holds the leaves that wait. All wait equally long, so they are due in
// the order in which they came, and leave in it.
type delayed struct {
	places map[leaveKey]*list.Element
	order  *list.List // of *leave, the oldest first
	alarm  *alarm     // set while there are any
}

func (d *delayed) init() {
	d.places = make(map[leaveKey]*list.Element)
	d.order = list.New()
}

// delayLeave keeps a leave back. Until it is released, only its own join can
// come after it on its key, and that cancels it: a join never overtakes a leave.
func (h *Hooks) delayLeave(app *belfry.App, event *Event, now time.Time) {
	key := keyOf(app.ID, event.Name, event)
	if _, twice := h.delayed.places[key]; twice {
		return
	}
	if h.delayed.order.Len() >= h.cfg.DelayedMax {
		oldest := h.delayed.order.Front()
		h.removeDelayed(oldest)
		l := oldest.Value.(*leave)
		h.release(l.app, l.event, now)
	}
	due := now.Add(h.cfg.Delay)
	h.delayed.places[key] = h.delayed.order.PushBack(&leave{key: key, app: app, event: event, due: due})
	h.leaves.Add(1)
	h.events++
	h.counters(app.ID).Delayed++
	if h.delayed.alarm == nil {
		h.delayed.alarm = h.setAlarm(due, h.ringDelayed)
	}
}

// cancelLeave takes back a waiting leave and reports whether there was one.
func (h *Hooks) cancelLeave(key leaveKey) bool {
	place, ok := h.delayed.places[key]
	if ok {
		h.removeDelayed(place)
	}
	return ok
}

func (h *Hooks) removeDelayed(place *list.Element) {
	l := place.Value.(*leave)
	h.delayed.order.Remove(place)
	delete(h.delayed.places, l.key)
	h.leaves.Add(-1)
	h.counters(l.key.app).Delayed--
	h.settle(1, 0)
}

func (h *Hooks) ringDelayed(now time.Time) {
	h.delayed.alarm = nil
	h.releaseDelayed(now, false)
}

// releaseDelayed lets the leaves go that have waited long enough, or all.
func (h *Hooks) releaseDelayed(now time.Time, all bool) {
	for place := h.delayed.order.Front(); place != nil; place = h.delayed.order.Front() {
		l := place.Value.(*leave)
		if !all && l.due.After(now) {
			if h.delayed.alarm == nil {
				h.delayed.alarm = h.setAlarm(l.due, h.ringDelayed)
			}
			return
		}
		h.release(l.app, l.event, now)
		h.removeDelayed(place) // after release, lest Drain see an empty moment
	}
}

func (h *Hooks) dropDelayed() {
	for place := h.delayed.order.Front(); place != nil; place = h.delayed.order.Front() {
		l := place.Value.(*leave)
		h.drop(h.counters(l.key.app), nil, 1, dropStopped)
		h.removeDelayed(place)
	}
}
