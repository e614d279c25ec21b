package service_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/examples/checkins/service"
	"github.com/belfryhq/belfry/test/services"
	"github.com/belfryhq/belfry/webhook"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// onEach runs a test on SQLite and on PostgreSQL.
func onEach(t *testing.T, test func(t *testing.T, s *site)) {
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, "", nil)) })
	t.Run("postgres", func(t *testing.T) { test(t, open(t, services.Postgres(t), nil)) })
}

// site is a service whose clock the test sets.
type site struct {
	t        *testing.T
	service  *service.Service
	database string // its address
	dir      string
	told     *receiver

	mu  sync.Mutex // guards now
	now time.Time
}

// open opens a service on a database, SQLite when there is no address. told
// takes its webhooks, one of its own when it is nil.
func open(t *testing.T, database string, told *receiver) *site {
	t.Helper()
	if told == nil {
		told = newReceiver()
	}
	s := newSite(t, database, told)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func newSite(t *testing.T, database string, told *receiver) *site {
	return &site{t: t, database: database, dir: t.TempDir(), told: told, now: time.Date(2026, 3, 28, 22, 30, 0, 0, time.UTC)}
}

// start opens the service until the end of the test.
func (s *site) start() (err error) {
	s.service, err = service.Open(s.t.Context(), service.Config{
		Database: s.database, Dir: s.dir, Now: s.clock, Logger: slog.New(slog.DiscardHandler),
		Webhook: webhook.Config{URL: "http://belfry.test/api/dashboard/notify-update", Secrets: []string{"s3cret"}, Debounce: time.Millisecond,
			Client: &http.Client{Transport: s.told}},
	})
	if err != nil {
		return err
	}
	one := s.service
	s.t.Cleanup(func() { one.Close() }) // may be closed already
	return nil
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) set(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

// send makes a request; a body that is not empty is sent as JSON.
func (s *site) send(method, path, body string) answer {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	return s.do(r)
}

func (s *site) do(r *http.Request) answer {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.service.Handler().ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), text: w.Body.String()}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			s.t.Fatalf("%s %s: %v in %s", r.Method, r.URL, err, w.Body)
		}
	}
	return a
}

// must makes a request that has to have a status.
func (s *site) must(status int, method, path, body string) answer {
	s.t.Helper()
	a := s.send(method, path, body)
	if a.status != status {
		s.t.Fatalf("%s %s %s = %d %s, want %d", method, path, body, a.status, a.text, status)
	}
	return a
}

// receiver stands for Belfry, without a network.
type receiver struct {
	mu      sync.Mutex // guards all below
	reasons []string
	changed chan struct{} // closed with the next one
	down    bool
}

func newReceiver() *receiver { return &receiver{changed: make(chan struct{})} }

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	var told struct{ Reason string }
	verifier := webhook.Verifier{Secrets: []string{"s3cret"}}
	if _, err := verifier.Verify(req.Header, body, time.Now()); err != nil || json.Unmarshal(body, &told) != nil {
		status = http.StatusForbidden
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		status = http.StatusBadGateway
	}
	if status == http.StatusOK {
		r.reasons = append(r.reasons, told.Reason)
		close(r.changed)
		r.changed = make(chan struct{})
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

func (r *receiver) setDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.reasons)
}

// await waits until a reason was told after the first n.
func (r *receiver) await(t *testing.T, n int, reason string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		r.mu.Lock()
		changed, reasons := r.changed, r.reasons[n:]
		for _, told := range reasons {
			if told == reason {
				r.mu.Unlock()
				return
			}
		}
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%q was not told, only %q", reason, reasons)
		}
	}
}
