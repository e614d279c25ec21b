package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/api"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/pusher"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Unix(1767225600, 0)

const (
	appID  = "730041"
	key    = "demo-key-a1b2c3d4e5"
	secret = "demo-secret-9f8e7d6c5b4a"
	base   = "/apps/" + appID
)

func demoApp() *belfry.App {
	return &belfry.App{
		ID:     appID,
		Keys:   []belfry.Credential{{Key: key, Secret: secret}, {Key: "demo-key-rotated-0002", Secret: "demo-secret-rotated-0002"}},
		Limits: belfry.DefaultLimits(),
	}
}

// fakeHub records what reaches it and answers from what a test puts in.
type fakeHub struct {
	mu         sync.Mutex
	apps       map[string]*belfry.App
	published  [][]pusher.Event
	terminated []string
	states     map[string]hub.ChannelState
	members    map[string][]string
	receipt    hub.Receipt
	err        error
	draining   bool
	// onPublish, if set, runs before a publish is recorded and gives its error.
	onPublish func(context.Context) error
}

func newFake(apps ...*belfry.App) *fakeHub {
	f := &fakeHub{apps: map[string]*belfry.App{}, states: map[string]hub.ChannelState{}, members: map[string][]string{}}
	for _, app := range apps {
		f.apps[app.ID] = app
	}
	return f
}

func (f *fakeHub) App(id string) *belfry.App { return f.apps[id] }
func (f *fakeHub) Draining() bool            { return f.draining }

func (f *fakeHub) Publish(ctx context.Context, _ string, events []pusher.Event) ([]hub.Published, error) {
	if f.onPublish != nil {
		if err := f.onPublish(ctx); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	var out []hub.Published
	kept := make([]pusher.Event, len(events))
	for i, e := range events {
		e.Data = bytes.Clone(e.Data)
		kept[i] = e
		out = append(out, hub.Published{ID: "event-" + strconv.Itoa(len(f.published)) + "-" + strconv.Itoa(i), Receipt: f.receipt})
	}
	f.published = append(f.published, kept)
	return out, nil
}

func (f *fakeHub) PublishNow(app string, events []pusher.Event) ([]hub.Published, error) {
	if f.onPublish != nil {
		return nil, hub.ErrWouldWait
	}
	return f.Publish(context.Background(), app, events)
}

func (f *fakeHub) Channels(_ context.Context, _, prefix string) (map[string]hub.ChannelInfo, error) {
	found := map[string]hub.ChannelInfo{}
	for name, s := range f.states {
		if s.Occupied && strings.HasPrefix(name, prefix) {
			found[name] = s.ChannelInfo
		}
	}
	return found, f.err
}

func (f *fakeHub) Channel(_ context.Context, _, name string) (hub.ChannelState, error) {
	return f.states[name], f.err
}

func (f *fakeHub) Users(_ context.Context, _, name string) ([]string, error) {
	return f.members[name], f.err
}

func (f *fakeHub) Terminate(_ context.Context, _, user string) error {
	f.terminated = append(f.terminated, user)
	return f.err
}

// events gives all that was published, flat.
func (f *fakeHub) events() []pusher.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []pusher.Event
	for _, p := range f.published {
		all = append(all, p...)
	}
	return all
}

// fixture is a handler over a fake hub at a fixed time.
type fixture struct {
	testing.TB
	hub *fakeHub
	app *belfry.App
	http.Handler
	limits []string // what Config.Limit was told
	now    time.Time
}

// way is one of the ways in which requests come to the door.
type way func(*api.Door) http.Handler

// start uses the way of net/http.
func start(t testing.TB, change ...func(*belfry.App, *api.Config)) *fixture {
	t.Helper()
	return overHTTP.start(t, change...)
}

var overHTTP way = func(d *api.Door) http.Handler { return d }

// inMemory is the way by Post, which leaves to net/http what it does not take.
var inMemory way = func(d *api.Door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		if r.Method != http.MethodPost || r.ContentLength < 0 || path != r.URL.EscapedPath() {
			d.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var fields [][2][]byte
		for name, values := range r.Header {
			for _, v := range values {
				fields = append(fields, [2][]byte{[]byte(strings.ToLower(name)), []byte(v)})
			}
		}
		shared := bytes.Clone(body)
		reply, later, ok := d.Post(api.Post{Target: r.RequestURI, Fields: fields, Body: shared})
		if !ok {
			d.ServeHTTP(w, r)
			return
		}
		clear(shared) // the engine's buffer is used again
		for i := range fields {
			clear(fields[i][1])
		}
		if later != nil {
			reply = later(r.Context())
		}
		for _, f := range reply.Header {
			w.Header().Add(f[0], f[1])
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(reply.Body)))
		w.WriteHeader(reply.Status)
		w.Write(reply.Body)
	})
}

