package api_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/api"
)

const goodEvent = `{"name":"e","channel":"c","data":"1"}`

// HTTP-80: one table from the hub's errors to statuses.
func TestHTTP80_Statuses(t *testing.T) { bothWays(t, testHTTP80_Statuses) }

func testHTTP80_Statuses(t *testing.T, by way) {
	for code, status := range map[belfry.Code]int{
		belfry.CodeInvalid: 400, belfry.CodeUnauthenticated: 401, belfry.CodeForbidden: 403, belfry.CodeNotFound: 404,
		belfry.CodeConflict: 409, belfry.CodeTooLarge: 413, belfry.CodeRateLimited: 429, belfry.CodeUnavailable: 503,
	} {
		f := by.start(t)
		f.hub.err = fmt.Errorf("publish: %w", &belfry.Error{Code: code, Message: "what is wrong", Hint: "what to do", Err: errors.New("cause")})
		w := f.post("/events", goodEvent)
		want(t, w, status, fmt.Sprintf(`{"error":"what is wrong; what to do","code":%d}`, status))
		if again := w.Header().Get("Retry-After"); (again != "") != (status == 429 || status == 503) {
			t.Errorf("%d: Retry-After %q", status, again)
		}
	}
}

// HTTP-80: the cause of an internal fault is for the log alone.
func TestHTTP80_InternalFault(t *testing.T) { bothWays(t, testHTTP80_InternalFault) }

func testHTTP80_InternalFault(t *testing.T, by way) {
	for _, err := range []error{
		errors.New("password=hunter2"),
		&belfry.Error{Code: belfry.CodeInternal, Message: "hunter2", Err: errors.New("x")},
		&belfry.Error{Code: "novel", Message: "hunter2"},
	} {
		var log bytes.Buffer
		f := by.start(t, func(_ *belfry.App, cfg *api.Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		f.hub.err = err
		for _, path := range []string{"/channels", "/channels/c", "/channels/presence-c/users"} {
			w := f.get(path)
			if w.Code != 500 || strings.Contains(w.Body.String(), "hunter2") {
				t.Errorf("%v: got %d %s", err, w.Code, w.Body)
			}
		}
		refused(t, f.post("/users/1/terminate_connections", ""), 500)
		if !strings.Contains(log.String(), "hunter2") {
			t.Errorf("the log does not have the cause: %s", &log)
		}
		if strings.Contains(log.String(), "auth_") {
			t.Errorf("the log has the query: %s", &log)
		}
	}
}

// HTTP-80: a request that ran out of time may be sent again.
func TestHTTP80_OutOfTime(t *testing.T) { bothWays(t, testHTTP80_OutOfTime) }

func testHTTP80_OutOfTime(t *testing.T, by way) {
	for _, err := range []error{context.DeadlineExceeded, context.Canceled} {
		f := by.start(t)
		f.hub.err = err
		w := f.post("/events", goodEvent)
		refused(t, w, 503)
		if w.Header().Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
		}
	}
}

// HTTP-80: unknown routes and apps are 404, with a JSON body.
func TestHTTP80_NotFound(t *testing.T) { bothWays(t, testHTTP80_NotFound) }

func testHTTP80_NotFound(t *testing.T, by way) {
	f := by.start(t)
	for _, path := range []string{
		"/", "/apps", "/apps/", "/apps/730041", "/apps/730041/", "/apps//events", "/apps/730041/event", "/apps/730041/events/",
		"/apps/730041/channels/", "/apps/730041/channels/a/", "/apps/730041/channels/a/b", "/apps/730041/channels/a/users/b",
		"/apps/730041/users", "/apps/730041/users//terminate_connections", "/apps/730041/../730041/events", "//apps/730041/events",
		"/prefix/apps/730041/events", "/apps/730041/channels/*/users/",
	} {
		refused(t, f.send("POST", path, ""), 404, "no such route")
	}
	refused(t, f.send("POST", "/apps/none/events", ""), 404, "none")
}

// HTTP-80: a known route with another method is 405 and names the right one.
func TestHTTP80_MethodNotAllowed(t *testing.T) { bothWays(t, testHTTP80_MethodNotAllowed) }

func testHTTP80_MethodNotAllowed(t *testing.T, by way) {
	f := by.start(t)
	for path, allow := range map[string]string{
		"/events": "POST", "/batch_events": "POST", "/channels": "GET, HEAD", "/channels/c": "GET, HEAD", "/channels/c/users": "GET, HEAD",
		"/channels/c/events": "POST", "/channels/c/stats": "GET, HEAD", "/users/u/terminate_connections": "POST",
	} {
		for _, method := range []string{"PUT", "OPTIONS", "DELETE"} {
			w := f.send(method, base+path, "")
			refused(t, w, 405, allow)
			if got := w.Header().Get("Allow"); got != allow {
				t.Errorf("%s: Allow %q, want %q", path, got, allow)
			}
		}
	}
}

// HTTP-81: JSON unless the caller would rather have text.
func TestHTTP81_ErrorForms(t *testing.T) { bothWays(t, testHTTP81_ErrorForms) }

func testHTTP81_ErrorForms(t *testing.T, by way) {
	f := by.start(t)
	for accept, text := range map[string]bool{
		"":                                    false,
		"*/*":                                 false,
		"application/json":                    false,
		"text/plain":                          true,
		"Text/Plain; charset=utf-8":           true,
		"text/*":                              true,
		"text/plain, */*":                     false,
		"application/json, text/plain, */*":   false,
		"application/json;q=0.5, text/plain":  true,
		"text/plain;q=0.2, application/*;q=1": false,
		"text/html, text/plain;q=0.9":         true,
		"text/plain;q=0, */*;q=0.1":           false,
		"text/plain;q=nonsense":               true,
	} {
		w := f.send("GET", "/apps/none/channels", "", "Accept: "+accept)
		got := w.Header().Get("Content-Type") == "text/plain; charset=utf-8"
		if got != text || w.Code != 404 || text == strings.HasPrefix(w.Body.String(), "{") {
			t.Errorf("Accept %q: got %v %s", accept, w.Header(), w.Body)
		}
	}
}

// HTTP-83: nothing is offered to browsers.
func TestHTTP83_NoCORS(t *testing.T) { bothWays(t, testHTTP83_NoCORS) }

func testHTTP83_NoCORS(t *testing.T, by way) {
	f := by.start(t)
	body := goodEvent
	for _, method := range []string{"POST", "OPTIONS"} {
		w := f.send(method, f.target(method, base+"/events", body), body, "Origin: https://evil.test", "Access-Control-Request-Method: POST")
		for name := range w.Header() {
			if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" {
				t.Errorf("%s: header %s", method, name)
			}
		}
	}
}

