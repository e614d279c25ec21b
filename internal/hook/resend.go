package hook

import (
	"time"

	"github.com/belfryhq/belfry"
)

// Resend sends the request of one of the last attempts again, as it was: the
// same body and signature, to the same endpoint, tried as long as a new one. It
// fails with CodeNotFound for an attempt that is not among the last, and with
// CodeConflict when its body is not kept any more or it waits to be tried again
// anyway.
func (h *Hooks) Resend(id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, known := h.ring.find(id)
	switch {
	case h.closed:
		return belfry.Errorf(belfry.CodeUnavailable, "the server stops")
	case !known:
		return &belfry.Error{Code: belfry.CodeNotFound, Message: "this attempt is not among the last 200", Hint: "only those can be sent again"}
	case old == nil:
		return belfry.Errorf(belfry.CodeConflict, "the body of this attempt is not kept any more: there were too many large ones since")
	}
	now := time.Now()
	ep := h.endpoint(old.app.ID, old.hook.URL, now)
	if _, waits := ep.waiting[old]; waits {
		return belfry.Errorf(belfry.CodeConflict, "this webhook waits to be tried again by itself")
	}
	if ep.queued+old.count > h.cfg.QueueMax || h.bytes+old.size > h.cfg.QueueBytes {
		return &belfry.Error{Code: belfry.CodeConflict, Message: "too many events wait for this endpoint", Hint: "try again when fewer do"}
	}
	again := &request{app: old.app, hook: old.hook, names: old.names, ids: old.ids, count: old.count, size: old.size,
		first: now, last: now, body: old.body, signature: old.signature, next: now}
	h.events += again.count
	h.bytes += again.size
	ep.queued += again.count
	ep.counters.Pending += again.count
	ep.due = append(ep.due, again)
	h.dispatch(ep, now)
	return nil
}
