package socket_test

import (
	"runtime"
	"testing"

	"github.com/belfryhq/belfry/internal/socket"
)

// sharded opens the Linux engine with so many shards; 0 is the system's number.
// prepare may change it before it runs.
func sharded(t testing.TB, shards int, prepare ...func(e *socket.Sharded)) opening {
	return func(cfg socket.Config) socket.Engine {
		t.Helper()
		if shards > 0 {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(shards + 1))
		}
		e, err := socket.NewSharded(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range prepare {
			p(e)
		}
		return e
	}
}

func TestSharded(t *testing.T) { suite(t, sharded(t, 0)) }

func TestManyShards(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	suite(t, sharded(t, 3))
}

// A connection that is idle costs no more than this, and what the Go allocator
// rounds it up to.
func TestConnectionStaysSmall(t *testing.T) {
	if socket.ConnSize > 256 {
		t.Errorf("a connection takes %d bytes: over 256 the allocator gives it 288", socket.ConnSize)
	}
}
