package console

import (
	"maps"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/hub"
)

// page is what a connection's page said of its handlers.
type page struct {
	Handlers []handlers `json:"handlers"`
	More     bool       `json:"more,omitempty"` // there are handlers on more channels
	Since    time.Time  `json:"since"`
	Last     time.Time  `json:"last_at"`
	Failed   int        `json:"failed"` // handlers that failed, in all
	// Failures are the last handlers that failed, the newest first.
	Failures []pageFailure `json:"failures"`
}

// handlers are the events that a page has handlers for on a channel; on all
// channels where it is empty. "*" is every event.
type handlers struct {
	Channel string   `json:"channel"`
	Events  []string `json:"events"`
}

type pageFailure struct {
	At      time.Time `json:"at"`
	Channel string    `json:"channel"`
	Event   string    `json:"event"`
	Error   string    `json:"error"`
}

// pageOf gives what a connection's page said; nil where it said nothing.
func (c *Console) pageOf(socket string) *page {
	said, ok := c.cfg.Said(socket)
	if !ok {
		return nil
	}
	p := &page{Handlers: []handlers{}, More: said.More, Since: said.Since.UTC(), Last: said.Last.UTC(), Failed: said.Failed, Failures: []pageFailure{}}
	for _, channel := range slices.Sorted(maps.Keys(said.Handlers)) {
		p.Handlers = append(p.Handlers, handlers{channel, list(said.Handlers[channel])})
	}
	for _, f := range slices.Backward(said.Failures) {
		p.Failures = append(p.Failures, pageFailure{f.At.UTC(), f.Channel, f.Event, f.Error})
	}
	return p
}

// maxPages is how many connections' pages an explanation shows.
const maxPages = 20

// explained is a verdict with what the pages of the connections that matter said,
// as far as it concerns the event's channels.
type explained struct {
	explain.Verdict
	Pages []pageOfOne `json:"pages,omitempty"`
}

type pageOfOne struct {
	Socket string `json:"socket_id"`
	page
}

func (c *Console) explained(v explain.Verdict) explained {
	e := explained{Verdict: v}
	for _, socket := range c.concerned(v) {
		if p := c.pageOf(socket); p != nil && len(e.Pages) < maxPages {
			if v.Event != nil {
				p.only(v.Event.Channels)
			}
			e.Pages = append(e.Pages, pageOfOne{socket, *p})
		}
	}
	return e
}

// concerned gives the connections that a verdict is about: those that it names,
// else those that are on the event's channels now and whose pages report.
func (c *Console) concerned(v explain.Verdict) (sockets []string) {
	for _, one := range v.Connections {
		sockets = append(sockets, one.Socket)
	}
	if len(sockets) > 0 || v.Event == nil {
		return sockets
	}
	for _, one := range c.cfg.Hub.Connections(v.Event.App, maxPages, func(one *hub.Connection) bool {
		if !slices.ContainsFunc(v.Event.Channels, one.On) {
			return false
		}
		_, said := c.cfg.Said(one.Socket)
		return said
	}) {
		sockets = append(sockets, one.Socket)
	}
	return sockets
}

// only leaves what concerns some channels.
func (p *page) only(channels []string) {
	other := func(channel string) bool { return channel != "" && !slices.Contains(channels, channel) }
	p.Handlers = slices.DeleteFunc(p.Handlers, func(h handlers) bool { return other(h.Channel) })
	p.Failures = slices.DeleteFunc(p.Failures, func(f pageFailure) bool { return other(f.Channel) })
}
