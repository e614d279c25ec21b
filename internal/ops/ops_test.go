package ops_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/ops"
)

var update = flag.Bool("update", false, "write the reference page anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, h http.Handler, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil)
	r.RemoteAddr = "127.0.0.1:4000"
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func decode(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %q", err, w.Body)
	}
	return v
}

func TestProbes_LiveAlwaysReadyOnlyWhenTakingConnections(t *testing.T) {
	why := "starting"
	o := ops.New(ops.Config{Unready: func() string { return why }})
	for _, h := range []http.Handler{o.Public(), o.Private()} {
		for _, state := range []string{"starting", "", "draining"} {
			why = state
			for _, path := range []string{"/up", "/live"} {
				if w := get(t, h, path); w.Code != 200 {
					t.Errorf("%s while %q: %d", path, state, w.Code)
				}
			}
			want, status := 200, "ok"
			if state != "" {
				want, status = 503, state
			}
			if w := get(t, h, "/ready"); w.Code != want || decode(t, w)["status"] != status {
				t.Errorf("/ready while %q: %d %s", state, w.Code, w.Body)
			}
		}
	}
}

func TestProbes_OtherMethodsAreRefused(t *testing.T) {
	w := get(t, ops.New(ops.Config{}).Public(), "/ready", func(r *http.Request) { r.Method = http.MethodPost })
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("POST /ready: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestHealth_PublicIsTersePrivateGivesTheCause(t *testing.T) {
	o := ops.New(ops.Config{Version: "v1.2.3", Checks: []ops.Check{
		{Name: "hub", Run: func(context.Context) (string, error) { return "", nil }},
		{Name: "webhooks", Run: func(context.Context) (string, error) { return "", errors.New("9000 events wait") }},
	}})
	w := get(t, o.Public(), "/health")
	if w.Code != 503 || strings.TrimSpace(w.Body.String()) != `{"status":"down","components":{"hub":"up","webhooks":"down"}}` {
		t.Errorf("public: %d %s", w.Code, w.Body)
	}
	w = get(t, o.Private(), "/health")
	if w.Code != 503 || !strings.Contains(w.Body.String(), "9000 events wait") || decode(t, w)["version"] != "v1.2.3" {
		t.Errorf("private: %d %s", w.Code, w.Body)
	}
}

func TestHealth_ANoteIsForOperatorsAndNoFailure(t *testing.T) {
	o := ops.New(ops.Config{Checks: []ops.Check{
		{Name: "queue", Run: func(context.Context) (string, error) { return "3 jobs failed", nil }},
	}})
	if w := get(t, o.Public(), "/health"); w.Code != 200 || strings.Contains(w.Body.String(), "3 jobs") {
		t.Errorf("public: %d %s", w.Code, w.Body)
	}
	w := get(t, o.Private(), "/health")
	queue := decode(t, w)["components"].(map[string]any)["queue"].(map[string]any)
	if w.Code != 200 || queue["status"] != "up" || queue["note"] != "3 jobs failed" {
		t.Errorf("private: %d %s", w.Code, w.Body)
	}
}

func TestHealth_UpWhenNothingIsDown(t *testing.T) {
	w := get(t, ops.New(ops.Config{}).Public(), "/health")
	if w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"status":"up","components":{}}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestHealth_DrainingDoesNotMakeAPartDown(t *testing.T) {
	o := ops.New(ops.Config{Unready: func() string { return "draining" }})
	if w := get(t, o.Private(), "/health"); w.Code != 200 || decode(t, w)["unready"] != "draining" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestHealth_ChecksRunAtMostOnceAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		o := ops.New(ops.Config{Checks: []ops.Check{{Name: "x", Run: func(context.Context) (string, error) { runs.Add(1); return "", nil }}}})
		for range 5 {
			get(t, o.Public(), "/health")
		}
		if n := runs.Load(); n != 1 {
			t.Errorf("%d runs for five requests at once, want 1", n)
		}
		time.Sleep(1100 * time.Millisecond) // fake time
		get(t, o.Public(), "/health")
		if n := runs.Load(); n != 2 {
			t.Errorf("%d runs after a second, want 2", n)
		}
	})
}

