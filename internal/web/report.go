package web

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/internal/report"
)

// ReportConfig is what the door for pages' reports needs. All but PathPrefix
// are required.
type ReportConfig struct {
	// PathPrefix stands before /app, such as "/realtime"; default none. The paths
	// without it are served too.
	PathPrefix string
	// Address gives the client's address; (*gate.Gate).Address does.
	Address func(r *http.Request) netip.Addr
	// App gives the app with that key, nil for none; Of that of an open
	// connection.
	App func(key string) *belfry.App
	Of  func(socketID string) *belfry.App
	// Allows says whether pages of an origin may use an app; "" is no origin.
	Allows func(app *belfry.App, origin string) bool
	// Addresses and Sockets bound what one address and one connection may report.
	Addresses, Sockets *gate.Limiter
	// Take keeps a report; (*report.Pages).Take does.
	Take func(r report.Report)
}

// NewReports makes the handler of POST /app/{key}/report, with which a page tells
// what it has handlers for. No cookie or token counts: who knows the socket id of
// an open connection may tell of it. It is safe for concurrent use.
func NewReports(cfg ReportConfig) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, ok := reportKey(r.URL.Path, cfg.PathPrefix)
		if !ok {
			notFound(w, r)
			return
		}
		w.Header().Add("Vary", "Origin")
		app := cfg.App(key)
		if app == nil || app.Disabled {
			allowOrigin(w, "*") // so that the page can read what is wrong
			writeJSON(w, http.StatusNotFound, gate.Problem{Error: "no app has this key", Code: belfry.CodeNotFound})
			return
		}
		origin := r.Header.Get("Origin")
		if !cfg.Allows(app, origin) {
			writeJSON(w, http.StatusForbidden, gate.Problem{Error: "this origin is not among the allowed origins of the app", Code: belfry.CodeForbidden})
			return
		}
		allowOrigin(w, cmp.Or(origin, "*"))
		switch r.Method {
		case http.MethodPost:
			cfg.post(w, r, app)
		case http.MethodOptions:
			w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
			w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
			w.Header().Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
		default:
			methods(http.MethodPost)(w, r)
		}
	})
}

// IsReport reports whether a request is one for NewReports: none of a WebSocket
// is.
func IsReport(r *http.Request, prefix string) bool {
	_, ok := reportKey(r.URL.Path, prefix)
	return ok
}

// reportKey gives the key of /app/{key}/report, with and without the prefix.
func reportKey(path, prefix string) (key string, ok bool) {
	path, ok = strings.CutSuffix(path, "/report")
	if !ok {
		return "", false
	}
	rest, ok := strings.CutPrefix(path, "/"+strings.Trim(prefix, "/")+"/app/")
	if !ok {
		rest, ok = strings.CutPrefix(path, "/app/")
	}
	return rest, ok && rest != "" && !strings.Contains(rest, "/")
}

func allowOrigin(w http.ResponseWriter, origin string) {
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
}

func (cfg ReportConfig) post(w http.ResponseWriter, r *http.Request, app *belfry.App) {
	err := cfg.take(w, r, app)
	if err == nil {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	status, problem := gate.Explain(err)
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", httpx.RetryAfter(err))
	}
	writeJSON(w, status, problem)
}

func (cfg ReportConfig) take(w http.ResponseWriter, r *http.Request, app *belfry.App) error {
	if err := cfg.Addresses.Take(gate.Caller{Address: cfg.Address(r)}.Key()); err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime)) // in a test there is none to set
	body, err := io.ReadAll(io.LimitReader(r.Body, report.MaxBody+1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &belfry.Error{Code: belfry.CodeInvalid, Message: "the body did not arrive within " + bodyTime.String(), Hint: "send it again"}
	}
	if err != nil {
		return &belfry.Error{Code: belfry.CodeInvalid, Message: "the body could not be read to its end"}
	}
	said, err := report.Read(body)
	if err != nil {
		return err
	}
	if of := cfg.Of(said.Socket); of == nil || of.ID != app.ID {
		return &belfry.Error{Code: belfry.CodeNotFound, Message: "the app has no open connection with this socket id on this server",
			Hint: "report once the page is connected, and again after each reconnect"}
	}
	if err := cfg.Sockets.Take(said.Socket); err != nil {
		return err
	}
	cfg.Take(said)
	return nil
}
