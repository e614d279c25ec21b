package socket_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket"
)

// A reservation that does not end may belong to a publisher that waits for what
// another holds, so one is let past it; were all let past it at once, they would
// flood connections that merely had no turn to read.
func TestOnePublisherAtATimePastAReservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 10
		v := socket.NewValve(80 << 10)
		if err := v.Reserve(t.Context(), &hub.Topic{Name: "stands still"}, 11<<10); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		const publishers = 4
		in := make(chan time.Duration, publishers)
		for range publishers {
			go func() {
				if err := v.Reserve(t.Context(), &hub.Topic{Name: "another"}, size); err != nil {
					t.Error(err)
				}
				in <- time.Since(began)
			}()
		}
		last := time.Duration(0)
		for n := range publishers {
			after := <-in
			if after-last < 20*time.Millisecond {
				t.Errorf("publisher %d is let in %s after the one before, want a moment between them", n+1, after-last)
			}
			last = after
		}
	})
}
