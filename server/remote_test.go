package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/server"
)

// commandToken gives an administrator's token for commands, with their id.
func (a *application) commandToken() (token, user string) {
	a.t.Helper()
	user = a.user("root@example.test", belfry.RoleAdmin)
	return a.token(user, identity.ScopeAdmin), user
}

// elsewhere reaches a server as a command on another machine does.
func elsewhere(t testing.TB, e control.Elsewhere) *control.Client {
	t.Helper()
	c, err := control.DialElsewhere(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Every command works over http and https, with a path before it and without.
func TestRemote_EveryCommand(t *testing.T) {
	settings, roots := certFiles(t)
	for name, c := range map[string]struct {
		change func(*server.Config)
		path   string
		tls    bool
	}{
		"http":                 {func(*server.Config) {}, "", false},
		"behind a path prefix": {func(c *server.Config) { c.PathPrefix = "/realtime" }, "/realtime/", false},
		"https":                {func(c *server.Config) { c.TLS = settings }, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := serveApplication(t, server.BackendConfig{}, c.change)
			token, _ := a.commandToken()
			address := "http://" + a.addr + c.path
			if c.tls {
				address = "https://" + a.addr
			}
			everyCommand(t, a, elsewhere(t, control.Elsewhere{URL: address, Token: token, Version: "v1", Roots: roots}))
		})
	}
}

func everyCommand(t *testing.T, a *application, far *control.Client) {
	ctx := t.Context()
	if s, err := far.Status(ctx); err != nil || s.DefaultApp != appID || s.Listen != a.addr {
		t.Errorf("Status = %+v, %v", s, err)
	}
	var mu sync.Mutex
	var heard []control.Message
	listening, ended := make(chan struct{}), make(chan error, 1)
	done := errors.New("enough")
	go func() {
		ended <- far.Subscribe(ctx, "", []string{"room"}, func() { close(listening) }, func(m control.Message) error {
			mu.Lock()
			defer mu.Unlock()
			if heard = append(heard, m); len(heard) == 2 {
				return done
			}
			return nil
		})
	}()
	<-listening
	now, err := far.Send(ctx, control.Sending{Now: true, Event: belfry.Event{ID: "mine", Name: "a", Channels: []string{"room"}, Data: json.RawMessage(`{"n":1}`), Origin: "somebody else"}})
	if err != nil || now.Status != "sent" || now.ID == "mine" {
		t.Errorf("Send now = %+v, %v", now, err)
	}
	later, err := far.Send(ctx, control.Sending{Event: belfry.Event{Name: "b", Channels: []string{"room"}, Data: json.RawMessage(`2`)}, How: broadcast.How{Queue: "default"}})
	if err != nil || later.Status != "queued" {
		t.Errorf("Send = %+v, %v", later, err)
	}
	if err := <-ended; !errors.Is(err, done) {
		t.Errorf("Subscribe: %v", err)
	}
	if heard[0].Event != "a" || heard[0].Data != `{"n":1}` || heard[1].Event != "b" {
		t.Errorf("heard %+v", heard)
	}
	if v, err := far.Explain(ctx, explain.Question{ID: now.ID}); err != nil || v.Code != explain.NobodyThere || !strings.Contains(strings.Join(v.Evidence, " "), "token ") {
		t.Errorf("Explain = %+v, %v", v, err)
	}
	if v, err := far.ExplainAuth(ctx, explain.AuthQuestion{Channel: "private-admin"}); err != nil || v.Allowed {
		t.Errorf("ExplainAuth = %+v, %v", v, err)
	}
	if all, err := far.Events(ctx, trace.Filter{Event: "a"}); err != nil || len(all) != 1 || strings.Contains(all[0].By, "somebody") {
		t.Errorf("Events = %+v, %v", all, err)
	}
	if all, err := far.Channels(ctx, "", ""); err != nil || len(all) != 0 {
		t.Errorf("Channels = %v, %v", all, err)
	}
	if c, err := far.Channel(ctx, "", "room"); err != nil || c.Occupied {
		t.Errorf("Channel = %+v, %v", c, err)
	}
	created, err := far.Apps().Add(ctx, appstore.New{ID: "2002"})
	if err != nil || created.Secret == "" {
		t.Errorf("Add = %+v, %v", created, err)
	}
	if r, err := far.Apps().Rotate(ctx, "2002", appstore.RotateNow); err != nil || r.Secret == created.Secret {
		t.Errorf("Rotate = %+v, %v", r, err)
	}
	if err := far.Apps().Remove(ctx, "2002"); err != nil {
		t.Errorf("Remove: %v", err)
	}
	if all, err := far.Apps().List(ctx); err != nil || len(all) != 1 {
		t.Errorf("List = %+v, %v", all, err)
	}
	if all, err := far.Examine(ctx); err != nil || len(all) < 10 || all[len(all)-1].Name != "event" || all[len(all)-1].Status != "passed" {
		t.Errorf("Examine = %+v, %v", all, err)
	}
	everyJob(t, a, far.Jobs())
	// A server that is made of no file of settings has none to tell of.
	if _, err := far.Effective(ctx); belfry.CodeOf(err) != belfry.CodeUnavailable {
		t.Errorf("Effective: %v", err)
	}
	// What only the server's own machine may do.
	if _, err := far.Publish(ctx, "", json.RawMessage(`{"name":"pusher:x","channel":"room","data":"1"}`)); belfry.CodeOf(err) != belfry.CodeForbidden {
		t.Errorf("Publish: %v", err)
	}
	if err := far.Note(ctx, []trace.Note{}); belfry.CodeOf(err) != belfry.CodeForbidden || !strings.Contains(err.Error(), "own data folder") {
		t.Errorf("Note: %v", err)
	}
	if err := far.Poke(ctx); belfry.CodeOf(err) != belfry.CodeForbidden {
		t.Errorf("Poke: %v", err)
	}
	if err := far.Pokes(ctx, func() {}); belfry.CodeOf(err) != belfry.CodeForbidden {
		t.Errorf("Pokes: %v", err)
	}
}

func everyJob(t *testing.T, a *application, jobs control.Jobs) {
	ctx := t.Context()
	if all, err := jobs.Workers(ctx); err != nil || len(all) != 1 {
		t.Errorf("Workers = %+v, %v", all, err)
	}
	if err := jobs.Pause(ctx, "slow"); err != nil {
		t.Error(err)
	}
	var ids []string
	for range 3 {
		some, err := a.other.Queue.Enqueue(ctx, nil, belfry.Job{Kind: "nobody's", Queue: "slow", Payload: json.RawMessage(`{"who":"ada"}`), Tries: 1})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, some...)
	}
	if all, err := jobs.Sizes(ctx); err != nil || all["slow"].Waiting != 3 || !all["slow"].Paused {
		t.Errorf("Sizes = %+v, %v", all, err)
	}
	if f, err := jobs.Find(ctx, ids[0]); err != nil || f.Queue != "slow" && f.State != "waiting" {
		t.Errorf("Find = %+v, %v", f, err)
	}
	if _, err := jobs.Find(ctx, "none"); belfry.CodeOf(err) != belfry.CodeNotFound {
		t.Errorf("Find: %v", err)
	}
	if n, err := jobs.Clear(ctx, "slow"); err != nil || n != 3 {
		t.Errorf("Clear = %d, %v", n, err)
	}
	if err := jobs.Continue(ctx, "slow"); err != nil {
		t.Error(err)
	}
	// Jobs of a kind that nobody handles fail for good.
	fail := func() string {
		some, err := a.other.Queue.Enqueue(ctx, nil, belfry.Job{Kind: "nobody's", Payload: json.RawMessage(`{"who":"ada"}`), Tries: 1})
		if err != nil {
			t.Fatal(err)
		}
		a.eventually("the job has failed", func() bool {
			f, err := jobs.Find(ctx, some[0])
			return err == nil && f.State == "failed"
		})
		return some[0]
	}
	id := fail()
	if all, err := jobs.Failed(ctx, "default", 10); err != nil || len(all) != 1 || all[0].ID != id || string(all[0].Payload) != `{"who":"ada"}` {
		t.Errorf("Failed = %+v, %v", all, err)
	}
	if err := jobs.Retry(ctx, id, "none"); belfry.CodeOf(err) != belfry.CodeNotFound {
		t.Errorf("Retry: %v", err)
	}
	if err := jobs.Forget(ctx, id); err != nil {
		t.Error(err)
	}
	fail()
	if n, err := jobs.Flush(ctx); err != nil || n != 1 {
		t.Errorf("Flush = %d, %v", n, err)
	}
	fail()
	if n, err := jobs.PruneFailed(ctx, time.Now().Add(-time.Hour)); err != nil || n != 0 {
		t.Errorf("PruneFailed = %d, %v", n, err)
	}
	if n, err := jobs.RetryAll(ctx, "other"); err != nil || n != 0 {
		t.Errorf("RetryAll of another queue = %d, %v", n, err)
	}
	if n, err := jobs.RetryAll(ctx, ""); err != nil || n != 1 {
		t.Errorf("RetryAll = %d, %v", n, err)
	}
	if err := jobs.Restart(ctx); err != nil {
		t.Error(err)
	}
}

