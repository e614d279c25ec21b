package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/hook"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/run"
	"github.com/belfryhq/belfry/internal/web"
)

// Authorization says who decides on channels beside the rules.
type Authorization struct {
	// ChannelURL and UserURL are the application's own, which decide in the
	// stead of the rules and of Belfry's users; default none.
	ChannelURL, UserURL string
	// PerMinute bounds the questions of one user or address; default 60,
	// negative: no limit.
	PerMinute int
}

// Rules are compiled channel rules.
type Rules = authz.Rules

const (
	prepareWait  = 10 * time.Second // for the database at the start
	prepareAgain = 2 * time.Second  // between tries when it is away
)

// newApplication builds the application side. Nothing of it runs yet.
func (s *Server) newApplication() (err error) {
	cfg := s.cfg.Backend
	cfg.DataDir, cfg.Version, cfg.Logger, cfg.Apps = s.cfg.DataDir, s.cfg.Version, s.log, nil
	s.backend, err = OpenBackend(cfg, Links{
		Realtime:  hubRealtime{s.hub},
		ServeApps: s.serveApps,
		App:       s.appOrDefault,
		Changed:   func() { s.rights.Nudge() },
		Enqueued:  func([]string) { s.bell.Ring() },
		Online:    s.online,
		Sent: func(app string, took time.Duration) {
			s.ops.Delivered(app, took)
			s.console.Delivered(took)
		},
		Trace: s.note,
	})
	if err != nil {
		return err
	}
	s.trace = s.newTrace()
	s.hooks.Keep(hook.Keep{DB: s.backend.DB, App: s.hub.App, For: s.cfg.WebhooksFor, Failed: s.cfg.WebhooksFailed})
	s.gate, err = gate.New(gate.Config{
		Identity: s.backend.Identity, TrustedProxies: s.cfg.TrustedProxies, URL: s.cfg.URL, Origins: s.cfg.CORSOrigins, Logger: s.log,
	})
	if err != nil {
		return errors.Join(err, s.backend.Close())
	}
	if err := s.newDashboards(); err != nil {
		return errors.Join(err, s.backend.Close())
	}
	s.ingest = s.newIngest()
	s.rights = (&rights{log: s.log, hub: s.hub, people: s.backend.Identity, allows: s.allows,
		changed: func(user string) {
			s.console.Doubt(user)
			s.remote.Doubt(user)
		}}).init()
	return nil
}

// pages is the handler of everything for browsers and applications.
func (s *Server) pages() http.Handler {
	return web.New(web.Config{
		Start:    s.start,
		Version:  s.cfg.Version,
		Gate:     s.gate,
		Identity: s.backend.Identity,
		Authorizer: func() web.Authorizer {
			if a := s.authz.Load(); a != nil {
				return a
			}
			return nil
		},
		App: func(socketID string) *belfry.App {
			if app := s.hub.AppOf(socketID); app != nil {
				return app
			}
			return s.appOrDefault("") // another server's connection
		},
		Questions: s.gate.Limiter(cmp.Or(s.cfg.Authorization.PerMinute, 60)),
		Events: s.gate.CORS(web.NewEvents(web.EventsConfig{
			Gate: s.gate, Broadcast: s.backend.Broadcast, Apps: s.backend.EventApps, Kept: s.kept, Connection: cmp.Or(s.cfg.Backend.Queue, "database"),
			MaxBody: s.maxEvent, Find: s.trace.Find, Refused: s.refusedEvent,
		})),
		Dashboards:    s.gate.CORS(web.NewDashboards(s.dashboardDoor())),
		Ingest:        web.NewIngest(web.IngestConfig{Address: s.gate.Address, Take: s.ingest.Take}),
		Notifications: s.gate.CORS(web.NewNotifications(web.NotificationsConfig{Gate: s.gate, Notify: s.backend.Notify})),
	})
}

// maxEvent is the most bytes of a request with an event: what the default app
// allows its publishers.
func (s *Server) maxEvent() int64 {
	const most = 16 << 20
	app := s.appOrDefault("")
	if app == nil {
		return 1 << 20
	}
	if n := int64(app.Limits.HTTPBody); n >= 0 && n < most {
		return n
	}
	return most
}

// kept says where the queue has an event.
func (s *Server) kept(ctx context.Context, id string) (web.KeptEvent, error) {
	found, err := s.backend.Queue.Find(ctx, id)
	return web.KeptEvent{State: string(found.State), Queue: found.Queue, Tries: found.Tries, RunAt: found.RunAt}, err
}

// appOrDefault gives an app that is served, the default one for "".
func (s *Server) appOrDefault(id string) *belfry.App {
	if id == "" {
		app := s.app.Load()
		if app == nil {
			return nil
		}
		id = app.ID
	}
	return s.hub.App(id)
}

