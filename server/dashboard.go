package server

import (
	"context"
	"encoding/json"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/web"
)

// Dashboards are compiled live dashboards.
type Dashboards = dashboard.Set

// newDashboards builds the live dashboards, which are broadcast to the default
// app.
func (s *Server) newDashboards() (err error) {
	s.dashboards, err = dashboard.New(dashboard.Config{
		Set:         s.cfg.Dashboards,
		OwnDatabase: s.backend.databaseURL(),
		MaxEvent: func() int {
			if app := s.backend.EventApps(""); app != nil {
				return app.Limits.EventData
			}
			return belfry.DefaultLimits().EventData
		},
		Publish: func(ctx context.Context, channel, event string, data json.RawMessage, id string) error {
			_, err := s.backend.Broadcast.Publish(ctx, belfry.Event{ID: id, Name: event, Channels: []string{channel}, Data: data, Origin: "dashboard"})
			return err
		},
		Logger: s.log,
	})
	return err
}

// databaseURL is the address of the backend's own database.
func (b *Backend) databaseURL() string {
	if b.cfg.DatabaseURL != "" {
		return b.cfg.DatabaseURL
	}
	path := filepath.ToSlash(filepath.Join(b.cfg.DataDir, store.FileName))
	return "sqlite:///" + strings.TrimPrefix((&url.URL{Path: path}).EscapedPath(), "/")
}

// dashboardDoor is the configuration of the door for figures.
func (s *Server) dashboardDoor() web.DashboardsConfig {
	return web.DashboardsConfig{
		Gate: s.gate, Dashboards: s.dashboards,
		App: func() *belfry.App { return s.appOrDefault("") },
		Authorizer: func() web.DashboardAuthorizer {
			if a := s.authz.Load(); a != nil {
				return a
			}
			return nil
		},
	}
}
