package broadcast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
)

// circuit stands before a target that can be down. After some failures in a
// row it opens: calls fail at once, and after a pause one of them is let
// through as a probe. A nil circuit is always closed.
type circuit struct {
	target         string
	most           int // failures in a row that open it
	first, longest time.Duration
	now            func() time.Time
	log            *slog.Logger

	mu       sync.Mutex // guards all below
	failures int
	pause    time.Duration // 0: closed
	until    time.Time     // of the pause
	since    time.Time     // when it opened
	probing  bool
	last     error
}

// Down is the cause of the error that a call gets while the circuit is open.
type Down struct {
	Target string
	Since  time.Time
	Until  time.Time // when the target is tried again
	Last   error     // the failure that opened the circuit
	// Wait is how long it is until then, at least 0.
	Wait time.Duration
}

// Error says since when the target is down.
func (d *Down) Error() string {
	return fmt.Sprintf("down since %s: %v", d.Since.UTC().Format(time.RFC3339), d.Last)
}

// Unwrap gives the last failure.
func (d *Down) Unwrap() error { return d.Last }

// RetryAfter is how long a further try is of no use.
func (d *Down) RetryAfter() time.Duration { return d.Wait }

// enter asks to call the target; each nil error is followed by one leave.
func (c *circuit) enter() (probe bool, err error) {
	if c == nil {
		return false, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refusal(); err != nil {
		return false, err
	}
	c.probing = c.pause > 0
	return c.probing, nil
}

// blocked gives the error that a call would get now.
func (c *circuit) blocked() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refusal()
}

func (c *circuit) refusal() error {
	now := c.now()
	if c.pause == 0 || !c.probing && !now.Before(c.until) {
		return nil
	}
	again := "one call is trying it now"
	if !c.probing {
		again = "it is tried again at " + c.until.UTC().Format(time.RFC3339)
	}
	return &belfry.Error{
		Code:    belfry.CodeUnavailable,
		Message: "the broadcaster " + c.target + " has been down since " + c.since.UTC().Format(time.RFC3339) + "; " + again,
		Hint:    "events that wait in a queue are tried again by themselves; see /health for the reason",
		Err:     &Down{Target: c.target, Since: c.since, Until: c.until, Last: c.last, Wait: max(0, c.until.Sub(now))},
	}
}

// leave tells how the call went. A call that its caller gave up says nothing
// of the target; a refusal says that it is up.
func (c *circuit) leave(ctx context.Context, probe bool, err error) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if probe {
		c.probing = false
	}
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
	case err == nil || Permanent(err) || belfry.CodeOf(err) == belfry.CodeRateLimited:
		if c.pause > 0 {
			c.log.Info("the broadcaster answers again", "target", c.target, "down", now.Sub(c.since).Round(time.Millisecond).String())
		}
		c.failures, c.pause, c.last = 0, 0, nil
	case c.pause > 0:
		c.last = err
		if probe {
			c.pause = min(2*c.pause, c.longest)
			c.until = now.Add(c.pause)
		}
	default:
		c.last = err
		if c.failures++; c.failures >= c.most {
			c.pause, c.since = c.first, now
			c.until = now.Add(c.pause)
			c.log.Error("the broadcaster is down: events fail at once until it answers again",
				"target", c.target, "failures", c.failures, "next_try", c.until.UTC(), "error", err)
		}
	}
}

func (c *circuit) isOpen() bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pause > 0
}

// state gives "closed", "open" or "probing", and until when it is open.
func (c *circuit) state() (word string, until time.Time) {
	if c == nil {
		return "closed", time.Time{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.pause == 0:
		return "closed", time.Time{}
	case c.probing:
		return "probing", c.until
	}
	return "open", c.until
}