// prepare reaches the database and makes what rests on it. It may be called
// until it succeeds.
func (s *Server) prepare(ctx context.Context) error {
	if err := s.backend.Prepare(ctx); err != nil {
		return err
	}
	if err := s.backend.Notify.Prepare(ctx); err != nil {
		return err
	}
	key, err := s.backend.DB.Key(ctx, "subscription tokens", 32)
	if err != nil {
		return err
	}
	a, err := authz.New(authz.Config{
		DB: s.backend.DB, Rules: s.rules.Load(), Key: key, Logger: s.log,
		Forward: authz.Forward{ChannelURL: s.cfg.Authorization.ChannelURL, UserURL: s.cfg.Authorization.UserURL, Client: &http.Client{}},
	})
	if err != nil {
		return err
	}
	s.authz.Store(a)
	return nil
}

// prepareAtStart prepares, or, where a database on another machine cannot be
// reached, says so and leaves it to Run: realtime needs no database.
func (s *Server) prepareAtStart() error {
	ctx, cancel := context.WithTimeout(context.Background(), prepareWait)
	defer cancel()
	err := s.prepare(ctx)
	if belfry.CodeOf(err) == belfry.CodeUnavailable {
		s.log.Error("started without the database or the queue: realtime works, sign-in, channel authorization and events do not, until it can be reached",
			"database", s.backend.DB.String(), "error", err)
		return nil
	}
	return err
}

// runApplication runs everything that rests on the database, once that can be
// reached.
func (s *Server) runApplication(ctx context.Context) error {
	for s.authz.Load() == nil {
		err := s.prepare(ctx)
		switch {
		case err == nil:
			s.log.Info("the database can be reached")
			if err := s.openApps(ctx); err != nil { // what is served stays; Watch looks again
				s.log.Error("the apps of the database cannot be taken on", "error", err)
			}
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case belfry.CodeOf(err) != belfry.CodeUnavailable:
			return err
		default:
			s.log.Debug("the database or the queue still cannot be reached", "error", err)
			select {
			case <-time.After(prepareAgain):
			case <-ctx.Done():
			}
		}
	}
	b := s.backend
	parts := run.NewGroup(ctx)
	parts.Go("people", b.Identity.Run)
	parts.Go("audit log", s.authz.Load().Run)
	parts.Go("rights", s.rights.Run)
	parts.Go("trace", s.trace.Run)
	parts.Go("queue", b.Queue.Run)
	parts.Go("broadcaster", b.Broadcast.Run)
	parts.Go("notifications", b.Notify.Run)
	parts.Go("apps", func(ctx context.Context) error { return b.Apps.Watch(ctx, s.log) })
	if !s.cfg.NoWorkers {
		parts.Go("workers", s.work)
	}
	return parts.Wait()
}

// work runs the embedded worker until ctx or the server's workers end.
func (s *Server) work(ctx context.Context) error {
	defer close(s.worked)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.workers, func() { cancel(context.Cause(s.workers)) })()
	for ctx.Err() == nil {
		_, err := s.backend.Queue.Work(ctx, queue.Worker{
			Queues: s.backend.QueueNames(), Concurrency: s.cfg.Concurrency, Name: "serve", Grace: s.cfg.ShutdownGrace / 2,
		})
		if err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// stopWorkers lets running jobs finish and waits for that, at most until ctx
// ends.
func (s *Server) stopWorkers(ctx context.Context) error {
	s.endWorkers(errStopped)
	if s.cfg.NoWorkers || s.authz.Load() == nil {
		return nil
	}
	select {
	case <-s.worked:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// principal tells the hub whom a subscription stands for.
func (s *Server) principal(app *belfry.App, socketID, channel, data string) (hub.Principal, bool) {
	a := s.authz.Load()
	if a == nil {
		return hub.Principal{}, false
	}
	user, session, issued, ok := a.Principal(app.ID, socketID, channel, data)
	if !ok || user == "" {
		return hub.Principal{}, false
	}
	return hub.Principal{User: user, Session: session, Doubtful: s.rights.doubtful(user, issued)}, true
}

// allows decides for rights that stand. Where the application decides itself,
// Belfry takes nothing away: it cannot ask without the page's cookies.
func (s *Server) allows(user *belfry.User, channel string) bool {
	a := s.authz.Load()
	return a == nil || a.Forwards() || a.Decide(user, channel).Allowed
}

// setRules puts rules in force, nil the default ones, for new and standing
// subscriptions alike.
func (s *Server) setRules(rules *Rules) {
	s.rules.Store(rules)
	if a := s.authz.Load(); a != nil {
		if rules == nil {
			rules, _ = authz.Compile(authz.DefaultRules()) // they compile: authz has a test
		}
		a.SetRules(rules)
		s.rights.Doubt("")
	}
}

// SetupURL is the address at which the first administrator is made, "" when
// there is one, or when the database cannot be reached.
func (s *Server) SetupURL(ctx context.Context) (string, error) {
	if s.authz.Load() == nil {
		return "", nil
	}
	token, err := s.backend.Identity.SetupLink(ctx)
	if err != nil || token == "" {
		return "", err
	}
	return s.URL() + "/setup?token=" + token, nil
}
