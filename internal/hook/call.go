package hook

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// Call is one request with all of its attempts. It holds no secret, no payload
// and not the query of the URL.
type Call struct {
	ID  string // sorts by time
	App string
	URL string
	// Events are the events' names, Channels the first ten channels of theirs.
	// Count is how many events there are. Not to be changed.
	Events, Channels []string
	Count            int
	Accepted         time.Time // when its oldest event was
	At               time.Time // of the last attempt, or when it was given up
	Outcome          Outcome
	Error            string // empty when delivered
	// Tries are the attempts, the first first, at most 20: of more, the last.
	// None: it was given up before its turn came.
	Tries []Try
	// Resent is when it was sent again, ResentAs under which id; zero: never.
	Resent   time.Time
	ResentAs string
	// Body reports whether its body is kept, so that it can be sent again, and
	// BodyUntil until when; zero: as long as it is among the last attempts.
	Body      bool
	BodyUntil time.Time
}

// Try is one attempt of a call.
type Try struct {
	At       time.Time     `json:"at"`
	Status   int           `json:"status"` // 0: no answer
	Error    string        `json:"error,omitempty"`
	Duration time.Duration `json:"took"`
}

// Bounds of what a call tells.
const (
	maxTries    = 20
	maxChannels = 10
)

// CallFilter picks calls. The zero value picks the last 100.
type CallFilter struct {
	App     string
	Outcome Outcome
	// Text is a part of the URL, the error, or a name of an event or channel;
	// upper and lower case are the same.
	Text string
	// Before is the id of a call: only older ones are given.
	Before string
	// Limit is how many at most; default 100.
	Limit int
}

func (f *CallFilter) picks(c *Call) bool {
	switch {
	case f.App != "" && c.App != f.App, f.Outcome != "" && c.Outcome != f.Outcome, f.Before != "" && c.ID >= f.Before:
		return false
	}
	return f.Text == "" || strings.Contains(strings.ToLower(found(c)), strings.ToLower(f.Text))
}

// found is what a text is looked for in.
func found(c *Call) string {
	return c.URL + " " + c.Error + " " + strings.Join(c.Events, " ") + " " + strings.Join(c.Channels, " ")
}

// Calls gives requests, the newest first: those of the last 200 attempts, and
// those that the database keeps, if one does. more reports that there are older
// ones. Errors are the database's.
func (h *Hooks) Calls(ctx context.Context, f CallFilter) (all []Call, more bool, err error) {
	f.Limit = cmp.Or(max(f.Limit, 0), 100)
	byID := make(map[string]Call)
	for _, c := range h.remembered() {
		byID[c.ID] = c
	}
	var kept []Call
	if h.records != nil {
		if kept, err = h.records.read(ctx, f); err != nil {
			return nil, false, err
		}
	}
	for _, c := range kept {
		now, known := byID[c.ID]
		if known && now.Body && !c.Body {
			c.Body = true
		}
		byID[c.ID] = c
	}
	for _, c := range byID {
		if f.picks(&c) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b Call) int { return cmp.Compare(b.ID, a.ID) })
	if len(all) > f.Limit {
		return all[:f.Limit], true, nil
	}
	return all, false, nil
}

// remembered gives the calls of the last attempts.
func (h *Hooks) remembered() []Call {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ring.calls()
}

// calls gives the calls of the attempts, each as its last attempt left it.
func (r *ring) calls() (all []Call) {
	seen := make(map[string]bool)
	for n := range min(r.total, len(r.last)) {
		i := (r.total - 1 - n) % len(r.last)
		if seen[r.last[i].Call] {
			continue
		}
		seen[r.last[i].Call] = true
		c := r.last[i].call()
		c.Body = r.sent[i] != nil
		all = append(all, c)
	}
	return all
}

// call is an attempt's call as the attempt left it.
func (a *Attempt) call() Call {
	return Call{ID: a.Call, App: a.App, URL: a.URL, Events: a.Events, Channels: a.channels, Count: len(a.Events), Accepted: a.accepted,
		At: a.Time, Outcome: a.Outcome, Error: a.Error, Tries: a.tries, Resent: a.resent, ResentAs: a.resentAs}
}
