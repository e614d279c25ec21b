package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/pusher"
)

// RefusedEvent is an event that was handed over and not taken.
type RefusedEvent struct {
	// App, Event and Channels are as the request named them, as far as it could be
	// read; an app that there is has its id. The first ten channels are kept.
	App, Event string
	Channels   []string
	By         string // who asked; empty where that is not known
	Address    string
	Size       int64 // of what is over a limit
	Status     int   // of the answer
	// Code is "app" for an unknown app, "limit" for what is over one, or else a
	// belfry.Code; Limit is the limit's key. Reason is what the answer said.
	Code, Limit, Reason string
}

// namedChannels is how many channels of a refused event are told, and longestName
// how many bytes of a name.
const (
	namedChannels = 10
	longestName   = 200
)

// named is a name from outside, bounded and with a memory of its own.
func named(s string) string {
	return strings.ToValidUTF8(strings.Clone(s[:min(len(s), longestName)]), "")
}

// refusal describes an event that is not taken for err.
func (d *events) refusal(caller gate.Caller, sent eventBody, err error) RefusedEvent {
	status, problem := gate.Explain(err)
	f := RefusedEvent{Event: named(sent.event), Address: addressOf(caller), Status: status, Code: string(problem.Code), Reason: problem.Error}
	for _, channel := range sent.channels[:min(len(sent.channels), namedChannels)] {
		f.Channels = append(f.Channels, named(channel))
	}
	if caller.User == nil && caller.Token == nil {
		return f // for which app is not known
	}
	f.By = origin(caller)
	id := sent.app
	if caller.Token != nil {
		id = cmp.Or(id, caller.Token.App)
	}
	if app := d.Apps(id); app != nil {
		f.App = app.ID
	} else {
		f.App, f.Code = named(id), "app"
	}
	if over, ok := errors.AsType[*pusher.OverLimit](err); ok {
		f.Code, f.Limit, f.Size = "limit", over.Limit, over.Size
		if at := named(over.Channel); at != "" && !slices.Contains(f.Channels, at) {
			f.Channels = append(f.Channels, at)
		}
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		f.Code, f.Limit = "limit", "http_body"
	}
	return f
}
