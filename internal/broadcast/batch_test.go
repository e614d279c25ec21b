package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
)

// names lists the events of a call.
func names(events []belfry.Event) string {
	all := make([]string, len(events))
	for i, e := range events {
		all[i] = e.Name
	}
	return strings.Join(all, " ")
}

// crowd publishes each event in a goroutine of its own, in the order of the
// slice, and gives a function that waits for all errors.
func crowd(ctx context.Context, b *broadcast.Broadcaster, events ...belfry.Event) (wait func() []error) {
	errs := make([]error, len(events))
	var wg sync.WaitGroup
	for i, e := range events {
		wg.Go(func() { _, errs[i] = b.Publish(ctx, e) })
		synctest.Wait() // until it waits in the line
	}
	return func() []error { wg.Wait(); return errs }
}

func held(batch int) (*fake, remote) {
	d := &fake{hold: make(chan struct{}), began: make(chan struct{}, 100)}
	return d, remote{d, batch}
}

func one(c *broadcast.Config) { c.Parallel = 1 }

func TestEventsThatComeTogetherShareACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, r := held(3)
		b := newBroadcaster(r, one)
		var events []belfry.Event
		for i := range 6 {
			events = append(events, event(fmt.Sprint(i), fmt.Sprint("c", i%2)))
		}
		wait := crowd(t.Context(), b, events...)
		close(d.hold)
		for i, err := range wait() {
			if err != nil {
				t.Errorf("event %d: %v", i, err)
			}
		}
		var calls []string
		for _, c := range d.sent() {
			calls = append(calls, names(c))
		}
		if got := strings.Join(calls, " | "); got != "0 | 1 2 3 | 4 5" {
			t.Errorf("calls %s", got)
		}
	})
}

func TestAChannelIsInOneCallAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, r := held(10)
		b := newBroadcaster(r, func(c *broadcast.Config) { c.Parallel = 3 })
		wait := crowd(t.Context(), b,
			event("1", "a"),      // goes
			event("2", "a", "b"), // waits for a
			event("3", "b"),      // waits behind 2
			event("4", "c"),      // goes
		)
		calls := d.sent()
		if len(calls) != 2 || names(calls[0]) != "1" || names(calls[1]) != "4" {
			t.Errorf("calls %v", calls)
		}
		close(d.hold)
		wait()
		if calls = d.sent(); len(calls) != 3 || names(calls[2]) != "2 3" {
			t.Errorf("calls %v", calls)
		}
	})
}

func TestOrderOfAChannelIsKeptAtFullRate(t *testing.T) {
	var mu sync.Mutex // guards seen
	seen := map[string][]string{}
	d := &fake{answer: func(events []belfry.Event) ([]belfry.Outcome, error) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range events {
			for _, c := range e.Channels {
				seen[c] = append(seen[c], e.Name)
			}
		}
		return all(events), nil
	}}
	b := newBroadcaster(remote{d, 7})
	var wg sync.WaitGroup
	for c := range 20 {
		wg.Go(func() { // one after another on its channel, as the queue's lanes have it
			for i := range 50 {
				e := event(fmt.Sprintf("%03d", i), fmt.Sprint("c", c))
				if rand.N(5) == 0 {
					e.Channels = append(e.Channels, "shared")
				}
				if _, err := b.Publish(context.Background(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for c := range 20 {
		list := seen[fmt.Sprint("c", c)]
		for i, name := range list {
			if name != fmt.Sprintf("%03d", i) {
				t.Fatalf("channel %d: %v", c, list)
			}
		}
		if len(list) != 50 {
			t.Errorf("channel %d has %d events", c, len(list))
		}
	}
}

func TestOneBadEventDoesNotFailItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, r := held(10)
		bad := belfry.Errorf(belfry.CodeTooLarge, "too large")
		d.answer = func(events []belfry.Event) ([]belfry.Outcome, error) {
			for _, e := range events {
				if e.Name == "bad" {
					return nil, bad
				}
			}
			return all(events), nil
		}
		b := newBroadcaster(r, one)
		wait := crowd(t.Context(), b, event("first", "x"), event("good", "a"), event("bad", "b"), event("fine", "c"))
		close(d.hold)
		for i, err := range wait() {
			if want := i == 2; (err != nil) != want || want && !errors.Is(err, bad) {
				t.Errorf("event %d: %v", i, err)
			}
		}
	})
}

func TestAFailureThatMayPassFailsTheRestOfItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, r := held(10)
		d.answer = func(events []belfry.Event) ([]belfry.Outcome, error) {
			if len(events) > 1 {
				return all(events[:1]), errors.New("cut off")
			}
			return all(events), nil
		}
		b := newBroadcaster(r, one)
		wait := crowd(t.Context(), b, event("0", "x"), event("1", "a"), event("2", "b"), event("3", "c"))
		close(d.hold)
		for i, err := range wait() {
			if (err != nil) != (i >= 2) {
				t.Errorf("event %d: %v", i, err)
			}
		}
		if len(d.sent()) != 2 {
			t.Errorf("calls %v", d.sent())
		}
	})
}

func TestACallerThatGivesUpLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, r := held(10)
		b := newBroadcaster(r, one)
		first := crowd(t.Context(), b, event("0", "a"))
		ctx, cancel := context.WithCancel(t.Context())
		second := crowd(ctx, b, event("1", "a"))
		third := crowd(t.Context(), b, event("2", "a"))
		cancel()
		if err := second()[0]; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		close(d.hold)
		if err := errors.Join(append(first(), third()...)...); err != nil {
			t.Error(err)
		}
		if calls := d.sent(); len(calls) != 2 || names(calls[1]) != "2" {
			t.Errorf("calls %v", calls)
		}
	})
}

func TestALeaderThatGivesUpStillSendsForTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, r := held(10)
		b := newBroadcaster(r, one)
		first := crowd(t.Context(), b, event("0", "a"))
		ctx, cancel := context.WithCancel(t.Context())
		lead := crowd(ctx, b, event("1", "b"))
		follow := crowd(t.Context(), b, event("2", "c"))
		<-d.began
		d.hold <- struct{}{} // the first call ends, the second begins
		<-d.began
		cancel()
		time.Sleep(time.Second)
		close(d.hold)
		if err := errors.Join(append(append(first(), lead()...), follow()...)...); err != nil {
			t.Error(err)
		}
		if calls := d.sent(); len(calls) != 2 || names(calls[1]) != "1 2" {
			t.Errorf("calls %v", calls)
		}
	})
}

func TestADriverThatPanicsHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, r := held(10)
		d.answer = func(events []belfry.Event) ([]belfry.Outcome, error) {
			if len(events) > 1 {
				panic("driver")
			}
			return all(events), nil
		}
		b := newBroadcaster(r, one)
		first := crowd(t.Context(), b, event("0", "a"))
		caught := make(chan any, 1)
		go func() {
			defer func() { caught <- recover() }()
			b.Publish(t.Context(), event("1", "b"))
		}()
		synctest.Wait()
		last := crowd(t.Context(), b, event("2", "c"))
		close(d.hold)
		first()
		if <-caught == nil {
			t.Error("the panic was swallowed")
		}
		if last()[0] == nil {
			t.Error("no error")
		}
		if _, err := b.Publish(t.Context(), event("3", "a")); err != nil {
			t.Error(err)
		}
	})
}
