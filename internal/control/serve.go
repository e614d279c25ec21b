package control

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
)

// maxBody is the largest request that the link takes.
const maxBody = 4 << 20

// NewServer makes the server of the link, for Serve with l. Its Shutdown ends
// subscriptions at once and lets everything else finish; it closes l, and with
// it the claim to the data folder.
func NewServer(l *Listener, b Backend, logger *slog.Logger) *http.Server {
	closing, stop := context.WithCancel(context.Background())
	srv := &http.Server{
		Handler:           l.guard(withClosing(closing, Handler(b))),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	srv.RegisterOnShutdown(stop)
	return srv
}

type closingKey struct{}

// withClosing tells the handlers of streams when the server stops.
func withClosing(closing context.Context, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), closingKey{}, closing.Done())))
	})
}

// guard asks for the token where the link is open to everybody on the machine.
func (l *Listener) guard(h http.Handler) http.Handler {
	if l.token == "" {
		return h
	}
	want := []byte("Bearer " + l.token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			writeError(w, belfry.Errorf(belfry.CodeUnauthenticated, "the control link wants the token of the file %s in the data folder", TokenName))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Handler answers the requests of Client. It asks for no token; NewServer does.
func Handler(b Backend) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, offered bool, f func(w http.ResponseWriter, r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if !offered {
				fail(w, r, belfry.Errorf(belfry.CodeUnavailable, "this server does not offer that"))
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			answer, err := f(w, r)
			switch {
			case err != nil:
				fail(w, r, err)
			case answer != nil:
				writeJSON(w, http.StatusOK, answer)
			}
		})
	}
	if b.Status == nil {
		b.Status = func() Status { return Status{} }
	}
	b.all(handle)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, &belfry.Error{
			Code:    belfry.CodeNotFound,
			Message: "the running server does not know this command",
			Hint:    "it may be an older version than this program: see belfry version",
		})
	})
	return mux
}

type register func(pattern string, offered bool, f func(w http.ResponseWriter, r *http.Request) (any, error))

// all registers every request of the link.
func (b Backend) all(handle register) {
	handle("GET /v1/status", true, func(http.ResponseWriter, *http.Request) (any, error) { return b.Status(), nil })
	b.settings(handle)
	b.hub(handle)
	b.apps(handle)
	b.queue(handle)
	b.trace(handle)
	b.jobs(handle)
	b.events(handle)
}

func (b Backend) settings(handle register) {
	handle("GET /v1/config", b.Settings != nil, func(http.ResponseWriter, *http.Request) (any, error) {
		return b.Settings.Effective(), nil
	})
	handle("GET /v1/config/diff", b.Settings != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		changes, err := b.Settings.Diff(r.Context())
		return some(changes), err
	})
	handle("POST /v1/config/reload", b.Settings != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		changes, err := b.Settings.Reload(r.Context())
		about(r, "", "changes", len(changes))
		return some(changes), err
	})
}

func (b Backend) apps(handle register) {
	handle("GET /v1/apps", b.Apps != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		entries, err := b.Apps.List(r.Context())
		return some(entries), err
	})
	handle("POST /v1/apps", b.Apps != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		var n appstore.New
		if err := readJSON(r, &n); err != nil {
			return nil, err
		}
		about(r, n.ID)
		created, err := b.Apps.Add(r.Context(), n)
		if err == nil {
			about(r, created.ID, "name", created.Name)
		}
		return created, err
	})
	handle("DELETE /v1/apps", b.Apps != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		id := r.URL.Query().Get("id")
		about(r, id)
		return struct{}{}, b.Apps.Remove(r.Context(), id)
	})
	handle("POST /v1/apps/rotate", b.Apps != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		id, how := r.URL.Query().Get("id"), r.URL.Query().Get("how")
		about(r, id, "how", how)
		return b.Apps.Rotate(r.Context(), id, appstore.Rotation(how))
	})
}

// some makes an empty list of none, for JSON.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func readJSON(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &belfry.Error{Code: belfry.CodeInvalid, Message: "the request's body is not understood", Err: err}
	}
	return nil
}

func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, belfry.Errorf(belfry.CodeTooLarge, "the request has more than %d bytes", maxBody)
	}
	return body, err
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a command that has gone needs no answer
}

// failure is an error on its way to a command. The link is the operator's, so
// causes are told too.
type failure struct {
	Error string      `json:"error"`
	Code  belfry.Code `json:"code"`
	Hint  string      `json:"hint,omitempty"`
}

var statuses = map[belfry.Code]int{
	belfry.CodeInvalid:         http.StatusBadRequest,
	belfry.CodeUnauthenticated: http.StatusUnauthorized,
	belfry.CodeForbidden:       http.StatusForbidden,
	belfry.CodeNotFound:        http.StatusNotFound,
	belfry.CodeConflict:        http.StatusConflict,
	belfry.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	belfry.CodeRateLimited:     http.StatusTooManyRequests,
	belfry.CodeUnavailable:     http.StatusServiceUnavailable,
}

// fail answers a request with an error: in full on the link, as the door for
// other machines says there.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	if one := callOf(r); one != nil {
		one.fail(w, r, err)
		return
	}
	writeError(w, err)
}

func writeError(w http.ResponseWriter, err error) {
	f := failure{Error: strings.TrimSpace(err.Error()), Code: belfry.CodeOf(err)}
	if e, ok := errors.AsType[*belfry.Error](err); ok {
		f.Hint = e.Hint
	}
	status, ok := statuses[f.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	writeJSON(w, status, f)
}
