package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/server"
	"github.com/belfryhq/belfry/test/services"
)

// backends are what the application side can rest on.
var backends = map[string]func(t *testing.T) server.BackendConfig{
	"sqlite": func(*testing.T) server.BackendConfig { return server.BackendConfig{} },
	"postgres": func(t *testing.T) server.BackendConfig {
		return server.BackendConfig{DatabaseURL: services.Postgres(t)}
	},
	"redis": func(t *testing.T) server.BackendConfig {
		return server.BackendConfig{Queue: "redis", Redis: server.Redis{URL: "redis://" + services.Redis(t) + "/0"}}
	},
}

// eachBackend runs a test on every one of them.
func eachBackend(t *testing.T, test func(t *testing.T, cfg server.BackendConfig)) {
	for name, make := range backends {
		t.Run(name, func(t *testing.T) { test(t, make(t)) })
	}
}

// application is a server and what another process of its machine has of it.
type application struct {
	*host
	other *server.Backend // as a command or a worker process opens it
	dir   string
}

func serveApplication(t *testing.T, cfg server.BackendConfig, change func(*server.Config)) *application {
	t.Helper()
	a := &application{dir: t.TempDir()}
	a.host = serveWith(t, func(c *server.Config) {
		c.DataDir, c.Backend = a.dir, cfg
		if change != nil {
			change(c)
		}
	}, testApp())
	a.other = a.process(cfg)
	return a
}

// process opens the application side as another process does.
func (a *application) process(cfg server.BackendConfig) *server.Backend {
	a.t.Helper()
	link := server.NewLink(a.dir)
	cfg.DataDir = a.dir
	cfg.Logger = slog.New(slog.NewTextHandler(a.t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	notes := server.NewNotes(link)
	ctx, cancel := context.WithCancel(context.Background())
	told := make(chan struct{})
	go func() {
		defer close(told)
		notes.Run(ctx)
	}()
	b, err := server.OpenBackend(cfg, server.Links{
		Realtime: link, App: a.app, Trace: notes.Tell,
		Enqueued: func([]string) { link.Poke(context.Background()) },
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		cancel()
		<-told
		link.Close()
		if err := b.Close(); err != nil {
			a.t.Error(err)
		}
	})
	if err := b.Prepare(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
	return b
}

const password = "correct horse battery"

// user adds one and gives its id.
func (a *application) user(email string, roles ...string) string {
	a.t.Helper()
	u, _, err := a.other.Identity.Add(a.t.Context(), identity.NewUser{Email: email, Roles: roles, Password: password})
	if err != nil {
		a.t.Fatal(err)
	}
	return u.ID
}

// token makes an API token for a user.
func (a *application) token(userID string, scopes ...string) string {
	a.t.Helper()
	plain, _, err := a.other.Identity.AddToken(a.t.Context(), identity.NewToken{UserID: userID, Scopes: scopes})
	if err != nil {
		a.t.Fatal(err)
	}
	return plain
}

// browser is a client with cookies, as a page is.
type browser struct {
	a    *application
	http *http.Client
}

func (a *application) browser() *browser {
	jar, _ := cookiejar.New(nil) // never fails
	client := &http.Client{Jar: jar, Transport: &http.Transport{}, Timeout: patience}
	a.t.Cleanup(client.CloseIdleConnections)
	return &browser{a, client}
}

// csrf is the value of the page's CSRF cookie.
func (b *browser) csrf() string {
	u, _ := url.Parse("http://" + b.a.addr)
	for _, c := range b.http.Jar.Cookies(u) {
		if c.Name == "XSRF-TOKEN" {
			return c.Value
		}
	}
	return ""
}

// post sends a form with the page's CSRF token and gives status and body.
func (b *browser) post(path string, form url.Values, headers ...string) (status int, body string) {
	b.a.t.Helper()
	headers = append([]string{"Content-Type", "application/x-www-form-urlencoded", "X-XSRF-TOKEN", b.csrf()}, headers...)
	return b.a.request(b.http, http.MethodPost, path, form.Encode(), headers...)
}

// signIn signs in as pages do.
func (b *browser) signIn(email string) {
	b.a.t.Helper()
	if status, body := b.a.request(b.http, http.MethodGet, "/sanctum/csrf-cookie", ""); status != http.StatusNoContent {
		b.a.t.Fatalf("csrf-cookie: %d %s", status, body)
	}
	if status, body := b.post("/login", url.Values{"email": {email}, "password": {password}}); status != http.StatusOK {
		b.a.t.Fatalf("login: %d %s", status, body)
	}
}

// authorize asks for a channel and gives the answer.
func (b *browser) authorize(w *wire, channel string) (status int, answer authAnswer) {
	b.a.t.Helper()
	status, body := b.post("/broadcasting/auth", url.Values{"socket_id": {w.id}, "channel_name": {channel}})
	if status == http.StatusOK {
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			b.a.t.Fatal(err)
		}
	}
	return status, answer
}

type authAnswer struct {
	Auth        string `json:"auth"`
	ChannelData string `json:"channel_data"`
	UserData    string `json:"user_data"`
}

// listen authorizes a channel and subscribes to it.
func (b *browser) listen(w *wire, channel string) {
	b.a.t.Helper()
	status, answer := b.authorize(w, channel)
	if status != http.StatusOK {
		b.a.t.Fatalf("authorization for %s: %d", channel, status)
	}
	data := map[string]any{"channel": channel, "auth": answer.Auth}
	if answer.ChannelData != "" {
		data["channel_data"] = answer.ChannelData
	}
	w.emit("pusher:subscribe", "", data)
	w.expect("pusher_internal:subscription_succeeded", channel)
}

// request sends one request; headers are names and values by turns.
func (a *application) request(client *http.Client, method, path, body string, headers ...string) (status int, answer string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, "http://"+a.addr+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, string(bytes.TrimSpace(all))
}

// send posts an event with a token and gives its id.
func (a *application) send(token, body string) string {
	a.t.Helper()
	status, answer := a.request(a.http, http.MethodPost, "/api/events", body, "Authorization", "Bearer "+token)
	var got struct{ ID, Status string }
	if err := json.Unmarshal([]byte(answer), &got); err != nil || status != http.StatusAccepted || got.Status != "queued" || got.ID == "" {
		a.t.Fatalf("event: %d %s", status, answer)
	}
	return got.ID
}

// eventually waits until f holds.
func (a *application) eventually(what string, f func() bool) {
	a.t.Helper()
	for deadline := time.Now().Add(patience); !f(); {
		if time.Now().After(deadline) {
			a.t.Fatalf("still not: %s", what)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-a.t.Context().Done():
		}
	}
}

func decode(t testing.TB, body string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), v); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
}

func number(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
