package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/api"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/certs"
	"github.com/belfryhq/belfry/internal/console"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/hook"
	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/internal/ops"
	"github.com/belfryhq/belfry/internal/report"
	"github.com/belfryhq/belfry/internal/socket"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/internal/web"
)

// Server is a Belfry server. New makes one, Listen binds its addresses, Run
// serves until its context ends.
type Server struct {
	cfg     Config
	log     *slog.Logger
	hub     *hub.Hub
	hooks   *hook.Hooks
	socket  socket.Engine
	ops     *ops.Ops
	looks   looks
	trace   *trace.Trace
	probe   *probe
	console *console.Console

	reports *report.Pages // of what pages have handlers for; nil: none is taken
	usage   usageFile
	certs   *certs.Certificates // nil on plain TCP

	api     *api.Door
	meter   *ops.Meter // of the API, for express
	handler http.Handler
	public  net.Listener
	private net.Listener // metrics; nil when off

	link   *control.Listener // commands'
	remote *control.Remote   // commands' on other machines
	bell   control.Bell      // tells worker processes of jobs

	// The application side: people, rules, events, queues.
	backend    *Backend
	ingest     *ingest.Ingest
	dashboards *dashboard.Dashboards
	rights     *rights
	gate       *gate.Gate
	rules      atomic.Pointer[Rules]            // nil: the default ones
	authz      atomic.Pointer[authz.Authorizer] // nil until the database was reached
	workers    context.Context                  // ends when the embedded workers are to end
	endWorkers context.CancelCauseFunc
	worked     chan struct{} // closed when they have ended

	started time.Time
	app     atomic.Pointer[belfry.App] // the default app at the start
	created *appstore.Created          // its credentials, if this start made it
	state   atomic.Int32               // starting, serving, draining
}

const (
	starting = iota
	serving
	draining
)

// New builds a server and opens its data folder. It binds nothing yet.
func New(cfg Config) (*Server, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	dir, err := dataDir(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	cfg.DataDir = dir
	s := &Server{cfg: cfg, log: cfg.Logger, started: time.Now(), usage: usageFile{path: filepath.Join(dir, "usage.json")}, worked: make(chan struct{})}
	s.workers, s.endWorkers = context.WithCancelCause(context.Background())
	s.rules.Store(cfg.Rules)
	if cfg.TLS != nil {
		if s.certs, err = certs.Open(cfg.TLS.certs(dir, s.log)); err != nil {
			return nil, err
		}
	}
	s.hooks = hook.New(hook.Config{
		Logger: s.log,
		Client: httpx.NewClient(httpx.Config{Allow: cfg.WebhookAllow}),
		Observe: func(a hook.Attempt) {
			s.ops.Webhook(a.App, a.Error == "", a.Duration)
			s.called(a)
		},
	})
	s.reports = s.newReports()
	s.hub = hub.New(hub.Config{
		Cluster:   s.cfg.cluster,
		Seal:      socket.Seal,
		Observers: []hub.Observer{webhooks{s.hooks}, newJournal(s.log), tracer{s}},
		Principal: s.principal,
		Doubt:     func(user string) { s.rights.Doubt(user) },
		Logger:    s.log,
	})
	if cfg.cluster != nil {
		cfg.cluster.Start(s.hub)
	}
	s.socket, err = socket.Open(socket.Config{
		Portable:         cfg.PortableEngine,
		OneCallEach:      cfg.NoIOUring,
		HandshakeTimeout: cfg.HandshakeTimeout,
		Hub:              s.hub,
		Express:          s.express,
		Logger:           s.log,
		PathPrefix:       cfg.PathPrefix,
		MaxMessage:       cfg.MaxMessage,
		SendBuffer:       cfg.SendBuffer,
		PingAfter:        cfg.PingAfter,
		PingTimeout:      cfg.PingTimeout,
		MaxConnections:   cfg.MaxConnections,
		AcceptRate:       cfg.HandshakesPerSecond,
		TrustedProxies:   cfg.TrustedProxies,
	})
	if err != nil {
		return nil, err
	}
	s.probe = newProbe(s)
	s.serveApps(nil)
	if err := s.newApplication(); err != nil {
		return nil, err
	}
	s.ops = ops.New(s.opsConfig())
	s.openAPI()
	s.console = s.newConsole()
	s.remote = s.remoteDoor()
	s.handler = s.routes()
	return s, nil
}

func dataDir(path string) (string, error) {
	dir, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("data folder %s: %w", path, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", &belfry.Error{Code: belfry.CodeInternal, Message: "cannot make the data folder " + dir, Err: err,
			Hint: "name a folder that this user may write to with --data-dir or BELFRY_DATA_DIR"}
	}
	return dir, nil
}

