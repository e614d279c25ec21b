package hook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/pusher"
)

// request is one POST, through all of its attempts. While it is under way it
// belongs to its sender, else to the endpoint.
type request struct {
	id       string // of the call; that of its first attempt, unless it is one that is sent again
	app      *belfry.App
	hook     *belfry.Webhook
	events   []*Event // until the body is built
	names    []string // of the events
	channels []string // the first of theirs
	ids      []string // of the client events
	count    int
	size     int
	first    time.Time // when its oldest event was accepted
	last     time.Time // and its newest

	lanes []*lane // that wait for it
	hold  *alarm  // the end of their waiting

	body      []byte
	signature string
	attempts  int
	tries     []Try
	final     bool      // no further attempt is made
	next      time.Time // of the next attempt
}

func (r *request) fill(items []item) {
	r.first, r.last, r.count = items[0].at, items[len(items)-1].at, len(items)
	for _, it := range items {
		r.events = append(r.events, it.event)
		r.names = append(r.names, it.event.Name)
		if it.event.ID != "" {
			r.ids = append(r.ids, it.event.ID)
		}
		if len(r.channels) < maxChannels && !slices.Contains(r.channels, it.event.Channel) {
			r.channels = append(r.channels, it.event.Channel)
		}
		r.size += it.event.size()
	}
}

// build makes the body and its signature, once: a retry sends the same bytes
// (HOOK-03, HOOK-05).
func (r *request) build() {
	if r.body != nil {
		return
	}
	r.body = appendBody(nil, r.last, r.events)
	r.signature = pusher.Sign(r.app.Keys[0].Secret, string(r.body))
	r.events = nil
}

// send makes one attempt.
func (h *Hooks) send(ctx context.Context, ep *endpoint, r *request) {
	defer h.senders.Done()
	r.build()
	r.attempts++
	started := time.Now()
	status, err := h.post(ctx, r)
	a := Attempt{
		ID: belfry.NewID(started), Time: started, App: ep.key.app, URL: ep.safeURL, Status: status,
		Duration: time.Since(started), Number: r.attempts, Events: r.names, IDs: r.ids,
	}
	if r.id == "" {
		r.id = a.ID
	}
	if err != nil {
		a.Error = err.Error()
		r.final = h.isLast(r, time.Now())
	}
	r.note(&a)
	if r.final || err != nil && ctx.Err() != nil {
		// Before anybody hears that it failed, so that nobody hears of one that is
		// gone after a crash.
		a.Outcome = Dropped
		h.records.failed(r, &a)
	}
	h.finish(ep, r, &a)
	if a.Outcome == Delivered {
		h.records.delivered(r, &a)
	}
	if h.cfg.Observe != nil {
		h.cfg.Observe(a)
	}
}

// note adds an attempt to what is known of the request.
func (r *request) note(a *Attempt) {
	// Those who hold the old tries keep them as they were.
	if len(r.tries) == maxTries {
		r.tries = slices.Clone(r.tries[1:])
	}
	r.tries = append(r.tries, Try{At: a.Time, Status: a.Status, Error: a.Error, Duration: a.Duration})
	a.Call, a.channels, a.accepted, a.tries = r.id, r.channels, r.first, r.tries
}

// post sends the request and gives the answer's status, zero for none, and an
// error unless the status is 2xx. Errors hold no secret and no URL.
func (h *Hooks) post(ctx context.Context, r *request) (status int, err error) {
	limited, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, http.MethodPost, r.hook.URL, bytes.NewReader(r.body))
	if err != nil {
		return 0, httpx.Cause(err)
	}
	r.setHeader(req)
	res, err := h.cfg.Client.Do(req)
	switch {
	case ctx.Err() != nil && err != nil:
		return 0, errStopped
	case err != nil && limited.Err() != nil:
		return 0, fmt.Errorf("no answer within %v", h.cfg.Timeout)
	case err != nil:
		return 0, httpx.Cause(err)
	}
	httpx.Discard(res.Body, answerMax)
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return res.StatusCode, fmt.Errorf("answered %d, not 2xx", res.StatusCode)
	}
	return res.StatusCode, nil
}

