package hook

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// The kinds of events (HOOK-10).
const (
	ChannelOccupied   = "channel_occupied"
	ChannelVacated    = "channel_vacated"
	MemberAdded       = "member_added"
	MemberRemoved     = "member_removed"
	CacheMiss         = "cache_miss"
	SubscriptionCount = "subscription_count"
	ClientEvent       = "client_event"
)

// Event is one thing that happened in an app, to be told to its endpoints.
type Event struct {
	// Name is the kind, one of the constants.
	Name string
	// Channel is the channel's name, for every kind.
	Channel string
	// UserID is the member, for MemberAdded and MemberRemoved, and the sender of
	// a ClientEvent; there it is sent for presence channels only (HOOK-19).
	UserID string
	// Count is the number of subscriptions, for SubscriptionCount.
	Count int
	// ID is the event's that this follows from, for a ClientEvent; it is not sent.
	ID string
	// Event, Data and SocketID are a ClientEvent's name, its data as a string
	// and its sender.
	Event, Data, SocketID string
}

// size is about the memory that the event keeps, in bytes.
func (e *Event) size() int {
	const overhead = 256
	return overhead + len(e.Channel) + len(e.UserID) + len(e.Event) + len(e.Data) + len(e.SocketID)
}

// appendJSON appends the event as it stands in a request (HOOK-11 to HOOK-19).
func (e *Event) appendJSON(dst []byte) []byte {
	member := func(name, value string) {
		dst = append(dst, ',', '"')
		dst = append(dst, name...)
		dst = append(dst, '"', ':')
		dst = pusher.AppendString(dst, value)
	}
	dst = append(dst, `{"name":`...)
	dst = pusher.AppendString(dst, e.Name)
	member("channel", e.Channel)
	switch e.Name {
	case MemberAdded, MemberRemoved:
		member("user_id", e.UserID)
	case SubscriptionCount:
		dst = append(dst, `,"subscription_count":`...)
		dst = strconv.AppendInt(dst, int64(e.Count), 10)
	case ClientEvent:
		member("event", e.Event)
		member("data", e.Data)
		member("socket_id", e.SocketID)
		if e.UserID != "" && pusher.KindOf(e.Channel).Is(pusher.Presence) {
			member("user_id", e.UserID)
		}
	}
	return append(dst, '}')
}

// appendBody appends a request's body (HOOK-01).
func appendBody(dst []byte, at time.Time, events []*Event) []byte {
	dst = append(dst, `{"time_ms":`...)
	dst = strconv.AppendInt(dst, at.UnixMilli(), 10)
	dst = append(dst, `,"events":[`...)
	for i, e := range events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = e.appendJSON(dst)
	}
	return append(dst, "]}"...)
}

// leaveOf gives the leave that a kind of join cancels (HOOK-18).
func leaveOf(name string) (leave string, ok bool) {
	switch name {
	case ChannelOccupied:
		return ChannelVacated, true
	case MemberAdded:
		return MemberRemoved, true
	}
	return "", false
}

// joinOf gives the join that cancels a kind of leave.
func joinOf(name string) (join string, ok bool) {
	switch name {
	case ChannelVacated:
		return ChannelOccupied, true
	case MemberRemoved:
		return MemberAdded, true
	}
	return "", false
}

// wants reports whether an endpoint's filters let an event of that kind on
// that channel through (HOOK-07).
func wants(w *belfry.Webhook, name, channel string) bool {
	return (len(w.Events) == 0 || slices.Contains(w.Events, name)) &&
		strings.HasPrefix(channel, w.ChannelPrefix) && strings.HasSuffix(channel, w.ChannelSuffix)
}

// wanted reports whether any endpoint of the app has a use for the event. A
// leave matters to one that wants the join alone too: it may cancel the next.
func wanted(app *belfry.App, name, channel string) bool {
	if len(app.Keys) == 0 {
		return false
	}
	join, isLeave := joinOf(name)
	for i := range app.Webhooks {
		w := &app.Webhooks[i]
		if wants(w, name, channel) || isLeave && wants(w, join, channel) {
			return true
		}
	}
	return false
}
