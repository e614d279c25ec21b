package gate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
)

func TestAnswersToErrors(t *testing.T) {
	var log bytes.Buffer
	f := open(t, gate.Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for _, c := range []struct {
		err    error
		status int
		code   string
		log    string
	}{
		{belfry.Errorf(belfry.CodeInvalid, "bad"), 400, "invalid", "level=DEBUG"},
		{gate.Caller{}.SignedIn(), 401, "unauthenticated", "level=INFO"},
		{belfry.Errorf(belfry.CodeForbidden, "no"), 403, "forbidden", "level=INFO"},
		{gate.ErrCSRF(), 419, "csrf_token", "level=INFO"},
		{belfry.Errorf(belfry.CodeNotFound, "gone"), 404, "not_found", "level=DEBUG"},
		{belfry.Errorf(belfry.CodeConflict, "taken"), 409, "conflict", "level=DEBUG"},
		{belfry.Errorf(belfry.CodeTooLarge, "big"), 413, "too_large", "level=DEBUG"},
		{&http.MaxBytesError{Limit: 9}, 413, "too_large", "level=DEBUG"},
		{&identity.LimitError{After: 1500 * time.Millisecond, Err: belfry.Errorf(belfry.CodeRateLimited, "slow down")}, 429, "rate_limited", "level=INFO"},
		{&belfry.Error{Code: belfry.CodeUnavailable, Message: "down", Err: errors.New("the cause")}, 503, "unavailable", "level=WARN"},
		{context.DeadlineExceeded, 503, "unavailable", "level=WARN"},
		{errors.New("the cause"), 500, "internal", "level=ERROR"},
		{&belfry.Error{Code: belfry.CodeInternal, Message: "the cause"}, 500, "internal", "level=ERROR"},
		{fmt.Errorf("sign in: %w", belfry.Errorf(belfry.CodeForbidden, "no")), 403, "forbidden", "level=INFO"},
	} {
		log.Reset()
		w := httptest.NewRecorder()
		f.Fail(w, request("POST", "/who?secret=x", ""), gate.Caller{Kind: gate.Session, User: &belfry.User{ID: "7"}}, c.err)
		var body map[string]string
		must(t, json.Unmarshal(w.Body.Bytes(), &body))
		if w.Code != c.status || body["code"] != c.code || body["error"] == "" || len(body) != 2 {
			t.Errorf("%v: %d %v", c.err, w.Code, body)
		}
		if strings.Contains(body["error"], "the cause") {
			t.Errorf("%v: the answer shows the cause: %v", c.err, body)
		}
		for _, want := range []string{c.log, "user=7", "path=/who ", "address=192.0.2.1"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%v: the log lacks %q: %s", c.err, want, &log)
			}
		}
		if c.status == 429 && w.Header().Get("Retry-After") != "2" || c.status == 503 && w.Header().Get("Retry-After") != "1" {
			t.Errorf("%v: headers %v", c.err, w.Header())
		}
	}
}

