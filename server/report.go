package server

import (
	"net/http"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/report"
	"github.com/belfryhq/belfry/internal/web"
)

// Reports a minute of one connection, and of one address, behind which there may
// be many pages that come back at once.
const (
	reportsOfSocket  = 30
	reportsOfAddress = 600
)

// newReports makes the memory of what pages report; nil where nothing is
// remembered.
func (s *Server) newReports() *report.Pages {
	if s.cfg.Trace.Off {
		return nil
	}
	return report.New(report.Config{For: s.cfg.Trace.For})
}

// reportDoor is the handler of what pages report.
func (s *Server) reportDoor() http.Handler {
	return web.NewReports(web.ReportConfig{
		PathPrefix: s.cfg.PathPrefix,
		Address:    s.gate.Address,
		App:        s.hub.AppByKey,
		Of:         s.hub.AppOf,
		Allows:     hub.OriginAllowed,
		Addresses:  s.gate.Limiter(reportsOfAddress),
		Sockets:    s.gate.Limiter(reportsOfSocket),
		Take:       s.reports.Take,
	})
}
