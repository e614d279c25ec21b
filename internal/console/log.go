package console

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/trace"
)

// kinds names the kinds of entries of the log, and what belongs to each.
var kinds = map[string][]string{
	"connection":   {"connected", "disconnected", "signed_in"},
	"subscription": {"subscribed", "unsubscribed"},
	"event":        {trace.Accepted, trace.Published, trace.Sent, trace.Skipped},
	"client_event": nil, // published by a socket
	"webhook":      {trace.Webhook},
	"denial":       {"denied"},
	"job":          {trace.Queued, trace.Failed, trace.Retrying, trace.GaveUp},
	"refusal":      {trace.Refused},
	payloadKind:    {payloadKind}, // of the stream alone
}

// kindOf gives an entry's kind.
func kindOf(e *trace.Entry) string {
	if e.What == trace.Published && strings.HasPrefix(e.By, "socket ") {
		return "client_event"
	}
	for kind, all := range kinds {
		if slices.Contains(all, e.What) {
			return kind
		}
	}
	return "event"
}

// urgent reports whether an entry goes before others when not all can be shown.
func urgent(e *trace.Entry) bool {
	switch e.What {
	case trace.Failed, trace.Retrying, trace.GaveUp, trace.Refused, "denied":
		return true
	case trace.Webhook:
		return e.Code != "delivered"
	}
	return e.Receipt != nil && e.Receipt.Dropped > 0
}

// line is an entry with its kind.
type line struct {
	trace.Entry
	Kind    string        `json:"kind"`
	Payload *shownPayload `json:"payload,omitempty"`
}

// filter picks entries.
type filter struct {
	app   string
	kinds map[string]bool // none: all
	text  string          // in lower case
}

func newFilter(q url.Values) (filter, error) {
	f := filter{app: q.Get("app"), text: strings.ToLower(q.Get("q"))}
	for name := range strings.SplitSeq(q.Get("kinds"), ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if _, known := kinds[name]; !known {
			return f, fault("kinds", "there is no kind "+clip(name, 50)+"; there are "+strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		}
		if f.kinds == nil {
			f.kinds = map[string]bool{}
		}
		f.kinds[name] = true
	}
	return f, nil
}

// picks reports whether the entry is wanted.
func (f *filter) picks(e *trace.Entry) bool {
	if f.app != "" && e.App != f.app {
		return false
	}
	if f.kinds != nil && !f.kinds[kindOf(e)] {
		return false
	}
	return f.text == "" || f.finds(e)
}

func (f *filter) finds(e *trace.Entry) bool {
	for _, s := range [...]string{e.Event, e.Channel, e.ID, e.Socket, e.User, e.By, e.Address, e.Text, e.Queue, e.Target, e.What} {
		if strings.Contains(strings.ToLower(s), f.text) {
			return true
		}
	}
	return slices.ContainsFunc(e.Channels, func(s string) bool { return strings.Contains(strings.ToLower(s), f.text) })
}

// log answers with what is remembered, the newest first.
func (c *Console) log(r *http.Request, _ *call) (any, error) {
	most, err := limit(r)
	if err != nil {
		return nil, err
	}
	f, err := newFilter(r.URL.Query())
	if err != nil {
		return nil, err
	}
	all := []line{}
	for _, e := range c.cfg.Trace.Recent(most, f.picks) {
		all = append(all, line{Entry: e, Kind: kindOf(&e)})
	}
	return map[string]any{"entries": all, "one_in": c.cfg.Trace.OneIn(c.cfg.Now())}, nil
}
