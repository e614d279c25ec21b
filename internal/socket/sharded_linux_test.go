package socket_test

import (
	"testing"

	"github.com/belfryhq/belfry/internal/socket"
)

func TestSharded(t *testing.T) {
	suite(t, func(cfg socket.Config) socket.Engine {
		e, err := socket.NewSharded(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return e
	})
}
