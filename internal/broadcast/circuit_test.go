package broadcast_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
)

// switchable fails while down is set.
func switchable(down *atomic.Pointer[error]) *fake {
	return &fake{answer: func(events []belfry.Event) ([]belfry.Outcome, error) {
		if err := down.Load(); err != nil {
			return nil, *err
		}
		return all(events), nil
	}}
}

func TestTheCircuitOpensProbesAndCloses(t *testing.T) {
	now := newClock()
	var down atomic.Pointer[error]
	broken := errors.New("refused")
	d := switchable(&down)
	var log bytes.Buffer
	b := newBroadcaster(remote{d, 1}, func(c *broadcast.Config) {
		c.Now, c.Failures, c.Pause, c.LongestPause = now.Now, 3, 5*time.Second, 15*time.Second
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	publish := func() error { _, err := b.Publish(t.Context(), event("e", "a")); return err }
	state := func(word string) {
		t.Helper()
		if got := b.Stats().Circuit; got != word {
			t.Fatalf("circuit is %s, want %s", got, word)
		}
	}
	if err := publish(); err != nil {
		t.Fatal(err)
	}
	down.Store(&broken)
	for range 3 {
		state("closed")
		mustCode(t, publish(), belfry.CodeUnavailable)
	}
	state("open")
	calls := len(d.sent())
	err := publish()
	mustCode(t, err, belfry.CodeUnavailable)
	if broadcast.Permanent(err) || len(d.sent()) != calls {
		t.Fatalf("%v, and %d calls more", err, len(d.sent())-calls)
	}
	if text := belfry.Public(err); !strings.Contains(text, "target.example has been down") || !strings.Contains(text, "12:00:05") {
		t.Errorf("%q does not say what is down and until when", text)
	}
	cause, ok := errors.AsType[*broadcast.Down](err)
	if !ok || cause.RetryAfter() != 5*time.Second || !errors.Is(err, broken) {
		t.Errorf("cause %+v", cause)
	}
	if err := b.Check(t.Context()); belfry.CodeOf(err) != belfry.CodeUnavailable {
		t.Errorf("health says %v", err)
	}
	now.add(5 * time.Second) // one probe, which fails: twice the pause
	if publish() == nil || len(d.sent()) != calls+1 {
		t.Fatal("no probe")
	}
	now.add(9 * time.Second)
	if publish() == nil || len(d.sent()) != calls+1 {
		t.Fatal("a probe too early")
	}
	now.add(time.Second)
	down.Store(nil)
	if err := publish(); err != nil {
		t.Fatal(err)
	}
	state("closed")
	if err := b.Check(t.Context()); err != nil {
		t.Errorf("health says %v", err)
	}
	if text := log.String(); strings.Count(text, "is down") != 1 || strings.Count(text, `msg="the broadcaster answers again"`) != 1 {
		t.Errorf("log:\n%s", text)
	}
}

func TestOneProbeAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Pointer[error]
		broken := errors.New("refused")
		down.Store(&broken)
		d := switchable(&down)
		b := newBroadcaster(remote{d, 1}, func(c *broadcast.Config) { c.Failures = 1 })
		b.Publish(t.Context(), event("e", "a"))
		time.Sleep(5 * time.Second)
		d.hold, d.began = make(chan struct{}), make(chan struct{}, 10)
		down.Store(nil)
		first := make(chan error)
		go func() { _, err := b.Publish(t.Context(), event("e", "a")); first <- err }()
		<-d.began
		if b.Stats().Circuit != "probing" {
			t.Errorf("circuit %s", b.Stats().Circuit)
		}
		_, err := b.Publish(t.Context(), event("e", "a"))
		mustCode(t, err, belfry.CodeUnavailable)
		close(d.hold)
		if err := <-first; err != nil {
			t.Error(err)
		}
		if b.Stats().Circuit != "closed" {
			t.Errorf("circuit %s", b.Stats().Circuit)
		}
	})
}

func TestWhatDoesNotOpenTheCircuit(t *testing.T) {
	for name, err := range map[string]error{
		"refusals":  belfry.Errorf(belfry.CodeInvalid, "bad"),
		"rate":      belfry.Errorf(belfry.CodeRateLimited, "slow"),
		"too large": belfry.Errorf(belfry.CodeTooLarge, "large"),
	} {
		var down atomic.Pointer[error]
		down.Store(&err)
		b := newBroadcaster(remote{switchable(&down), 1}, func(c *broadcast.Config) { c.Failures = 2 })
		for range 5 {
			b.Publish(t.Context(), event("e", "a"))
		}
		if b.Stats().Circuit != "closed" {
			t.Errorf("%s opened the circuit", name)
		}
	}
	// Callers that give up say nothing of the target.
	synctest.Test(t, func(t *testing.T) {
		d := &fake{hold: make(chan struct{}), began: make(chan struct{}, 10)}
		b := newBroadcaster(remote{d, 1}, func(c *broadcast.Config) { c.Failures = 1 })
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-d.began; cancel() }()
		if _, err := b.Publish(ctx, event("e", "a")); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if b.Stats().Circuit != "closed" {
			t.Error("a caller that gave up opened the circuit")
		}
	})
	// A local driver has no circuit.
	var down atomic.Pointer[error]
	broken := errors.New("busy")
	down.Store(&broken)
	b := newBroadcaster(switchable(&down))
	for range 20 {
		b.Publish(t.Context(), event("e", "a"))
	}
	down.Store(nil)
	if _, err := b.Publish(t.Context(), event("e", "a")); err != nil {
		t.Error(err)
	}
}

func TestACallThatHangsEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fake{hold: make(chan struct{}), began: make(chan struct{}, 1)}
		b := newBroadcaster(remote{d, 10})
		began := time.Now()
		_, err := b.Publish(t.Context(), event("e", "a"))
		mustCode(t, err, belfry.CodeUnavailable)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("took %s", took)
		}
	})
}
