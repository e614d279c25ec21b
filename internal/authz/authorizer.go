package authz

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/pusher"
)

// Config is an Authorizer's settings. Key is required.
type Config struct {
	// DB keeps the audit log; nil keeps none.
	DB *store.DB
	// Rules are those in force at first. Default: DefaultRules.
	Rules *Rules
	// Key signs the tokens in channel_data: 32 bytes, the same for every server of
	// an installation.
	Key []byte
	// TokenLife is how long a token may open a replay. Default: 5 minutes.
	TokenLife time.Duration
	// Forward has the application decide instead of rules, where it names a URL.
	Forward Forward
	// Now gives the time. Default: time.Now.
	Now func() time.Time
	// AuditQueue is how many denials may wait to be written. Default: 4096.
	AuditQueue int
	// Logger gets a line for each denial. Default: nothing is logged.
	Logger *slog.Logger
}

// Authorizer answers who may listen, for every app. Its methods may be called
// concurrently. Run writes its audit log.
type Authorizer struct {
	rules   atomic.Pointer[Rules]
	key     []byte
	life    time.Duration
	forward *forwarder // nil: rules decide
	now     func() time.Time
	log     *slog.Logger
	recent  recent
	audit   *audit
	counts  counts
}

// New makes an Authorizer.
func New(cfg Config) (*Authorizer, error) {
	if len(cfg.Key) != 32 {
		return nil, fmt.Errorf("the key of subscription tokens has %d bytes, 32 are wanted", len(cfg.Key))
	}
	if cfg.Rules == nil {
		rules, err := Compile(DefaultRules())
		if err != nil {
			return nil, err
		}
		cfg.Rules = rules
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Authorizer{
		key:  append([]byte(nil), cfg.Key...),
		life: cmp.Or(cfg.TokenLife, 5*time.Minute),
		now:  cfg.Now,
		log:  cfg.Logger,
	}
	a.rules.Store(cfg.Rules)
	a.audit = newAudit(cfg)
	var err error
	a.forward, err = newForwarder(cfg.Forward)
	return a, err
}

// SetRules puts other rules in force, for all questions from now on.
// Subscriptions that stand are the caller's to look at, with Decide.
func (a *Authorizer) SetRules(rules *Rules) { a.rules.Store(rules) }

// Decide asks the rules in force; see Rules.Decide. It neither counts nor logs,
// and never asks the application: see Forwards.
func (a *Authorizer) Decide(user *belfry.User, channel string) Decision {
	return a.rules.Load().Decide(user, channel)
}

// Forwards reports whether the application decides on channels, not the rules.
func (a *Authorizer) Forwards() bool { return a.forward != nil && a.forward.channels != "" }

// Ask is a question: may this user's connection listen?
type Ask struct {
	// App is the one that the socket belongs to.
	App *belfry.App
	// SocketID and Channel are as the client gave them, in whatever state. Channel
	// does not count for a sign-in.
	SocketID, Channel string
	// User is who asks, nil when nobody is signed in.
	User *belfry.User
	// SessionID names the session that User signed in with: a hash, never the
	// cookie. It may be empty.
	SessionID string
	// Address is the client's, for the audit log.
	Address string
	// Header and Form are the request's, for the application that is asked in the
	// rules' stead. Only cookies, Authorization, CSRF headers and Origin of Header
	// are passed on.
	Header http.Header
	Form   url.Values
}

// Answer is the body of an authorization answer (AUTH-12).
type Answer struct {
	// Auth is "key:signature" (AUTH-01, AUTH-02, AUTH-05).
	Auth string `json:"auth"`
	// ChannelData is signed with it; empty on encrypted channels.
	ChannelData string `json:"channel_data,omitempty"`
	// SharedSecret is an encrypted channel's key (AUTH-07).
	SharedSecret string `json:"shared_secret,omitempty"`
	// UserData is a sign-in's.
	UserData string `json:"user_data,omitempty"`
}

// Channel decides on one channel and signs. The error is a *belfry.Error:
// CodeUnauthenticated when nobody is signed in, CodeForbidden when the answer is
// no, CodeInvalid for a malformed socket id or channel and for an encrypted
// channel without a master key, CodeTooLarge for member data over the app's
// limit, CodeUnavailable when the application could not be asked. The Decision
// has the reason in any case.
//
// On private and presence channels channel_data carries the token that
// Principal reads and is part of what is signed, so that a client cannot leave
// it out. It blocks only while the application is asked.
func (a *Authorizer) Channel(ctx context.Context, ask Ask) (Answer, Decision, error) {
	kind := pusher.KindOf(ask.Channel)
	err := checkAsk(ask)
	if err == nil {
		err = checkChannel(ask, kind)
	}
	if err != nil {
		return Answer{}, a.counts.channel(Decision{Result: Invalid, Reason: err.Error()}), err
	}
	d, id := a.decideChannel(ctx, ask)
	var answer Answer
	if !d.Allowed {
		err = refusal("channel "+ask.Channel, d)
	} else if answer, err = a.sign(ask, kind, d, id); err != nil {
		d = Decision{Result: Invalid, Rule: d.Rule, Reason: "allowed, but not signed: " + err.Error()}
	}
	if err != nil {
		a.deny(ActionChannel, ask, d)
	}
	return answer, a.counts.channel(d), err
}

// decideChannel gives the decision and the user's id on a presence channel.
func (a *Authorizer) decideChannel(ctx context.Context, ask Ask) (d Decision, userID string) {
	if a.Forwards() {
		return a.forward.channel(ctx, ask)
	}
	d = a.Decide(ask.User, ask.Channel)
	if d.Allowed {
		userID = ask.User.ID
	}
	return d, userID
}

// checkAsk finds what is wrong with a question before anybody is asked.
func checkAsk(ask Ask) error {
	switch {
	case ask.App == nil:
		return belfry.Errorf(belfry.CodeInvalid, "the socket belongs to no app of this server")
	case ask.App.Disabled:
		return belfry.Errorf(belfry.CodeForbidden, "app %s is disabled", ask.App.ID)
	case len(ask.App.Keys) == 0:
		return belfry.Errorf(belfry.CodeUnavailable, "app %s has no key to sign with", ask.App.ID)
	case ask.SocketID == "":
		return belfry.Errorf(belfry.CodeInvalid, "socket_id is missing: send the id that the connection was given")
	case len(ask.SocketID) > 64 || !pusher.ValidSocketID(ask.SocketID):
		return belfry.Errorf(belfry.CodeInvalid, "socket_id does not look like 123.456")
	case ask.User != nil && (ask.User.ID == "" || len(ask.User.ID) > maxUserID || len(ask.SessionID) > maxUserID):
		return belfry.Errorf(belfry.CodeInvalid, "the user's id is empty or has more than %d bytes", maxUserID)
	}
	return nil
}

// checkChannel judges the channel's name.
func checkChannel(ask Ask, kind pusher.Kind) error {
	if ask.Channel == "" {
		return belfry.Errorf(belfry.CodeInvalid, "channel_name is missing: send the channel's whole name, private- or presence- included")
	}
	naming := pusher.Naming{Limits: ask.App.Limits, Strict: ask.App.StrictNames}
	if err := naming.CheckChannel(ask.Channel); err != nil {
		return err
	}
	if !kind.NeedsAuth() {
		return belfry.Errorf(belfry.CodeInvalid, "channel %s needs no authorization: only private- and presence- channels do", ask.Channel)
	}
	return nil
}

// refusal is the error for the one who asked. It tells nothing of the rules.
func refusal(what string, d Decision) error {
	switch d.Result {
	case NotSignedIn:
		return belfry.Errorf(belfry.CodeUnauthenticated, "%s needs a signed-in user: sign in first", what)
	case Unavailable:
		return belfry.Errorf(belfry.CodeUnavailable, "the application that decides on %s could not be asked; try again", what)
	}
	return belfry.Errorf(belfry.CodeForbidden, "you have no right to %s", what)
}
