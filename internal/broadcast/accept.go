package broadcast

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// How says how an event waits.
type How struct {
	Queue    string          // default belfry.DefaultQueue
	Delay    time.Duration   // before it may be sent; at most a year
	Priority int             // 1 to 4, as belfry.Job has it
	Tries    int             // 0: the worker's setting
	Backoff  []time.Duration // empty: the worker's setting
	Timeout  time.Duration   // of one try; 0: the worker's setting
}

// longest is the longest delay.
const longest = 366 * 24 * time.Hour

// Enqueue keeps an event, durably when it returns or, with a transaction, when
// that commits, and gives the event's id. It is for Belfry itself: names that
// are reserved pass.
func (b *Broadcaster) Enqueue(ctx context.Context, tx *store.Tx, e belfry.Event, how How) (id string, err error) {
	e, job, err := b.job(e, how)
	if err != nil {
		b.count.refused.Add(1)
		return "", err
	}
	return e.ID, b.enqueue(ctx, tx, e, job)
}

// job checks an event and makes its job.
func (b *Broadcaster) job(e belfry.Event, how How) (belfry.Event, belfry.Job, error) {
	if b.cfg.Queue == nil {
		return e, belfry.Job{}, belfry.Errorf(belfry.CodeUnavailable, "this process has no queue: send the event with now")
	}
	if err := b.checkHow(how); err != nil {
		return e, belfry.Job{}, err
	}
	e, err := b.prepare(e)
	if err != nil {
		return e, belfry.Job{}, err
	}
	job := belfry.Job{
		ID: e.ID, Kind: JobKind, Queue: how.Queue, Priority: how.Priority, Tries: how.Tries,
		Backoff: how.Backoff, Timeout: how.Timeout, Lanes: lanes(e), Enqueued: e.Accepted,
	}
	if job.Queue == "" {
		job.Queue = belfry.DefaultQueue
	}
	if how.Delay > 0 {
		job.RunAt = b.cfg.Now().Add(how.Delay).UTC()
	}
	if !e.Expires.IsZero() && !e.Expires.After(b.cfg.Now().Add(how.Delay)) {
		return e, belfry.Job{}, belfry.Errorf(belfry.CodeInvalid, "expires_in: the event expires before it may be sent; make it longer than the delay")
	}
	job.Payload, err = encode(payload{Event: e, Due: job.RunAt})
	return e, job, err
}

// payload is an event as it waits in a queue.
type payload struct {
	belfry.Event
	// Due is the end of its delay; zero without one.
	Due time.Time `json:"due,omitzero"`
}

// since is when the event could have been sent at the earliest.
func (p *payload) since() time.Time {
	if p.Due.After(p.Accepted) {
		return p.Due
	}
	return p.Accepted
}

// encode keeps data as it stands, where json.Marshal would escape it for HTML.
func encode(e payload) ([]byte, error) {
	var into bytes.Buffer
	enc := json.NewEncoder(&into)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: "the event cannot be kept", Err: err}
	}
	return bytes.TrimSuffix(into.Bytes(), []byte("\n")), nil
}

// lanes are the channels, told apart by app.
func lanes(e belfry.Event) []string {
	names := make([]string, len(e.Channels))
	for i, channel := range e.Channels {
		names[i] = e.App + "/" + channel
	}
	return names
}

func (b *Broadcaster) checkHow(how How) error {
	switch {
	case how.Queue != "" && !validQueue(how.Queue):
		return belfry.Errorf(belfry.CodeInvalid, "queue: %q is not a queue's name: use 1 to 100 letters, digits and _-.: only", clip(how.Queue))
	case how.Delay < 0 || how.Delay > longest:
		return belfry.Errorf(belfry.CodeInvalid, "delay: %s is out of range: use 0s to %s", how.Delay, longest)
	case how.Tries < 0 || how.Tries > 1000:
		return belfry.Errorf(belfry.CodeInvalid, "tries: %d is out of range: use 1 to 1000", how.Tries)
	}
	if how.Queue == "" || b.cfg.Queues == nil {
		return nil
	}
	if known := b.cfg.Queues(); len(known) > 0 && !slices.Contains(known, how.Queue) {
		return belfry.Errorf(belfry.CodeInvalid, "queue: there is no queue %q; there are: %s", clip(how.Queue), strings.Join(slices.Sorted(slices.Values(known)), ", "))
	}
	return nil
}

func validQueue(name string) bool {
	if len(name) > 100 {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.:", r)
	})
}