// Who tries to get in without an administrator's token does not.
func TestRemote_OnlyAdministratorsTokens(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var mu sync.Mutex
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) {
		c.Logger = slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.CORSOrigins = []string{"https://app.example.test"}
	})
	ctx := t.Context()
	good, root := a.commandToken()
	plain := a.user("plain@example.test")
	limited := func(change func(*identity.NewToken)) string {
		n := identity.NewToken{UserID: root, Scopes: []string{identity.ScopeAdmin}}
		change(&n)
		text, _, err := a.other.Identity.AddToken(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	revoked, former := a.token(root, identity.ScopeAdmin), a.user("former@example.test", belfry.RoleAdmin)
	formers := a.token(former, identity.ScopeAdmin)
	if _, err := a.other.Identity.ChangeRoles(ctx, former, nil, []string{belfry.RoleAdmin}); err != nil {
		t.Fatal(err)
	}
	disabled := a.user("disabled@example.test", belfry.RoleAdmin)
	disableds := a.token(disabled, identity.ScopeAdmin)
	if err := a.other.Identity.SetDisabled(ctx, disabled, true); err != nil {
		t.Fatal(err)
	}
	tokens, err := a.other.Identity.Tokens(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.other.Identity.RevokeToken(ctx, tokens[0].ID); err != nil {
		t.Fatal(err)
	}
	page := a.browser()
	page.signIn("root@example.test")

	bearer := func(token string, more ...string) []string {
		return append([]string{"Authorization", "Bearer " + token}, more...)
	}
	for name, c := range map[string]struct {
		headers []string
		client  *http.Client
		status  int
	}{
		"no token":                      {nil, a.http, 401},
		"an empty token":                {bearer(""), a.http, 401},
		"no token of ours":              {bearer("belfry_1_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), a.http, 401},
		"a token with a letter changed": {bearer(good[:len(good)-1] + "0"), a.http, 401},
		"half a token":                  {bearer(good[:len(good)/2]), a.http, 401},
		"another scheme":                {[]string{"Authorization", "Basic " + good}, a.http, 401},
		"a token in the address":        {nil, a.http, 401},
		"a user's token":                {bearer(a.token(plain, identity.ScopeEvents, identity.ScopeNotifications)), a.http, 403},
		"without the scope":             {bearer(a.token(root, identity.ScopeEvents, identity.ScopeDashboard, identity.ScopeManageNotifications)), a.http, 403},
		"for some channels":             {bearer(limited(func(n *identity.NewToken) { n.Channels = []string{"room"} })), a.http, 403},
		"for one app":                   {bearer(limited(func(n *identity.NewToken) { n.App = appID })), a.http, 403},
		"revoked":                       {bearer(revoked), a.http, 401},
		"the role taken away":           {bearer(formers), a.http, 403},
		"the user disabled":             {bearer(disableds), a.http, 401},
		"a JWT":                         {bearer("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."), a.http, 401},
		"a cookie alone":                {nil, page.http, 401},
		"a cookie with its CSRF token":  {[]string{"X-CSRF-TOKEN", page.csrf(), "X-XSRF-TOKEN", page.csrf()}, page.http, 401},
		"from a page of this origin":    {bearer(good, "Origin", "http://"+a.addr), a.http, 403},
		"from a listed origin":          {bearer(good, "Origin", "https://app.example.test"), a.http, 403},
		"from a page elsewhere":         {bearer(good, "Sec-Fetch-Site", "cross-site"), a.http, 403},
		"with a cookie too":             {bearer(good), page.http, 200},
		"as a command":                  {bearer(good), a.http, 200},
	} {
		path := control.Path + "/v1/status"
		if name == "a token in the address" {
			path += "?token=" + good + "&access_token=" + good
		}
		status, body := a.request(c.client, http.MethodGet, path, "", c.headers...)
		if status == 429 { // the address was refused too often by now
			status = 401
		}
		if status != c.status {
			t.Errorf("%s: %d %s, want %d", name, status, body, c.status)
		}
		if status != 200 && (strings.Contains(body, "data_dir") || strings.Contains(body, good)) {
			t.Errorf("%s: the answer tells of the server: %s", name, body)
		}
	}
	// A preflight request of a page gets no word that lets it go on.
	req, _ := http.NewRequest(http.MethodOptions, "http://"+a.addr+control.Path+"/v1/status", nil)
	req.Header.Set("Origin", "https://app.example.test")
	req.Header.Set("Access-Control-Request-Method", "GET")
	resp, err := a.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 403 || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a preflight request: %s %v", resp.Status, resp.Header)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, secret := range []string{good, revoked, formers, good[len(good)-20:]} {
		if strings.Contains(log.String(), secret) {
			t.Error("a token stands in the log")
		}
	}
	if !strings.Contains(log.String(), "request refused") {
		t.Error("the log does not tell of refusals")
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// Who is refused again and again is told to wait; who has a token is not.
func TestRemote_RefusalsAreLimited(t *testing.T) {
	t.Parallel()
	a := serveApplication(t, server.BackendConfig{}, nil)
	good, _ := a.commandToken()
	last := 0
	for range 40 {
		last, _ = a.request(a.http, http.MethodGet, control.Path+"/v1/status", "", "Authorization", "Bearer belfry_1_x")
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the fortieth refusal: %d", last)
	}
	elsewhere(t, control.Elsewhere{URL: "http://" + a.addr, Token: good})
}

// What comes over the wire is bounded and looked at.
func TestRemote_BadRequests(t *testing.T) {
	t.Parallel()
	a := serveApplication(t, server.BackendConfig{}, nil)
	good, _ := a.commandToken()
	for name, c := range map[string]struct {
		method, path, body string
		status             int
	}{
		"no command":         {"GET", "", "", 501},
		"an unknown command": {"POST", "/v1/shell", `{}`, 501},
		"another version":    {"GET", "/v2/status", "", 501},
		"another method":     {"DELETE", "/v1/status", "", 501},
		"a way out":          {"GET", "/../../start.json", "", 501},
		"an escaped way out": {"GET", "/v1/..%2f..%2fstart.json", "", 501},
		"no JSON":            {"POST", "/v1/explain", `{`, 400},
		"no body":            {"POST", "/v1/send", ``, 400},
		"unknown fields":     {"POST", "/v1/send", `{"nope":1}`, 400},
		"another type":       {"POST", "/v1/jobs/retry", `{"ids":"x"}`, 400},
		"no ids":             {"POST", "/v1/jobs/retry", `{"ids":[]}`, 400},
		"too many ids":       {"POST", "/v1/jobs/forget", `{"ids":["x"` + strings.Repeat(`,"x"`, 1000) + `]}`, 400},
		"no limit":           {"GET", "/v1/jobs/failed?limit=x", "", 400},
		"a limit below zero": {"GET", "/v1/jobs/failed?limit=-1", "", 400},
		"a limit too large":  {"GET", "/v1/jobs/failed?limit=99999999", "", 400},
		"no time":            {"POST", "/v1/jobs/prune?before=yesterday", "", 400},
		"no queue":           {"POST", "/v1/jobs/clear?queue=" + strings.Repeat("q", 300), "", 400},
		"an empty queue":     {"POST", "/v1/jobs/pause", "", 400},
		"a reserved event":   {"POST", "/v1/send", `{"event":{"event":"pusher:x","channels":["room"],"data":1},"now":true}`, 403},
		"a bad channel":      {"POST", "/v1/send", `{"event":{"event":"x","channels":["a b"],"data":1}}`, 400},
		"no such app":        {"GET", "/v1/channels?app=nope", "", 404},
		"no such channel":    {"GET", "/v1/channel?name=a%20b", "", 400},
		"a body too large":   {"POST", "/v1/explain", `"` + strings.Repeat("x", 5<<20) + `"`, 413},
	} {
		status, body := a.request(a.http, c.method, control.Path+c.path, c.body, "Authorization", "Bearer "+good)
		if status != c.status || !strings.Contains(body, `"error"`) {
			t.Errorf("%s: %d %.200s, want %d", name, status, body, c.status)
		}
	}
}

// What was done stands in the log of administrators' deeds, with the token's
// owner and no secret.
func TestRemote_IsWrittenDown(t *testing.T) {
	t.Parallel()
	a := serveApplication(t, server.BackendConfig{}, nil)
	good, root := a.commandToken()
	far, ctx := elsewhere(t, control.Elsewhere{URL: "http://" + a.addr, Token: good}), t.Context()
	created, err := far.Apps().Add(ctx, appstore.New{ID: "2002", Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	if err := far.Jobs().Pause(ctx, "default"); err != nil {
		t.Fatal(err)
	}
	if err := far.Apps().Remove(ctx, "none"); err == nil {
		t.Fatal("an app that there is not was removed")
	}
	if _, err := far.Channels(ctx, "", ""); err != nil {
		t.Fatal(err)
	}
	stop, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	listening := make(chan struct{})
	go func() { ended <- far.Subscribe(stop, "", nil, func() { close(listening) }, nil) }()
	<-listening
	var log struct {
		Audit []struct {
			User                                struct{ ID string }
			By, Address, Action, Subject, Error string
			Details                             map[string]any
		}
	}
	// The stream is written down while it is open.
	a.eventually("four lines", func() bool {
		_, body := a.request(a.http, http.MethodGet, "/console/api/audit", "", "Authorization", "Bearer "+good)
		if strings.Contains(body, created.Secret) || strings.Contains(body, good) {
			t.Fatal("a secret is written down")
		}
		log.Audit = nil
		decode(t, body, &log)
		return len(log.Audit) == 4
	})
	for i, want := range []string{"events.listen " + appID, "app.remove none not_found", "queue.pause default", "app.add 2002"} {
		d := log.Audit[i]
		if got := strings.TrimSpace(d.Action + " " + d.Subject + " " + d.Error); got != want {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
		if d.User.ID != root || !strings.HasPrefix(d.By, "token ") || d.Address != "127.0.0.1" || d.Details["way"] != "command" {
			t.Errorf("line %d: %+v", i, d)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A stream ends when its reader loses the right to it, and when the server
// stops.
func TestRemote_AStreamEndsWithTheRight(t *testing.T) {
	t.Parallel()
	a := serveApplication(t, server.BackendConfig{}, nil)
	ctx := t.Context()
	for name, lose := range map[string]func(user string) error{
		"role": func(user string) error {
			_, err := a.other.Identity.ChangeRoles(ctx, user, nil, []string{belfry.RoleAdmin})
			return err
		},
		"token": func(user string) error {
			all, err := a.other.Identity.Tokens(ctx, user)
			if err != nil {
				return err
			}
			return a.other.Identity.RevokeToken(ctx, all[0].ID)
		},
		"user": func(user string) error { return a.other.Identity.SetDisabled(ctx, user, true) },
	} {
		user := a.user(name+"@example.test", belfry.RoleAdmin)
		far := elsewhere(t, control.Elsewhere{URL: "http://" + a.addr, Token: a.token(user, identity.ScopeAdmin)})
		ended, listening := make(chan error, 1), make(chan struct{})
		go func() { ended <- far.Subscribe(ctx, "", nil, func() { close(listening) }, nil) }()
		<-listening
		if err := lose(user); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if belfry.CodeOf(err) != belfry.CodeForbidden || !strings.Contains(err.Error(), "holds no more") {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s: the stream goes on", name)
		}
	}
}

func TestRemote_AStreamDoesNotHoldAStopUp(t *testing.T) {
	t.Parallel()
	settings, roots := certFiles(t)
	dir := t.TempDir()
	h := serveTLS(t, server.Config{MetricsListen: "off", Apps: []*belfry.App{testApp()}, TLS: settings, DataDir: dir}, roots, nil)
	a := &application{host: &h.host, dir: dir}
	a.other = a.process(server.BackendConfig{})
	good, _ := a.commandToken()
	far := elsewhere(t, control.Elsewhere{URL: "https://" + h.addr, Token: good, Roots: roots})
	ended, listening := make(chan error, 1), make(chan struct{})
	go func() { ended <- far.Subscribe(t.Context(), "", nil, func() { close(listening) }, nil) }()
	<-listening
	began := time.Now()
	h.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %s", took)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
