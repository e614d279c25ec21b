package identity_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is an engine on a fresh database.
type fixture struct {
	*identity.Identity
	t     testing.TB
	db    *store.DB
	clock *clock
}

// cheap makes hashing quick; what it costs is tested once, at full cost.
var cheap = identity.Hashing{Memory: 64, Time: 1}

func newFixture(t testing.TB, url string, change ...func(*identity.Config)) *fixture {
	t.Helper()
	db, err := store.Open(store.Config{URL: url, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, db: db, clock: &clock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}}
	f.Identity = f.another(change...)
	return f
}

// another gives a second engine on the same database, as of another process.
func (f *fixture) another(change ...func(*identity.Config)) *identity.Identity {
	f.t.Helper()
	cfg := identity.Config{DB: f.db, Now: f.clock.Now, Hashing: cheap}
	for _, c := range change {
		c(&cfg)
	}
	i, err := identity.New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	return i
}

// each runs a test on SQLite and on PostgreSQL.
func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newFixture(t, "")) })
	t.Run("postgres", func(t *testing.T) { test(t, newFixture(t, services.Postgres(t))) })
}

const password = "correct horse"

// add makes a user with the password above.
func (f *fixture) add(email string, roles ...string) *belfry.User {
	f.t.Helper()
	user, _, err := f.Add(context.Background(), identity.NewUser{Email: email, Roles: roles, Password: password})
	if err != nil {
		f.t.Fatal(err)
	}
	return user
}

// login signs in with the password above.
func (f *fixture) login(email string) *identity.Session {
	f.t.Helper()
	s, err := f.Login(context.Background(), identity.LoginAttempt{Email: email, Password: password, Address: "192.0.2.1", UserAgent: "test"})
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// changes gives the log from its beginning.
func (f *fixture) changes() []identity.Change {
	f.t.Helper()
	all, err := f.Changes(context.Background(), 0, 1000)
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

func wantCode(t testing.TB, err error, code belfry.Code) {
	t.Helper()
	if belfry.CodeOf(err) != code {
		t.Errorf("error %v has the code %q, want %q", err, belfry.CodeOf(err), code)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
