// Package web is the door of applications and of people with a browser: pages,
// signing in, and the authorization of channels.
package web

import (
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/ui"
)

// Config is what the pages need.
type Config struct {
	// Start gives what the start page shows; it is called for each request.
	Start   func() Start
	Version string

	// Gate and Identity are for signing in; without them the server has pages
	// only.
	Gate     *gate.Gate
	Identity *identity.Identity
	// Authorizer gives what decides on channels, nil while there is none; App the
	// app that a socket belongs to; Questions bounds what one user or address may
	// ask.
	Authorizer func() Authorizer
	App        func(socketID string) *belfry.App
	Questions  *gate.Limiter
	// Events takes events from applications; see NewEvents.
	Events http.Handler
	// Notifications is for receivers and managers of notifications; see
	// NewNotifications.
	Notifications http.Handler
	// Dashboards gives the figures of dashboards; see NewDashboards.
	Dashboards http.Handler
	// Ingest takes signed webhooks; see NewIngest.
	Ingest http.Handler
}

// Start is what the start page shows.
type Start struct {
	App        App
	TLS        bool   // the listener speaks TLS itself
	Loopback   bool   // the listener can be reached from this machine only
	PathPrefix string // before /app and /apps
}

// App is the app that the page connects to.
type App struct{ ID, Key, Secret string }

// New makes the handler of the pages and of what they ask. It is safe for
// concurrent use.
func New(cfg Config) http.Handler {
	files := ui.Files()
	assets := http.FileServerFS(files)
	mux := http.NewServeMux()
	for path, file := range map[string]string{"/{$}": "index.html", "/login": "login.html", "/setup": "setup.html"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { servePage(w, r, files, file) })
	}
	application(mux, files)
	mux.HandleFunc("GET /assets/", func(w http.ResponseWriter, r *http.Request) {
		if _, err := fs.Stat(files, strings.TrimPrefix(r.URL.Path, "/")); err != nil || strings.HasSuffix(r.URL.Path, "/") {
			notFound(w, r)
			return
		}
		pageHeaders(w)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable") // names carry a hash
		assets.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /favicon.svg", func(w http.ResponseWriter, r *http.Request) {
		pageHeaders(w)
		http.ServeFileFS(w, r, files, "favicon.svg")
	})
	mux.HandleFunc("GET /sw.js", func(w http.ResponseWriter, r *http.Request) { // for Web Push
		pageHeaders(w)
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, files, "sw.js")
	})
	mux.HandleFunc("GET /start.json", func(w http.ResponseWriter, r *http.Request) { cfg.serveStart(w, r) })
	if cfg.Gate != nil {
		people{cfg.Gate, cfg.Identity}.routes(mux)
		broadcasting{cfg.Gate, cfg.Authorizer, cfg.App, cfg.Questions}.routes(mux)
	}
	parts := []Described{PeopleDescribed()}
	if cfg.Events != nil {
		parts = append(parts, EventsDescribed())
		mux.Handle("/api/events", cfg.Events)
		mux.Handle("/api/events/", cfg.Events)
	}
	if cfg.Notifications != nil {
		parts = append(parts, NotificationsDescribed())
		for _, path := range []string{"/api/notifications", "/api/user/notifications"} {
			mux.Handle(path, cfg.Notifications)
			mux.Handle(path+"/", cfg.Notifications)
		}
		mux.Handle(pushKeyPath, cfg.Notifications)
		mux.Handle(pushSubscriptionsPath, cfg.Notifications)
	}
	if cfg.Dashboards != nil {
		parts = append(parts, DashboardsDescribed())
		mux.Handle(DashboardsPath, cfg.Dashboards)
		mux.Handle(DashboardCurrentPath, cfg.Dashboards)
	}
	if cfg.Ingest != nil {
		parts = append(parts, IngestDescribed())
		mux.Handle(IngestPath, cfg.Ingest)
	}
	if len(parts) > 1 {
		mux.Handle("/api/openapi.json", NewOpenAPI(cfg.Version, parts...))
	}
	mux.HandleFunc("/", notFound)
	return mux
}

// servePage serves one of the built pages, or says that there are none.
func servePage(w http.ResponseWriter, r *http.Request, files fs.FS, name string) {
	pageHeaders(w)
	w.Header().Set("Cache-Control", "no-cache")
	if !ui.Built() {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write([]byte("This program was built without its pages. The realtime server works; run make build for the pages.\n"))
		return
	}
	http.ServeFileFS(w, r, files, name)
}

// pageHeaders is what every page is served with.
func pageHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self' ws: wss:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

func (cfg *Config) serveStart(w http.ResponseWriter, r *http.Request) {
	type app struct {
		ID     string `json:"id"`
		Key    string `json:"key"`
		Secret string `json:"secret,omitempty"`
	}
	st := cfg.Start()
	host, port := hostOf(r, st.TLS)
	answer := struct {
		Host       string `json:"host"`
		Port       int    `json:"port"`
		TLS        bool   `json:"tls"`
		PathPrefix string `json:"pathPrefix"`
		App        app    `json:"app"`
		Version    string `json:"version"`
	}{host, port, st.TLS || forwardedTLS(r), st.PathPrefix, app{ID: st.App.ID, Key: st.App.Key}, cfg.Version}
	if st.Loopback && mayShowSecret(r) {
		answer.App.Secret = st.App.Secret
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	json.NewEncoder(w).Encode(answer)
}

// mayShowSecret reports whether the request comes from a person at this
// machine: it names a loopback host, which keeps pages of other sites out that
// point a name of theirs at 127.0.0.1, and no proxy stands before it. Browsers
// say where a request comes from: only the page itself may ask.
func mayShowSecret(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"} {
		if len(r.Header.Values(name)) > 0 {
			return false
		}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	switch strings.ToLower(host) {
	case "localhost", "127.0.0.1", "[::1]", "::1":
		return true
	}
	return false
}

func forwardedTLS(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// hostOf gives the host and port that the visitor's own address bar shows.
func hostOf(r *http.Request, tls bool) (host string, port int) {
	port = 80
	if tls || forwardedTLS(r) {
		port = 443
	}
	host = r.Host
	if h, p, err := net.SplitHostPort(r.Host); err == nil {
		host = h
		if n, err := strconv.Atoi(p); err == nil {
			port = n
		}
	}
	return strings.Trim(host, "[]"), port
}

func notFound(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusNotFound)
	json.NewEncoder(w).Encode(map[string]string{"error": "nothing is served at this path", "code": "not_found"})
}
