package broadcast_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/store"
)

// BenchmarkAcceptWithKey is the door's way for events with an Idempotency-Key,
// from many callers at once, without the queue's own part.
func BenchmarkAcceptWithKey(b *testing.B) {
	db, err := store.Open(store.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	into := newBroadcaster(&fake{}, withQueue(&shelf{}), func(c *broadcast.Config) { c.DB = db })
	var n atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := into.Accept(context.Background(), request(fmt.Sprint("k", n.Add(1)), `{"n":1}`)); err != nil {
				b.Error(err)
			}
		}
	})
}
