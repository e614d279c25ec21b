// Package explain says why an event did, or did not, arrive: it follows the
// event's way, link by link, over what the server knows and remembers, and names
// the first link that is broken, with what shows it and what mends it.
//
// It changes nothing. What it knows of comes through two small interfaces, which
// the server fills.
package explain

import (
	"context"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/report"
	"github.com/belfryhq/belfry/internal/trace"
)

// Question is what is asked: about an event by its id, or why a user, or a
// socket, should have got an event on a channel. With an id, User or Socket may
// narrow the question.
type Question struct {
	ID      string `json:"id,omitempty"` // the event's
	User    string `json:"user,omitempty"`
	Socket  string `json:"socket,omitempty"`
	Event   string `json:"event,omitempty"` // its name
	Channel string `json:"channel,omitempty"`
	// App is the app's id or key; default: the default app.
	App string `json:"app,omitempty"`
	// Since is how far back the event may lie; default: as far as is remembered.
	Since time.Duration `json:"since,omitempty"`
}

// Code names a cause.
type Code string

// The causes. Delivered and SentElsewhere are the good ends.
const (
	Delivered       Code = "delivered"
	SentElsewhere   Code = "sent_elsewhere"
	UnknownEvent    Code = "unknown_event"
	UnknownUser     Code = "unknown_user"
	UnknownChannel  Code = "unknown_channel"
	UnknownSocket   Code = "unknown_socket"
	NoSuchApp       Code = "no_such_app"
	NoSuchKey       Code = "no_such_key"
	AppDisabled     Code = "app_disabled"
	BadSignature    Code = "bad_signature"
	OverLimit       Code = "over_limit"
	Refused         Code = "refused"
	BroadcasterNull Code = "broadcaster_null"
	BroadcasterLog  Code = "broadcaster_log"
	ConditionNo     Code = "condition_said_no"
	Expired         Code = "expired"
	Repeated        Code = "repeated"
	NoWorker        Code = "no_worker"
	QueuePaused     Code = "queue_paused"
	Waiting         Code = "waiting"
	Delayed         Code = "delayed"
	Retrying        Code = "retrying"
	JobFailed       Code = "job_failed"
	Lost            Code = "lost"
	NobodyThere     Code = "nobody_subscribed"
	NearMiss        Code = "near_miss_channel"
	Excluded        Code = "sender_excluded"
	Denied          Code = "denied"
	NotSignedIn     Code = "not_signed_in"
	OtherApp        Code = "other_app"
	OtherNode       Code = "other_node"
	ConnectedAfter  Code = "connected_after"
	SubscribedAfter Code = "subscribed_after"
	TooSlow         Code = "too_slow"
	ClosedBefore    Code = "closed_before"
	LeftBefore      Code = "unsubscribed_before"
	NotSubscribed   Code = "not_subscribed"
	NotConnected    Code = "not_connected"
	UserNotKnown    Code = "user_not_known"
	OtherName       Code = "other_name"
	HandlerFailed   Code = "handler_failed"
	NotTraced       Code = "not_traced"
)

// Verdict is the answer: the first broken link.
type Verdict struct {
	Code Code `json:"code"`
	// Arrived says that nothing is broken, as far as the server can see.
	Arrived bool `json:"arrived"`
	// Sentence is the cause in one sentence; Evidence what shows it; Fix what to
	// do, empty where nothing is broken.
	Sentence string   `json:"sentence"`
	Evidence []string `json:"evidence"`
	Fix      string   `json:"fix,omitempty"`
	// Near are names that may have been meant.
	Near []string `json:"near,omitempty"`
	// Event is the event's timeline, Connections those that matter.
	Event       *trace.Timeline    `json:"event,omitempty"`
	Connections []trace.Connection `json:"connections,omitempty"`
}

