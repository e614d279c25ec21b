package console

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/pusher"
)

// channel is one as the console shows it.
type channel struct {
	App         string     `json:"app"`
	Name        string     `json:"name"`
	Kind        string     `json:"kind"`
	Subscribers int        `json:"subscribers"`
	Members     *int       `json:"members,omitempty"` // of presence channels
	Last        *lastEvent `json:"last_event,omitempty"`
}

type lastEvent struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
	ID   string    `json:"id"`
}

// lastEvents remembers for a moment which event was a channel's last, since the
// whole memory is read for that.
type lastEvents struct {
	mu   sync.Mutex // guards all below; held while one reads for all
	at   time.Time
	last map[[2]string]*lastEvent
}

func (c *Console) lastEvents() map[[2]string]*lastEvent {
	c.names.mu.Lock()
	defer c.names.mu.Unlock()
	if now := c.cfg.Now(); c.names.last == nil || now.Sub(c.names.at) > 2*time.Second {
		c.names.last = map[[2]string]*lastEvent{}
		for _, n := range c.cfg.Trace.Names("", time.Time{}) { // the last ones first
			key := [2]string{n.App, n.Channel}
			if c.names.last[key] == nil {
				c.names.last[key] = &lastEvent{n.Event, n.Last, n.LastID}
			}
		}
		c.names.at = now
	}
	return c.names.last
}

// channels answers with the occupied channels, by app and name.
func (c *Console) channels(r *http.Request, _ *call) (any, error) {
	most, err := limit(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	apps := c.cfg.Hub.Apps()
	if id := q.Get("app"); id != "" {
		app, err := c.app(id)
		if err != nil {
			return nil, err
		}
		apps = []*belfry.App{app}
	}
	text := strings.ToLower(q.Get("q"))
	var all []channel
	for _, app := range apps {
		occupied, err := c.cfg.Hub.Channels(r.Context(), app.ID, q.Get("prefix"))
		if err != nil {
			return nil, err
		}
		for name, info := range occupied {
			if text == "" || strings.Contains(strings.ToLower(name), text) {
				all = append(all, shownChannel(app.ID, name, info.Subscriptions, info.Users))
			}
		}
	}
	key := func(ch channel) string { return ch.App + "\n" + ch.Name }
	slices.SortFunc(all, func(a, b channel) int { return cmp.Compare(key(a), key(b)) })
	total, cursor := len(all), ""
	if after := q.Get("cursor"); after != "" {
		i, found := slices.BinarySearchFunc(all, after, func(ch channel, after string) int { return cmp.Compare(key(ch), after) })
		if found {
			i++
		}
		all = all[i:]
	}
	if len(all) > most {
		all = all[:most]
		cursor = key(all[most-1])
	}
	last := c.lastEvents()
	for i := range all {
		all[i].Last = last[[2]string{all[i].App, all[i].Name}]
	}
	return map[string]any{"channels": list(all), "total": total, "next_cursor": next(cursor)}, nil
}

func shownChannel(app, name string, subscribers, members int) channel {
	ch := channel{App: app, Name: name, Kind: pusher.KindOf(name).String(), Subscribers: subscribers}
	if strings.HasPrefix(name, "presence-") {
		ch.Members = &members
	}
	return ch
}

// maxEvents bounds what one channel's own page shows of its events.
const maxEvents = 50

// recent is a timeline without its steps.
type recent struct {
	ID      string          `json:"id"`
	Event   string          `json:"event"`
	At      time.Time       `json:"at"`
	Status  string          `json:"status"`
	Size    int             `json:"size"`
	By      string          `json:"by,omitempty"`
	Receipt *belfry.Receipt `json:"receipt,omitempty"`
}

// channel answers with one channel, which has subscribers or is remembered.
func (c *Console) channel(r *http.Request, _ *call) (any, error) {
	app, err := c.app(r.PathValue("app"))
	if err != nil {
		return nil, err
	}
	name := r.PathValue("name")
	state, err := c.cfg.Hub.Channel(r.Context(), app.ID, name)
	if err != nil {
		return nil, err
	}
	events := []recent{}
	for _, t := range c.cfg.Trace.Events(trace.Filter{App: app.ID, Channel: name, Limit: maxEvents}) {
		one := recent{ID: t.ID, Event: t.Event, Status: t.Status(), Size: t.Size, By: t.By}
		if len(t.Steps) > 0 {
			one.At = t.Steps[0].At
		}
		if receipt, ok := t.Receipt(); ok {
			one.Receipt = &receipt
		}
		events = append(events, one)
	}
	if !state.Occupied && len(events) == 0 {
		return nil, c.noChannel(r.Context(), app.ID, name)
	}
	ch := shownChannel(app.ID, name, state.Subscriptions, state.Users)
	if len(events) > 0 {
		ch.Last = &lastEvent{events[0].Event, events[0].At, events[0].ID}
	}
	return map[string]any{"channel": ch, "events": events}, nil
}

func (c *Console) noChannel(ctx context.Context, app, name string) error {
	occupied, err := c.cfg.Hub.Channels(ctx, app, "")
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(occupied))
	return unknown("channel with subscribers or events", name, explain.Near(name, names))
}

