package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/run"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/server"
)

// backend is the application side in a process without the server: what
// commands and worker processes reach beside it.
type backend struct {
	*server.Backend
	link *server.Link
	told *server.Notes // what becomes of events here
	log  *slog.Logger
	rung chan struct{} // has a value when jobs were enqueued here
}

// backend opens the application side, ready for use.
func (p *Program) backend(ctx context.Context) (*backend, error) {
	return p.openBackend(ctx, slog.New(slog.DiscardHandler))
}

func (p *Program) openBackend(ctx context.Context, log *slog.Logger) (*backend, error) {
	cfg, err := p.load(nil)
	if err != nil {
		return nil, err
	}
	if err := makeFolder(cfg); err != nil {
		return nil, err
	}
	settings := backendConfig(cfg)
	settings.DataDir, settings.Version, settings.Logger = cfg.DataDir, p.Version, log
	b := &backend{link: server.NewLink(cfg.DataDir), log: log, rung: make(chan struct{}, 1)}
	b.told = server.NewNotes(b.link)
	b.Backend, err = server.OpenBackend(settings, server.Links{Realtime: b.link, Enqueued: b.ring, Trace: b.told.Tell})
	if err != nil {
		return nil, err
	}
	if err := b.Prepare(ctx); err != nil {
		b.Backend.Close()
		return nil, err
	}
	return b, nil
}

// ring notes that jobs were enqueued here. It does not block.
func (b *backend) ring([]string) {
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

// pokeTime is how long telling the server of new jobs may hold a command up.
const pokeTime = time.Second

// Close tells the others of jobs that they were not told of yet, and ends the
// connections.
func (b *backend) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), pokeTime)
	defer cancel()
	select {
	case <-b.rung:
		b.link.Poke(ctx)
	default:
	}
	b.told.Flush(ctx)
	b.link.Close()
	return b.Backend.Close()
}

// tell tells the others of jobs at once, for a command that goes on.
func (b *backend) tell(ctx context.Context) {
	select {
	case <-b.rung:
		b.link.Poke(ctx)
	default:
	}
	b.told.Flush(ctx)
}

// Run does what a worker process does beside its jobs, until ctx ends.
func (b *backend) Run(ctx context.Context) error {
	parts := run.NewGroup(ctx)
	parts.Go("queue", b.Queue.Run)
	parts.Go("broadcaster", b.Broadcast.Run)
	parts.Go("notifications", b.Notify.Run)
	parts.Go("apps", func(ctx context.Context) error { return b.Apps.Watch(ctx, b.log) })
	parts.Go("traces", b.told.Run)
	parts.Go("calls out", func(ctx context.Context) error {
		for {
			select {
			case <-b.rung:
				b.link.Poke(ctx)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	parts.Go("calls in", func(ctx context.Context) error {
		again := time.NewTicker(time.Second)
		defer again.Stop()
		for {
			_ = b.link.Pokes(ctx, b.Queue.Poke) // without a server the worker looks by itself
			select {
			case <-again.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return parts.Wait()
}

// backendConfig maps settings to those of the application side.
func backendConfig(cfg *config.Config) server.BackendConfig {
	b := server.BackendConfig{
		DatabaseURL: cfg.DatabaseURL,
		Broadcaster: cfg.BroadcastConnection,
		Queue:       cfg.QueueConnection,
		Redis:       server.Redis{URL: cfg.Redis.URL, Host: cfg.Redis.Host, Password: cfg.Redis.Password, Port: cfg.Redis.Port},
		Apps:        configuredApps(cfg),
		AppOrigin:   origins(cfg),
		Own:         ownAddresses(cfg),
		Issuers:     cfg.Issuers(),
		SessionIdle: cfg.Session.Idle, SessionLifetime: cfg.Session.Lifetime, LoginDelay: cfg.Session.LoginDelay,
	}
	if cfg.Push.Enabled {
		b.Push = &server.Push{Subject: cfg.PushSubject(), TTL: cfg.Push.TTL, Allow: cfg.Push.AllowPrivateAddresses}
	}
	for _, q := range cfg.QueueOrder() {
		b.Queues = append(b.Queues, server.Queue{Name: q.Name, Settings: server.QueueSettings{
			Tries: q.Tries, Backoff: config.Pauses(q.Backoff), Timeout: q.Timeout, Concurrency: q.Concurrency}})
	}
	// REVERB_APP_* are other names of PUSHER_APP_*.
	b.Target = server.Target{AppID: cfg.Pusher.AppID, Key: cfg.Pusher.Key, Secret: cfg.Pusher.Secret}
	if cfg.BroadcastConnection == "reverb" {
		b.Target.Host, b.Target.Port, b.Target.Scheme = cfg.Reverb.Host, cfg.Reverb.Port, cfg.Reverb.Scheme
	} else {
		b.Target.Host, b.Target.Port, b.Target.Scheme = cfg.Pusher.Host, cfg.Pusher.Port, cfg.Pusher.Scheme
		b.Target.Cluster = cfg.Pusher.Cluster
	}
	return b
}

// ownAddresses gives the addresses that the server is reached by.
func ownAddresses(cfg *config.Config) (own []string) {
	if u, err := url.Parse(cfg.URL); err == nil && u.Hostname() != "" {
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		own = append(own, net.JoinHostPort(u.Hostname(), port))
	}
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return own
	}
	ip := net.ParseIP(host)
	if host == "" || ip != nil && ip.IsUnspecified() {
		for _, here := range []string{"localhost", "127.0.0.1", "::1"} {
			own = append(own, net.JoinHostPort(here, port))
		}
		return own
	}
	return append(own, net.JoinHostPort(host, port))
}

func makeFolder(cfg *config.Config) error {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	return nil
}

// openDatabase opens the database of the settings without changing it.
func openDatabase(cfg *config.Config) (*store.DB, error) {
	if err := makeFolder(cfg); err != nil {
		return nil, err
	}
	return store.Open(store.Config{URL: cfg.DatabaseURL, Dir: cfg.DataDir, Connections: 2})
}

// people opens the database and gives the users in it. done closes it.
func (p *Program) people(ctx context.Context) (i *identity.Identity, done func(), err error) {
	i, db, err := p.peopleIn(ctx)
	if err != nil {
		return nil, nil, err
	}
	return i, func() { db.Close() }, nil
}

// peopleIn opens the database, for the caller to close, and gives the users in
// it.
func (p *Program) peopleIn(ctx context.Context) (*identity.Identity, *store.DB, error) {
	cfg, err := p.load(nil)
	if err != nil {
		return nil, nil, err
	}
	if err := makeFolder(cfg); err != nil {
		return nil, nil, err
	}
	db, err := database(ctx, cfg, cfg.DataDir)
	if err != nil {
		return nil, nil, err
	}
	i, err := identity.New(identity.Config{DB: db})
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return i, db, nil
}
