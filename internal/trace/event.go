package trace

import (
	"time"

	"github.com/belfryhq/belfry"
)

// Event is what is kept of an event.
type Event struct {
	ID  string
	App string
	// Name and Channels are the event's; the first ten channels are kept.
	Name     string
	Channels []string
	Size     int      // bytes of data
	Keys     []string // at the top of the data; see Keys
	// By says who handed the event over: "token 3 (orders)", "key abc".
	By      string
	Address string // of whoever did
	Except  string // the socket id that does not get it
}

// What happened in a step of an event.
const (
	Accepted  = "accepted"
	Queued    = "queued"
	Published = "published" // to the subscribers of one channel
	Failed    = "failed"    // one try
	Retrying  = "retrying"  // it waits for its next try
	GaveUp    = "gave_up"   // after the last try, or one that was useless to repeat
	Skipped   = "skipped"
	Sent      = "sent" // by the broadcaster
	Webhook   = "webhook"
	Refused   = "refused"
)

// Step is one thing that happened to an event. Which fields are there follows
// from What.
type Step struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	// Channel is where it was published.
	Channel string `json:"channel,omitempty"`
	// Queue and RunAt say where it waits, and until when.
	Queue string    `json:"queue,omitempty"`
	RunAt time.Time `json:"run_at,omitzero"`
	// Error says why a try failed; Permanent that no further one is of use. Try
	// counts.
	Error     string `json:"error,omitempty"`
	Permanent bool   `json:"permanent,omitempty"`
	Try       int    `json:"try,omitempty"`
	// Reason says why it was skipped or refused, Code the kind of the refusal:
	// "signature", "key", "limit", or a belfry.Code.
	Reason string `json:"reason,omitempty"`
	Code   string `json:"code,omitempty"`
	// Receipt is there where the target counts.
	Receipt *belfry.Receipt `json:"receipt,omitempty"`
	// Target is the broadcaster that it was sent by, or a webhook's URL without
	// its query; Status what that answered, and Took how long it took.
	Target string        `json:"target,omitempty"`
	Status int           `json:"status,omitempty"`
	Took   time.Duration `json:"took,omitempty"`
}

// Timeline is what is known of one event.
type Timeline struct {
	ID           string   `json:"id"`
	App          string   `json:"app"`
	Event        string   `json:"event"`
	Channels     []string `json:"channels"`
	ChannelCount int      `json:"channel_count"`
	Size         int      `json:"size"`
	Keys         []string `json:"keys,omitempty"`
	By           string   `json:"by,omitempty"`
	Address      string   `json:"address,omitempty"`
	Except       string   `json:"exclude_socket_id,omitempty"`
	Steps        []Step   `json:"timeline"`
}

// Status is what became of the event so far: "accepted", "queued", "retrying",
// "failed", "skipped", "sent" or "refused".
func (t *Timeline) Status() string {
	queued := t.Has(Queued)
	for i := len(t.Steps) - 1; i >= 0; i-- {
		switch s := &t.Steps[i]; s.What {
		case Webhook:
		case Published, Sent:
			return Sent
		case GaveUp:
			return Failed
		case Failed:
			if queued && !s.Permanent {
				return Retrying
			}
			return Failed
		default:
			return s.What
		}
	}
	return Accepted
}

// Has reports whether there is a step of that kind.
func (t *Timeline) Has(what string) bool { return t.Last(what) != nil }

// Last gives the last step of a kind, or nil.
func (t *Timeline) Last(what string) *Step {
	for i := len(t.Steps) - 1; i >= 0; i-- {
		if t.Steps[i].What == what {
			return &t.Steps[i]
		}
	}
	return nil
}

// Receipt adds what the event's channels counted; ok is false where nobody
// counted.
func (t *Timeline) Receipt() (all belfry.Receipt, ok bool) {
	for i := range t.Steps {
		if s := &t.Steps[i]; s.What == Published && s.Receipt != nil {
			all.Add(*s.Receipt)
			ok = true
		}
	}
	if s := t.Last(Sent); !ok && s != nil && s.Receipt != nil {
		return *s.Receipt, true
	}
	return all, ok
}

var names = [...]string{
	kindAccepted: Accepted, kindQueued: Queued, kindPublished: Published, kindFailed: Failed, kindRetrying: Retrying, kindGaveUp: GaveUp,
	kindSkipped: Skipped, kindSent: Sent, kindWebhook: Webhook, kindRefused: Refused,
	kindConnected: "connected", kindSignedIn: "signed_in", kindSubscribed: "subscribed", kindDenied: "denied",
	kindUnsubscribed: "unsubscribed", kindDisconnected: "disconnected",
}

func kindOf(what string) kind {
	for k, name := range names {
		if name == what {
			return kind(k)
		}
	}
	return kindAccepted
}

// step gives the record as a step.
func (r *record) step() Step {
	s := Step{At: r.time(), What: names[r.kind], Channel: r.channel, Queue: r.queue, Code: r.code, Target: r.target,
		Status: int(r.status), Try: int(r.number), Took: time.Duration(r.took)}
	if r.until != 0 {
		s.RunAt = time.UnixMilli(r.until).UTC()
	}
	switch r.kind {
	case kindFailed, kindGaveUp, kindRetrying, kindWebhook:
		s.Error, s.Permanent, s.Code = r.text, r.code == permanent, ""
	default:
		s.Reason = r.text
	}
	if r.kind == kindWebhook {
		s.Reason, s.Code = r.name, r.code
	}
	if r.counted {
		receipt := r.receipt
		s.Receipt = &receipt
	}
	return s
}

// permanent is the code of a failure that no further try mends.
const permanent = "permanent"

// into adds what the record knows of the event.
func (r *record) into(t *Timeline) {
	if t.App == "" {
		t.App = r.app
	}
	if t.Event == "" && r.kind != kindWebhook {
		t.Event = r.name
	}
	if len(r.channels) > 0 && len(t.Channels) < len(r.channels) {
		t.Channels, t.ChannelCount = r.channels, int(r.count)
	}
	if t.Size == 0 && r.kind != kindWebhook {
		t.Size = int(r.size)
	}
	if len(t.Keys) == 0 {
		t.Keys = r.keys
	}
	if t.By == "" {
		t.By = r.who
	}
	if t.Address == "" {
		t.Address = r.address
	}
	if t.Except == "" {
		t.Except = r.except
	}
	t.Steps = append(t.Steps, r.step())
}

// Note is a step of an event on its way from another process.
type Note struct {
	Event Event `json:"event"`
	Step  Step  `json:"step"`
}
