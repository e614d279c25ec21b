package webhook

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// run sends changes until the sender is closed and nothing waits, or ctx ends.
func (s *Sender) run(ctx context.Context) {
	defer close(s.ended)
	defer s.cancel()
	failures := 0
	for {
		if !s.awaitChange(ctx) {
			return
		}
		begun := time.Now()
		err := s.attempt(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			// The quiet that makes the changes of a moment one message. Nobody waits
			// for it at the end.
			s.pause(ctx, s.cfg.Debounce-time.Since(begun), s.closing)
		default:
			failures++
			s.pause(ctx, s.backoff(failures, err), s.closes())
		}
	}
}

// awaitChange returns when a change waits, or false when none will.
func (s *Sender) awaitChange(ctx context.Context) bool {
	for {
		s.mu.Lock()
		waits := s.waiting != nil
		s.mu.Unlock()
		if waits {
			return ctx.Err() == nil
		}
		select {
		case <-s.wake:
		case <-s.closing:
			// A change came before the end, or none does any more.
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.waiting != nil
		case <-ctx.Done():
			return false
		}
	}
}

// pause waits for d; sooner ends it, if given.
func (s *Sender) pause(ctx context.Context, d time.Duration, sooner <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-sooner:
	case <-ctx.Done():
	}
}

// closes gives a channel that the call of Close closes: the end of a pause, so
// that an attempt is made before the end. Pauses after that last as ever.
func (s *Sender) closes() <-chan struct{} {
	select {
	case <-s.closing:
		return nil
	default:
		return s.closing
	}
}

// backoff is how long to wait after so many failures in a row.
func (s *Sender) backoff(failures int, err error) time.Duration {
	d := s.cfg.MaxBackoff
	var p *PostError
	isPost := errors.As(err, &p)
	if !isPost || !p.refused() {
		if doubled := s.cfg.MinBackoff << min(failures-1, 20); doubled > 0 {
			d = min(d, doubled)
		}
	}
	d -= rand.N(d/2 + 1)
	if isPost {
		d = max(d, p.After)
	}
	return d
}

// attempt posts what waits. Changes that come meanwhile wait for the next one.
// It gives nil too when the change is given up.
func (s *Sender) attempt(ctx context.Context) error {
	s.mu.Lock()
	c := s.waiting
	if c.id == "" {
		c.id = NewID()
	}
	s.waiting, s.stats.Waiting = nil, true
	before := s.stats.LastErr
	s.mu.Unlock()

	_, err := s.poster.Post(ctx, Message{ID: c.id, Body: ChangeBody(c.reason, c.period)})

	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Waiting = false
	var p *PostError
	switch {
	case err == nil:
		if s.stats.LastErr != "" {
			s.log.Info("the webhook receiver takes messages again")
		}
		s.stats.Sent++
		s.stats.LastErr = ""
		s.covered(c)
		return nil
	case ctx.Err() != nil:
		s.putBack(c)
		return err
	}
	s.stats.Failures++
	s.stats.LastErr = err.Error()
	final := errors.As(err, &p) && p.Final()
	if age := time.Since(c.at); final || age > s.cfg.Limit {
		s.stats.GivenUp++
		s.log.Error("a dashboard was not told of a change: the webhook is given up", "error", err, "age", age.Round(time.Second))
		s.covered(c)
		return err
	}
	if s.stats.LastErr != before { // not each time
		s.log.Warn("the webhook could not be sent; it is tried again until it is taken", "error", err)
	}
	s.putBack(c)
	return err
}

// covered takes a change that is done with out of the outbox.
func (s *Sender) covered(c *change) {
	if s.box == nil {
		return
	}
	if err := s.box.done(c.n, s.waiting); err != nil {
		s.log.Warn("the webhook outbox cannot be written: a change may be sent twice", "error", err)
	}
}

// putBack lets a change wait again, in what came meanwhile, if anything.
func (s *Sender) putBack(c *change) {
	if s.waiting == nil {
		s.waiting = c
		return
	}
	s.waiting.at = c.at
}
