package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/pusher"
)

// channels serves GET /channels (HTTP-40 to HTTP-42).
func (d *Door) channels(c *call) (answer, error) {
	prefix := c.query.Get("filter_by_prefix")
	info := pusher.SplitInfo(c.query.Get("info"))
	for _, attribute := range info {
		switch {
		case attribute == "subscription_count":
		case attribute != "user_count":
			return answer{}, notApplicable(attribute, "is no attribute of a list of channels: ask for user_count or subscription_count")
		case !strings.HasPrefix(prefix, "presence-"):
			return answer{}, notApplicable(attribute, `needs filter_by_prefix to begin with "presence-"`)
		}
	}
	found, err := d.cfg.Hub.Channels(c.ctx, c.app.ID, prefix)
	if err != nil {
		return answer{}, err
	}
	b := append(make([]byte, 0, 16+48*len(found)), `{"channels":{`...)
	first := true
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if strings.HasPrefix(name, "#") {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = pusher.AppendString(b, name)
		b = append(b, ':', '{')
		b = append(appendCounts(b, info, name, found[name]), '}')
	}
	return answer{body: append(b, "}}"...)}, nil
}

// channel serves GET /channels/{name} and the deprecated /stats (HTTP-45 to
// HTTP-47, HTTP-71).
func (d *Door) channel(c *call) (answer, error) {
	if err := c.naming().CheckChannel(c.subject); err != nil {
		return answer{}, d.refused(c.app, err)
	}
	kind := pusher.KindOf(c.subject)
	info := pusher.SplitInfo(c.query.Get("info"))
	cache := false
	for _, attribute := range info {
		switch attribute {
		case "subscription_count":
			if kind.Is(pusher.ServerToUser) {
				return answer{}, notApplicable(attribute, "does not apply to a user's own channel")
			}
		case "user_count":
			if !kind.Is(pusher.Presence) {
				return answer{}, notApplicable(attribute, `applies to presence channels only; ask for subscription_count`)
			}
		case "cache":
			if !kind.Is(pusher.Cache) {
				return answer{}, notApplicable(attribute, "applies to cache channels only")
			}
			cache = true
		default:
			return answer{}, notApplicable(attribute, "is no attribute of a channel: ask for user_count, subscription_count or cache")
		}
	}
	state, err := d.cfg.Hub.Channel(c.ctx, c.app.ID, c.subject)
	if err != nil {
		return answer{}, err
	}
	b := strconv.AppendBool([]byte(`{"occupied":`), state.Occupied)
	b = appendCounts(b, info, c.subject, state.ChannelInfo)
	if cache {
		b = appendCache(member(b, "cache"), state.Cache)
	}
	return answer{body: append(b, '}')}, nil
}

// appendCache appends what a cache channel keeps, and for how many more seconds.
func appendCache(b []byte, cache *hub.CacheState) []byte {
	if cache == nil {
		return append(b, "null"...)
	}
	b = append(b, `{"data":`...)
	b = append(b, cache.Data...)
	b = append(b, `,"ttl":`...)
	b = strconv.AppendInt(b, int64((cache.TTL+time.Second-1)/time.Second), 10)
	return append(b, '}')
}

// users serves GET /channels/{name}/users (HTTP-50, HTTP-51).
func (d *Door) users(c *call) (answer, error) {
	if err := c.naming().CheckChannel(c.subject); err != nil {
		return answer{}, d.refused(c.app, err)
	}
	if !pusher.KindOf(c.subject).Is(pusher.Presence) {
		return answer{}, belfry.Errorf(belfry.CodeInvalid, "channel %q has no users: only presence channels have", c.subject)
	}
	users, err := d.cfg.Hub.Users(c.ctx, c.app.ID, c.subject)
	if err != nil {
		return answer{}, err
	}
	b := append(make([]byte, 0, 16+24*len(users)), `{"users":[`...)
	for i, id := range users {
		if i > 0 {
			b = append(b, ',')
		}
		b = pusher.AppendString(append(b, `{"id":`...), id)
		b = append(b, '}')
	}
	return answer{body: append(b, "]}"...)}, nil
}

// terminate serves POST /users/{id}/terminate_connections (HTTP-60, HTTP-61).
// A user whom nobody knows is no error (USER-30).
func (d *Door) terminate(c *call) (answer, error) {
	if len(c.body) > 0 && !json.Valid(c.body) {
		return answer{}, belfry.Errorf(belfry.CodeInvalid, "body: not valid JSON; send {} or nothing")
	}
	return answer{}, d.cfg.Hub.Terminate(c.ctx, c.app.ID, c.subject)
}
