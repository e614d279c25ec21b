package ops_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/ops"
)

// counted gives a Look that counts how often it asks.
func counted(t *testing.T, ask func(ctx context.Context, n int32) error) (*ops.Look[int32], *atomic.Int32) {
	var n atomic.Int32
	l := ops.NewLook(func(ctx context.Context) (int32, error) {
		mine := n.Add(1)
		return mine, ask(ctx, mine)
	}, ops.LookTimes{})
	t.Cleanup(l.Close)
	return l, &n
}

func TestLook_AsksAtMostOnceASecondForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, n := counted(t, func(context.Context, int32) error { return nil })
		for range 20 {
			for range 5 {
				go l.Get(t.Context())
			}
			time.Sleep(100 * time.Millisecond) // fake time
		}
		if got := n.Load(); got != 2 {
			t.Errorf("asked %d times in two seconds, want 2", got)
		}
	})
}

func TestLook_GivesTheLastAnswerWhileTheNextIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := counted(t, func(ctx context.Context, n int32) error {
			if n > 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		if got, err := l.Get(t.Context()); got != 1 || err != nil {
			t.Fatal(got, err)
		}
		time.Sleep(2 * time.Second)
		began := time.Now()
		if got, err := l.Get(t.Context()); got != 1 || err != nil {
			t.Errorf("while the next is late: %d, %v", got, err)
		}
		if waited := time.Since(began); waited != 800*time.Millisecond {
			t.Errorf("waited %s", waited)
		}
		began = time.Now()
		if got, err := l.Get(t.Context()); got != 1 || err != nil || time.Since(began) > time.Millisecond {
			t.Errorf("the second to wait for the same: %d, %v after %s", got, err, time.Since(began))
		}
		time.Sleep(5 * time.Second) // the question has ended
		if _, err := l.Get(t.Context()); err == nil || !strings.Contains(err.Error(), "no answer within 5s") {
			t.Errorf("a question that was not answered: %v", err)
		}
	})
}

func TestLook_SaysThatThereIsNoAnswerYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, n := counted(t, func(ctx context.Context, _ int32) error { <-ctx.Done(); return ctx.Err() })
		for range 3 {
			if _, err := l.Get(t.Context()); err == nil || !strings.Contains(err.Error(), "no answer within 800ms") {
				t.Errorf("%v", err)
			}
		}
		if got := n.Load(); got != 1 {
			t.Errorf("asked %d times at once", got)
		}
	})
}

func TestLook_RestsAfterASlowAnswerButNotAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		l, n := counted(t, func(_ context.Context, n int32) error {
			time.Sleep(500 * time.Millisecond)
			if n == 1 {
				return away
			}
			return nil
		})
		if _, err := l.Get(t.Context()); !errors.Is(err, away) {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond)
		if got, err := l.Get(t.Context()); got != 2 || err != nil {
			t.Fatal(got, err)
		}
		time.Sleep(1900 * time.Millisecond)
		if got, _ := l.Get(t.Context()); got != 2 || n.Load() != 2 {
			t.Errorf("asked again %s after an answer that took 500ms", 1900*time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond)
		if got, _ := l.Get(t.Context()); got != 3 {
			t.Errorf("answer %d, want a new one", got)
		}
	})
}
