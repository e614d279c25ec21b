package web

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/pusher"
)

// EventsConfig is what the door for events needs. Gate, Broadcast and Apps are
// required.
type EventsConfig struct {
	// Gate says who is asking; *gate.Gate is one.
	Gate Gate
	// Broadcast takes the events; *broadcast.Broadcaster is one.
	Broadcast Broadcast
	// Apps gives an app's settings, for the empty id the default app's; nil for
	// one that there is not.
	Apps func(id string) *belfry.App
	// Kept says where the queue has an event, CodeNotFound when it has none; nil
	// when there is no queue.
	Kept func(ctx context.Context, id string) (KeptEvent, error)
	// Find gives what is remembered of an event; default: Broadcast.Find.
	Find func(ctx context.Context, id string) (trace.Timeline, bool, error)
	// Connection is the name of the queue's technology, the only one that an
	// event may name; default "database".
	Connection string
	// MaxBody gives the most bytes of a request's body; default 1 MiB.
	MaxBody func() int64
	// Refused is told of each event that was not taken. It must return at once.
	// Default: nobody is told.
	Refused func(RefusedEvent)
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Gate says who is asking, and answers those who are refused.
type Gate interface {
	Caller(r *http.Request) (gate.Caller, error)
	Fail(w http.ResponseWriter, r *http.Request, c gate.Caller, err error)
}

// Broadcast takes events.
type Broadcast interface {
	Accept(ctx context.Context, r broadcast.Request) (broadcast.Accepted, error)
	Find(id string) (broadcast.Trace, bool)
}

// KeptEvent is what the queue knows of an event.
type KeptEvent struct {
	State string // "waiting", "running", "delayed", "retrying" or "failed"
	Queue string
	Tries int // that failed
	RunAt time.Time
}

// events is the door for events.
type events struct{ EventsConfig }

// NewEvents makes the handler of POST /api/events and GET /api/events/{id}. It
// is safe for concurrent use.
func NewEvents(cfg EventsConfig) http.Handler {
	cfg.Connection = cmp.Or(cfg.Connection, "database")
	if cfg.MaxBody == nil {
		cfg.MaxBody = func() int64 { return 1 << 20 }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Refused == nil {
		cfg.Refused = func(RefusedEvent) {}
	}
	if cfg.Find == nil {
		cfg.Find = func(_ context.Context, id string) (trace.Timeline, bool, error) {
			found, ok := cfg.Broadcast.Find(id)
			return timelineOf(found), ok, nil
		}
	}
	d := &events{cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/events", d.handIn)
	mux.HandleFunc("/api/events", methods(http.MethodPost))
	mux.HandleFunc("GET /api/events/{id}", d.serve(d.get))
	mux.HandleFunc("/api/events/{id}", methods(http.MethodGet))
	mux.HandleFunc("/", notFound)
	return mux
}

// serve asks the gate, calls f and answers with its error.
func (d *events) serve(f func(http.ResponseWriter, *http.Request, gate.Caller) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, err := d.caller(r)
		if err == nil {
			err = f(w, r, caller)
		}
		if err != nil {
			d.Gate.Fail(w, r, caller, err)
		}
	}
}

// caller gives who is asking, with the right to hand events over.
func (d *events) caller(r *http.Request) (gate.Caller, error) {
	caller, err := d.Gate.Caller(r)
	if err == nil {
		err = caller.Require(identity.ScopeEvents)
	}
	return caller, err
}

// handIn takes an event, or answers why not and tells of it.
func (d *events) handIn(w http.ResponseWriter, r *http.Request) {
	var sent eventBody
	caller, err := d.caller(r)
	if err == nil {
		err = d.post(w, r, caller, &sent)
	}
	if err != nil {
		d.Refused(d.refusal(caller, sent, err))
		d.Gate.Fail(w, r, caller, err)
	}
}

// post takes an event, which it reads into sent. It answers 202 when the event is
// durable in a queue, 200 when it was sent at once.
func (d *events) post(w http.ResponseWriter, r *http.Request, caller gate.Caller, sent *eventBody) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, d.MaxBody()))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); !large {
			return belfry.Errorf(belfry.CodeInvalid, "the body could not be read to its end")
		}
		return err
	}
	if *sent, err = decodeEvent(body); err != nil {
		return err
	}
	request, err := d.request(r, caller, *sent)
	if err != nil {
		return err
	}
	request.Content = append(body, request.Event.ExcludeSocket...)
	answer, err := d.Broadcast.Accept(r.Context(), request)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if answer.Status == "queued" {
		status = http.StatusAccepted
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Location", "/api/events/"+answer.ID)
	if answer.Replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	writeJSON(w, status, answer)
	return nil
}

