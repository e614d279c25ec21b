package server

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/report"
	"github.com/belfryhq/belfry/internal/trace"
)

// explain answers why an event did or did not arrive.
func (s *Server) explain(ctx context.Context, q explain.Question) (explain.Verdict, error) {
	return explain.New(past{s.trace, s}, present{s}).Explain(ctx, q)
}

// explainAuth answers which channel rule decides.
func (s *Server) explainAuth(ctx context.Context, q explain.AuthQuestion) (explain.AuthVerdict, error) {
	a := s.authz.Load()
	if a == nil {
		return explain.AuthVerdict{}, errUnprepared
	}
	return explainRules(ctx, s.backend.Identity, q, a.Decide, a.Trials, a.Forwards())
}

// ExplainRules answers which of rules decides, for a process without a server;
// forwards says that the application decides in their stead.
func (b *Backend) ExplainRules(ctx context.Context, q explain.AuthQuestion, rules *Rules, forwards bool) (explain.AuthVerdict, error) {
	return explainRules(ctx, b.Identity, q, rules.Decide, rules.Trials, forwards)
}

func explainRules(ctx context.Context, people *identity.Identity, q explain.AuthQuestion, decide func(*belfry.User, string) authz.Decision,
	trials func(*belfry.User, string) []authz.Trial, forwards bool) (explain.AuthVerdict, error) {
	if q.Channel == "" {
		return explain.AuthVerdict{}, belfry.Errorf(belfry.CodeInvalid, "name the channel")
	}
	var user *belfry.User
	if q.User != "" {
		found, near, err := findUser(ctx, people, q.User)
		if err != nil {
			return explain.AuthVerdict{}, err
		}
		if found == nil {
			e := &belfry.Error{Code: belfry.CodeNotFound, Message: "there is no user \"" + q.User + "\"", Hint: "see them with: belfry user:list"}
			if len(near) > 0 {
				e.Hint = "near it: " + strings.Join(near, ", ")
			}
			return explain.AuthVerdict{}, e
		}
		user = found
	}
	return explain.Auth(user, q.Channel, decide(user, q.Channel), trials(user, q.Channel), forwards), nil
}

// nearUsers is how many users are looked through for a near one.
const nearUsers = 2000

// findUser gives a user by id or email; nil with near ones when there is none.
func findUser(ctx context.Context, people *identity.Identity, idOrEmail string) (user *belfry.User, near []string, err error) {
	find := people.Account
	if strings.Contains(idOrEmail, "@") {
		find = people.ByEmail
	}
	found, err := find(ctx, idOrEmail)
	switch {
	case err == nil:
		return &found.User, nil, nil
	case belfry.CodeOf(err) != belfry.CodeNotFound && belfry.CodeOf(err) != belfry.CodeInvalid:
		return nil, nil, err
	}
	all, err := people.Users(ctx, identity.Query{Limit: nearUsers})
	if err != nil {
		return nil, nil, err
	}
	var names []string
	emails := map[string]string{} // by what stands before the @
	for _, a := range all {
		names = append(names, a.ID, a.Email)
		if local, _, found := strings.Cut(strings.ToLower(a.Email), "@"); found {
			emails[local] = a.Email
		}
	}
	near = explain.Near(idOrEmail, names)
	if len(near) == 0 && !strings.Contains(idOrEmail, "@") {
		local := strings.ToLower(idOrEmail)
		if email := emails[local]; email != "" {
			return nil, []string{email}, nil
		}
		for _, one := range explain.Near(local, slices.Sorted(maps.Keys(emails))) {
			near = append(near, emails[one])
		}
	}
	return nil, near, nil
}

// past is what the server remembers.
type past struct {
	*trace.Trace
	s *Server
}

// Timeline implements explain.History.
func (p past) Timeline(ctx context.Context, id string) (trace.Timeline, bool, error) {
	return p.Find(ctx, id)
}

// Refusals implements explain.History.
func (p past) Refusals(app string, since time.Time) []trace.Timeline {
	return p.Trace.Refusals(app, since, 1000)
}

// RefusedConnections implements explain.History.
func (p past) RefusedConnections(app string, since time.Time) []trace.RefusedConnection {
	return p.Trace.RefusedConnections(app, since, 1000)
}

// Reach implements explain.History.
func (p past) Reach() (events, connections time.Time) { return p.Since() }

// OneIn implements explain.History.
func (p past) OneIn(from, to time.Time) int { return p.OneInAtMost(from, to) }

// Denials implements explain.History.
func (p past) Denials(ctx context.Context, f authz.DenialFilter) ([]authz.Denial, error) {
	a := p.s.authz.Load()
	if a == nil {
		return nil, nil
	}
	f.Action, f.Limit = authz.ActionChannel, 20
	return a.Denials(ctx, f)
}