// HTTP-80: a draining server takes nothing on.
func TestHTTP80_Draining(t *testing.T) { bothWays(t, testHTTP80_Draining) }

func testHTTP80_Draining(t *testing.T, by way) {
	f := by.start(t)
	f.hub.draining = true
	w := f.post("/events", goodEvent)
	refused(t, w, 503, "shutting down")
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	f.nothing()
}

// HTTP-80, HTTP-09: requests a second, per app.
func TestHTTP80_Rate(t *testing.T) { bothWays(t, testHTTP80_Rate) }

func testHTTP80_Rate(t *testing.T, by way) {
	f := by.start(t, func(a *belfry.App, _ *api.Config) { a.Limits.HTTPRequestsPerSecond = 2 })
	other := demoApp()
	other.ID = "2"
	f.hub.apps["2"] = other
	for range 2 {
		want(t, f.get("/channels"), 200, `{"channels":{}}`)
	}
	w := f.get("/channels")
	refused(t, w, 429, "2 a second")
	if w.Header().Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
	}
	want(t, f.call("GET", "/apps/2/channels", ""), 200, `{"channels":{}}`)
	wantLimits(t, f, "over http_requests_per_second   3 2")
	f.now = f.now.Add(500 * time.Millisecond)
	want(t, f.get("/channels"), 200, `{"channels":{}}`)
	refused(t, f.get("/channels"), 429)

	f.app.Limits.HTTPRequestsPerSecond = 0
	refused(t, f.get("/channels"), 403, "limits.http_requests_per_second is 0")
	f.app.Limits.HTTPRequestsPerSecond = belfry.Unlimited
	for range 20 {
		want(t, f.get("/channels"), 200, `{"channels":{}}`)
	}
	f.limits = nil
	f.app.Limits.HTTPRequestsPerSecond = 5
	for range 4 {
		f.get("/channels")
	}
	wantLimits(t, f, "near http_requests_per_second   4 5")
}

// A request that fails its signature takes nothing off the app's allowance.
func TestHTTP09_RateComesAfterTheSignature(t *testing.T) {
	bothWays(t, testHTTP09_RateComesAfterTheSignature)
}

func testHTTP09_RateComesAfterTheSignature(t *testing.T, by way) {
	f := by.start(t, func(a *belfry.App, _ *api.Config) { a.Limits.HTTPRequestsPerSecond = 1 })
	for range 5 {
		refused(t, f.send("GET", base+"/channels", ""), 401)
	}
	want(t, f.get("/channels"), 200, `{"channels":{}}`)
}

// HTTP-09, LIMIT-14: the body is bounded while it is read, before the signature.
func TestHTTP09_BodyLimit(t *testing.T) { bothWays(t, testHTTP09_BodyLimit) }

