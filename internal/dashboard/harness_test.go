package dashboard_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, code belfry.Code) {
	t.Helper()
	if belfry.CodeOf(err) != code {
		t.Errorf("error %v has the code %q, want %q", err, belfry.CodeOf(err), code)
	}
}

// shop is a database that figures are read from, and a connection that fills it.
type shop struct {
	t       testing.TB
	address string
	dialect store.Dialect
	db      *store.DB
}

// eachShop runs a test on SQLite and on PostgreSQL.
func eachShop(t *testing.T, test func(t *testing.T, s *shop)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, openShop(t, "sqlite://"+filepath.ToSlash(filepath.Join(t.TempDir(), "shop.db"))))
	})
	t.Run("postgres", func(t *testing.T) { test(t, openShop(t, services.Postgres(t))) })
}

func openShop(t testing.TB, address string) *shop {
	t.Helper()
	db, err := store.Open(store.Config{URL: address})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return &shop{t: t, address: address, dialect: db.Dialect(), db: db}
}

func (s *shop) do(query string, args ...any) sql.Result {
	s.t.Helper()
	r, err := s.db.Exec(context.Background(), query, args...)
	must(s.t, err)
	return r
}

// stock makes a table of sales; at is in milliseconds.
func (s *shop) stock(prices ...int) {
	s.t.Helper()
	s.do("CREATE TABLE sales (at BIGINT NOT NULL, price INTEGER NOT NULL, kind TEXT NOT NULL)")
	for i, price := range prices {
		s.do("INSERT INTO sales (at, price, kind) VALUES ($1, $2, $3)", start.UnixMilli(), price, fmt.Sprintf("kind %d", i%2))
	}
}

// start is the time of most tests: a Wednesday.
var start = time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = to
}

// told is an event that was broadcast.
type told struct {
	Channel, Event, ID string
	At                 time.Time
	dashboard.Update
}

// stat gives a figure as JSON.
func (e told) stat(name string) string { return statOf(e.Stats, name) }

func statOf(stats json.RawMessage, name string) string {
	var all map[string]json.RawMessage
	if json.Unmarshal(stats, &all) != nil {
		return "no stats: " + string(stats)
	}
	return string(all[name])
}

// pages are the open pages: they see events.
type pages struct {
	mu     sync.Mutex // guards all below
	events []told
	err    error
	came   chan struct{} // has room for one
}

func (p *pages) publish(_ context.Context, channel, event string, data json.RawMessage, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	e := told{Channel: channel, Event: event, ID: id, At: time.Now()}
	if err := json.Unmarshal(data, &e.Update); err != nil {
		return err
	}
	p.events = append(p.events, e)
	select {
	case p.came <- struct{}{}:
	default:
	}
	return nil
}

func (p *pages) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *pages) all() []told {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

// expect waits for the event of a number, from 1.
func (p *pages) expect(t testing.TB, number int) told {
	t.Helper()
	late := time.After(patience)
	for {
		if all := p.all(); len(all) >= number {
			return all[number-1]
		}
		select {
		case <-p.came:
		case <-late:
			t.Fatalf("event %d did not come, of %d", number, len(p.all()))
		}
	}
}

// engine is a Dashboards with its pages.
type engine struct {
	*dashboard.Dashboards
	*pages
	clock *clock
}

func newEngine(t testing.TB, specs []dashboard.Spec, change ...func(*dashboard.Config)) *engine {
	t.Helper()
	set, err := dashboard.Compile(specs)
	must(t, err)
	e := &engine{pages: &pages{came: make(chan struct{}, 1)}, clock: &clock{now: start}}
	cfg := dashboard.Config{Set: set, Publish: e.publish, Now: e.clock.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, c := range change {
		c(&cfg)
	}
	e.Dashboards, err = dashboard.New(cfg)
	must(t, err)
	t.Cleanup(func() { must(t, e.Close()) })
	return e
}

// run runs it until the end of the test, or until the function given is called.
func (e *engine) run(t testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.Run(ctx)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// current gives the figures.
func (e *engine) current(t testing.TB, name, rangeName string) dashboard.View {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	v, err := e.Current(ctx, name, rangeName)
	must(t, err)
	return v
}

// one is a dashboard with one figure.
func (s *shop) one(kind, query string) dashboard.Spec {
	return dashboard.Spec{Name: "default", Database: s.address, Timeout: 10 * time.Second,
		Figures: []dashboard.FigureSpec{{Name: "figure", Kind: kind, SQL: query}}}
}

// ask gives the one figure of such a dashboard, and why it failed.
func (s *shop) ask(t testing.TB, spec dashboard.Spec) (value string, state dashboard.FigureStats) {
	t.Helper()
	e := newEngine(t, []dashboard.Spec{spec})
	v := e.current(t, "", "today")
	for _, f := range e.Stats()[0].Figures {
		if f.Range == "today" {
			state = f
		}
	}
	_, stale := v.Meta["figure"]
	if stale != (state.Failing != "") {
		t.Errorf("meta %v, state %+v", v.Meta, state)
	}
	return statOf(v.Stats, "figure"), state
}

func decode(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
