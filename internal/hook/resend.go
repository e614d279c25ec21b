package hook

import (
	"context"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

var (
	errNoCall = &belfry.Error{Code: belfry.CodeNotFound, Message: "this webhook is not kept any more",
		Hint: "the last 200 attempts are, and for some days those that failed"}
	errNoBody = belfry.Errorf(belfry.CodeConflict, "the body of this webhook is not kept any more, or was too large to be")
	errClosed = belfry.Errorf(belfry.CodeUnavailable, "the server stops")
)

// Resend sends a request again, by the id of the call or of one of the last
// attempts: the same body to the same endpoint, tried as long as a new one. It
// gives the id of the new call. One of the last attempts goes out as it was; one
// of the database as the endpoint is set now, signed with the app's first key.
//
// It fails with CodeNotFound for one that is not kept, and with CodeConflict when
// its body is not kept any more, it waits to be tried again anyway, too much
// waits for the endpoint, or the app or the endpoint is gone.
func (h *Hooks) Resend(ctx context.Context, id string) (as string, err error) {
	old, call, err := h.last200(id)
	if err != nil && h.records != nil && err != errClosed {
		call = id
		old, err = h.records.load(ctx, id)
	}
	if err != nil {
		return "", err
	}
	now := time.Now()
	as = belfry.NewID(now)
	if err := h.again(old, as, now); err != nil {
		return "", err
	}
	h.markLast(call, as, now)
	if h.records != nil {
		_, err = h.records.mark(ctx, call, as, now, true)
	}
	if err != nil { // it is under way all the same
		h.cfg.Logger.Warn("it could not be noted in the database that a webhook was sent again", "call", call, "error", err)
	}
	return as, nil
}

// ResendFailed sends those again that failed, were not sent again yet and are
// picked by the filter, the oldest first, at most so many. It gives how many it
// sent, and why it left some out: one of their errors. more reports that there
// may be others. Without a database it fails with CodeUnavailable.
func (h *Hooks) ResendFailed(ctx context.Context, f CallFilter, most int) (sent int, more bool, left error, err error) {
	if h.records == nil {
		return 0, false, nil, belfry.Errorf(belfry.CodeUnavailable, "no database keeps failed webhooks")
	}
	ids, err := h.records.unsent(ctx, f, most+1)
	if err != nil {
		return 0, false, nil, err
	}
	if more = len(ids) > most; more {
		ids = ids[:most]
	}
	for _, id := range ids {
		done, err := h.claim(ctx, id)
		switch {
		case err == nil && done:
			sent++
		case belfry.CodeOf(err) == belfry.CodeConflict || belfry.CodeOf(err) == belfry.CodeNotFound:
			left = err
		case err != nil:
			return sent, true, left, err
		}
	}
	return sent, more, left, nil
}

// claim sends one again that nobody else has meanwhile.
func (h *Hooks) claim(ctx context.Context, id string) (done bool, err error) {
	old, err := h.records.load(ctx, id)
	if err != nil {
		return false, err
	}
	now := time.Now()
	as := belfry.NewID(now)
	if done, err = h.records.mark(ctx, id, as, now, false); err != nil || !done {
		return false, err
	}
	if err := h.again(old, as, now); err != nil {
		if wrong := h.records.unmark(context.WithoutCancel(ctx), id, as); wrong != nil {
			return false, wrong
		}
		return false, err
	}
	h.markLast(id, as, now)
	return true, nil
}

// last200 gives what one of the last attempts sent.
func (h *Hooks) last200(id string) (old *request, call string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, known := h.ring.find(id)
	switch {
	case h.closed:
		return nil, "", errClosed
	case !known:
		return nil, "", errNoCall
	case old == nil:
		return nil, "", errNoBody
	}
	if _, waits := h.endpoint(old.app.ID, old.hook.URL, time.Now()).waiting[old]; waits {
		return nil, "", belfry.Errorf(belfry.CodeConflict, "this webhook waits to be tried again by itself")
	}
	return old, old.id, nil
}

func (h *Hooks) markLast(call, as string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ring.mark(call, now, as)
}

// again queues what was sent before.
func (h *Hooks) again(old *request, as string, now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errClosed
	}
	ep := h.endpoint(old.app.ID, old.hook.URL, now)
	if ep.queued+old.count > h.cfg.QueueMax || h.bytes+old.size > h.cfg.QueueBytes {
		return &belfry.Error{Code: belfry.CodeConflict, Message: "too many events wait for this endpoint", Hint: "try again when fewer do"}
	}
	r := &request{id: as, app: old.app, hook: old.hook, names: old.names, channels: old.channels, ids: old.ids, count: old.count, size: old.size,
		first: now, last: now, body: old.body, signature: old.signature, next: now}
	if r.signature == "" {
		r.signature = pusher.Sign(r.app.Keys[0].Secret, string(r.body))
	}
	h.events += r.count
	h.bytes += r.size
	ep.queued += r.count
	ep.counters.Pending += r.count
	ep.due = append(ep.due, r)
	h.dispatch(ep, now)
	return nil
}
