package pushercast_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/broadcast/pushercast"
	"github.com/belfryhq/belfry/pusher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// target is a server of the Pusher API that keeps what it gets and answers with
// status.
type target struct {
	t   testing.TB
	srv *httptest.Server

	mu     sync.Mutex // guards all below
	status int
	answer string
	calls  []call
}

type call struct {
	path, key string
	body      map[string]any
}

func newTarget(t testing.TB) *target {
	f := &target{t: t, status: 200, answer: "{}"}
	f.srv = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.srv.Close)
	return f
}

func (f *target) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	signed := pusher.Request{Method: r.Method, Paths: []string{r.URL.Path}, RawQuery: r.URL.RawQuery, Body: body}
	if _, err := signed.Verify(time.Now(), func(string) []string { return []string{"secret"} }); err != nil {
		f.t.Errorf("signature: %v", err)
	}
	c := call{path: r.URL.Path, key: r.Header.Get("Idempotency-Key")}
	json.Unmarshal(body, &c.body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	w.WriteHeader(f.status)
	io.WriteString(w, f.answer)
}

func (f *target) set(status int, answer string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status, f.answer = status, answer
}

func (f *target) got() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]call(nil), f.calls...)
}

// config leads to that address.
func config(t testing.TB, address string) pushercast.Config {
	t.Helper()
	host, port, err := net.SplitHostPort(strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := pushercast.Config{AppID: "1001", Key: "app-key", Secret: "secret", Host: host, Scheme: "http"}
	fmt.Sscan(port, &cfg.Port)
	return cfg
}

func driver(t testing.TB, cfg pushercast.Config) *pushercast.Driver {
	t.Helper()
	d, err := pushercast.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func event(id, name, data string, channels ...string) belfry.Event {
	return belfry.Event{ID: id, App: "1001", Name: name, Channels: channels, Data: json.RawMessage(data)}
}

func TestOneEventIsTriggeredUnderItsID(t *testing.T) {
	f := newTarget(t)
	d := driver(t, config(t, f.srv.URL))
	e := event("id1", "e", `{"a": "<é>", "n": 1.50}`, "a", "b")
	e.ExcludeSocket = "1.2"
	outs, err := d.Send(t.Context(), []belfry.Event{e})
	if err != nil || len(outs) != 1 || outs[0].ID != "id1" {
		t.Fatalf("%+v, %v", outs, err)
	}
	c := f.got()[0]
	if c.path != "/apps/1001/events" || c.key != "id1" || c.body["name"] != "e" || fmt.Sprint(c.body["channels"]) != "[a b]" ||
		c.body["data"] != `{"a":"<é>","n":1.50}` || c.body["socket_id"] != "1.2" {
		t.Errorf("call %+v", c)
	}
}

func TestEventsOfOneChannelEachShareACall(t *testing.T) {
	f := newTarget(t)
	d := driver(t, config(t, f.srv.URL))
	events := []belfry.Event{
		event("1", "a", `"t"`, "x"), event("2", "b", `2`, "x"), // a batch
		event("3", "c", `3`, "x", "y"),                       // a call of its own
		event("4", "d", `4`, "#server-to-user-7"),            // the library knows no user channels in batches
		event("5", "e", `5`, "x"), event("6", "f", `6`, "y"), // a batch
	}
	outs, err := d.Send(t.Context(), events)
	if err != nil || len(outs) != 6 || outs[5].ID != "6" {
		t.Fatalf("%+v, %v", outs, err)
	}
	var paths []string
	for _, c := range f.got() {
		paths = append(paths, strings.TrimPrefix(c.path, "/apps/1001/"))
	}
	if got := strings.Join(paths, " "); got != "batch_events events events batch_events" {
		t.Fatalf("calls %s", got)
	}
	calls := f.got()
	batch := calls[0].body["batch"].([]any)
	if len(batch) != 2 || batch[0].(map[string]any)["data"] != "t" || batch[1].(map[string]any)["name"] != "b" {
		t.Errorf("batch %+v", batch)
	}
	if calls[0].key == "" || calls[0].key == calls[3].key || calls[1].key != "3" || calls[2].key != "4" {
		t.Errorf("keys %q %q %q %q", calls[0].key, calls[1].key, calls[2].key, calls[3].key)
	}
	if fmt.Sprint(calls[2].body["channels"]) != "[#server-to-user-7]" {
		t.Errorf("user event %+v", calls[2])
	}
}

func TestABatchIsNoLargerThanTheTargetTakes(t *testing.T) {
	f := newTarget(t)
	cfg := config(t, f.srv.URL)
	if got := driver(t, cfg).Batch(); got != 10 {
		t.Errorf("batches of %d by default", got)
	}
	cfg.Limits = belfry.DefaultLimits()
	cfg.Limits.BatchSize = 2
	d := driver(t, cfg)
	var events []belfry.Event
	for i := range 5 {
		events = append(events, event(fmt.Sprint(i), "e", "1", "a"))
	}
	if _, err := d.Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if calls := f.got(); len(calls) != 3 || len(calls[0].body["batch"].([]any)) != 2 {
		t.Errorf("%d calls", len(calls))
	}
}

func TestManyChannelsAreParted(t *testing.T) {
	f := newTarget(t)
	d := driver(t, config(t, f.srv.URL))
	channels := []string{"#server-to-user-1"}
	for i := range 150 {
		channels = append(channels, fmt.Sprint("c", i))
	}
	if _, err := d.Send(t.Context(), []belfry.Event{event("id", "e", "1", channels...)}); err != nil {
		t.Fatal(err)
	}
	var keys []string
	n := 0
	for _, c := range f.got() {
		keys = append(keys, c.key)
		n += len(c.body["channels"].([]any))
	}
	if strings.Join(keys, " ") != "id id-2 id-3" || n != 151 {
		t.Errorf("keys %q, %d channels", keys, n)
	}
}

func TestEncryptedDataIsEncryptedOnce(t *testing.T) {
	f := newTarget(t)
	cfg := config(t, f.srv.URL)
	cfg.EncryptionMasterKey = []byte("0123456789abcdef0123456789abcdef")
	d := driver(t, cfg)
	own := broadcast.Seal(cfg.EncryptionMasterKey, "private-encrypted-a", "mine")
	events := []belfry.Event{event("1", "e", `"text"`, "private-encrypted-a"), event("2", "e", string(own), "private-encrypted-a")}
	if _, err := d.Send(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	calls := f.got()
	if data, _ := calls[0].body["data"].(string); !broadcast.Encrypted(json.RawMessage(data)) {
		t.Errorf("sent %q in clear", data)
	}
	if calls[1].body["data"] != string(own) || calls[1].key != "2" {
		t.Errorf("call %+v, want the publisher's own", calls[1])
	}
}

func TestStatusesTellWhatToDo(t *testing.T) {
	for status, want := range map[int]belfry.Code{
		400: belfry.CodeInvalid, 401: belfry.CodeForbidden, 403: belfry.CodeForbidden, 404: belfry.CodeNotFound,
		413: belfry.CodeTooLarge, 429: belfry.CodeRateLimited, 500: belfry.CodeUnavailable, 503: belfry.CodeUnavailable,
		302: belfry.CodeInvalid, 408: belfry.CodeUnavailable,
	} {
		f := newTarget(t)
		f.set(status, "reason of the target")
		d := driver(t, config(t, f.srv.URL))
		_, err := d.Send(t.Context(), []belfry.Event{event("1", "e", "1", "a")})
		e, ok := errors.AsType[*belfry.Error](err)
		if !ok || e.Code != want || e.Hint == "" || !strings.Contains(e.Message, fmt.Sprint(status)) || strings.Contains(e.Message, "reason") {
			t.Errorf("%d: %#v", status, err)
		}
		if _, err := d.Send(t.Context(), []belfry.Event{event("1", "e", "1", "a"), event("2", "e", "1", "a")}); belfry.CodeOf(err) != want {
			t.Errorf("%d for a batch: %v", status, err)
		}
	}
}

func TestTargetsThatDoNotAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t, l.Addr().String())
	l.Close()
	d := driver(t, cfg)
	_, err = d.Send(t.Context(), []belfry.Event{event("1", "e", "1", "a")})
	if belfry.CodeOf(err) != belfry.CodeUnavailable || !strings.Contains(belfry.Public(err), "cannot be reached") {
		t.Errorf("nobody listens: %v", err)
	}
	if strings.Contains(err.Error(), "auth_signature") {
		t.Errorf("%v shows the signature", err)
	}

	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // or the server does not see that the client left
		<-r.Context().Done()
	}))
	defer silent.Close()
	cfg = config(t, silent.URL)
	cfg.Timeout = 50 * time.Millisecond
	_, err = driver(t, cfg).Send(t.Context(), []belfry.Event{event("1", "e", "1", "a")})
	if belfry.CodeOf(err) != belfry.CodeUnavailable || !strings.Contains(belfry.Public(err), "in time") {
		t.Errorf("no answer: %v", err)
	}
	cfg.Timeout = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = driver(t, cfg).Send(ctx, []belfry.Event{event("1", "e", "1", "a")}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}

	f := newTarget(t)
	f.set(200, "<html>not Pusher</html>")
	if _, err = driver(t, config(t, f.srv.URL)).Send(t.Context(), []belfry.Event{event("1", "e", "1", "a")}); belfry.CodeOf(err) != belfry.CodeUnavailable {
		t.Errorf("another kind of server: %v", err)
	}
}