var errStopped = errors.New("the server stopped")

// ownHeader reports whether a header is not for the settings to change: the
// signature's (HOOK-07) and those that frame the message.
func ownHeader(name string) bool {
	switch name {
	case "Content-Type", "X-Pusher-Key", "X-Pusher-Signature",
		"Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade":
		return true
	}
	return false
}

func (r *request) setHeader(req *http.Request) {
	req.Header.Set("User-Agent", "Belfry")
	for name, value := range r.hook.Headers {
		switch name = textproto.CanonicalMIMEHeaderKey(name); {
		case name == "Host":
			req.Host = value
		case !ownHeader(name):
			req.Header.Set(name, value)
		}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Pusher-Key", r.app.Keys[0].Key)
	req.Header.Set("X-Pusher-Signature", r.signature)
	// Present but empty, this is not sent: it lets the transport try again at
	// once when the receiver has just closed the kept connection.
	if len(req.Header["X-Idempotency-Key"]) == 0 {
		req.Header["X-Idempotency-Key"] = []string{}
	}
}

// finish books an attempt and decides what becomes of the request.
func (h *Hooks) finish(ep *endpoint, r *request, a *Attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	ep.inFlight--
	ep.used = now
	c := ep.counters
	c.Attempts++
	if r.attempts > 1 {
		c.Retried++
	}
	switch {
	case a.Error == "":
		a.Outcome = Delivered
		c.Sent += uint64(r.count)
		h.close(ep, r)
		h.leave(ep, r.count, r.size)
	case h.closed:
		a.Outcome = Dropped
		h.discard(ep, r.count, r.size, dropStopped)
	case !r.final:
		h.retry(ep, r, now)
		a.Outcome = Retrying
		c.Failed++
	default:
		a.Outcome = Dropped
		c.Failed++
		h.close(ep, r)
		h.discard(ep, r.count, r.size, dropExpired)
	}
	h.ring.add(*a, r)
	h.judge(ep, a, now)
	h.dispatch(ep, now)
}

// close ends a request's hold on its channels.
func (h *Hooks) close(ep *endpoint, r *request) {
	h.alarms.unset(r.hold)
	ep.free(r)
}

// isLast reports whether there is no time for another attempt; the last one is
// made when the time is over (HOOK-05).
func (h *Hooks) isLast(r *request, now time.Time) bool {
	return r.first.Add(h.cfg.RetryFor).Sub(now) < h.cfg.RetryFirst
}

// retry puts a failed request off.
func (h *Hooks) retry(ep *endpoint, r *request, now time.Time) {
	deadline := r.first.Add(h.cfg.RetryFor)
	if r.next = now.Add(h.backoff(r.attempts)); r.next.After(deadline) {
		r.next = deadline
	}
	ep.waiting[r] = h.setAlarm(r.next, func(now time.Time) {
		h.makeDue(ep, r)
		h.dispatch(ep, now)
	})
	switch end := r.first.Add(h.cfg.HoldFor); {
	case !end.After(now):
		h.close(ep, r)
	case r.hold == nil:
		r.hold = h.setAlarm(end, func(now time.Time) {
			ep.free(r)
			h.dispatch(ep, now)
		})
	}
}

func (h *Hooks) makeDue(ep *endpoint, r *request) {
	delete(ep.waiting, r)
	ep.due = append(ep.due, r)
}

// hurry brings all retries forward.
func (h *Hooks) hurry(ep *endpoint, now time.Time) {
	var all []*request
	for r, entry := range ep.waiting {
		h.alarms.unset(entry)
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *request) int { return a.first.Compare(b.first) })
	for _, r := range all {
		r.next = now
		h.makeDue(ep, r)
	}
}

// backoff gives the wait after so many attempts.
func (h *Hooks) backoff(attempts int) time.Duration {
	wait := h.cfg.RetryFirst
	for i := 1; i < attempts && wait < h.cfg.RetryMax; i++ {
		wait *= 2
	}
	wait = min(wait, h.cfg.RetryMax)
	if h.draining {
		wait = h.cfg.RetryFirst
	}
	return wait - time.Duration(h.cfg.Rand()*float64(wait)/4)
}
