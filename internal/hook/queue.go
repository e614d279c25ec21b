package hook

import (
	"cmp"
	"container/list"
	"slices"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/httpx"
)

type endpointKey struct{ app, url string }

// endpoint is what waits for one URL of one app.
type endpoint struct {
	key      endpointKey
	safeURL  string
	counters *counters // the app's
	lanes    map[string]*lane
	// ready are the lanes with events and no request that keeps them back,
	// readyEvents their events.
	ready       *list.List
	readyEvents int
	window      *alarm              // the end of the batch's window
	waiting     map[*request]*alarm // requests to be retried later
	due         []*request          // requests to be retried now, in order
	inFlight    int
	queued      int // events in lanes and requests
	used        time.Time
	health      health
}

// lane is a channel's events in order.
type lane struct {
	channel string
	items   []item
	holder  *request      // keeps the lane back; nil for none
	place   *list.Element // in ready; nil when not there
}

// item is an event on its way to one endpoint, with the settings of the moment
// at which it happened.
type item struct {
	event *Event
	app   *belfry.App
	hook  *belfry.Webhook
	at    time.Time
	order uint64
}

// endpoint finds or makes the state of an endpoint.
func (h *Hooks) endpoint(app, url string, now time.Time) *endpoint {
	key := endpointKey{app, url}
	ep := h.endpoints[key]
	if ep == nil {
		ep = &endpoint{
			key: key, safeURL: httpx.SafeURL(url), counters: h.counters(app),
			lanes: make(map[string]*lane), ready: list.New(), waiting: make(map[*request]*alarm),
		}
		h.endpoints[key] = ep
		if !h.closed {
			h.forgetLater(ep, now)
		}
	}
	ep.used = now
	return ep
}

// forgetLater drops the endpoint's state when it has long been unused.
func (h *Hooks) forgetLater(ep *endpoint, now time.Time) {
	h.setAlarm(now.Add(idleFor), func(now time.Time) {
		if ep.queued == 0 && ep.inFlight == 0 && now.Sub(ep.used) >= idleFor {
			delete(h.endpoints, ep.key)
			return
		}
		h.forgetLater(ep, now)
	})
}

// enqueue puts an event into its lane, or drops it when there is no room.
func (h *Hooks) enqueue(ep *endpoint, it item) {
	size := it.event.size()
	switch {
	case h.closed:
		h.drop(ep.counters, ep, 1, dropStopped)
		return
	case ep.queued >= h.cfg.QueueMax || h.bytes+size > h.cfg.QueueBytes:
		h.drop(ep.counters, ep, 1, dropFull)
		return
	}
	h.order++
	it.order = h.order
	h.events++
	h.bytes += size
	ep.queued++
	ep.counters.Pending++
	l := ep.lanes[it.event.Channel]
	if l == nil {
		l = &lane{channel: it.event.Channel}
		ep.lanes[l.channel] = l
	}
	l.items = append(l.items, it)
	switch {
	case l.place != nil:
		ep.readyEvents++
	case l.holder == nil:
		ep.makeReady(l)
	}
	h.dispatch(ep, it.at)
}

func (ep *endpoint) makeReady(l *lane) {
	l.place = ep.ready.PushBack(l)
	ep.readyEvents += len(l.items)
}

func (ep *endpoint) unready(l *lane) {
	ep.ready.Remove(l.place)
	l.place = nil
	ep.readyEvents -= len(l.items)
}

// front gives the lane that has been ready for longest, nil for none.
func (ep *endpoint) front() *lane {
	if place := ep.ready.Front(); place != nil {
		return place.Value.(*lane)
	}
	return nil
}

// dispatch starts as many requests as the endpoint may have under way.
func (h *Hooks) dispatch(ep *endpoint, now time.Time) {
	if h.ctx == nil || h.closed {
		return
	}
	for ep.inFlight < h.cfg.InFlight {
		r := h.pick(ep, now)
		if r == nil {
			return
		}
		ep.inFlight++
		h.senders.Add(1)
		go h.send(h.ctx, ep, r)
	}
}

// pick gives the next request: a retry whose time has come or one of new
// events, whichever has waited longer.
func (h *Hooks) pick(ep *endpoint, now time.Time) *request {
	h.dropExpired(ep, now)
	l := ep.front()
	if l != nil && !h.windowOver(ep, l.items[0], now) {
		l = nil
	}
	if len(ep.due) > 0 && (l == nil || ep.due[0].next.Before(l.items[0].at)) {
		r := ep.due[0]
		ep.due[0], ep.due = nil, ep.due[1:]
		return r
	}
	if l == nil {
		return nil
	}
	return ep.take(h.cfg.BatchMax)
}

