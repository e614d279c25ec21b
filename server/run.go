package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/run"
)

// Listen claims the data folder and binds the server's addresses, so that
// another server or a taken port is known before anything runs. Run calls it if
// need be.
func (s *Server) Listen() (err error) {
	if s.public != nil {
		return nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.dashboards.Close(), s.backend.Close())
		}
	}()
	link, err := control.Listen(s.cfg.DataDir)
	if err != nil {
		return err
	}
	public, err := bind(s.cfg.Listen, "choose another with --listen or BELFRY_LISTEN")
	if err != nil {
		return errors.Join(err, link.Close())
	}
	if s.cfg.MetricsListen != "off" {
		if s.private, err = bind(s.cfg.MetricsListen, "choose another with --metrics-listen or BELFRY_METRICS_LISTEN, or off"); err != nil {
			return errors.Join(err, public.Close(), link.Close())
		}
	}
	s.public, s.link = public, link
	if err = s.prepareAtStart(); err == nil {
		err = s.openApps(context.Background())
	}
	if err != nil {
		s.closeListeners()
	}
	return err
}

func bind(address, hint string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l, nil
	}
	message := "cannot listen on " + address
	if errors.Is(err, syscall.EADDRINUSE) {
		message = "address " + address + " is taken by another program"
		hint = "stop that program, or " + hint
	}
	return nil, &belfry.Error{Code: belfry.CodeUnavailable, Message: message, Hint: hint, Err: err}
}

// Run serves until ctx ends, then stops in stages and returns when everything
// is done, within ShutdownGrace (WS-38): the doors stop taking, the hub closes
// its connections in slices with 4200, webhooks go out, files are written. It
// returns nil after an orderly stop. A server runs once.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(); err != nil {
		return err
	}
	defer s.closeListeners()
	// Engines outlive the doors: they end when the doors have drained.
	engines, stopEngines := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopEngines(nil)
	parts := run.NewGroup(engines)
	parts.Go("sockets", s.socket.Run)
	parts.Go("webhooks", s.hooks.Run)
	parts.Go("usage file", s.keepUsage)
	parts.Go("received webhooks", s.ingest.Run)
	parts.Go("dashboards", s.dashboards.Run)
	parts.Go("application", s.runApplication)
	parts.Go("console", s.console.Run)
	parts.Go("probe", s.probe.Run)
	doors := s.doors()
	for _, d := range doors {
		parts.Go(d.name, d.serve)
	}
	if s.certs != nil {
		parts.Go("certificates", func(ctx context.Context) error { return s.certs.Run(ctx, s.public.Addr()) })
	}
	s.state.Store(serving)
	s.log.Info("serving", "address", s.public.Addr().String(), "metrics", addrText(s.private), "engine", s.socket.String(), "data", s.cfg.DataDir)

	select {
	case <-ctx.Done():
		s.log.Info("stopping", "why", context.Cause(ctx), "grace", s.cfg.ShutdownGrace.String())
	case <-parts.Failed():
		s.log.Error("stopping because a part of the server failed", "error", parts.Err())
	}
	s.stop(doors)
	stopEngines(errStopped)
	err := parts.Wait()
	s.looks.close()
	return errors.Join(err, s.backend.Close())
}

var errStopped = errors.New("the server was stopped")

// stop drains what the doors have let in, in stages within the grace.
func (s *Server) stop(doors []*door) {
	s.state.Store(draining)
	s.console.Stop()
	s.remote.Stop()
	ctx, cancel := context.WithTimeoutCause(context.Background(), s.cfg.ShutdownGrace, errGrace)
	defer cancel()
	for _, d := range doors {
		if d.early {
			go d.server.Shutdown(ctx) // stops listening at once, lets requests finish
		}
	}
	if err := s.stopWorkers(ctx); err != nil {
		s.log.Warn("jobs under way did not finish in time and will be run again", "error", err)
	}
	if err := s.dashboards.Flush(ctx); err != nil {
		s.log.Warn("the last change of a dashboard could not be broadcast in time", "error", err)
	}
	if err := s.hub.Drain(ctx, max(0, s.cfg.DrainWindow)); err != nil {
		s.log.Warn("connections were cut: they did not close in time", "error", err)
	}
	if err := s.hooks.Drain(ctx); err != nil {
		s.log.Warn("webhooks were given up: they could not be sent in time", "error", err)
	}
	s.saveUsage() // while the data folder is still claimed, by the control link
	for _, d := range doors {
		if err := d.server.Shutdown(ctx); err != nil {
			d.server.Close()
		}
	}
	s.log.Info("stopped")
}

var errGrace = errors.New("the shutdown grace is over")

// door is one HTTP server of the process.
type door struct {
	name     string
	server   *http.Server
	listener net.Listener
	early    bool // stops first, before connections are drained
}

// serve ends when the server is shut down.
func (d *door) serve(context.Context) error {
	if err := d.server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *Server) doors() []*door {
	public := s.public
	if s.certs != nil {
		public = tls.NewListener(public, s.certs.TLS())
	} else {
		public = s.socket.Listener(public)
	}
	doors := []*door{{name: "public address", server: s.httpServer(s.handler), listener: public, early: true}}
	if s.private != nil {
		doors = append(doors, &door{name: "metrics address", server: s.httpServer(s.ops.Private()), listener: s.private})
	}
	return append(doors, &door{name: "control link", server: control.NewServer(s.link, s.linkBackend(), s.log), listener: s.link})
}

// httpServer bounds what a peer may take of the server's time and memory.
func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: s.cfg.HandshakeTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

func (s *Server) closeListeners() {
	s.public.Close()
	s.link.Close()
	if s.private != nil {
		s.private.Close()
	}
}

func addrText(l net.Listener) string {
	if l == nil {
		return "off"
	}
	return l.Addr().String()
}