func TestCORS(t *testing.T) {
	f := open(t, gate.Config{Origins: []string{"https://app.example.test"}})
	door := f.door()
	ask := func(method string, headers ...string) *http.Response {
		w := httptest.NewRecorder()
		door.ServeHTTP(w, request(method, "/who", "", headers...))
		return w.Result()
	}
	preflight := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-csrf-token,content-type"}
	got := ask("OPTIONS", append(preflight, "Origin", "https://app.example.test")...)
	for name, want := range map[string]string{"Access-Control-Allow-Origin": "https://app.example.test", "Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Headers": "x-csrf-token,content-type", "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE", "Vary": "Origin"} {
		if got.Header.Get(name) != want {
			t.Errorf("a listed origin's preflight: %s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if got.StatusCode != 204 {
		t.Errorf("a listed origin's preflight: %s", got.Status)
	}
	for _, c := range []struct {
		method  string
		headers []string
		status  int
		allowed string
	}{
		{"OPTIONS", append(preflight, "Origin", "https://evil.test"), 403, ""},
		{"OPTIONS", append(preflight, "Origin", "null"), 403, ""},
		{"GET", []string{"Origin", "https://app.example.test"}, 401, "https://app.example.test"},
		{"GET", []string{"Origin", "https://evil.test"}, 401, ""},
		{"GET", nil, 401, ""},
	} {
		got := ask(c.method, c.headers...)
		if got.StatusCode != c.status || got.Header.Get("Access-Control-Allow-Origin") != c.allowed ||
			(got.Header.Get("Access-Control-Allow-Credentials") == "true") != (c.allowed != "") || got.Header.Get("Vary") != "Origin" {
			t.Errorf("%s %v: %s %v", c.method, c.headers, got.Status, got.Header)
		}
	}
}

func TestAddresses(t *testing.T) {
	f := open(t, gate.Config{TrustedProxies: prefixes("10.0.0.0/8", "::1/128")})
	for _, c := range []struct {
		remote  string
		headers []string
		want    string
		https   bool
	}{
		{"198.51.100.7:1", nil, "198.51.100.7", false},
		{"198.51.100.7:1", []string{"X-Forwarded-For", "203.0.113.1", "X-Forwarded-Proto", "https"}, "198.51.100.7", false},
		{"10.0.0.1:1", nil, "10.0.0.1", false},
		{"10.0.0.1:1", []string{"X-Forwarded-For", "203.0.113.1", "X-Forwarded-Proto", "https"}, "203.0.113.1", true},
		{"10.0.0.1:1", []string{"X-Forwarded-For", "1.1.1.1, 203.0.113.1, 10.9.9.9"}, "203.0.113.1", false},
		{"10.0.0.1:1", []string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", "203.0.113.1:99"}, "203.0.113.1", false},
		{"10.0.0.1:1", []string{"X-Forwarded-For", "203.0.113.1, nonsense"}, "10.0.0.1", false},
		{"10.0.0.1:1", []string{"Forwarded", `for="[2001:db8::1]:5";proto=https;host=a.test`}, "2001:db8::1", true},
		{"10.0.0.1:1", []string{"X-Forwarded-Proto", "http", "Forwarded", "for=1.1.1.1;proto=https"}, "10.0.0.1", false},
		{"[::1]:1", []string{"X-Forwarded-For", "::ffff:203.0.113.1"}, "203.0.113.1", false},
		{"@", nil, "invalid IP", false},
	} {
		r := request("GET", "/", "", c.headers...)
		r.RemoteAddr = c.remote
		if got := f.Address(r).String(); got != c.want || f.HTTPS(r) != c.https {
			t.Errorf("%s %v: %s, https %v", c.remote, c.headers, got, f.HTTPS(r))
		}
	}
}

func TestLimits(t *testing.T) {
	f := open(t, gate.Config{})
	l := f.Limiter(60)
	for n := range 60 {
		if err := l.Take("a"); err != nil {
			t.Fatalf("request %d: %v", n+1, err)
		}
	}
	for range 3 { // a refused one does not make it worse
		err := l.Take("a")
		wantCode(t, err, belfry.CodeRateLimited)
		if e, ok := errors.AsType[*identity.LimitError](err); !ok || e.RetryAfter() != time.Second {
			t.Errorf("the wait is %v", err)
		}
	}
	must(t, l.Take("b"))
	f.pass(time.Second)
	must(t, l.Take("a"))
	wantCode(t, l.Take("a"), belfry.CodeRateLimited)
	var none *gate.Limiter
	if none = f.Limiter(0); none != nil || none.Take("a") != nil {
		t.Error("no limit limits")
	}
}

func TestKeysOfLimits(t *testing.T) {
	of := func(address string) string { return gate.Caller{Address: netip.MustParseAddr(address)}.Key() }
	if of("2001:db8::1") != of("2001:db8::2") || of("2001:db8::1") == of("2001:db8:0:1::1") || of("192.0.2.1") == of("192.0.2.2") {
		t.Error("addresses are grouped wrongly")
	}
	user := gate.Caller{User: &belfry.User{ID: "7"}, Address: netip.MustParseAddr("192.0.2.1")}
	if user.Key() == of("192.0.2.1") || (gate.Caller{}).Key() == "" {
		t.Errorf("keys %q and %q", user.Key(), gate.Caller{}.Key())
	}
}

func TestFaultsOfAddresses(t *testing.T) {
	_, err := gate.New(gate.Config{Identity: open(t, gate.Config{}).identity, URL: "example.test", Origins: []string{"*", "https://good.test"}})
	if err == nil || !strings.Contains(err.Error(), `"example.test"`) || !strings.Contains(err.Error(), `"*"`) {
		t.Errorf("faults: %v", err)
	}
}

// Whatever the headers are, a stranger stays one.
func FuzzCaller(fz *testing.F) {
	f := open(fz, gate.Config{Origins: []string{"https://app.example.test"}, TrustedProxies: prefixes("192.0.2.0/24")})
	fz.Add("POST", "Bearer x", "belfry_session=g", "https://a.test", "1.1.1.1", "for=1", "_token=%zz")
	fz.Fuzz(func(t *testing.T, method, authorization, cookie, origin, xff, forwarded, body string) {
		r := &http.Request{Method: method, URL: &url.URL{Path: "/who"}, Body: io.NopCloser(strings.NewReader(body)), Host: "example.test", RemoteAddr: "192.0.2.1:1", Header: http.Header{"Authorization": {authorization}, "Cookie": {cookie},
			"Origin": {origin}, "X-Forwarded-For": {xff}, "Forwarded": {forwarded}, "Content-Type": {"application/x-www-form-urlencoded"}}}
		c, err := f.Caller(r.WithContext(t.Context()))
		if c.User != nil {
			t.Errorf("known as %v, %v", c.User, err)
		}
		if err != nil {
			f.Fail(httptest.NewRecorder(), r, c, err)
		}
		w := httptest.NewRecorder()
		f.CORS(http.NotFoundHandler()).ServeHTTP(w, r)
		if allowed := w.Header().Get("Access-Control-Allow-Origin"); allowed != "" && !strings.EqualFold(strings.TrimSuffix(allowed, ":443"), "https://app.example.test") {
			t.Errorf("allows the origin %q", allowed)
		}
	})
}
