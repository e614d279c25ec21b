package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
)

// Paths of dashboards.
const (
	DashboardsPath       = "/api/dashboards"
	DashboardCurrentPath = "/api/dashboard/current"
)

// Dashboards gives figures; *dashboard.Dashboards does.
type Dashboards interface {
	Names() []dashboard.Info
	Find(name string) (info dashboard.Info, ok bool)
	Current(ctx context.Context, name, rangeName string) (dashboard.View, error)
}

// DashboardAuthorizer decides who may see a dashboard; *authz.Authorizer is one.
type DashboardAuthorizer interface {
	Channel(ctx context.Context, ask authz.Ask) (authz.Answer, authz.Decision, error)
	Decide(user *belfry.User, channel string) authz.Decision
	Forwards() bool
}

// DashboardsConfig is what the door for dashboards needs. All are required.
type DashboardsConfig struct {
	// Gate says who is asking; *gate.Gate is one.
	Gate       Gate
	Dashboards Dashboards
	// Authorizer gives what decides on channels, nil while there is none.
	Authorizer func() DashboardAuthorizer
	// App gives the app that dashboards are broadcast to, nil while there is none.
	App func() *belfry.App
}

type dashboards struct{ DashboardsConfig }

// NewDashboards makes the handler of GET /api/dashboard/current and of GET
// /api/dashboards. Who may listen to a dashboard's channel may see its figures;
// public ones are for everybody. It is safe for concurrent use.
func NewDashboards(cfg DashboardsConfig) http.Handler {
	d := dashboards{cfg}
	mux := http.NewServeMux()
	for path, serve := range map[string]http.HandlerFunc{DashboardCurrentPath: d.current, DashboardsPath: d.list} {
		mux.HandleFunc("GET "+path, serve)
		mux.HandleFunc(path, methods("GET"))
	}
	mux.HandleFunc("/", notFound)
	return mux
}

// current answers with the figures of one dashboard. A public one needs neither
// a caller nor the database that knows callers.
func (d dashboards) current(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	info, known := d.Dashboards.Find(query.Get("dashboard"))
	var caller gate.Caller
	var err error
	if !info.Public {
		caller, err = d.Gate.Caller(r)
		if err == nil && !known {
			err = d.unknown(r, caller)
		} else if err == nil {
			err = d.may(r, caller, info)
		}
	}
	var view dashboard.View
	if err == nil {
		view, err = d.Dashboards.Current(r.Context(), info.Name, query.Get("range"))
	}
	if err == nil && view.Channel != info.Channel { // a reload came between
		err = &belfry.Error{Code: belfry.CodeUnavailable, Message: "the dashboard was changed just now", Hint: "try again"}
	}
	if err != nil {
		d.Gate.Fail(w, r, caller, err)
		return
	}
	tag := `"` + view.ID + "-" + view.Range + `"`
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Vary", "Cookie, Authorization")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	if hasTag(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(view) // the caller is gone: nobody is left to tell
}

// hasTag reports whether an If-None-Match names the tag.
func hasTag(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

// may gives the error that the caller is answered with, nil when they may see
// the dashboard: the right to its channel is asked for just as
// /broadcasting/auth does, and the answer's signature thrown away.
func (d dashboards) may(r *http.Request, c gate.Caller, info dashboard.Info) error {
	if info.Public {
		return nil
	}
	app := d.App()
	if err := tokenMay(c, app); err != nil {
		return err
	}
	a := d.Authorizer()
	if a == nil {
		return &belfry.Error{Code: belfry.CodeUnavailable, Message: "the database has not been reached yet: nobody can be authorized"}
	}
	const socket = "0.0" // nobody's
	_, _, err := a.Channel(r.Context(), authz.Ask{
		App: app, SocketID: socket, Channel: info.Channel, User: c.User, SessionID: c.SessionID(), Address: c.Address.String(),
		Header: r.Header, Form: url.Values{"socket_id": {socket}, "channel_name": {info.Channel}},
	})
	return err
}

// tokenMay refuses a token without the scope, or of another app.
func tokenMay(c gate.Caller, app *belfry.App) error {
	if c.Token == nil {
		return nil
	}
	if err := c.Require(identity.ScopeDashboard); err != nil {
		return err
	}
	if c.Token.App != "" && app != nil && c.Token.App != app.ID {
		return belfry.Errorf(belfry.CodeForbidden, "the API token is for another app than the one that dashboards are broadcast to")
	}
	return nil
}

// visible gives the dashboards that the caller may see. Where the rules decide
// nothing is counted or logged as a refusal.
func (d dashboards) visible(r *http.Request, c gate.Caller) []dashboard.Info {
	all := []dashboard.Info{}
	for _, info := range d.Dashboards.Names() {
		a := d.Authorizer()
		switch {
		case info.Public:
			all = append(all, info)
		case a == nil, tokenMay(c, d.App()) != nil:
		case a.Forwards():
			if d.may(r, c, info) == nil {
				all = append(all, info)
			}
		case a.Decide(c.User, info.Channel).Allowed:
			all = append(all, info)
		}
	}
	return all
}

// unknown is the answer to a name that no dashboard has. To those who may see
// none it is the same as to others.
func (d dashboards) unknown(r *http.Request, c gate.Caller) error {
	hint := "there is none that you may see"
	if all := d.visible(r, c); len(all) > 0 {
		names := make([]string, len(all))
		for i, info := range all {
			names[i] = info.Name
		}
		hint = "you may see: " + strings.Join(names, ", ")
	}
	return &belfry.Error{Code: belfry.CodeNotFound, Message: "there is no dashboard of that name", Hint: hint}
}

// list answers with the dashboards that the caller may see.
func (d dashboards) list(w http.ResponseWriter, r *http.Request) {
	caller, err := d.Gate.Caller(r)
	if err != nil {
		d.Gate.Fail(w, r, caller, err)
		return
	}
	w.Header().Set("Vary", "Cookie, Authorization")
	writeJSON(w, http.StatusOK, map[string]any{"dashboards": d.visible(r, caller)})
}
