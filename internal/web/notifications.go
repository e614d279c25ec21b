package web

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/internal/words"
	"github.com/belfryhq/belfry/pusher"
)

// NotificationsConfig is what the door for notifications needs. Both are
// required.
type NotificationsConfig struct {
	// Gate says who is asking; *gate.Gate is one.
	Gate   Gate
	Notify *notify.Notify
}

// notifications is the door for notifications.
type notifications struct {
	gate   Gate
	notify *notify.Notify
}

// handler answers a caller, or gives the error that the door answers with.
type handler func(w http.ResponseWriter, r *http.Request, c gate.Caller) error

// NewNotifications makes the handler of /api/user/notifications and of a user's
// browsers, which are each user's own, and of /api/notifications, which is for
// managers. It is safe for concurrent use.
func NewNotifications(cfg NotificationsConfig) http.Handler {
	d := &notifications{cfg.Gate, cfg.Notify}
	routes := map[string]map[string]http.HandlerFunc{} // by path and method
	route := func(method, path, scope string, f handler) {
		if routes[path] == nil {
			routes[path] = map[string]http.HandlerFunc{}
		}
		routes[path][method] = d.serve(scope, f)
	}
	d.ownRoutes(route)
	d.pushRoutes(route)
	d.managerRoutes(route)
	mux := http.NewServeMux()
	for path, handlers := range routes {
		var allowed []string
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
			if handlers[method] != nil {
				allowed = append(allowed, method)
			}
		}
		handlers[http.MethodHead] = handlers[http.MethodGet]
		otherwise := methods(strings.Join(allowed, ", "))
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if f := handlers[r.Method]; f != nil {
				f(w, r)
				return
			}
			otherwise(w, r)
		})
	}
	mux.HandleFunc("/", notFound)
	return mux
}

// ownRoutes are a user's own.
func (d *notifications) ownRoutes(route func(method, path, scope string, f handler)) {
	const own = "/api/user/notifications"
	route("GET", own, identity.ScopeNotifications, d.list)
	route("GET", own+"/unread-count", identity.ScopeNotifications, d.count)
	route("POST", own+"/read-all", identity.ScopeNotifications, d.readAll)
	for _, mark := range []string{notify.MarkRead, notify.MarkUnread, notify.MarkDismiss, notify.MarkArchive} {
		route("POST", own+"/{id}/"+mark, identity.ScopeNotifications, func(w http.ResponseWriter, r *http.Request, c gate.Caller) error {
			marked, err := d.notify.Mark(r.Context(), c.User.ID, r.PathValue("id"), mark, socketOf(r))
			return answer(w, http.StatusOK, marked, err)
		})
	}
}

// serve asks the gate, calls f and answers with its error.
func (d *notifications) serve(scope string, f handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		caller, err := d.gate.Caller(r)
		if err == nil {
			err = caller.Require(scope)
		}
		if err == nil {
			err = f(w, r, caller)
		}
		if invalid, ok := errors.AsType[*notify.Invalid](err); ok {
			writeJSON(w, http.StatusUnprocessableEntity, fieldProblem{
				gate.Problem{Error: "some fields have faults: " + words.Clip(invalid.Error(), 500), Code: belfry.CodeInvalid}, invalid.Fields})
			return
		}
		if err != nil {
			d.gate.Fail(w, r, caller, err)
		}
	}
}

// fieldProblem is a refusal that names what is wrong with each field.
type fieldProblem struct {
	gate.Problem
	Fields map[string]string `json:"fields"`
}

// answer writes v, unless there is an error.
func answer(w http.ResponseWriter, status int, v any, err error) error {
	if err != nil {
		return err
	}
	writeJSON(w, status, v)
	return nil
}

// socketOf gives the connection of the page that acts; pages without one send
// "undefined".
func socketOf(r *http.Request) string {
	if socket := r.Header.Get("X-Socket-ID"); pusher.ValidSocketID(socket) {
		return socket
	}
	return ""
}

func (d *notifications) list(w http.ResponseWriter, r *http.Request, c gate.Caller) error {
	query := r.URL.Query()
	filter, err := filterOf(query)
	if err != nil {
		return err
	}
	if query.Get("since") == "" {
		page, err := d.notify.List(r.Context(), c.User.ID, filter)
		return answer(w, http.StatusOK, page, err)
	}
	since, err := strconv.ParseInt(query.Get("since"), 10, 64)
	if err != nil || since < 0 {
		return invalid("since", "it must be a state_version")
	}
	missed, err := d.notify.Since(r.Context(), c.User.ID, since, filter.Limit)
	return answer(w, http.StatusOK, missed, err)
}

// filterOf reads a list's query.
func filterOf(query url.Values) (f notify.Filter, err error) {
	f = notify.Filter{
		Status: query.Get("status"), Type: query.Get("type"), Priority: query.Get("priority"), Category: query.Get("category"),
		Text: query.Get("q"), Cursor: query.Get("cursor"),
	}
	f.Limit, err = number(query, "limit", 0)
	return f, err
}

// number reads a whole number above 0 of a query.
func number(query url.Values, name string, otherwise int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, invalid(name, "it must be a whole number above 0")
	}
	return n, nil
}

func invalid(field, fault string) error {
	return &notify.Invalid{Fields: map[string]string{field: fault}}
}

func (d *notifications) count(w http.ResponseWriter, r *http.Request, c gate.Caller) error {
	state, err := d.notify.State(r.Context(), c.User.ID)
	return answer(w, http.StatusOK, state, err)
}

func (d *notifications) readAll(w http.ResponseWriter, r *http.Request, c gate.Caller) error {
	all, err := d.notify.ReadAll(r.Context(), c.User.ID, socketOf(r))
	return answer(w, http.StatusOK, all, err)
}

// maxNotification bounds a manager's body: ten thousand ids and what is sent
// to them.
const maxNotification = 1 << 20

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNotification))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); !large {
			return nil, belfry.Errorf(belfry.CodeInvalid, "the body could not be read to its end")
		}
	}
	return body, err
}
