// Package ops is the operators' door: whether the server lives and takes work,
// which of its parts are down, and its figures for Prometheus.
//
// Public is for the address that clients use and says little. Private is for
// an address that only operators reach: metrics, the detailed health report,
// and profiling.
package ops

import (
	"log/slog"
	"net/http"
	"net/http/pprof"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
)

// Config is what Ops reports about. The zero value is a server without parts
// that is always ready.
type Config struct {
	// Version is the program's, for the health report and belfry_build_info.
	Version string
	// Unready says in a word or two why the server takes no connections, such
	// as "starting" or "draining", and "" when it does. It must not block; nil
	// means that it always does. The text is public.
	Unready func() string
	// Checks are the parts whose failure makes /health answer 503.
	Checks []Check
	// CheckTimeout bounds each check; zero means 2 s.
	CheckTimeout time.Duration
	// CheckEvery is how long a report is given again before the checks run
	// anew, so that nobody can make them run often; zero means 1 s.
	CheckEvery time.Duration
	// Hub, Apps, Sockets and Hooks give figures for /metrics; nil leaves them
	// out. They are called once a scrape, concurrently with everything.
	Hub     func() []hub.Stats
	Apps    func() []*belfry.App // for their limits
	Sockets func() SocketStats
	Hooks   func() []HookStats
	// Application gives the application side's.
	Application Application
	// CertificateEnds is when the first certificate ends; nil, or the zero time,
	// leaves it out.
	CertificateEnds func() time.Time
	// Registry gets the metrics; nil means one of its own. A registry serves
	// one Ops only.
	Registry *prometheus.Registry
	// Logger gets what fails while answering; nil means none.
	Logger *slog.Logger
}

// Ops answers the operators' requests. It is safe for concurrent use and
// starts no goroutine that outlives a check.
type Ops struct {
	cfg      Config
	started  time.Time
	health   health
	registry *prometheus.Registry
	requests *requests
	timings  *timings
}

// New makes the door. It panics when the registry has Belfry's metrics
// already.
func New(cfg Config) *Ops {
	if cfg.Unready == nil {
		cfg.Unready = func() string { return "" }
	}
	if cfg.CheckTimeout == 0 {
		cfg.CheckTimeout = 2 * time.Second
	}
	if cfg.CheckEvery == 0 {
		cfg.CheckEvery = time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	o := &Ops{cfg: cfg, started: time.Now(), registry: cfg.Registry, requests: newRequests(), timings: newTimings()}
	if o.registry == nil {
		o.registry = prometheus.NewRegistry()
	}
	o.health.init(cfg)
	o.registry.MustRegister(
		&collector{ops: o},
		o.requests.total, o.requests.seconds, o.timings.webhooks, o.timings.deliveries, o.timings.probes, o.timings.probeFailures,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return o
}

// Public serves /up, /live, /ready and a terse /health.
func (o *Ops) Public() http.Handler {
	mux := http.NewServeMux()
	o.probes(mux)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) { o.serveHealth(w, r, false) })
	return mux
}

// Private serves what Public does, with a detailed /health, and /metrics, and,
// to requests from this machine only, profiling under /debug/pprof/.
func (o *Ops) Private() http.Handler {
	mux := http.NewServeMux()
	o.probes(mux)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) { o.serveHealth(w, r, true) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{
		ErrorLog:          slog.NewLogLogger(o.cfg.Logger.Handler(), slog.LevelError),
		EnableOpenMetrics: true,
	}))
	profiles := http.NewServeMux()
	// The command line is left out: it may hold a secret.
	profiles.HandleFunc("GET /debug/pprof/", pprof.Index)
	profiles.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)
	profiles.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	profiles.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	profiles.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("/debug/pprof/", loopbackOnly(profiles))
	return mux
}

// probes are the answers for balancers and supervisors.
func (o *Ops) probes(mux *http.ServeMux) {
	alive := func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	}
	mux.HandleFunc("GET /up", alive)
	mux.HandleFunc("GET /live", alive)
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if why := o.cfg.Unready(); why != "" {
			w.Header().Set("Retry-After", "1")
			writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": why})
			return
		}
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
}

func (o *Ops) serveHealth(w http.ResponseWriter, r *http.Request, detailed bool) {
	report := o.health.report(r.Context())
	if why := o.cfg.Unready(); why != "" {
		report.Unready = why
	}
	status := http.StatusOK
	if report.Status != statusUp {
		status = http.StatusServiceUnavailable
	}
	if !detailed {
		writeJSON(w, status, report.terse())
		return
	}
	report.Version = o.cfg.Version
	report.Uptime = time.Since(o.started).Seconds()
	report.Go = runtime.Version()
	report.Goroutines = runtime.NumGoroutine()
	writeJSON(w, status, report)
}
