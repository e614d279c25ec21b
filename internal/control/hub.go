package control

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/pusher"
)

func (b Backend) hub(handle register) {
	handle("GET /v1/channels", b.Hub != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		app, err := b.app(r)
		if err != nil {
			return nil, err
		}
		all, err := b.Hub.Channels(r.Context(), app.ID, r.URL.Query().Get("prefix"))
		return occupied(all), err
	})
	handle("GET /v1/channel", b.Hub != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		app, err := b.app(r)
		if err != nil {
			return nil, err
		}
		return b.channel(r.Context(), app, r.URL.Query().Get("name"))
	})
	handle("POST /v1/events", b.Hub != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) { return b.publish(r) })
	handle("GET /v1/subscribe", b.Hub != nil, b.subscribe)
}

// Published is what became of an event.
type Published struct {
	ID      string      `json:"id"`
	Receipt hub.Receipt `json:"receipt"`
	// Repeat says that an event with that id was published before and nobody got
	// it again.
	Repeat bool `json:"repeat,omitempty"`
}

// app gives the app that a request names, or the default one.
func (b Backend) app(r *http.Request) (*belfry.App, error) {
	id := cmp.Or(r.URL.Query().Get("app"), b.Status().DefaultApp)
	if app := b.Hub.App(id); app != nil {
		return app, nil
	}
	return nil, &belfry.Error{
		Code:    belfry.CodeNotFound,
		Message: "there is no app \"" + id + "\"",
		Hint:    "see them with: belfry app:list",
	}
}

func occupied(all map[string]hub.ChannelInfo) []Occupied {
	list := make([]Occupied, 0, len(all))
	for name, info := range all {
		o := Occupied{Name: name, Subscriptions: info.Subscriptions}
		if pusher.KindOf(name).Is(pusher.Presence) {
			o.Users = &info.Users
		}
		list = append(list, o)
	}
	slices.SortFunc(list, func(x, y Occupied) int { return cmp.Compare(x.Name, y.Name) })
	return list
}

func (b Backend) channel(ctx context.Context, app *belfry.App, name string) (Channel, error) {
	naming := pusher.Naming{Limits: app.Limits, Strict: app.StrictNames}
	if !pusher.ValidName(name, naming.MaxChannelName()) {
		return Channel{}, belfry.Errorf(belfry.CodeInvalid, "%q is not a channel's name: letters, digits and _-=@,.; make one, %d at most", name, naming.MaxChannelName())
	}
	state, err := b.Hub.Channel(ctx, app.ID, name)
	if err != nil {
		return Channel{}, err
	}
	c := Channel{Name: name, Occupied: state.Occupied, Subscriptions: state.Subscriptions}
	if state.Cache != nil {
		c.CachedEvent, c.CacheTTL = state.Cache.Event, state.Cache.TTL.Seconds()
	}
	if pusher.KindOf(name).Is(pusher.Presence) {
		c.Users, err = b.Hub.Users(ctx, app.ID, name)
		slices.Sort(c.Users)
	}
	return c, err
}