func TestHealth_AHangingCheckIsDownAndNotStartedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		release := make(chan struct{})
		o := ops.New(ops.Config{Checks: []ops.Check{{Name: "x", Run: func(context.Context) (string, error) {
			runs.Add(1)
			<-release
			return "", nil
		}}}})
		for range 3 {
			w := get(t, o.Private(), "/health")
			if w.Code != 503 || !strings.Contains(w.Body.String(), "no answer within 2s") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			time.Sleep(2 * time.Second) // fake time
		}
		if n := runs.Load(); n != 1 {
			t.Errorf("the hanging check runs %d times", n)
		}
		close(release)
		time.Sleep(2 * time.Second)
		if w := get(t, o.Public(), "/health"); w.Code != 200 {
			t.Errorf("after it came back: %d %s", w.Code, w.Body)
		}
	})
}

func TestHealth_ACheckOutlivesTheRequestThatStartedIt(t *testing.T) {
	o := ops.New(ops.Config{Checks: []ops.Check{{Name: "x", Run: func(ctx context.Context) (string, error) { return "", ctx.Err() }}}})
	w := get(t, o.Public(), "/health", func(r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		*r = *r.WithContext(ctx)
	})
	if w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func measured() ops.Config {
	app := &belfry.App{ID: "1001", Limits: belfry.DefaultLimits()}
	app.Limits.MessagesPerDay = 500
	return ops.Config{
		Version: "v1.2.3",
		Apps:    func() []*belfry.App { return []*belfry.App{app} },
		Hub: func() []hub.Stats {
			return []hub.Stats{{
				App: "1001", Connections: 3, Users: 1,
				Channels: map[string]int64{"presence": 2}, Subscriptions: map[string]int64{"presence": 5},
				ConnectionsTotal: 9, Refused: map[int]int64{4001: 4}, MessagesIn: 11, BytesIn: 12, Published: 13,
				ClientEvents: 14, Delivered: 15, BytesOut: 16, Dropped: 17, Denied: 18,
				Limits: map[string]int64{"event_data": 19}, MessagesToday: 20,
			}}
		},
		Sockets: func() ops.SocketStats {
			return ops.SocketStats{Open: 21, PendingBytes: 22, BytesIn: 23, BytesOut: 24, Pings: 25, SlowClosed: 26,
				Closed: map[int]int64{4201: 27}, Rejected: map[string]int64{"flood": 28}}
		},
		Hooks: func() []ops.HookStats {
			return []ops.HookStats{{App: "1001", Pending: 29, Sent: 30, Failed: 31, Retried: 32, Dropped: 33}}
		},
		Application:     application(),
		CertificateEnds: func() time.Time { return time.Now().Add(36*time.Hour + time.Minute) },
		Checks:          []ops.Check{{Name: "hub", Run: func(context.Context) (string, error) { return "", nil }}},
	}
}

func TestMetrics_GiveEveryFigure(t *testing.T) {
	o := ops.New(measured())
	happen(o)
	o.Measure("api", http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	w := get(t, o.Private(), "/metrics")
	for _, want := range []string{
		`belfry_ready 1`,
		`belfry_component_up{component="hub"} 1`,
		`belfry_connections{app="1001"} 3`,
		`belfry_users{app="1001"} 1`,
		`belfry_channels{app="1001",kind="presence"} 2`,
		`belfry_subscriptions{app="1001",kind="presence"} 5`,
		`belfry_connections_opened_total{app="1001"} 9`,
		`belfry_connections_refused_total{app="1001",code="4001"} 4`,
		`belfry_client_messages_total{app="1001"} 11`,
		`belfry_client_message_bytes_total{app="1001"} 12`,
		`belfry_events_published_total{app="1001"} 13`,
		`belfry_client_events_total{app="1001"} 14`,
		`belfry_messages_delivered_total{app="1001"} 15`,
		`belfry_messages_delivered_bytes_total{app="1001"} 16`,
		`belfry_messages_dropped_total{app="1001"} 17`,
		`belfry_denied_total{app="1001"} 18`,
		`belfry_limit_refusals_total{app="1001",limit="event_data"} 19`,
		`belfry_messages_today{app="1001"} 20`,
		`belfry_messages_per_day_limit{app="1001"} 500`,
		`belfry_sockets 21`,
		`belfry_socket_pending_bytes 22`,
		`belfry_socket_read_bytes_total 23`,
		`belfry_socket_written_bytes_total 24`,
		`belfry_socket_pings_total 25`,
		`belfry_socket_slow_closed_total 26`,
		`belfry_socket_closed_total{code="4201"} 27`,
		`belfry_socket_rejected_total{reason="flood"} 28`,
		`belfry_webhook_pending{app="1001"} 29`,
		`belfry_webhook_requests_total{app="1001",result="ok"} 30`,
		`belfry_webhook_requests_total{app="1001",result="failed"} 31`,
		`belfry_webhook_retries_total{app="1001"} 32`,
		`belfry_webhook_dropped_total{app="1001"} 33`,
		`belfry_http_requests_total{code="404",door="api"} 1`,
		`belfry_http_request_seconds_count{door="api"} 1`,
		`version="v1.2.3"`,
		`belfry_certificate_days_left 1.50`,
		`go_goroutines`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s", want)
		}
	}
	if w.Code != 200 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestMetrics_AreNotPublic(t *testing.T) {
	h := ops.New(measured()).Public()
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/profile"} {
		if w := get(t, h, path); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestMetrics_TwoServersInOneProcess(t *testing.T) {
	a, b := ops.New(measured()), ops.New(ops.Config{})
	if w := get(t, b.Private(), "/metrics"); strings.Contains(w.Body.String(), "1001") {
		t.Error("one server shows the other's app")
	}
	if w := get(t, a.Private(), "/metrics"); !strings.Contains(w.Body.String(), "1001") {
		t.Error("the app is missing")
	}
}

func TestProfiling_AnswersThisMachineOnly(t *testing.T) {
	h := ops.New(ops.Config{}).Private()
	for name, tc := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"this machine":        {func(*http.Request) {}, 200},
		"IPv6":                {func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:5", "[::1]:9601" }, 200},
		"mapped":              {func(r *http.Request) { r.RemoteAddr = "[::ffff:127.0.0.1]:5" }, 200},
		"by name":             {func(r *http.Request) { r.Host = "localhost:9601" }, 200},
		"another machine":     {func(r *http.Request) { r.RemoteAddr = "192.0.2.1:4000" }, 403},
		"another name":        {func(r *http.Request) { r.Host = "rebound.example:9601" }, 403},
		"a proxy":             {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") }, 403},
		"a proxy (Forwarded)": {func(r *http.Request) { r.Header.Set("Forwarded", "for=192.0.2.1") }, 403},
	} {
		if w := get(t, h, "/debug/pprof/goroutine", tc.change); w.Code != tc.want {
			t.Errorf("%s: %d, want %d", name, w.Code, tc.want)
		}
	}
	if w := get(t, h, "/debug/pprof/cmdline"); w.Code != 404 {
		t.Errorf("cmdline: %d", w.Code)
	}
}

func TestMeasure_PassesTheAnswerOn(t *testing.T) {
	o := ops.New(ops.Config{})
	h := o.Measure("api", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "ok")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	}))
	w := get(t, h, "/")
	if w.Code != 202 && w.Code != 103 || w.Body.String() != "ok" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if m := get(t, o.Private(), "/metrics").Body.String(); !strings.Contains(m, `belfry_http_requests_total{code="202",door="api"} 1`) {
		t.Error("the final status is not the one counted")
	}
}

func TestReference_ListsTheMetrics(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "reference", "metrics.md")
	var want bytes.Buffer
	if err := ops.WriteReference(&want); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the code says; write it anew with: go test ./internal/ops -update", path)
	}
}

// Every metric that a scrape shows is on the reference page, and the other way
// round.
func TestReference_IsComplete(t *testing.T) {
	o := ops.New(measured())
	get(t, o.Measure("api", http.NotFoundHandler()), "/")
	happen(o)
	var page bytes.Buffer
	if err := ops.WriteReference(&page); err != nil {
		t.Fatal(err)
	}
	scraped := make(map[string]bool)
	for line := range strings.Lines(get(t, o.Private(), "/metrics").Body.String()) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok && strings.HasPrefix(name, "belfry_") {
			name, kind, _ := strings.Cut(strings.TrimSpace(name), " ")
			scraped[name] = true
			if !strings.Contains(page.String(), "| `"+name+"` | "+kind+" |") {
				t.Errorf("%s, a %s, is not on the page", name, kind)
			}
		}
	}
	for line := range strings.Lines(page.String()) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			if !scraped[name] {
				t.Errorf("%s is on the page but not scraped", name)
			}
		}
	}
}
