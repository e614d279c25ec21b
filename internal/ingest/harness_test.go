package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
	"github.com/belfryhq/belfry/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret = "a-secret-of-more-than-sixteen"
	older  = "the-secret-that-was-before-it"
)

var (
	start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	body  = []byte(`{"reason": "checkin created", "stats": {"students": 1}, "range": "this_week"}`)
	here  = netip.MustParseAddr("192.0.2.7")
)

// boards are dashboards that note what they are told.
type boards struct {
	mu      sync.Mutex // guards all below
	changes []string
	fail    error
}

func (*boards) Resolve(dashboard, rangeName string) (string, string, error) {
	switch dashboard {
	case "":
		dashboard = "default"
	case "default", "staff":
	default:
		return "", "", belfry.Errorf(belfry.CodeNotFound, "there is no such dashboard; there are: default, staff")
	}
	switch rangeName {
	case "":
		rangeName = "today"
	case "today", "this_week":
	default:
		return "", "", belfry.Errorf(belfry.CodeInvalid, "there is no such range; there are: today, this_week")
	}
	return dashboard, rangeName, nil
}

func (b *boards) Changed(dashboard, rangeName, reason string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	b.changes = append(b.changes, dashboard+"/"+rangeName+"/"+reason)
	return nil
}

func (b *boards) told() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.changes...)
}

func (b *boards) breaks(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// text is a log that tests read.
type text struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *text) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *text) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// fixture is an engine, and a clock that tests move.
type fixture struct {
	*ingest.Ingest
	t      testing.TB
	db     *store.DB
	boards *boards
	log    *text
	change []func(*ingest.Config)

	mu  sync.Mutex // guards now
	now time.Time
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func newFixture(t testing.TB, url string, change ...func(*ingest.Config)) *fixture {
	t.Helper()
	db, err := store.Open(store.Config{URL: url, Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	_, err = db.Migrate(t.Context())
	must(t, err)
	f := &fixture{t: t, db: db, boards: &boards{}, log: &text{}, now: start, change: change}
	f.Ingest = f.another(secret)
	return f
}

// another gives a second engine on the same database, as of another server.
func (f *fixture) another(secrets ...string) *ingest.Ingest {
	cfg := ingest.Config{DB: f.db, Dashboards: f.boards, Now: f.clock, Logger: slog.New(slog.NewTextHandler(f.log, nil))}
	for _, c := range f.change {
		c(&cfg)
	}
	in := ingest.New(cfg)
	in.SetSecrets(secrets)
	return in
}

// each runs a test on SQLite and on PostgreSQL.
func each(t *testing.T, test func(t *testing.T, f *fixture), change ...func(*ingest.Config)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newFixture(t, "", change...)) })
	t.Run("postgres", func(t *testing.T) { test(t, newFixture(t, services.Postgres(t), change...)) })
}

// runs runs the engine until the test ends.
func (f *fixture) runs(in *ingest.Ingest) {
	ctx, stop := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	over := errors.New("the test is over")
	f.t.Cleanup(func() {
		stop(over)
		if err := <-ended; !errors.Is(err, over) {
			f.t.Errorf("Run: %v", err)
		}
	})
}

// plain signs in the plain scheme.
func plain(key string, body []byte) ingest.Received {
	return ingest.Received{Header: http.Header{webhook.HeaderSignature: {webhook.Sign(key, body)}}, Body: body, From: here}
}

// standard signs in the standard scheme.
func standard(t testing.TB, key, id string, at time.Time, body []byte) ingest.Received {
	t.Helper()
	h := http.Header{}
	must(t, webhook.SetHeaders(h, []webhook.Scheme{webhook.Standard}, []string{key}, id, at, body))
	return ingest.Received{Header: h, Body: body, From: here}
}

// takes has the engine take a call.
func (f *fixture) takes(in *ingest.Ingest, r ingest.Received) ingest.Result {
	f.t.Helper()
	result, err := in.Take(f.t.Context(), r)
	must(f.t, err)
	return result
}

// refuses has the engine refuse a call with a code.
func (f *fixture) refuses(in *ingest.Ingest, r ingest.Received, code belfry.Code) error {
	f.t.Helper()
	before := len(f.boards.told())
	result, err := in.Take(f.t.Context(), r)
	if belfry.CodeOf(err) != code || result != (ingest.Result{}) {
		f.t.Errorf("answered %+v, %v (%s); want %s", result, err, belfry.CodeOf(err), code)
	}
	if len(f.boards.told()) != before {
		f.t.Errorf("a refused call was carried out: %q", f.boards.told())
	}
	return err
}

// eventually waits until the newest entry suits.
func (f *fixture) eventually(in *ingest.Ingest, what string, suits func(ingest.Entry) bool) ingest.Entry {
	f.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		list := in.Recent()
		if len(list) > 0 && suits(list[0]) {
			return list[0]
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("still not: %s, in %+v", what, list)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-f.t.Context().Done():
		}
	}
}

func (f *fixture) logs(want string) {
	f.t.Helper()
	if !strings.Contains(f.log.String(), want) {
		f.t.Errorf("the log lacks %q: %s", want, f.log)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