// History is what is remembered.
type History interface {
	// Timeline gives what is known of an event.
	Timeline(ctx context.Context, id string) (trace.Timeline, bool, error)
	// Events gives remembered events, the newest first.
	Events(f trace.Filter) []trace.Timeline
	// Names gives events' names and channels of an app, of all for "".
	Names(app string, since time.Time) []trace.Name
	// Connections gives connections, those that are open with what they do now.
	Connections(l trace.Links) []trace.Connection
	// Refusals gives requests with events that were refused, the newest first.
	Refusals(app string, since time.Time) []trace.Timeline
	// RefusedConnections gives those that were not let in, the newest first.
	RefusedConnections(app string, since time.Time) []trace.RefusedConnection
	// Denials gives questions for channels that were answered with no, the newest
	// first. Action and Limit of the filter do not count.
	Denials(ctx context.Context, f authz.DenialFilter) ([]authz.Denial, error)
	// Reach is from when on events and connections are remembered completely.
	Reach() (events, connections time.Time)
	// OneIn is the rate at which events were traced at the moment between two times
	// at which the fewest were; 1: all were.
	OneIn(from, to time.Time) int
}

// State is what is so at the moment.
type State interface {
	// App gives the app with that id or key, "" the default one; nil for none.
	App(idOrKey string) *belfry.App
	// Apps gives all apps.
	Apps() []*belfry.App
	// User gives a user by id or email, nil with near ones for none. Known says
	// that the installation keeps users.
	User(ctx context.Context, idOrEmail string) (user *belfry.User, near []string, err error)
	// Channels counts the subscriptions of an app's occupied channels, on all
	// nodes.
	Channels(ctx context.Context, app string) (map[string]int, error)
	// Job says where the queue has an event's job; CodeNotFound when nowhere.
	Job(ctx context.Context, id string) (queue.Found, error)
	// Queue says how a queue does.
	Queue(ctx context.Context, name string) (Queue, error)
	// Decide asks the channel rules.
	Decide(user *belfry.User, channel string) authz.Decision
	// Setup is how the server is set up.
	Setup() Setup
	// Page gives what the page of a socket said of a channel at a time; known is
	// false when it said nothing of it.
	Page(socket, channel string, at time.Time) (about report.Page, known bool)
}

// Queue is how a queue does.
type Queue struct {
	Waiting int
	Paused  bool
	// Workers are those alive that take its jobs; Other are alive and take only
	// other queues' jobs.
	Workers, Other int
}

// Setup is how the server is set up.
type Setup struct {
	Broadcaster string // "local", "pusher", "log" or "null"
	// Forwards says that the application decides on channels, not the rules.
	Forwards bool
	// Nodes is how many servers share the channels.
	Nodes int
	// Untraced says that nothing is remembered, by the settings.
	Untraced bool
	Now      time.Time
	// Started is when the server was started.
	Started time.Time
}

// Explainer answers questions. Its method may be called concurrently.
type Explainer struct {
	past History
	now  State
}

// New makes an Explainer.
func New(past History, now State) *Explainer { return &Explainer{past, now} }

// Explain answers a question. The error is CodeInvalid for one that asks for
// nothing, or for a failure to look.
func (e *Explainer) Explain(ctx context.Context, q Question) (Verdict, error) {
	c := &inquiry{Explainer: e, ctx: ctx, q: q, setup: e.now.Setup()}
	v, err := c.answer()
	if err != nil {
		return Verdict{}, err
	}
	v.Arrived = v.Code == Delivered || v.Code == SentElsewhere
	if v.Evidence == nil {
		v.Evidence = []string{}
	}
	return *v, nil
}

// inquiry is one question being answered.
type inquiry struct {
	*Explainer
	ctx   context.Context
	q     Question
	setup Setup
	app   *belfry.App
	user  *belfry.User // nil where it is not one of Belfry's
}

func (c *inquiry) answer() (*Verdict, error) {
	switch {
	case c.q.ID != "":
		return c.byID()
	case c.q.User == "" && c.q.Socket == "":
		return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: "name an event's id, or a user or a socket that should have got it",
			Hint: "for example: belfry explain --user 7 --event order.paid --channel private-user.7"}
	case c.q.Event == "" && c.q.Channel == "":
		return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: "name the event or the channel that is meant, or an event's id"}
	}
	return c.byReceiver()
}

// since is the first moment that the question is about.
func (c *inquiry) since() time.Time {
	if c.q.Since <= 0 {
		return time.Time{}
	}
	return c.setup.Now.Add(-c.q.Since)
}
