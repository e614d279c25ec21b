package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/belfryhq/belfry/webhook"
)

// Config is how a Service works.
type Config struct {
	// Database is sqlite:///path or postgres://…; empty is SQLite in Dir.
	Database string
	// Dir is the folder of the service's own files: the SQLite database, and the
	// changes that Belfry was not told of yet. Made if need be; the default is
	// checkins-data.
	Dir string
	// Webhook says where Belfry is and how to sign, as webhook.FromEnv gives it.
	// Its outbox is in Dir unless it names one.
	Webhook webhook.Config
	// Logger is where the service tells what it does. The default is
	// slog.Default.
	Logger *slog.Logger
	// Now is the clock. The default is time.Now.
	Now func() time.Time
}

// Service is the check-in service. Its methods may be called concurrently.
type Service struct {
	log    *slog.Logger
	now    func() time.Time
	db     *database
	sender *webhook.Sender
	http   http.Handler
}

// Open opens the database, brings its schema up and starts the sender. Close
// ends it.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	if cfg.Dir == "" {
		cfg.Dir = "checkins-data"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	db, err := openDatabase(ctx, cfg.Database, cfg.Dir)
	if err != nil {
		return nil, err
	}
	if cfg.Webhook.Outbox == "" {
		cfg.Webhook.Outbox = filepath.Join(cfg.Dir, "outbox")
	}
	if cfg.Webhook.Logger == nil {
		cfg.Webhook.Logger = cfg.Logger
	}
	sender, err := webhook.NewSender(cfg.Webhook)
	if err != nil {
		db.close()
		return nil, err
	}
	s := &Service{log: cfg.Logger, now: cfg.Now, db: db, sender: sender}
	s.http = s.routes()
	// A process that was killed between a commit and the outbox told nobody of
	// that change. One message at each start makes up for it, since Belfry looks
	// for itself.
	s.changed("check-in service started")
	return s, nil
}

// Handler answers the service's HTTP requests.
func (s *Service) Handler() http.Handler { return s.http }

// closing is how long the end may take to answer requests, and then to send
// what Belfry was not told of.
const closing = 3 * time.Second

// Serve answers requests until ctx ends, finishes those under way, and gives
// nil. It closes the listener, not the service.
func (s *Service) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s.http,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if server.Shutdown(stop) != nil {
		server.Close()
	}
	<-ended
	return nil
}

// Close tells Belfry of what it was not told of yet, for three seconds at most,
// and closes the database. What could not be told waits in the outbox for the
// next start.
func (s *Service) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	err := s.sender.Close(ctx)
	if errors.Is(err, webhook.ErrUnsent) {
		s.log.Warn("the last change is not told yet and waits in the outbox for the next start")
		err = nil
	}
	return errors.Join(err, s.db.close())
}

// changed tells Belfry that something changed. It comes after the commit, so
// that whoever looks finds the change; it does not wait for Belfry, and when
// Belfry is away it is no failure of the request.
func (s *Service) changed(reason string) {
	if err := s.sender.Notify(reason); err != nil && !errors.Is(err, webhook.ErrNotConfigured) {
		s.log.Error("Belfry may not be told of a change", "reason", reason, "error", err)
	}
}
