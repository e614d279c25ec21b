package control

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/trace"
)

func (b Backend) trace(handle register) {
	handle("POST /v1/trace", b.Notes != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		var notes []trace.Note
		if err := readJSON(r, &notes); err != nil {
			return nil, err
		}
		b.Notes(notes)
		return struct{}{}, nil
	})
	handle("POST /v1/trace/events", b.Events != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		var f trace.Filter
		if err := readJSON(r, &f); err != nil {
			return nil, err
		}
		return b.Events(f), nil
	})
	handle("POST /v1/explain", b.Explain != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		var q explain.Question
		if err := readJSON(r, &q); err != nil {
			return nil, err
		}
		return b.Explain(r.Context(), q)
	})
	handle("POST /v1/auth/explain", b.ExplainAuth != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		var q explain.AuthQuestion
		if err := readJSON(r, &q); err != nil {
			return nil, err
		}
		return b.ExplainAuth(r.Context(), q)
	})
}

// Note tells the server what became of events in this process.
func (c *Client) Note(ctx context.Context, notes []trace.Note) error {
	return c.post(ctx, "/v1/trace", notes, &struct{}{})
}

// Events gives what the server remembers of events, the newest first.
func (c *Client) Events(ctx context.Context, f trace.Filter) ([]trace.Timeline, error) {
	var all []trace.Timeline
	return all, c.post(ctx, "/v1/trace/events", f, &all)
}

// Explain asks why an event did or did not arrive.
func (c *Client) Explain(ctx context.Context, q explain.Question) (explain.Verdict, error) {
	var v explain.Verdict
	return v, c.post(ctx, "/v1/explain", q, &v)
}

// ExplainAuth asks which rule decides on a user and a channel, and why.
func (c *Client) ExplainAuth(ctx context.Context, q explain.AuthQuestion) (explain.AuthVerdict, error) {
	var v explain.AuthVerdict
	return v, c.post(ctx, "/v1/auth/explain", q, &v)
}

func (c *Client) post(ctx context.Context, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, path, nil, text, answer)
}
