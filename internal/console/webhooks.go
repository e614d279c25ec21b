package console

import (
	"net/http"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hook"
)

// maxResend is how many webhooks one request sends again.
const maxResend = 1000

// webhookCall is one request to an endpoint with its attempts.
type webhookCall struct {
	ID       string       `json:"id"`
	App      string       `json:"app"`
	URL      string       `json:"url"`
	Events   []string     `json:"events"`
	Channels []string     `json:"channels"`
	Count    int          `json:"count"`
	Accepted time.Time    `json:"accepted_at"`
	At       time.Time    `json:"at"`
	Outcome  string       `json:"outcome"`
	Status   int          `json:"status"` // of the last attempt
	Error    string       `json:"error,omitempty"`
	Took     float64      `json:"took_ms"` // the last attempt
	Tries    []webhookTry `json:"tries"`
	Resent   *time.Time   `json:"resent_at"`
	ResentAs string       `json:"resent_as,omitempty"`
	// Body reports whether it can be sent again, BodyUntil until when, where that
	// is known.
	Body      bool       `json:"body"`
	BodyUntil *time.Time `json:"body_until"`
}

type webhookTry struct {
	At     time.Time `json:"at"`
	Status int       `json:"status"`
	Error  string    `json:"error,omitempty"`
	Took   float64   `json:"took_ms"`
}

func shownCall(c hook.Call) webhookCall {
	one := webhookCall{ID: c.ID, App: c.App, URL: c.URL, Events: list(c.Events), Channels: list(c.Channels), Count: c.Count,
		Accepted: c.Accepted.UTC(), At: c.At.UTC(), Outcome: string(c.Outcome), Error: c.Error, Tries: []webhookTry{},
		Resent: shownTime(c.Resent), ResentAs: c.ResentAs, Body: c.Body, BodyUntil: shownTime(c.BodyUntil)}
	for _, t := range c.Tries {
		one.Status, one.Took = t.Status, float64(t.Duration.Microseconds())/1000
		one.Tries = append(one.Tries, webhookTry{At: t.At.UTC(), Status: t.Status, Error: t.Error, Took: one.Took})
	}
	return one
}

func shownTime(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

// webhooksOut answers with the requests to endpoints, the newest first.
func (c *Console) webhooksOut(r *http.Request, _ *call) (any, error) {
	most, err := limit(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	found, more, err := c.cfg.Hooks.Calls(r.Context(), hook.CallFilter{App: q.Get("app"), Outcome: hook.Outcome(q.Get("outcome")),
		Text: q.Get("q"), Before: q.Get("cursor"), Limit: most})
	if err != nil {
		return nil, err
	}
	all, cursor := []webhookCall{}, ""
	for _, one := range found {
		all = append(all, shownCall(one))
	}
	if more {
		cursor = all[len(all)-1].ID
	}
	return map[string]any{"calls": all, "next_cursor": next(cursor)}, nil
}

// resend sends a webhook again.
func (c *Console) resend(r *http.Request, one *call) (any, error) {
	one.subject = r.PathValue("id")
	as, err := c.cfg.Hooks.Resend(r.Context(), one.subject)
	if err != nil {
		return nil, err
	}
	return map[string]any{"queued": true, "id": as}, nil
}

// resendMany sends those again that failed, were not sent again yet and are
// described.
func (c *Console) resendMany(r *http.Request, one *call) (any, error) {
	var ask struct {
		App  string `json:"app"`
		Text string `json:"q"`
		All  bool   `json:"all"`
	}
	if err := one.read(r, &ask); err != nil {
		return nil, err
	}
	if !ask.All {
		return nil, fault("all", `write "all": true, with what describes the failed webhooks: app, q`)
	}
	one.subject = clip(ask.App, 200)
	one.note("q", clip(ask.Text, 300))
	sent, more, left, err := c.cfg.Hooks.ResendFailed(r.Context(), hook.CallFilter{App: ask.App, Text: ask.Text}, maxResend)
	one.note("sent", sent)
	if err != nil {
		return nil, err
	}
	why := ""
	if e, ok := left.(*belfry.Error); ok {
		why = e.Message
	} else if left != nil {
		why = "some could not be: see the log of the server"
		c.cfg.Logger.Warn("a webhook could not be sent again", "error", left)
	}
	return map[string]any{"sent": sent, "complete": !more, "left": why}, nil
}
