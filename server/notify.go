package server

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/internal/store"
)

// notifications is the queue of notifications, where there is one.
const notifications = "notifications"

// openNotify builds notifications on the rest of the backend.
func (b *Backend) openNotify(online func(ctx context.Context) ([]string, error)) {
	b.Notify = b.NotifyWith(b.Queue, online)
	for _, kind := range notify.Kinds() {
		b.Queue.Handle(kind, patiently(b.Notify.Do))
	}
}

// NotifyWith builds notifications whose jobs go elsewhere, for a command that
// does them itself. online may be nil.
func (b *Backend) NotifyWith(jobs notify.Enqueuer, online func(ctx context.Context) ([]string, error)) *notify.Notify {
	name := notifications
	if names := b.QueueNames(); !slices.Contains(names, name) {
		name = names[0]
	}
	cfg := notify.Config{
		DB: b.DB, Jobs: jobs, Queue: name, Broadcast: announcer{b.Broadcast}, Recipients: audience{b.Identity}, Online: online, Logger: b.log,
	}
	if p := b.cfg.Push; p != nil {
		cfg.Push = &notify.Push{Subject: p.Subject, TTL: p.TTL, Allow: p.Allow, Client: b.pushes}
	}
	return notify.New(cfg)
}

// Push says how closed browsers are reached.
type Push struct {
	// Subject is who answers for the messages: mailto:ADDRESS or an https
	// address.
	Subject string
	// TTL is how long push services keep a message; default 7 days.
	TTL time.Duration
	// Allow are private ranges that push services may be in; default none.
	Allow []netip.Prefix
	// TLS are settings for connections to push services; default: Go's.
	TLS *tls.Config
}

// pushClient is the client for push services.
func (p *Push) pushClient() *http.Client {
	if p == nil {
		return nil
	}
	return httpx.NewClient(httpx.Config{Allow: p.Allow, TLS: p.TLS})
}

// announcer is the broadcaster as notifications use it.
type announcer struct{ *broadcast.Broadcaster }

// Enqueue implements notify.Broadcaster.
func (a announcer) Enqueue(ctx context.Context, tx *store.Tx, e belfry.Event, queue string) error {
	_, err := a.Broadcaster.Enqueue(ctx, tx, e, broadcast.How{Queue: queue, Priority: 1})
	return err
}

// audience is the users as notifications know them.
type audience struct{ *identity.Identity }

// Next implements notify.Recipients.
func (p audience) Next(ctx context.Context, a notify.Audience, after string, limit int) ([]belfry.User, error) {
	return p.Identity.Next(ctx, identity.Audience(a), after, limit)
}

// Count implements notify.Recipients.
func (p audience) Count(ctx context.Context, a notify.Audience) (int, error) {
	return p.Identity.Count(ctx, identity.Audience(a))
}

// online gives the users of the default app who have a page open.
func (s *Server) online(ctx context.Context) ([]string, error) {
	app := s.appOrDefault("")
	if app == nil {
		return nil, nil
	}
	own := notify.Channel("")
	channels, err := s.hub.Channels(ctx, app.ID, own)
	if err != nil {
		return nil, err
	}
	users := make([]string, 0, len(channels))
	for channel := range channels {
		users = append(users, strings.TrimPrefix(channel, own))
	}
	return users, nil
}

var _ notify.Recipients = audience{}
