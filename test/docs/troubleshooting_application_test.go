package docs_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/server"
)

// visitor asks a server as a page does, with a session when it has begun one.
type visitor struct {
	s      *site
	cookie []*http.Cookie
}

// asks sends a form and gives the sentence of the refusal.
func (v *visitor) asks(t *testing.T, path, form string, headers ...string) string {
	t.Helper()
	resp := v.send(t, http.MethodPost, path, form, headers...)
	if resp.StatusCode < 400 {
		resp.Body.Close()
		t.Fatalf("%s with %s is not refused", path, form)
	}
	return errorOf(t, resp)
}

func (v *visitor) send(t *testing.T, method, path, body string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:"+v.s.port+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range v.cookie {
		r.AddCookie(c)
	}
	resp, err := v.s.sdk.HTTPClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// begins begins a session and gives its CSRF token.
func (v *visitor) begins(t *testing.T) string {
	t.Helper()
	resp := v.send(t, http.MethodGet, "/sanctum/csrf-cookie", "")
	resp.Body.Close()
	v.cookie = resp.Cookies()
	for _, c := range v.cookie {
		if c.Name == "XSRF-TOKEN" {
			return c.Value
		}
	}
	t.Fatal("there is no CSRF token")
	return ""
}

func authorizing(t *testing.T, hears func(name, text string)) {
	t.Helper()
	s := serve(t, nil)
	s.person(t, "ada@example.com")
	bearer := "Bearer " + s.token(t, "ada@example.com", "events")
	guest := &visitor{s: s}
	const path = "/broadcasting/auth"
	question := func(channel string) string { return "socket_id=1.2&channel_name=" + channel }
	hears("guest", guest.asks(t, path, question("private-system")))
	hears("token", guest.asks(t, path, question("private-system"), "Authorization", "Bearer belfry_9_x"))
	hears("JWT", guest.asks(t, path, question("private-system"), "Authorization", "Bearer a.b.c"))
	hears("no right", guest.asks(t, path, question("private-admin"), "Authorization", bearer))
	hears("encrypted", guest.asks(t, path, question("private-encrypted-system"), "Authorization", bearer))

	page := &visitor{s: s}
	token := page.begins(t)
	hears("CSRF", page.asks(t, path, question("private-system")))
	hears("origin", page.asks(t, path, question("private-system"), "X-CSRF-TOKEN", token, "Origin", "https://other.example"))

	few := serveWith(t, nil, func(c *server.Config) { c.Authorization.PerMinute = 60 })
	refused := ""
	within(t, func() bool {
		refused = (&visitor{s: few}).asks(t, path, question("private-system"))
		return strings.Contains(refused, "a minute")
	}, "nobody is told to wait")
	hears("too many", refused)
}

func signingIn(t *testing.T, hears func(name, text string)) {
	t.Helper()
	s := serve(t, nil)
	s.person(t, "ada@example.com", "--password", "correct-horse-battery")
	finish(t, s.shell(t, "belfry user:disable ada@example.com"))
	page := &visitor{s: s}
	csrf := page.begins(t)
	attempt := func(email, password string) string {
		return page.asks(t, "/login", "email="+email+"&password="+password, "X-CSRF-TOKEN", csrf)
	}
	hears("disabled", attempt("ada@example.com", "correct-horse-battery"))
	hears("wrong", attempt("ben@example.com", "wrong"))
	refused := ""
	within(t, func() bool {
		refused = attempt("ben@example.com", "wrong")
		return strings.Contains(refused, "too many")
	}, "nobody is told to wait")
	hears("limited", refused)
}

func sendingEvents(t *testing.T, hears func(name, text string)) {
	t.Helper()
	s := serveWith(t, nil, func(c *server.Config) {
		c.Backend.Broadcaster = "pusher"
		c.Backend.Target = server.Target{AppID: appID, Key: appKey, Secret: appSecret, Host: "127.0.0.1", Port: 1, Scheme: "http"}
	})
	s.person(t, "ada@example.com")
	post := func(v *visitor, bearer, body string, headers ...string) string {
		return v.asks(t, "/api/events", body, append(headers, "Authorization", "Bearer "+bearer, "Content-Type", "application/json")...)
	}
	all, v := s.token(t, "ada@example.com", "events"), &visitor{s: s}
	hears("queue", post(v, all, `{"event":"a","channels":["b"],"queue":"nope"}`))
	hears("target", post(v, all, `{"event":"a","channels":["b"],"now":true}`))
	v.send(t, http.MethodPost, "/api/events", `{"event":"a","channels":["b"]}`, "Authorization", "Bearer "+all, "Idempotency-Key", "k").Body.Close()
	hears("key", post(v, all, `{"event":"c","channels":["b"]}`, "Idempotency-Key", "k"))
	hears("channels", post(v, s.token(t, "ada@example.com", "events --channels news"), `{"event":"a","channels":["b"]}`))

	cmd := s.shell(t, "belfry event:send my-channel hello '{}' 2>&1", "PUSHER_APP_ID=", "PUSHER_APP_KEY=", "PUSHER_APP_SECRET=")
	out, err := cmd.Output()
	if err == nil {
		t.Errorf("an event is sent for no app: %s", out)
	}
	hears("no app", strings.TrimPrefix(string(out), "belfry: "))

	hears("no worker", sentenceOf(t, "server/*.go", "no worker is alive: start one"))
	hears("another build", sentenceOf(t, "internal/queue/*.go", "a worker is of another build"))
	hears("another kind", sentenceOf(t, "internal/queue/*.go", "nobody here does jobs of the kind"))
}

func databaseAway(t *testing.T, hears func(name, text string)) {
	t.Helper()
	s := serveWith(t, nil, func(c *server.Config) {
		c.Backend.DatabaseURL = "postgres://belfry:none@127.0.0.1:1/belfry"
		c.Logger = nil // it says what this test provokes
	})
	v := &visitor{s: s}
	hears("not yet", v.asks(t, "/broadcasting/auth", "socket_id=1.2&channel_name=private-system"))
	hears("away", v.asks(t, "/api/events", "{}", "Authorization", "Bearer belfry_1_x"))
}