// request is what the caller may ask for with that body.
func (d *events) request(r *http.Request, caller gate.Caller, sent eventBody) (broadcast.Request, error) {
	app, err := d.app(caller, sent.app)
	if err != nil {
		return broadcast.Request{}, err
	}
	if err := mayPublish(caller, sent.channels); err != nil {
		return broadcast.Request{}, err
	}
	if sent.connection != "" && sent.connection != d.Connection {
		return broadcast.Request{}, belfry.Errorf(belfry.CodeInvalid, "connection: there is no queue connection %q; this server's is %q, set with QUEUE_CONNECTION", clip(sent.connection), d.Connection)
	}
	now := d.Now()
	e := belfry.Event{
		App: app.ID, Name: sent.event, Channels: sent.channels, Data: sent.data, ExcludeSocket: sent.excludeSocket,
		WithID: sent.withID, Condition: sent.condition, Origin: origin(caller), Accepted: now.UTC(),
		Address: addressOf(caller),
	}
	if socket := r.Header.Get("X-Socket-ID"); e.ExcludeSocket == "" && pusher.ValidSocketID(socket) {
		e.ExcludeSocket = socket // pages without a connection send "undefined"
	}
	if sent.expiresIn > 0 {
		e.Expires = now.Add(sent.expiresIn).UTC()
	}
	return broadcast.Request{
		Event: e, Now: sent.now, How: broadcast.How{Queue: sent.queue, Delay: sent.delay, Tries: sent.tries},
		Key: r.Header.Get("Idempotency-Key"), Scope: app.ID + " " + owner(caller),
	}, nil
}

// app gives the app that the caller publishes for: a token is bound to one, the
// default one unless it says otherwise, but for admins'.
func (d *events) app(caller gate.Caller, id string) (*belfry.App, error) {
	bound := ""
	if caller.Token != nil {
		bound = caller.Token.App
	}
	named := d.Apps(cmp.Or(id, bound))
	if own := d.Apps(bound); !isAdmin(caller) && (named == nil || own == nil || named.ID != own.ID) {
		if id != "" {
			return nil, belfry.Errorf(belfry.CodeForbidden, "app: this API token may not publish for app %q", clip(id))
		}
		return nil, belfry.Errorf(belfry.CodeForbidden, "app: there is no app %q any more, for which this API token is", clip(bound))
	}
	if named == nil {
		return nil, &belfry.Error{Code: belfry.CodeNotFound, Message: "app: there is no app \"" + clip(id) + "\"", Hint: "see them with: belfry app:list"}
	}
	return named, nil
}

func mayPublish(caller gate.Caller, channels []string) error {
	if caller.Token == nil {
		return nil
	}
	for _, channel := range channels {
		if !caller.Token.MayPublish(channel) {
			return belfry.Errorf(belfry.CodeForbidden, "channels: this API token may not publish to %q", clip(channel))
		}
	}
	return nil
}

func isAdmin(caller gate.Caller) bool { return caller.Require(identity.ScopeAdmin) == nil }

// owner names a caller, for what is theirs alone.
func owner(caller gate.Caller) string {
	if caller.Token != nil {
		return "token " + caller.Token.ID
	}
	return "user " + caller.User.ID
}