// windowOver reports whether the time to collect events for a batch is over;
// if not, the endpoint is looked at again when it is.
func (h *Hooks) windowOver(ep *endpoint, first item, now time.Time) bool {
	end := first.at.Add(h.cfg.BatchWindow)
	if !first.app.WebhookBatch || h.draining || ep.readyEvents >= h.cfg.BatchMax || !end.After(now) {
		return true
	}
	if ep.window == nil {
		ep.window = h.setAlarm(end, func(now time.Time) {
			ep.window = nil
			h.dispatch(ep, now)
		})
	}
	return false
}

// take makes a request of the event that is first, and, when its app batches,
// of those that go with it: up to max with the same settings. The lanes that
// it takes from wait for it.
func (ep *endpoint) take(max int) *request {
	head := ep.front().items[0]
	if !head.app.WebhookBatch {
		max = 1
	}
	r := &request{app: head.app, hook: head.hook}
	var items []item
	for place := ep.ready.Front(); place != nil && len(items) < max; {
		l := place.Value.(*lane)
		place = place.Next()
		n := 0
		for n < len(l.items) && len(items)+n < max && l.items[n].app == head.app && l.items[n].hook == head.hook {
			n++
		}
		if n == 0 {
			continue
		}
		ep.unready(l)
		items = append(items, l.items[:n]...)
		clear(l.items[:n])
		l.items = l.items[n:]
		l.holder = r
		r.lanes = append(r.lanes, l)
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.order, b.order) })
	r.fill(items)
	return r
}

// free lets go of the lanes that wait for a request.
func (ep *endpoint) free(r *request) {
	for _, l := range r.lanes {
		if l.holder != r {
			continue
		}
		l.holder = nil
		if len(l.items) > 0 {
			ep.makeReady(l)
		} else {
			delete(ep.lanes, l.channel)
		}
	}
	r.lanes = nil
}

// dropExpired drops the events in front that nobody got round to in time.
func (h *Hooks) dropExpired(ep *endpoint, now time.Time) {
	for l := ep.front(); l != nil && now.Sub(l.items[0].at) > h.cfg.RetryFor; l = ep.front() {
		ep.unready(l)
		n := 0
		for n < len(l.items) && now.Sub(l.items[n].at) > h.cfg.RetryFor {
			h.discard(ep, 1, l.items[n].event.size(), dropExpired)
			n++
		}
		h.giveUp(ep, l.items[:n], now, whyExpired)
		clear(l.items[:n])
		if l.items = l.items[n:]; len(l.items) > 0 {
			ep.makeReady(l)
		} else {
			delete(ep.lanes, l.channel)
		}
	}
}

// dropQueued drops all that waits, when Run ends. Requests under way are left
// to their senders.
func (h *Hooks) dropQueued(ep *endpoint) {
	now := time.Now()
	for _, l := range ep.lanes {
		for _, it := range l.items {
			h.discard(ep, 1, it.event.size(), dropStopped)
		}
		h.giveUp(ep, l.items, now, whyStopped)
		l.items = nil
	}
	for _, r := range ep.due {
		h.discard(ep, r.count, r.size, dropStopped)
		h.records.given(r, ep.safeURL, whyStopped, now)
	}
	for r := range ep.waiting {
		h.discard(ep, r.count, r.size, dropStopped)
		h.records.given(r, ep.safeURL, whyStopped, now)
	}
	ep.lanes, ep.due = map[string]*lane{}, nil
	clear(ep.waiting)
	ep.ready.Init()
	ep.readyEvents = 0
}

// Why events are given up without a further attempt, as the console has it.
const (
	whyExpired = "it waited too long for its turn: the endpoint fails, or is too slow"
	whyStopped = "the server stopped before it could be sent"
)

// giveUp has a lane's events kept that are dropped, each request as it would have
// been made.
func (h *Hooks) giveUp(ep *endpoint, items []item, now time.Time, why string) {
	if h.records == nil {
		return
	}
	for len(items) > 0 {
		n, head := 1, items[0]
		for n < len(items) && head.app.WebhookBatch && n < h.cfg.BatchMax && items[n].app == head.app && items[n].hook == head.hook {
			n++
		}
		r := &request{app: head.app, hook: head.hook}
		r.fill(items[:n])
		h.records.given(r, ep.safeURL, why, now)
		items = items[n:]
	}
}

// discard drops queued events.
func (h *Hooks) discard(ep *endpoint, events, bytes int, why dropReason) {
	h.drop(ep.counters, ep, events, why)
	h.leave(ep, events, bytes)
}

// leave takes events that are done with off the endpoint's books.
func (h *Hooks) leave(ep *endpoint, events, bytes int) {
	ep.queued -= events
	ep.counters.Pending -= events
	h.settle(events, bytes)
}