func testHTTP09_BodyLimit(t *testing.T, by way) {
	f := by.start(t, func(a *belfry.App, _ *api.Config) { a.Limits.HTTPBody = 100 })
	fits := goodEvent + strings.Repeat(" ", 100-len(goodEvent))
	want(t, f.post("/events", fits), 200, `{}`)
	refused(t, f.post("/events", fits+" "), 413, "101", "100")
	wantLimits(t, f, "near http_body   100 100", "over http_body   101 100")

	refused(t, f.send("POST", base+"/events", fits+" "), 413) // not signed at all
	f.app.Limits.HTTPBody = 0
	refused(t, f.post("/events", goodEvent), 403, "limits.http_body is 0")
	f.app.Limits.HTTPBody = belfry.Unlimited
	want(t, f.post("/events", goodEvent+strings.Repeat(" ", 2<<20)), 200, `{}`)
	refused(t, f.post("/events", goodEvent+strings.Repeat(" ", 16<<20)), 413)
}

// HTTP-09: a body without a length is bounded all the same.
func TestHTTP09_ChunkedBody(t *testing.T) { bothWays(t, testHTTP09_ChunkedBody) }

func testHTTP09_ChunkedBody(t *testing.T, by way) {
	f := by.start(t, func(a *belfry.App, _ *api.Config) { a.Limits.HTTPBody = 100 })
	send := func(body string) int {
		r := newRequest(t, f.target("POST", base+"/events", body), io.MultiReader(strings.NewReader(body)))
		return record(f, r).Code
	}
	if got := send(goodEvent); got != 200 {
		t.Errorf("chunked body: %d", got)
	}
	if got := send(goodEvent + strings.Repeat(" ", 100)); got != 413 {
		t.Errorf("chunked body over the limit: %d", got)
	}
}

// HTTP-08: the MD5 of a compressed body covers the bytes as received; the
// decompressed body is bounded too.
func TestHTTP08_CompressedBody(t *testing.T) { bothWays(t, testHTTP08_CompressedBody) }

func testHTTP08_CompressedBody(t *testing.T, by way) {
	compress := func(w io.WriteCloser, out *bytes.Buffer, plain string) string {
		io.WriteString(w, plain)
		w.Close()
		return out.String()
	}
	gzipped := func(plain string) string {
		var out bytes.Buffer
		return compress(gzip.NewWriter(&out), &out, plain)
	}
	deflated := func(plain string) string {
		var out bytes.Buffer
		return compress(zlib.NewWriter(&out), &out, plain)
	}
	bomb := goodEvent + strings.Repeat(" ", 4<<20)
	cases := []struct {
		name, coding, body string
		status             int
	}{
		{"gzip", "gzip", gzipped(goodEvent), 200},
		{"gzip in capitals", "GZIP", gzipped(goodEvent), 200},
		{"deflate", "deflate", deflated(goodEvent), 200},
		{"identity", "identity", goodEvent, 200},
		{"unknown", "br", goodEvent, 415},
		{"two", "gzip, gzip", gzipped(gzipped(goodEvent)), 415},
		{"not gzip", "gzip", goodEvent, 400},
		{"not deflate", "deflate", goodEvent, 400},
		{"cut off", "gzip", gzipped(goodEvent)[:30], 400},
		{"bomb", "gzip", gzipped(bomb), 413},
		{"deflate bomb", "deflate", deflated(bomb), 413},
		{"empty", "gzip", "", 400}, // the event is missing
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := by.start(t)
			w := f.send("POST", f.target("POST", base+"/events", c.body), c.body, "Content-Encoding: "+c.coding)
			if c.status == 200 {
				want(t, w, 200, `{}`)
				return
			}
			refused(t, w, c.status)
			f.nothing()
		})
	}
}

// Early warnings at 80% name the limit and what came near it.
func TestLimits_EarlyWarning(t *testing.T) { bothWays(t, testLimits_EarlyWarning) }

func testLimits_EarlyWarning(t *testing.T, by way) {
	f := by.start(t)
	f.post("/events", `{"name":"`+strings.Repeat("n", 159)+`","channel":"`+strings.Repeat("c", 159)+`","data":"`+strings.Repeat("x", 8191)+`"}`)
	wantLimits(t, f)
	name, channel := strings.Repeat("n", 160), strings.Repeat("c", 160)
	f.post("/events", `{"name":"`+name+`","channel":"`+channel+`","data":"`+strings.Repeat("x", 8192)+`"}`)
	wantLimits(t, f, "near event_data "+name+" "+channel+" 8192 10240", "near event_name_length "+name+"  160 200",
		"near channel_name_length  "+channel+" 160 200")
}