// origin is owner for people, and as good for telling callers apart.
func origin(caller gate.Caller) string {
	if caller.Token != nil {
		return owner(caller) + " (" + clip(caller.Token.Name) + ")"
	}
	return owner(caller)
}

// eventState is the answer of GET /api/events/{id}.
type eventState struct {
	ID           string       `json:"id"`
	Status       string       `json:"status"`
	App          string       `json:"app,omitempty"`
	Event        string       `json:"event,omitempty"`
	Channels     []string     `json:"channels,omitempty"`
	ChannelCount int          `json:"channel_count,omitempty"`
	Size         int          `json:"size,omitempty"`
	Queue        string       `json:"queue,omitempty"`
	Tries        int          `json:"tries,omitempty"`
	RunAt        time.Time    `json:"run_at,omitzero"`
	Keys         []string     `json:"keys,omitempty"`
	By           string       `json:"by,omitempty"`
	Address      string       `json:"address,omitempty"`
	Timeline     []trace.Step `json:"timeline"`
}

// get tells what became of an event: the steps that this process took or saw,
// and where the queue has it. Whose an event is that only the queue has is not
// known; who asks for it has its id, which nobody can guess, and sees no more
// than its state.
func (d *events) get(w http.ResponseWriter, r *http.Request, caller gate.Caller) error {
	id := r.PathValue("id")
	unknown := belfry.Errorf(belfry.CodeNotFound, "no event %q is known: it was long ago, another's, or never", clip(id))
	if len(id) > 64 {
		return unknown
	}
	state := eventState{ID: id, Timeline: []trace.Step{}}
	found, traced, err := d.Find(r.Context(), id)
	if err != nil {
		return err
	}
	if traced && found.By != origin(caller) && !isAdmin(caller) {
		return unknown
	}
	if traced {
		state.App, state.Event, state.Channels, state.ChannelCount, state.Size = found.App, found.Event, found.Channels, found.ChannelCount, found.Size
		state.Keys, state.By, state.Address, state.Timeline, state.Status = found.Keys, found.By, found.Address, found.Steps, found.Status()
	}
	if ended := state.Status == broadcast.StepSent || state.Status == broadcast.StepSkipped; !ended && d.Kept != nil {
		kept, err := d.Kept(r.Context(), id)
		switch {
		case err == nil:
			state.Status, state.Queue, state.Tries, state.RunAt = kept.State, kept.Queue, kept.Tries, kept.RunAt
		case belfry.CodeOf(err) != belfry.CodeNotFound:
			return err
		case state.Status == broadcast.StepQueued || state.Status == "retrying":
			state.Status = "done" // by another process, which knows more
		}
	}
	if state.Status == "" {
		return unknown
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, state)
	return nil
}

// timelineOf gives what the broadcaster remembers.
func timelineOf(found broadcast.Trace) trace.Timeline {
	t := trace.Timeline{ID: found.ID, App: found.App, Event: found.Event, Channels: found.Channels, ChannelCount: found.ChannelCount,
		Size: found.Size, By: found.Origin}
	for _, s := range found.Steps {
		t.Steps = append(t.Steps, trace.Step{At: s.At, What: s.What, Queue: s.Queue, RunAt: s.RunAt, Error: s.Error, Permanent: s.Permanent,
			Reason: s.Reason, Receipt: s.Receipt})
	}
	return t
}

// addressOf gives where a caller is, "" where that is not known.
func addressOf(caller gate.Caller) string {
	if !caller.Address.IsValid() {
		return ""
	}
	return caller.Address.String()
}

// methods refuses all but the allowed ones, which have handlers of their own.
func methods(allowed string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allowed)
		writeJSON(w, http.StatusMethodNotAllowed, gate.Problem{Error: "this path takes " + allowed + " only", Code: "method_not_allowed"})
	}
}
