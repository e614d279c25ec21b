package store_test

import (
	"testing"

	"github.com/belfryhq/belfry/internal/store"
)

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		before, count int
		want          string
	}{{0, 1, "($1)"}, {0, 3, "($1, $2, $3)"}, {9, 2, "($10, $11)"}} {
		if got := store.Places(c.before, c.count); got != c.want {
			t.Errorf("%d behind %d: %q, want %q", c.count, c.before, got, c.want)
		}
	}
}
