package server

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/api"
	"github.com/belfryhq/belfry/internal/socket"
)

// apiDoor is the API's name in the metrics.
const apiDoor = "api"

// openAPI makes the door of the HTTP API, which requests reach by the HTTP server
// or, publishes on plain TCP, straight from the engine's shards.
func (s *Server) openAPI() {
	s.api = api.New(api.Config{
		Hub:        s.hub,
		PathPrefix: s.cfg.PathPrefix,
		Logger:     s.log,
		Limit:      s.hub.Limit,

		TrustedProxies: s.cfg.TrustedProxies,
		Published:      s.published,
		Refused:        s.refused,
	})
	s.meter = s.ops.Meter(apiDoor)
}

// express is the engine's way to the API (socket.Express). It counts and times
// requests as the handler does.
func (s *Server) express(r socket.Request) (socket.Answer, func(context.Context) socket.Answer, bool) {
	start := time.Now()
	reply, later, ok := s.api.Post(api.Post(r))
	switch {
	case !ok:
		return socket.Answer{}, nil, false
	case later == nil:
		s.meter.Observe(reply.Status, time.Since(start))
		return socket.Answer(reply), nil, true
	}
	return socket.Answer{}, func(ctx context.Context) socket.Answer {
		reply := later(ctx)
		s.meter.Observe(reply.Status, time.Since(start))
		return socket.Answer(reply)
	}, true
}
