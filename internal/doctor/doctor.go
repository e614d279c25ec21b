// Package doctor tests the links between a publisher and a page one by one and
// names the one that is broken: address, TLS, clock, signature, WebSocket,
// authorization, an event through all of it; and reads the settings of projects
// that are to talk to a server.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Status is what became of a check.
type Status string

// The states of a check.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Check is one link that was tested. It holds no secret.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Cause names what is wrong, for scripts and the documentation; empty unless
	// it failed.
	Cause Cause `json:"cause,omitempty"`
	// Seen is what was seen, or why it was skipped.
	Seen string `json:"seen"`
	Fix  string `json:"fix,omitempty"`
	// Milliseconds is how long it took.
	Milliseconds float64 `json:"milliseconds"`

	mild bool // what needs it can be tested all the same
}

// AnyFailed reports whether a check failed.
func AnyFailed(all []Check) bool {
	return slices.ContainsFunc(all, func(c Check) bool { return c.Status == Failed })
}

// Pass, Fail and Skip give a Check that is without its name and time.
func Pass(format string, args ...any) Check {
	return Check{Status: Passed, Seen: fmt.Sprintf(format, args...)}
}

// Fail gives a Check that failed; see Pass.
func Fail(cause Cause, fix, format string, args ...any) Check {
	return Check{Status: Failed, Cause: cause, Seen: fmt.Sprintf(format, args...), Fix: fix}
}

// Skip gives a Check that was not made; see Pass.
func Skip(format string, args ...any) Check {
	return Check{Status: Skipped, Seen: fmt.Sprintf(format, args...)}
}

// Step is a check that can be made.
type Step struct {
	Name string
	// Needs are the names of steps without which this one tells nothing.
	Needs []string
	// Limit bounds it; default 10 s.
	Limit time.Duration
	Run   func(ctx context.Context) Check
}

// defaultLimit bounds a step.
const defaultLimit = 10 * time.Second

// Run makes checks in their order. One whose needs were not met is skipped.
func Run(ctx context.Context, steps []Step) []Check {
	all := make([]Check, 0, len(steps))
	state := map[string]Status{}
	for _, s := range steps {
		var c Check
		began := time.Now()
		unmet := slices.IndexFunc(s.Needs, func(name string) bool { return state[name] != Passed })
		switch {
		case ctx.Err() != nil:
			c = Skip("stopped")
		case unmet >= 0:
			c = Skip("needs %s", s.Needs[unmet])
		default:
			limit := s.Limit
			if limit == 0 {
				limit = defaultLimit
			}
			limited, cancel := context.WithTimeout(ctx, limit)
			c = s.Run(limited)
			cancel()
			c.Milliseconds = float64(time.Since(began).Microseconds()) / 1000
		}
		c.Name = s.Name
		if state[s.Name] = c.Status; c.mild {
			state[s.Name] = Passed
		}
		all = append(all, c)
	}
	return all
}

// plain gives an error's text for people, without addresses of requests, which
// hold signatures.
func plain(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op != "dial" {
		return short(op.Err.Error())
	}
	return short(err.Error())
}

// short makes a text one printable line.
func short(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' }), " ")
	if runes := []rune(s); len(runes) > 300 {
		return string(runes[:300]) + "…"
	}
	return s
}
