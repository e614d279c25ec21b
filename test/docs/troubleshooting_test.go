package docs_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/server"
	"github.com/belfryhq/belfry/test/pusherclient"
)

const troubleshooting = "docs/troubleshooting.md"

// quotations gives a pattern for each sentence that the page quotes: … stands
// for anything.
func quotations(t *testing.T) []*regexp.Regexp {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, troubleshooting))
	if err != nil {
		t.Fatal(err)
	}
	var all []*regexp.Regexp
	for line := range strings.Lines(string(raw)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "> "); ok {
			all = append(all, regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(text), "…", ".*")))
		}
	}
	return all
}

// TestTroubleshooting_QuotesWhatTheServerSays provokes each fault and finds its
// sentence on the page, and finds no sentence there that nothing provoked.
func TestTroubleshooting_QuotesWhatTheServerSays(t *testing.T) {
	quoted := quotations(t)
	said := make([]bool, len(quoted))
	hears := func(name, text string) {
		t.Helper()
		found := false
		for i, q := range quoted {
			if q.MatchString(text) {
				found, said[i] = true, true
			}
		}
		if !found {
			t.Errorf("%s: the page does not quote %q", name, text)
		}
	}
	connecting(t, hears)
	subscribing(t, hears)
	publishing(t, hears)
	starting(t, hears)
	authorizing(t, hears)
	signingIn(t, hears)
	sendingEvents(t, hears)
	commandsElsewhere(t, hears)
	databaseAway(t, hears)
	refusingWebhooks(t, hears)
	hears("slow reader", sentenceOf(t, "internal/socket/*.go", "this connection reads too slowly"))
	for i, q := range quoted {
		if !said[i] {
			t.Errorf("nothing says %s", q)
		}
	}
}

func connecting(t *testing.T, hears func(name, text string)) {
	t.Helper()
	for _, c := range []struct {
		name, path, origin string
		change             func(*belfry.App)
	}{
		{"4001", "/app/nobody?protocol=7", "", nil},
		{"4003", "/app/demo-key?protocol=7", "", func(a *belfry.App) { a.Disabled = true }},
		{"4004", "/app/demo-key?protocol=7", "", func(a *belfry.App) { a.Limits.Connections = 0 }},
		{"4000", "/app/demo-key?protocol=7", "", func(a *belfry.App) { a.RequireTLS = true }},
		{"4007", "/app/demo-key?protocol=3", "", nil},
		{"4008", "/app/demo-key", "", func(a *belfry.App) { a.Compat.StrictProtocol = true }},
		{"not authorized", "/app/demo-key?protocol=7", "", func(a *belfry.App) {
			a.AuthorizedOnly, a.AuthorizationTimeout = true, 10*time.Millisecond
		}},
		{"4009", "/app/demo-key?protocol=7", "https://other.example", func(a *belfry.App) { a.AllowedOrigins = []string{"app.example.com"} }},
	} {
		hears(c.name, refusal(t, serve(t, c.change), c.path, c.origin))
	}
	s := serve(t, nil)
	resp, err := s.sdk.HTTPClient.Get("http://127.0.0.1:" + s.port + "/app/demo-key")
	if err != nil {
		t.Fatal(err)
	}
	hears("426", errorOf(t, resp))
	hears("private address", (&httpx.ForbiddenError{Reason: "a loopback address"}).Error())
}

func subscribing(t *testing.T, hears func(name, text string)) {
	t.Helper()
	c := serve(t, nil).connect(t, "orders")
	for name, data := range map[string]map[string]string{
		"signature": {"channel": "private-orders", "auth": "demo-key:00"},
		"key":       {"channel": "private-orders", "auth": "another:00"},
		"auth info": {"channel": "private-orders", "auth": ""},
		"name":      {"channel": "my room", "auth": ""},
	} {
		if err := c.Send(limited(t), "pusher:subscribe", "", data); err != nil {
			t.Fatal(err)
		}
		m, err := c.Await(limited(t), "pusher:subscription_error", data["channel"])
		if err != nil {
			t.Fatal(err)
		}
		hears(name, errorIn(t, []byte(m.Text())))
	}
}

