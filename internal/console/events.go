package console

import (
	"net/http"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/trace"
)

// event answers with what became of an event.
func (c *Console) event(r *http.Request, _ *call) (any, error) {
	id := r.PathValue("id")
	found, ok, err := c.cfg.Trace.Find(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if !ok {
		var ids []string
		for _, t := range c.cfg.Trace.Events(trace.Filter{Limit: 500}) {
			ids = append(ids, t.ID)
		}
		return nil, unknown("remembered event", id, explain.Near(id, ids))
	}
	answer := struct {
		trace.Timeline
		Status  string          `json:"status"`
		Receipt *belfry.Receipt `json:"receipt,omitempty"`
	}{Timeline: found, Status: found.Status()}
	if receipt, counted := found.Receipt(); counted {
		answer.Receipt = &receipt
	}
	return answer, nil
}

// explain answers why an event did or did not arrive.
func (c *Console) explain(r *http.Request, _ *call) (any, error) {
	q := r.URL.Query()
	ask := explain.Question{ID: q.Get("id"), User: q.Get("user"), Socket: q.Get("socket"), Event: q.Get("event"), Channel: q.Get("channel"), App: q.Get("app")}
	if text := q.Get("since"); text != "" {
		since, err := time.ParseDuration(text)
		if err != nil || since <= 0 {
			return nil, fault("since", "write a time such as 10m")
		}
		ask.Since = since
	}
	verdict, err := c.cfg.Explain(r.Context(), ask)
	if err != nil {
		return nil, err
	}
	return c.explained(verdict), nil
}

// denials answers with authorizations that were refused, the latest first.
func (c *Console) denials(r *http.Request, _ *call) (any, error) {
	most, err := limit(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	all, err := c.cfg.Denials(r.Context(), authz.DenialFilter{User: q.Get("user"), Channel: q.Get("channel"), App: q.Get("app"),
		Before: q.Get("cursor"), Limit: most + 1})
	if err != nil {
		return nil, err
	}
	cursor := ""
	if len(all) > most {
		all = all[:most]
		cursor = all[most-1].ID
	}
	return map[string]any{"denials": list(all), "next_cursor": next(cursor)}, nil
}

// webhooksIn answers with the signed webhooks that came, the newest first.
func (c *Console) webhooksIn(r *http.Request, _ *call) (any, error) {
	most, err := limit(r)
	if err != nil {
		return nil, err
	}
	all := c.cfg.Received()
	if after := r.URL.Query().Get("cursor"); after != "" {
		for i := range all {
			if all[i].ID == after {
				all = all[i+1:]
				break
			}
		}
	}
	cursor := ""
	if len(all) > most {
		all = all[:most]
		cursor = all[most-1].ID
	}
	return map[string]any{"webhooks": list(all), "next_cursor": next(cursor)}, nil
}