// Connections implements explain.History: what is remembered, and what is open
// now.
func (p past) Connections(l trace.Links) []trace.Connection {
	all := p.Trace.Connections(l)
	known := make(map[string]int, len(all))
	for i := range all {
		known[all[i].Socket] = i
	}
	limit := cmp.Or(l.Limit, 500)
	open := p.s.hub.Connections(l.App, limit, func(c *hub.Connection) bool {
		return (l.Socket == "" || c.Socket == l.Socket) && (l.User == "" || c.Is(l.User)) && (l.Channel == "" || c.On(l.Channel))
	})
	for _, now := range open {
		i, ok := known[now.Socket]
		if !ok {
			if len(all) >= limit {
				break
			}
			one := trace.Connection{Socket: now.Socket, App: now.App, Subscriptions: []trace.Subscription{}}
			if more := p.Trace.Connections(trace.Links{Socket: now.Socket}); len(more) > 0 {
				one = more[0]
			}
			all = append(all, one)
			i = len(all) - 1
		}
		withNow(&all[i], now)
	}
	return all
}

// withNow adds what a connection has at the moment and was not remembered.
func withNow(c *trace.Connection, now hub.Connection) {
	c.Address, c.User = cmp.Or(c.Address, now.Address), cmp.Or(c.User, now.User)
	for _, seat := range now.Seats {
		i := slices.IndexFunc(c.Subscriptions, func(s trace.Subscription) bool { return s.Channel == seat.Channel && s.To.IsZero() })
		if i < 0 {
			c.Subscriptions = append(c.Subscriptions, trace.Subscription{Channel: seat.Channel, User: seat.User})
		} else {
			c.Subscriptions[i].User = cmp.Or(c.Subscriptions[i].User, seat.User)
		}
	}
}

// nodes counts the servers that share the channels.
func (s *Server) nodes() int {
	if s.cfg.cluster == nil {
		return 1
	}
	return s.cfg.cluster.Nodes()
}

// present is what is so at the moment.
type present struct{ s *Server }

// App implements explain.State.
func (p present) App(idOrKey string) *belfry.App {
	if app := p.s.appOrDefault(idOrKey); app != nil || idOrKey == "" {
		return app
	}
	return p.s.hub.AppByKey(idOrKey)
}

// Apps implements explain.State.
func (p present) Apps() []*belfry.App { return publicHub{p.s.hub}.Apps() }

// User implements explain.State.
func (p present) User(ctx context.Context, idOrEmail string) (*belfry.User, []string, error) {
	return findUser(ctx, p.s.backend.Identity, idOrEmail)
}

// Channels implements explain.State.
func (p present) Channels(ctx context.Context, app string) (map[string]int, error) {
	all, err := p.s.hub.Channels(ctx, app, "")
	if belfry.CodeOf(err) == belfry.CodeNotFound {
		return nil, nil
	}
	counts := make(map[string]int, len(all))
	for name, info := range all {
		counts[name] = info.Subscriptions
	}
	return counts, err
}

// Job implements explain.State.
func (p present) Job(ctx context.Context, id string) (queue.Found, error) {
	return p.s.backend.Queue.Find(ctx, id)
}

// Queue implements explain.State.
func (p present) Queue(ctx context.Context, name string) (explain.Queue, error) {
	sizes, err := p.s.backend.Queue.Sizes(ctx)
	if err != nil {
		return explain.Queue{}, err
	}
	q := explain.Queue{Waiting: sizes[name].Waiting, Paused: sizes[name].Paused}
	workers, err := p.s.backend.Queue.Workers(ctx)
	for _, w := range workers {
		switch {
		case w.Silent:
		case slices.Contains(w.Queues, name):
			q.Workers++
		default:
			q.Other++
		}
	}
	return q, err
}

// Decide implements explain.State.
func (p present) Decide(user *belfry.User, channel string) authz.Decision {
	if a := p.s.authz.Load(); a != nil {
		return a.Decide(user, channel)
	}
	return authz.Decision{Allowed: true}
}

// Setup implements explain.State.
func (p present) Setup() explain.Setup {
	a := p.s.authz.Load()
	return explain.Setup{Broadcaster: p.s.backend.Broadcast.Driver(), Forwards: a != nil && a.Forwards(), Nodes: p.s.nodes(), Untraced: p.s.cfg.Trace.Off,
		Now: time.Now(), Started: p.s.started}
}

// Page implements explain.State.
func (p present) Page(socket, channel string, at time.Time) (report.Page, bool) {
	return p.s.reports.Page(socket, channel, at)
}