func publishing(t *testing.T, hears func(name, text string)) {
	t.Helper()
	s := serve(t, nil)
	call := func(name, id, key, secret, body string) {
		t.Helper()
		api := pusherclient.API{Client: s.sdk.HTTPClient, Target: pusherclient.Target{
			URL: "http://127.0.0.1:" + s.port, AppID: id, Key: key, Secret: secret}}
		_, err := api.Do(t.Context(), http.MethodPost, "/events", []byte(body))
		status, ok := errors.AsType[*pusherclient.StatusError](err)
		if !ok {
			t.Fatalf("%s: %v", name, err)
		}
		hears(name, errorIn(t, []byte(status.Body)))
	}
	const fine = `{"name":"a","channel":"b","data":"c"}`
	call("signature", appID, appKey, "wrong", fine)
	call("key", appID, "another", appSecret, fine)
	call("app", "9", appKey, appSecret, fine)
	call("channel", appID, appKey, appSecret, `{"name":"a","channel":"my room","data":"c"}`)
	call("reserved", appID, appKey, appSecret, `{"name":"pusher:a","channel":"b","data":"c"}`)
	call("no data", appID, appKey, appSecret, `{"name":"a","channel":"b"}`)
	call("data", appID, appKey, appSecret, `{"name":"a","channel":"b","data":"`+strings.Repeat("x", 10241)+`"}`)
	call("body", appID, appKey, appSecret, `{"name":"a","channel":"b","data":"`+strings.Repeat("x", 1<<20)+`"}`)

	for name, query := range map[string]string{
		"clock": "auth_key=demo-key&auth_version=1.0&auth_signature=0&auth_timestamp=1767225600",
		"md5":   "auth_key=demo-key&auth_version=1.0&auth_signature=0&body_md5=00&auth_timestamp=" + now(),
	} {
		resp, err := s.sdk.HTTPClient.Post("http://127.0.0.1:"+s.port+"/apps/1001/events?"+query, "application/json", strings.NewReader(fine))
		if err != nil {
			t.Fatal(err)
		}
		hears(name, errorOf(t, resp))
	}
}

func starting(t *testing.T, hears func(name, text string)) {
	t.Helper()
	dir := t.TempDir()
	first := open(t, server.Config{Listen: "127.0.0.1:0", DataDir: dir})
	if err := first.Listen(); err != nil {
		t.Fatal(err)
	}
	// Run ends at once, and lets go of what Listen has taken.
	defer func() {
		if err := first.Run(ended()); err != nil {
			t.Error(err)
		}
	}()
	hears("port", open(t, server.Config{Listen: first.Addr().String(), DataDir: t.TempDir()}).Listen().Error())
	hears("folder", open(t, server.Config{Listen: "127.0.0.1:0", DataDir: dir}).Listen().Error())

	cfg, err := config.Load(config.Options{Dir: t.TempDir(), Environ: []string{
		"PUSHER_APP_ID=1001", "PUSHER_APP_KEY=demo-key", "PUSHER_APP_SECRET=demo-secret"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = control.Dial(limited(t), t.TempDir())
	if err == nil {
		t.Fatal("a server runs on an empty folder")
	}
	hears("no server", err.Error())
	hears("example secret", cfg.RefusesPublicExample().Error())
}

func open(t *testing.T, cfg server.Config) *server.Server {
	t.Helper()
	cfg.MetricsListen = "off"
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ended gives a context that has ended.
func ended() context.Context {
	ctx, end := context.WithCancel(context.Background())
	end()
	return ctx
}

// now is the time as requests are signed with it.
func now() string { return strconv.FormatInt(time.Now().Unix(), 10) }

// refusal gives the reason of the close frame that ends a connection.
func refusal(t *testing.T, s *site, path, origin string) string {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	ctx := limited(t)
	ws, _, err := websocket.Dial(ctx, "ws://127.0.0.1:"+s.port+path, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, _, err = ws.Read(ctx)
	}
	closed, ok := errors.AsType[websocket.CloseError](err)
	if !ok {
		t.Fatal(err)
	}
	return closed.Reason
}

// sentenceOf gives a string literal of the source, by its beginning, where to
// provoke it would take long.
func sentenceOf(t *testing.T, files, beginning string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, files))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, ok := strings.Cut(string(raw), `"`+beginning); ok {
			rest, _, _ = strings.Cut(rest, `"`)
			return beginning + rest
		}
	}
	t.Fatalf("no source of %s says %q", files, beginning)
	return ""
}

// errorOf gives the sentence of an error answer.
func errorOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return errorIn(t, body)
}

func errorIn(t *testing.T, body []byte) string {
	t.Helper()
	var answer struct{ Error string }
	if err := json.Unmarshal(body, &answer); err != nil || answer.Error == "" {
		t.Fatalf("no error in %s: %v", body, err)
	}
	return answer.Error
}
