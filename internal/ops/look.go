package ops

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Look asks something that may be slow or hang, such as a database, for those
// who must have an answer at once: one question at a time, seldom, and the last
// answer for whoever comes in between. Make one with NewLook. Its methods may be
// called concurrently.
type Look[T any] struct {
	ask    func(ctx context.Context) (T, error)
	times  LookTimes
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex // guards all below
	running *asking    // nil while nobody asks
	last    T
	err     error
	at      time.Time // of the last answer; zero before the first
	rest    time.Duration
}

// LookTimes bound a Look. Zero values mean the defaults.
type LookTimes struct {
	// Every is how long an answer is given again; default 1 s. An answer that
	// took long is given for four times as long as it took.
	Every time.Duration
	// Wait is how long Get waits; default 800 ms.
	Wait time.Duration
	// Limit ends one question; default 5 s.
	Limit time.Duration
	// Keep is how old an answer may be that Get gives while a new one is late;
	// default 30 s.
	Keep time.Duration
}

type asking struct {
	began time.Time
	done  chan struct{}
}

// NewLook makes a Look. Ask must end with its context; it is called from one
// goroutine at a time.
func NewLook[T any](ask func(ctx context.Context) (T, error), times LookTimes) *Look[T] {
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{{&times.Every, time.Second}, {&times.Wait, 800 * time.Millisecond}, {&times.Limit, 5 * time.Second}, {&times.Keep, 30 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	l := &Look[T]{ask: ask, times: times}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Get gives the answer, or why there is none. It waits for one at most
// LookTimes.Wait, counted from when the question was put, and not after ctx has
// ended.
func (l *Look[T]) Get(ctx context.Context) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var none T
	if l.ctx.Err() != nil {
		return none, errLookClosed
	}
	if !l.at.IsZero() && time.Since(l.at) < l.rest {
		return l.last, l.err
	}
	if l.running == nil {
		l.begin()
	}
	if l.await(ctx, l.running) || !l.at.IsZero() && time.Since(l.at) < l.times.Keep {
		return l.last, l.err
	}
	return none, fmt.Errorf("no answer within %s", l.times.Wait)
}

// await reports whether the question was answered in time. It lets go of the
// lock meanwhile.
func (l *Look[T]) await(ctx context.Context, a *asking) bool {
	l.mu.Unlock()
	defer l.mu.Lock()
	timer := time.NewTimer(l.times.Wait - time.Since(a.began))
	defer timer.Stop()
	select {
	case <-a.done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// begin puts the question. The lock is held.
func (l *Look[T]) begin() {
	a := &asking{began: time.Now(), done: make(chan struct{})}
	l.running = a
	l.wg.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, l.times.Limit)
		defer cancel()
		answer, err := l.ask(ctx)
		if err != nil && ctx.Err() == context.DeadlineExceeded {
			err = fmt.Errorf("no answer within %s", l.times.Limit)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.last, l.err, l.at, l.rest = answer, err, time.Now(), l.times.Every
		if err == nil {
			l.rest = max(l.rest, 4*time.Since(a.began))
		}
		l.running = nil
		close(a.done)
	})
}

var errLookClosed = errors.New("not asked any more: the server stops")

// Close ends a question that is under way and waits for it. Get gives an error
// from then on.
func (l *Look[T]) Close() {
	l.mu.Lock()
	l.cancel() // with the lock, so that no question begins after it
	l.mu.Unlock()
	l.wg.Wait()
}