func TestCheckAndOccupied(t *testing.T) {
	f := newTarget(t)
	d := driver(t, config(t, f.srv.URL))
	if err := d.Check(t.Context()); err != nil {
		t.Error(err)
	}
	f.set(200, `{"occupied":true}`)
	if yes, err := d.Occupied(t.Context(), "1001", []string{"a"}); !yes || err != nil {
		t.Errorf("occupied: %v, %v", yes, err)
	}
	f.set(200, `{"occupied":false}`)
	if yes, err := d.Occupied(t.Context(), "1001", []string{"a", "b"}); yes || err != nil {
		t.Errorf("vacant: %v, %v", yes, err)
	}
	f.set(401, "")
	if err := d.Check(t.Context()); belfry.CodeOf(err) != belfry.CodeForbidden {
		t.Errorf("check gave %v", err)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	good := pushercast.Config{AppID: "1", Key: "k", Secret: "s"}
	for name, change := range map[string]func(*pushercast.Config){
		"PUSHER_APP_ID":      func(c *pushercast.Config) { c.AppID = "1/2" },
		"PUSHER_APP_SECRET":  func(c *pushercast.Config) { c.Secret = "" },
		"PUSHER_SCHEME":      func(c *pushercast.Config) { c.Scheme = "ftp" },
		"PUSHER_PORT":        func(c *pushercast.Config) { c.Port = 70000 },
		"PUSHER_APP_CLUSTER": func(c *pushercast.Config) { c.Cluster = "e u" },
		"PUSHER_HOST":        func(c *pushercast.Config) { c.Host = "https://x" },
		"32 bytes":           func(c *pushercast.Config) { c.EncryptionMasterKey = []byte("short") },
	} {
		cfg := good
		change(&cfg)
		if _, err := pushercast.New(cfg); belfry.CodeOf(err) != belfry.CodeInvalid || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for want, cfg := range map[string]pushercast.Config{
		"api-mt1.pusher.com":  good,
		"api-eu.pusher.com":   {AppID: "1", Key: "k", Secret: "s", Cluster: "eu"},
		"ws.example.com":      {AppID: "1", Key: "k", Secret: "s", Host: "ws.example.com", Port: 443},
		"ws.example.com:6001": {AppID: "1", Key: "k", Secret: "s", Host: "ws.example.com", Port: 6001},
		"ws.example.com:443":  {AppID: "1", Key: "k", Secret: "s", Host: "ws.example.com", Port: 443, Scheme: "http"},
		"[2001:db8::1]":       {AppID: "1", Key: "k", Secret: "s", Host: "2001:db8::1"},
		"[2001:db8::1]:6001":  {AppID: "1", Key: "k", Secret: "s", Host: "[2001:db8::1]", Port: 6001},
	} {
		if got := driver(t, cfg).Target(); got != want {
			t.Errorf("target %s, want %s", got, want)
		}
	}
}

func TestOwnAndHosted(t *testing.T) {
	own := []string{"0.0.0.0:6001", "ws.example.com"}
	for _, c := range []struct {
		host        string
		port        int
		id          string
		own, hosted bool
	}{
		{"127.0.0.1", 6001, "1", true, false},
		{"localhost", 6001, "1", true, false},
		{"::1", 6001, "1", true, false},
		{"localhost", 6001, "2", false, false},
		{"localhost", 6002, "1", false, false},
		{"WS.example.com", 0, "1", true, false},
		{"other.example.com", 6001, "1", false, false},
		{"", 0, "1", false, true},
		{"api-eu.pusher.com", 0, "1", false, true},
		{"notpusher.com", 0, "1", false, false},
	} {
		cfg := pushercast.Config{AppID: c.id, Key: "k", Secret: "s", Host: c.host, Port: c.port}
		if got := cfg.Own([]string{"1"}, own); got != c.own {
			t.Errorf("%+v: own %v", c, got)
		}
		if got := cfg.Hosted(); got != c.hosted {
			t.Errorf("%+v: hosted %v", c, got)
		}
	}
}

func TestTheAppHasTheLibrarysLimits(t *testing.T) {
	cfg := pushercast.Config{AppID: "1"}
	if app := cfg.App(); app.ID != "1" || app.Limits != belfry.DefaultLimits() {
		t.Errorf("%+v", app)
	}
	cfg.Limits = belfry.DefaultLimits()
	cfg.Limits.ChannelNameLength, cfg.Limits.EventData = belfry.Unlimited, 1<<20
	if app := cfg.App(); app.Limits.ChannelNameLength != 200 || app.Limits.EventData != 1<<20 {
		t.Errorf("%+v", app.Limits)
	}
}
