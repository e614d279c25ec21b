package riverqueue_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/queue/queuetest"
	"github.com/belfryhq/belfry/internal/queue/riverqueue"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

func TestMain(m *testing.M) {
	if os.Getenv(childURL) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

// open makes a migrated database.
func open(t testing.TB, cfg store.Config) queuetest.Place {
	t.Helper()
	db, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return queuetest.Place{DB: db, Driver: func() queue.Driver { return riverqueue.New(riverqueue.Config{DB: db}) }}
}

func onSQLite(t testing.TB) queuetest.Place { return open(t, store.Config{Dir: t.TempDir()}) }

func onPostgres(t testing.TB) queuetest.Place {
	return open(t, store.Config{URL: services.Postgres(t)})
}

func TestSQLite(t *testing.T)   { queuetest.Run(t, onSQLite) }
func TestPostgres(t *testing.T) { queuetest.Run(t, onPostgres) }
