package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/report"
	"github.com/belfryhq/belfry/internal/web"
)

// reports is a door for pages' reports, with two apps and two connections.
type reports struct {
	t    *testing.T
	door http.Handler
	got  []report.Report
}

func newReports(t *testing.T, addresses, sockets int) *reports {
	g, err := gate.New(gate.Config{Identity: &identity.Identity{}})
	if err != nil {
		t.Fatal(err)
	}
	apps := map[string]*belfry.App{"app-key": {ID: "1"}, "other-key": {ID: "2"}, "off-key": {ID: "3", Disabled: true}}
	r := &reports{t: t}
	r.door = web.NewReports(web.ReportConfig{
		PathPrefix: "/realtime",
		Address:    g.Address,
		App:        func(key string) *belfry.App { return apps[key] },
		Of: func(socket string) *belfry.App {
			return map[string]*belfry.App{"1.2": apps["app-key"], "3.4": apps["other-key"]}[socket]
		},
		Allows:    func(_ *belfry.App, origin string) bool { return origin != "https://evil.test" },
		Addresses: g.Limiter(addresses),
		Sockets:   g.Limiter(sockets),
		Take:      func(one report.Report) { r.got = append(r.got, one) },
	})
	return r
}

func (r *reports) ask(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.RemoteAddr = "192.0.2.1:1"
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	r.door.ServeHTTP(w, request)
	return w
}

const oneReport = `{"socket_id":"1.2","handlers":{"orders":["order.paid"]}}`

func TestReports_AreTakenFromPagesOfOpenConnections(t *testing.T) {
	r := newReports(t, 1000, 1000)
	for _, path := range []string{"/app/app-key/report", "/realtime/app/app-key/report"} {
		w := r.ask("POST", path, oneReport, "Origin", "https://shop.test", "Content-Type", "text/plain")
		if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "https://shop.test" || w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	if len(r.got) != 2 || r.got[0].Socket != "1.2" || r.got[0].Handlers["orders"][0] != "order.paid" {
		t.Errorf("took %+v", r.got)
	}
	for name, c := range map[string]struct {
		method, path, body, origin string
		status                     int
		code                       string
	}{
		"no such key":          {"POST", "/app/wrong/report", oneReport, "https://shop.test", 404, "not_found"},
		"a disabled app":       {"POST", "/app/off-key/report", oneReport, "", 404, "not_found"},
		"another site":         {"POST", "/app/app-key/report", oneReport, "https://evil.test", 403, "forbidden"},
		"another site asks":    {"OPTIONS", "/app/app-key/report", "", "https://evil.test", 403, "forbidden"},
		"no connection":        {"POST", "/app/app-key/report", `{"socket_id":"9.9"}`, "", 404, "not_found"},
		"another app's socket": {"POST", "/app/app-key/report", `{"socket_id":"3.4"}`, "", 404, "not_found"},
		"no report":            {"POST", "/app/app-key/report", "hello", "", 400, "invalid"},
		"too large":            {"POST", "/app/app-key/report", oneReport + strings.Repeat(" ", 4096), "", 413, "too_large"},
		"another method":       {"GET", "/app/app-key/report", "", "", 405, "method_not_allowed"},
		"a longer path":        {"POST", "/app/a/b/report", oneReport, "", 404, "not_found"},
		"no key":               {"POST", "/app//report", oneReport, "", 404, "not_found"},
	} {
		var headers []string
		if c.origin != "" {
			headers = []string{"Origin", c.origin}
		}
		w := r.ask(c.method, c.path, c.body, headers...)
		var problem gate.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || w.Code != c.status || string(problem.Code) != c.code || problem.Error == "" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if c.status == 403 && w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
	if len(r.got) != 2 {
		t.Errorf("took %+v", r.got[2:])
	}
	w := r.ask("OPTIONS", "/app/app-key/report", "", "Origin", "https://shop.test", "Access-Control-Request-Method", "POST")
	if h := w.Header(); w.Code != 204 || h.Get("Access-Control-Allow-Methods") != "POST" || h.Get("Access-Control-Allow-Headers") != "Content-Type" {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
}

func TestReports_AreBoundedByConnectionAndAddress(t *testing.T) {
	for name, r := range map[string]*reports{"connection": newReports(t, 1000, 3), "address": newReports(t, 3, 1000)} {
		for i := range 4 {
			w := r.ask("POST", "/app/app-key/report", oneReport, "Origin", "https://shop.test")
			if i < 3 && w.Code != 204 || i == 3 && (w.Code != 429 || w.Header().Get("Retry-After") == "" || w.Header().Get("Access-Control-Expose-Headers") != "Retry-After") {
				t.Errorf("%s, %d: %d %v", name, i, w.Code, w.Header())
			}
		}
	}
	// Another connection, and another address, may go on.
	r := newReports(t, 1, 1000)
	r.ask("POST", "/app/app-key/report", oneReport)
	request := httptest.NewRequest("POST", "/app/app-key/report", strings.NewReader(oneReport))
	request.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), 1).String()
	w := httptest.NewRecorder()
	if r.door.ServeHTTP(w, request); w.Code != 204 {
		t.Errorf("another address: %d %s", w.Code, w.Body)
	}
}
