package trace

import (
	"time"

	"github.com/belfryhq/belfry"
)

// Wants reports whether the event with that id is traced: all are until there
// are too many.
func (t *Trace) Wants(id string) bool { return t.gate.keeps(t.events.hash(id)) }

// Accept notes that an event was handed over. At is when that was.
func (t *Trace) Accept(e Event, at time.Time) { t.Step(e, Step{At: at, What: Accepted}) }

// Step notes a step of an event. A zero At means now. Steps may come in any
// order. Of too many events only some are traced, but all that fail.
func (t *Trace) Step(e Event, s Step) {
	if t.cfg.Hidden(e.App) {
		return
	}
	if s.At.IsZero() {
		s.At = t.cfg.Now()
	}
	r := record{
		kind: kindOf(s.What), at: s.At.UnixNano(), id: e.ID, app: e.App, name: e.Name, channels: e.Channels, count: int64(len(e.Channels)),
		size: int64(e.Size), keys: e.Keys, who: e.By, address: e.Address, except: e.Except,
		channel: s.Channel, queue: s.Queue, code: s.Code, target: s.Target, status: int64(s.Status), number: int64(s.Try), took: int64(s.Took),
	}
	if r.text = s.Error; s.Reason != "" {
		r.text = s.Reason
	}
	if s.Permanent {
		r.code = permanent
	}
	if !s.RunAt.IsZero() {
		r.until = s.RunAt.UnixMilli()
	}
	if s.Receipt != nil {
		r.counted, r.receipt = true, *s.Receipt
	}
	t.event(&r)
}

// Publish notes that an event went to the subscribers of one channel.
func (t *Trace) Publish(at time.Time, app, id, name, channel string, size int64, receipt belfry.Receipt) {
	if t.cfg.Hidden(app) {
		return
	}
	t.event(&record{kind: kindPublished, at: at.UnixNano(), id: id, app: app, name: name, channel: channel, size: size, counted: true, receipt: receipt})
}

// event keeps a step.
func (t *Trace) event(r *record) {
	t.seen.Add(1)
	hash := t.events.hash(r.id)
	failure := false
	second := r.at / int64(time.Second)
	t.gate.turn(second)
	switch r.kind {
	case kindPublished:
		t.gate.count(second)
		failure = r.receipt.Dropped > 0
	case kindSent:
		if !r.counted { // by another server: nothing was published here
			t.gate.count(second)
		}
	case kindFailed, kindRetrying, kindGaveUp, kindSkipped, kindRefused:
		failure = true
	case kindWebhook:
		failure = r.text != ""
	}
	if !failure && !t.gate.keeps(hash) {
		return
	}
	r.clip()
	t.events.add(hash, r)
	t.tell(r)
	if r.kind == kindGaveUp || r.kind == kindFailed && r.code == permanent || r.kind == kindRefused {
		t.failures.add(r)
	}
}

// Refusal is a request with an event that was refused at the door.
type Refusal struct {
	At  time.Time // zero: now
	App string    // as it was named, even if there is none
	Key string    // the app key that was used
	By  string    // whoever asked, where no app key was used
	// Address is who asked.
	Address string
	// Event and Channel are those that the refusal is about, as far as known, or
	// Channels.
	Event, Channel string
	Channels       []string
	Size           int64
	Status         int
	// Code is "app", "key", "signature", "limit" or a belfry.Code; Limit the
	// configuration key of a limit; Reason a sentence without what was secret or
	// signed.
	Code, Limit, Reason string
}

// Refuse notes a refusal, under an id of its own, which it gives.
func (t *Trace) Refuse(f Refusal) (id string) {
	if f.At.IsZero() {
		f.At = t.cfg.Now()
	}
	if t.cfg.Hidden(f.App) {
		return ""
	}
	r := &record{kind: kindRefused, at: f.At.UnixNano(), id: belfry.NewID(f.At), app: f.App, name: f.Event, channel: f.Channel, size: f.Size,
		channels: f.Channels, count: int64(len(f.Channels)), who: f.By, address: f.Address, status: int64(f.Status), code: f.Code, queue: f.Limit, text: f.Reason}
	if f.Key != "" {
		r.who = "key " + f.Key
	}
	t.event(r)
	return r.id
}

// Call is a webhook that followed from an event.
type Call struct {
	At      time.Time
	App     string
	EventID string // of a client event; else empty
	Names   string // of the webhook's events
	URL     string // without its query
	Try     int
	Status  int
	Outcome string // "delivered", "retrying" or "dropped"
	Error   string
	Took    time.Duration
}

// Call notes a webhook.
func (t *Trace) Call(c Call) {
	if c.EventID == "" || t.cfg.Hidden(c.App) {
		return
	}
	t.event(&record{kind: kindWebhook, at: c.At.UnixNano(), id: c.EventID, app: c.App, name: c.Names, target: c.URL,
		number: int64(c.Try), status: int64(c.Status), code: c.Outcome, text: c.Error, took: int64(c.Took)})
}

// Relay notes a client event: accepted and published at once.
func (t *Trace) Relay(at time.Time, app, id, name, channel, socket string, size int64, receipt belfry.Receipt) {
	if t.cfg.Hidden(app) {
		return
	}
	t.event(&record{kind: kindPublished, at: at.UnixNano(), id: id, app: app, name: name, channel: channel, size: size, counted: true,
		receipt: receipt, who: "socket " + socket, except: socket})
}

// link keeps what a connection did.
func (t *Trace) link(r *record) {
	if t.cfg.Hidden(r.app) {
		return
	}
	r.clip()
	t.links.add(t.links.hash(r.socket), r)
	t.tell(r)
}

// Connected notes a new connection.
func (t *Trace) Connected(at time.Time, app, socket, address string) {
	t.link(&record{kind: kindConnected, at: at.UnixNano(), app: app, socket: socket, address: address})
}

// SignedIn notes whom a connection is signed in as.
func (t *Trace) SignedIn(at time.Time, app, socket, user string) {
	t.link(&record{kind: kindSignedIn, at: at.UnixNano(), app: app, socket: socket, user: user})
}

// Subscribed notes a subscription; user is empty where it is not known.
func (t *Trace) Subscribed(at time.Time, app, socket, channel, user string) {
	t.link(&record{kind: kindSubscribed, at: at.UnixNano(), app: app, socket: socket, channel: channel, user: user})
}

// Unsubscribed notes the end of a subscription.
func (t *Trace) Unsubscribed(at time.Time, app, socket, channel string) {
	t.link(&record{kind: kindUnsubscribed, at: at.UnixNano(), app: app, socket: socket, channel: channel})
}

// Denied notes a subscription or sign-in that was refused and, without a socket,
// a connection.
func (t *Trace) Denied(at time.Time, app, socket, channel, address string, code int, reason string) {
	t.link(&record{kind: kindDenied, at: at.UnixNano(), app: app, socket: socket, channel: channel, address: address, status: int64(code), text: reason})
}

// Disconnected notes the end of a connection. Code is 0 where it was lost
// without a word.
func (t *Trace) Disconnected(at time.Time, app, socket string, code int, reason string) {
	t.link(&record{kind: kindDisconnected, at: at.UnixNano(), app: app, socket: socket, status: int64(code), text: reason})
}