// maxInfo is how much the console shows of what a member says of themselves, in
// bytes.
const maxInfo = 500

// member is one of a presence channel. Info is JSON as text, since it is anything
// that a page or an application wrote.
type member struct {
	User string `json:"user_id"`
	Info string `json:"user_info,omitempty"`
	Size int    `json:"user_info_bytes"`
}

// members answers with who is on a presence channel, by their ids; nobody is on
// another.
func (c *Console) members(r *http.Request, _ *call) (any, error) {
	most, err := limit(r)
	if err != nil {
		return nil, err
	}
	app, err := c.app(r.PathValue("app"))
	if err != nil {
		return nil, err
	}
	all, err := c.cfg.Hub.Members(r.Context(), app.ID, r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	text, after, total := strings.ToLower(q.Get("q")), q.Get("cursor"), 0
	var found []pusher.Member
	for _, m := range all {
		if text != "" && !strings.Contains(strings.ToLower(m.ID), text) && !strings.Contains(strings.ToLower(string(m.Info)), text) {
			continue
		}
		if total++; after == "" || m.ID > after {
			found = append(found, m)
		}
	}
	slices.SortFunc(found, func(a, b pusher.Member) int { return cmp.Compare(a.ID, b.ID) })
	cursor := ""
	if len(found) > most {
		found = found[:most]
		cursor = found[most-1].ID
	}
	shown := make([]member, len(found))
	for i, m := range found {
		shown[i] = member{m.ID, printable(clip(string(m.Info), maxInfo)), len(m.Info)}
	}
	return map[string]any{"members": shown, "total": total, "next_cursor": next(cursor)}, nil
}

// sendEvent sends a test event at once, through the broadcaster.
func (c *Console) sendEvent(r *http.Request, one *call) (any, error) {
	var ask struct {
		App     string          `json:"app"`
		Channel string          `json:"channel"`
		Event   string          `json:"event"`
		Data    json.RawMessage `json:"data"`
		Socket  string          `json:"socket_id"`
	}
	if err := one.read(r, &ask); err != nil {
		return nil, err
	}
	one.subject = ask.Channel
	one.note("app", ask.App)
	one.note("event", clip(ask.Event, 200))
	faults := fields{}
	if ask.Channel == "" {
		faults["channel"] = "name the channel"
	}
	if ask.Event == "" {
		faults["event"] = "name the event"
	}
	if len(faults) > 0 {
		return nil, faults
	}
	if ask.App != "" {
		if _, err := c.app(ask.App); err != nil {
			return nil, err
		}
	}
	if len(ask.Data) == 0 {
		ask.Data = json.RawMessage("{}")
	}
	accepted, err := c.cfg.Broadcast.Accept(r.Context(), broadcast.Request{Now: true, Event: belfry.Event{
		App: ask.App, Name: ask.Event, Channels: []string{ask.Channel}, Data: ask.Data, ExcludeSocket: ask.Socket,
		Origin: "console, user " + one.User.ID, Address: addressOf(one)}})
	if err != nil {
		return nil, err
	}
	one.note("id", accepted.ID)
	return accepted, nil
}

func addressOf(one *call) string {
	if one.Address.IsValid() {
		return one.Address.String()
	}
	return ""
}
