package server

import (
	"context"
	"errors"
	"maps"
	"os"

	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/ops"
)

// linkBackend is what commands reach over the control link.
func (s *Server) linkBackend() control.Backend {
	b := control.Backend{Status: s.status, Hub: s.hub, Apps: s.backend.Apps, Bell: &s.bell, Poke: func() {
		s.backend.Queue.Poke()
		s.bell.Ring()
	}, Notes: s.noteAll, Explain: s.explain, ExplainAuth: s.explainAuth,
		Jobs: s.backend.Queue, Accept: s.backend.Broadcast.Accept, Examine: s.examine}
	if s.trace != nil {
		b.Events = s.trace.Events
	}
	if s.cfg.Settings != nil {
		b.Settings = linkSettings{s}
	}
	return b
}

// remoteDoor takes commands from other machines.
func (s *Server) remoteDoor() *control.Remote {
	return control.NewRemote(control.RemoteConfig{
		Backend: s.linkBackend(), Gate: s.gate, Version: s.cfg.Version, Logger: s.log,
		Record: func(ctx context.Context, d control.Deed) {
			details := map[string]any{"way": "command"}
			maps.Copy(details, d.Details)
			s.console.Record(ctx, d.Caller, d.Action, d.Subject, details, d.Err)
		},
	})
}

// status says what runs.
func (s *Server) status() control.Status {
	st := control.Status{
		Version:  s.cfg.Version,
		PID:      os.Getpid(),
		Started:  s.started,
		Listen:   s.public.Addr().String(),
		URL:      s.URL(),
		DataDir:  s.cfg.DataDir,
		Config:   s.cfg.ConfigFile,
		Draining: s.hub.Draining(),
	}
	if app := s.app.Load(); app != nil {
		st.DefaultApp = app.ID
	}
	if s.private != nil {
		st.Metrics = s.private.Addr().String()
	}
	return st
}

// linkSettings lets commands ask about and reload the configuration.
type linkSettings struct{ s *Server }

func (l linkSettings) Effective() []control.Setting { return l.s.cfg.Settings.Effective() }

func (l linkSettings) Diff(ctx context.Context) ([]control.Change, error) {
	return l.s.cfg.Settings.Diff(ctx)
}

func (l linkSettings) Reload(ctx context.Context) ([]control.Change, error) { return l.s.Reload(ctx) }

// checkRealtime proves that the hub answers.
func (s *Server) checkRealtime(ctx context.Context) error {
	app := s.app.Load()
	if app == nil {
		return errors.New("no app is served: none is configured, and the database has not been reached")
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.hub.Channel(ctx, app.ID, "health")
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errors.New("the hub did not answer in time")
	}
}

func (s *Server) socketStats() ops.SocketStats { return ops.SocketStats(s.socket.Stats()) }

func (s *Server) hookStats() []ops.HookStats {
	var all []ops.HookStats
	for _, h := range s.hooks.Stats() {
		all = append(all, ops.HookStats{App: h.App, Pending: int64(h.Pending + h.Delayed), Sent: int64(h.Attempts - h.Failed),
			Failed: int64(h.Failed), Retried: int64(h.Retried), Dropped: int64(h.Dropped.Total())})
	}
	return all
}
