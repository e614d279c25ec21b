package asynqqueue_test

import (
	"testing"

	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/queue/queuetest"
	"github.com/belfryhq/belfry/internal/store"
)

// place is an empty Redis, beside a database for what is the Queue's own.
func place(t testing.TB) queuetest.Place {
	t.Helper()
	db, err := store.Open(store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	addr := redisServer(t)
	return queuetest.Place{DB: db, Driver: func() queue.Driver {
		d, _ := open(t, addr)
		return d
	}}
}

func TestSuite(t *testing.T) { queuetest.Run(t, place) }