// openApps finds the default app, and makes one when there is none at all. It
// comes when the server has its addresses, so that a start which fails does not
// make an app that nobody is shown the secret of.
func (s *Server) openApps(ctx context.Context) error {
	if err := s.backend.Apps.SetFixed(ctx, s.cfg.Apps, s.cfg.AppOrigin); err != nil {
		return err
	}
	app, created, err := s.backend.Apps.Ensure(ctx)
	if belfry.CodeOf(err) == belfry.CodeUnavailable {
		s.log.Error("no app is served until the database can be reached: none is configured", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	s.app.Store(app)
	s.created = created
	used, err := s.usage.load()
	if err != nil { // a counter is not worth a refused start
		s.log.Warn("the day's message counts could not be read and begin at zero", "file", s.usage.path, "error", err)
	}
	s.hub.Restore(used)
	return nil
}

// routes is the public listener's handler.
func (s *Server) routes() http.Handler {
	prefix := "/" + trimSlashes(s.cfg.PathPrefix)
	if prefix != "/" {
		prefix += "/"
	}
	rest := s.ops.Measure(apiDoor, s.api)
	public := s.ops.Public()
	pages := s.ops.Measure("web", s.pages())
	reports := s.ops.Measure("web", s.reportDoor())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		switch {
		case s.reports != nil && web.IsReport(r, s.cfg.PathPrefix):
			reports.ServeHTTP(w, r)
		case hasPath(path, "/", "app"), hasPath(path, prefix, "app"):
			s.socket.ServeHTTP(w, r)
		case hasPath(path, "/", "apps"), hasPath(path, prefix, "apps"):
			rest.ServeHTTP(w, r)
		case hasPath(path, console.Path[:len(console.Path)-len("api/")], "api"):
			s.console.ServeHTTP(w, r)
		case hasPath(path, "/", control.Path[1:]), hasPath(path, prefix, control.Path[1:]):
			s.remote.ServeHTTP(w, r)
		case path == "/up", path == "/live", path == "/ready", path == "/health":
			public.ServeHTTP(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	})
}

// hasPath reports whether path lies under prefix + name.
func hasPath(path, prefix, name string) bool {
	if len(path) < len(prefix)+len(name) || path[:len(prefix)] != prefix || path[len(prefix):len(prefix)+len(name)] != name {
		return false
	}
	rest := path[len(prefix)+len(name):]
	return rest == "" || rest[0] == '/'
}

func trimSlashes(s string) string {
	for len(s) > 0 && s[0] == '/' {
		s = s[1:]
	}
	for len(s) > 0 && s[len(s)-1] == '/' {
		s = s[:len(s)-1]
	}
	return s
}

// start is what the start page shows.
func (s *Server) start() web.Start {
	st := web.Start{TLS: s.certs != nil, PathPrefix: s.cfg.PathPrefix, Loopback: s.loopback()}
	if app := s.appOrDefault(""); app != nil {
		st.App = web.App{ID: app.ID, Key: app.Keys[0].Key, Secret: app.Keys[0].Secret}
	}
	return st
}

// loopback reports whether the public listener can be reached from this machine
// only.
func (s *Server) loopback() bool {
	if s.public == nil {
		return false
	}
	addr, ok := s.public.Addr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// Handler is the public listener's handler, for embedding in another server.
// WebSockets need a server that speaks HTTP/1.1. Run must be running.
func (s *Server) Handler() http.Handler { return s.handler }

// Addr is the public listener's address, nil before Listen.
func (s *Server) Addr() net.Addr { return addrOf(s.public) }

// MetricsAddr is the metrics listener's address, nil before Listen or when off.
func (s *Server) MetricsAddr() net.Addr { return addrOf(s.private) }

func addrOf(l net.Listener) net.Addr {
	if l == nil {
		return nil
	}
	return l.Addr()
}

// URL is the address to open: the configured one, else one made from Addr.
func (s *Server) URL() string {
	if s.cfg.URL != "" || s.public == nil {
		return s.cfg.URL
	}
	host, port, err := net.SplitHostPort(s.public.Addr().String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	if s.certs != nil {
		u.Scheme = "https"
	}
	return u.String()
}

// DefaultApp gives the settings of the app that the start page and commands
// use unless told otherwise; nil before Listen. created reports whether this
// start made it.
func (s *Server) DefaultApp() (app *belfry.App, created bool) { return s.app.Load(), s.created != nil }

// SetApps replaces the configuration's apps; the database's stay. No
// connection is dropped, but for those of apps that are gone or disabled.
func (s *Server) SetApps(apps []*belfry.App, origin func(id string) string) error {
	return s.backend.Apps.SetFixed(context.Background(), apps, origin)
}

// Reload reads the configuration anew, through Config.Settings, and takes on
// what can change while the server runs. On an error nothing changes.
func (s *Server) Reload(ctx context.Context) ([]Change, error) {
	if s.cfg.Settings == nil {
		return nil, errors.New("this server was not started from a configuration")
	}
	next, err := s.cfg.Settings.Reload(ctx)
	if err == nil {
		err = s.SetApps(next.Apps, next.AppOrigin)
	}
	if err == nil {
		err = s.dashboards.Replace(next.Dashboards)
	}
	if err == nil {
		s.setRules(next.Rules)
		s.ingest.SetSecrets(next.WebhookSecrets)
		s.console.AllowPayloads(next.ConsolePayloads)
	}
	if err != nil {
		s.log.Error("configuration not reloaded: nothing was changed", "error", err)
		return nil, err
	}
	s.log.Info("configuration reloaded", "changes", len(next.Changes))
	return next.Changes, nil
}
