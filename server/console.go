package server

import (
	"context"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/console"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/doctor"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/internal/ops"
)

// newConsole makes the administrators' door.
func (s *Server) newConsole() *console.Console {
	node, err := os.Hostname()
	if err != nil {
		node = "unknown"
	}
	return console.New(console.Config{
		Gate: s.gate, DB: s.backend.DB, Logger: s.log,
		Version: s.cfg.Version, Node: node, Engine: s.socket.String(), Started: s.started,
		Ready: func() bool { return s.unready() == "" },
		Hub:   publicHub{s.hub}, Trace: s.trace, Queue: s.backend.Queue, Apps: s.backend.Apps, Broadcast: s.backend.Broadcast, Hooks: s.hooks,
		Sockets: func() console.Sockets {
			st := s.socket.Stats()
			return console.Sockets{Open: st.Open, Waiting: st.PendingBytes, SlowClosed: st.SlowClosed}
		},
		Sizes: s.looks.sizes.Get, Workers: s.looks.workers.Get,
		Denials: func(ctx context.Context, f authz.DenialFilter) ([]authz.Denial, error) {
			if a := s.authz.Load(); a != nil {
				return a.Denials(ctx, f)
			}
			return nil, nil
		},
		Received: s.ingest.Recent,
		Payloads: s.cfg.ConsolePayloads,
		Said:     s.reports.Said,
		Explain:  s.explain,
		Health:   s.consoleHealth,
		Probes:   s.probe.probes,
		Doctor:   s.consoleDoctor,
	})
}

// consoleHealth gives the parts of the server as the health report has them.
func (s *Server) consoleHealth(ctx context.Context) []console.Part {
	var all []console.Part
	for _, p := range s.ops.Parts(ctx) {
		all = append(all, shownPart(p))
	}
	return all
}

func shownPart(p ops.Part) console.Part {
	state := console.Degraded
	if p.Up {
		state = console.OK
	}
	return console.Part{Name: p.Name, State: state, Since: p.Since.UTC().Truncate(time.Millisecond), Note: p.Text,
		Milliseconds: float64(p.Took.Microseconds()) / 1000}
}

// consoleDoctor examines the server for the console.
func (s *Server) consoleDoctor(ctx context.Context) []console.Check {
	var all []console.Check
	for _, found := range s.examine(ctx) {
		all = append(all, console.Check{Name: found.Name, Result: string(found.Status), Seen: found.Seen, Fix: found.Fix})
	}
	return all
}

// examine examines the server from inside, as belfry doctor does from outside,
// and sends an event the whole way.
func (s *Server) examine(ctx context.Context) []doctor.Check {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	all := doctor.Run(ctx, s.examined().Steps())
	one := s.probe.now(ctx)
	c := doctor.Pass("an event came back over a WebSocket after %s", time.Duration(one.Milliseconds*float64(time.Millisecond)).Round(10*time.Microsecond))
	if one.Error != "" {
		c = doctor.Fail(doctor.EventLost, "see that the server can reach its own address, and look for errors in its log", "%s", one.Error)
	}
	c.Name, c.Milliseconds = "event", one.Milliseconds
	return append(all, c)
}

// doctorTime bounds one examination.
const doctorTime = 30 * time.Second

// examined is this server as the doctor sees it.
func (s *Server) examined() doctor.Local {
	running := &doctor.Running{PID: os.Getpid(), Address: s.public.Addr().String(), URL: s.URL()}
	if s.certs == nil {
		running.URL = "http://" + dialable(s.public.Addr())
	}
	if s.private != nil {
		running.Health = "http://" + dialable(s.private.Addr()) + "/health"
	}
	settings := "none was read from a file"
	if s.cfg.ConfigFile != "" {
		settings = s.cfg.ConfigFile
	}
	l := doctor.Local{
		Settings: settings, Listen: s.cfg.Listen, DataDir: s.cfg.DataDir, Running: running, DB: s.backend.DB,
		Broadcaster: s.backend.Broadcast.Driver(), Reach: s.checkBroadcaster,
		Sizes: s.looks.sizes.Get, Workers: s.looks.workers.Get, Sync: s.cfg.Backend.Queue == "sync",
		WebhookSecrets: s.cfg.WebhookSecrets, Dashboards: len(s.dashboards.Names()), Weak: ingest.Weak,
	}
	if s.cfg.Settings != nil {
		l.Changes = func(ctx context.Context) (reload, restart []string, err error) {
			changes, err := s.cfg.Settings.Diff(ctx)
			reload, restart = control.Keys(changes)
			return reload, restart, err
		}
	}
	return l
}

// dialable gives an address at which this machine reaches a listener of its own.
func dialable(a net.Addr) string {
	addr, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String()
	}
	host := addr.IP
	if host.IsUnspecified() {
		host = net.IPv4(127, 0, 0, 1) // which a listener on [::] has too
	}
	return net.JoinHostPort(host.String(), strconv.Itoa(addr.Port))
}

// publicHub is the hub without the app of the server's own probes.
type publicHub struct{ *hub.Hub }

// Apps gives all apps but the probe's.
func (h publicHub) Apps() []*belfry.App {
	all := h.Hub.Apps()
	kept := make([]*belfry.App, 0, len(all))
	for _, app := range all {
		if app.ID != probeApp {
			kept = append(kept, app)
		}
	}
	return kept
}

// App gives an app that is not the probe's.
func (h publicHub) App(id string) *belfry.App {
	if id == probeApp {
		return nil
	}
	return h.Hub.App(id)
}

// Stats gives the figures of all apps but the probe's.
func (h publicHub) Stats() []hub.Stats {
	all := h.Hub.Stats()
	kept := make([]hub.Stats, 0, len(all))
	for _, st := range all {
		if st.App != probeApp {
			kept = append(kept, st)
		}
	}
	return kept
}

// Connections gives those of all apps but the probe's.
func (h publicHub) Connections(app string, most int, wanted func(*hub.Connection) bool) []hub.Connection {
	return h.Hub.Connections(app, most, func(c *hub.Connection) bool {
		return c.App != probeApp && (wanted == nil || wanted(c))
	})
}

// Connection gives one that is not the probe's.
func (h publicHub) Connection(socketID string) (hub.Connection, bool) {
	one, ok := h.Hub.Connection(socketID)
	return one, ok && one.App != probeApp
}

// Usage gives what all apps but the probe's have used.
func (h publicHub) Usage() map[string]hub.Usage {
	all := h.Hub.Usage()
	delete(all, probeApp)
	return all
}