func (b *Broadcaster) enqueue(ctx context.Context, tx *store.Tx, e belfry.Event, job belfry.Job) error {
	if _, err := b.cfg.Queue.Enqueue(ctx, tx, job); err != nil {
		return wrap("queue the event", err)
	}
	if tx == nil {
		b.kept(e, job)
	} else {
		tx.AfterCommit(func() { b.kept(e, job) })
	}
	return nil
}

// kept counts and remembers an event that is in the queue. A worker may have
// sent it already.
func (b *Broadcaster) kept(e belfry.Event, job belfry.Job) {
	b.count.accepted.Add(1)
	b.traces.insert(e, Step{What: StepAccepted}, Step{What: StepQueued, Queue: job.Queue, RunAt: job.RunAt})
}

// Request is an event that somebody outside hands over.
type Request struct {
	Event belfry.Event
	How   How
	// Now sends the event at once instead of queueing it.
	Now bool
	// Key is the Idempotency-Key, up to 255 characters; empty for none. Scope is
	// whose keys they are: the caller and the app. Content is all that makes two
	// requests the same one.
	Key, Scope string
	Content    []byte
}

// Accepted answers a Request.
type Accepted struct {
	ID string `json:"id"`
	// Status is "queued", "sent" or "skipped".
	Status  string          `json:"status"`
	Receipt *belfry.Receipt `json:"receipt,omitempty"`
	Reason  string          `json:"reason,omitempty"` // why it was skipped
	// Replayed says that the answer is that of an earlier request with this key.
	Replayed bool `json:"-"`
}

// Accept takes an event from outside: reserved names are refused. A queued one
// is durable when it returns. A key that was used before, within a day by
// default, gives the first request's answer, or CodeConflict when that was for
// another content.
func (b *Broadcaster) Accept(ctx context.Context, r Request) (Accepted, error) {
	answer, err := b.accept(ctx, r)
	if err != nil && Permanent(err) {
		b.count.refused.Add(1)
	}
	return answer, err
}

func (b *Broadcaster) accept(ctx context.Context, r Request) (Accepted, error) {
	if err := Reserved(r.Event); err != nil {
		return Accepted{}, err
	}
	r.Event.ID = ""
	if err := checkKey(r.Key); err != nil {
		return Accepted{}, err
	}
	if r.Now {
		return b.acceptNow(ctx, r)
	}
	e, job, err := b.job(r.Event, r.How)
	if err != nil {
		return Accepted{}, err
	}
	if r.Key == "" {
		return Accepted{ID: e.ID, Status: "queued"}, b.enqueue(ctx, nil, e, job)
	}
	into := &entry{request: r, event: e, job: job}
	if err := b.commits.keep(ctx, into); err != nil {
		return Accepted{}, err
	}
	return into.answer, nil
}

// acceptNow sends an event at once. With a key, its id is kept first: when the
// request comes again before it was answered, the event goes out under the same
// id, which the hub delivers once.
func (b *Broadcaster) acceptNow(ctx context.Context, r Request) (Accepted, error) {
	if r.How.Delay != 0 {
		return Accepted{}, belfry.Errorf(belfry.CodeInvalid, "delay: an event that is sent now cannot wait: leave out one of now and delay")
	}
	e, err := b.prepare(r.Event)
	if err != nil {
		return Accepted{}, err
	}
	if r.Key != "" {
		held, err := b.claim(ctx, b.db(), r, e.ID, nil)
		switch {
		case err != nil:
			return Accepted{}, err
		case held != nil && held.Status != "":
			return *held, nil
		case held != nil:
			again := r.Event
			again.ID = held.ID
			if e, err = b.prepare(again); err != nil {
				return Accepted{}, err
			}
		}
	}
	b.count.accepted.Add(1)
	b.traces.add(e, Step{What: StepAccepted})
	out, err := b.deliver(ctx, e, e.Accepted)
	if err != nil {
		return Accepted{}, err
	}
	answer := Accepted{ID: e.ID, Status: "sent", Receipt: out.Receipt}
	if out.Skipped != "" {
		answer.Status, answer.Reason = "skipped", out.Skipped
	}
	if r.Key == "" {
		return answer, nil
	}
	if err := b.answered(context.WithoutCancel(ctx), r, answer); err != nil {
		// The event is out: an error would say that it is not.
		b.log.Warn("the answer to an idempotency key could not be kept", "event", e.ID, "error", err)
	}
	return answer, nil
}