// bothWays runs a test by each way.
func bothWays(t *testing.T, test func(t *testing.T, by way)) {
	t.Run("net/http", func(t *testing.T) { test(t, overHTTP) })
	t.Run("in memory", func(t *testing.T) { test(t, inMemory) })
}

func (by way) start(t testing.TB, change ...func(*belfry.App, *api.Config)) *fixture {
	t.Helper()
	f := &fixture{TB: t, app: demoApp(), now: now}
	f.hub = newFake(f.app)
	cfg := api.Config{
		Hub: f.hub,
		Now: func() time.Time { return f.now },
		Limit: func(_ *belfry.App, limit, event, channel string, size, max int64, near bool) {
			word := "over "
			if near {
				word = "near "
			}
			f.limits = append(f.limits, word+strings.Join([]string{limit, event, channel,
				strconv.FormatInt(size, 10), strconv.FormatInt(max, 10)}, " "))
		},
	}
	for _, c := range change {
		c(f.app, &cfg)
	}
	f.Handler = by(api.New(cfg))
	return f
}

// target gives a signed request target. path is as the caller writes it on the
// wire; params are "name=value", unescaped.
func (f *fixture) target(method, path, body string, params ...string) string {
	return signed(method, path, body, f.now, params...)
}

func signed(method, path, body string, at time.Time, params ...string) string {
	query := append([]string{"auth_key=" + key, "auth_timestamp=" + strconv.FormatInt(at.Unix(), 10), "auth_version=1.0"}, params...)
	if body != "" {
		sum := md5.Sum([]byte(body))
		query = append(query, "body_md5="+hex.EncodeToString(sum[:]))
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		plain = path
	}
	var wire []string
	var q pusher.Query
	for _, p := range query {
		name, value, _ := strings.Cut(p, "=")
		q = append(q, pusher.Param{Name: name, Value: value})
		wire = append(wire, name+"="+url.QueryEscape(value))
	}
	signature := pusher.Sign(secret, pusher.RequestText(method, plain, q, false))
	return path + "?" + strings.Join(wire, "&") + "&auth_signature=" + signature
}

// send passes one request through the handler as it would arrive on the wire.
func (f *fixture) send(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	f.Helper()
	var wire strings.Builder
	wire.WriteString(method + " " + target + " HTTP/1.1\r\nHost: test\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n")
	for _, h := range headers {
		wire.WriteString(h + "\r\n")
	}
	wire.WriteString("\r\n" + body)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire.String())))
	if err != nil {
		f.Fatalf("request does not parse: %v", err)
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

// call sends a signed request.
func (f *fixture) call(method, path, body string, params ...string) *httptest.ResponseRecorder {
	f.Helper()
	return f.send(method, f.target(method, path, body, params...), body)
}

func (f *fixture) post(path, body string) *httptest.ResponseRecorder {
	f.Helper()
	return f.call("POST", base+path, body)
}

func (f *fixture) get(path string, params ...string) *httptest.ResponseRecorder {
	f.Helper()
	return f.call("GET", base+path, "", params...)
}

// want checks a whole answer: status and body.
func want(t testing.TB, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status || w.Body.String() != body {
		t.Errorf("got %d %s\nwant %d %s", w.Code, w.Body, status, body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q, want application/json (HTTP-11)", got)
	}
}

// refused checks a refusal: its status, its JSON form, and words of its text.
func refused(t testing.TB, w *httptest.ResponseRecorder, status int, words ...string) {
	t.Helper()
	body := w.Body.String()
	if w.Code != status || !strings.HasPrefix(body, `{"error":"`) || !strings.HasSuffix(body, `","code":`+strconv.Itoa(status)+"}") {
		t.Errorf("got %d %s\nwant %d and its JSON error", w.Code, body, status)
	}
	for _, word := range words {
		if !strings.Contains(body, word) {
			t.Errorf("the error does not say %q: %s", word, body)
		}
	}
	if strings.Contains(body, secret) {
		t.Errorf("the error shows the secret: %s", body)
	}
}

// nothing checks that no event got through.
func (f *fixture) nothing() {
	f.Helper()
	if got := f.hub.events(); len(got) != 0 {
		f.Errorf("published %v, want nothing", got)
	}
}

// newRequest makes a POST whose body has no known length unless it is a Reader
// of a known kind.
func newRequest(t testing.TB, target string, body io.Reader) *http.Request {
	t.Helper()
	return httptest.NewRequest("POST", target, body)
}

func record(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
