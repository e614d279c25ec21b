package api

import (
	"context"
	"log/slog"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/pusher"
)

// events serves POST /events (HTTP-20).
func (d *Door) events(c *call) (answer, error) {
	event, err := pusher.ParseEvent(c.body, c.naming())
	if err != nil {
		return answer{}, d.refused(c.app, err)
	}
	published, err := d.publish(c, []pusher.Event{event})
	if err != nil {
		return answer{}, err
	}
	got := answer{eventIDs: ids(published)}
	if !event.HasInfo && !event.Receipt {
		return got, nil
	}
	b := []byte{'{'}
	if event.HasInfo {
		b = append(b, `"channels":{`...)
		for i, name := range event.Channels {
			if i > 0 {
				b = append(b, ',')
			}
			b = pusher.AppendString(b, name)
			b = append(b, ':', '{')
			b = append(d.appendInfo(b, c, event.Info, name), '}')
		}
		b = append(b, '}')
	}
	if event.Receipt {
		b = appendReceipt(b, published[0])
	}
	got.body = append(b, '}')
	return got, nil
}

// batchEvents serves POST /batch_events (HTTP-30 to HTTP-33).
func (d *Door) batchEvents(c *call) (answer, error) {
	batch, err := pusher.ParseBatch(c.body, c.naming())
	if err != nil {
		return answer{}, d.refused(c.app, err)
	}
	if len(batch) == 0 {
		return answer{}, nil
	}
	if !c.warned {
		d.near(c.app, "batch_size", "", "", len(batch), c.app.Limits.BatchSize)
	}
	published, err := d.publish(c, batch)
	if err != nil {
		return answer{}, err
	}
	got := answer{eventIDs: ids(published)}
	detailed := false
	b := []byte(`{"batch":[`)
	for i := range batch {
		event := &batch[i]
		detailed = detailed || event.HasInfo || event.Receipt
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		if event.HasInfo {
			b = d.appendInfo(b, c, event.Info, event.Channels[0])
		}
		if event.Receipt {
			b = appendReceipt(b, published[i])
		}
		b = append(b, '}')
	}
	if detailed {
		got.body = append(b, "]}"...)
	}
	return got, nil
}

// channelEvent serves the deprecated POST /channels/{name}/events (HTTP-70):
// the body is the data, the query names the event.
func (d *Door) channelEvent(c *call) (answer, error) {
	event, err := pusher.MakeEvent(c.query.Get("name"), c.subject, c.query.Get("socket_id"), c.body, c.naming())
	if err != nil {
		return answer{}, d.refused(c.app, err)
	}
	published, err := d.publish(c, []pusher.Event{event})
	if err != nil {
		return answer{}, err
	}
	return answer{status: 202, eventIDs: ids(published)}, nil
}

// maxNow is to how many channels a call publishes that must not wait: each may
// mean some writes.
const maxNow = 16

// publish hands checked events to the hub.
func (d *Door) publish(c *call, events []pusher.Event) ([]hub.Published, error) {
	at := d.cfg.Now()
	published, err := d.hand(c, events)
	if err == nil {
		d.cfg.Published(Publication{At: at, App: c.app, Key: c.query.Get("auth_key"), Peer: c.peer, Events: events, Published: published})
	}
	return published, err
}

// hand gives events to the hub.
func (d *Door) hand(c *call, events []pusher.Event) ([]hub.Published, error) {
	if !c.warned {
		c.warned = true
		d.warn(c, events)
	}
	if !c.now {
		return d.cfg.Hub.Publish(c.ctx, c.app.ID, events)
	}
	channels := 0
	for i := range events {
		if channels += len(events[i].Channels); channels > maxNow || events[i].HasInfo {
			return nil, hub.ErrWouldWait
		}
	}
	return d.cfg.Hub.PublishNow(c.app.ID, events)
}

// warn gives the early warnings about the limits of a publish.
func (d *Door) warn(c *call, events []pusher.Event) {
	limits := &c.app.Limits
	longest := c.naming().MaxChannelName()
	d.near(c.app, "http_body", "", "", len(c.body), limits.HTTPBody)
	for i := range events {
		e := &events[i]
		d.near(c.app, "event_data", e.Name, e.Channels[0], e.Size, limits.EventData)
		d.near(c.app, "event_name_length", e.Name, "", len(e.Name), limits.EventNameLength)
		d.near(c.app, "channels_per_event", e.Name, "", len(e.Channels), limits.ChannelsPerEvent)
		for _, channel := range e.Channels {
			d.near(c.app, "channel_name_length", "", channel, len(channel), longest)
		}
	}
}

// appendInfo appends the attributes of a channel that were asked for, as
// members of an object that was just opened; those that do not apply are left
// out (HTTP-26). The event is out by now, so a failure here is not the
// publisher's: an error status would mean that nothing was published (HTTP-80).
func (d *Door) appendInfo(b []byte, c *call, info []string, channel string) []byte {
	if len(info) == 0 || strings.HasPrefix(channel, "#") {
		return b
	}
	state, err := d.cfg.Hub.Channel(context.WithoutCancel(c.ctx), c.app.ID, channel)
	if err != nil {
		d.cfg.Logger.Warn("no channel info for a published event", slog.String("app", c.app.ID),
			slog.String("channel", channel), slog.Any("error", err))
		return b
	}
	return appendCounts(b, info, channel, state.ChannelInfo)
}

// appendCounts appends the counts among the attributes.
func appendCounts(b []byte, info []string, channel string, counts hub.ChannelInfo) []byte {
	users, subscriptions := false, false
	for _, name := range info {
		users = users || name == "user_count"
		subscriptions = subscriptions || name == "subscription_count"
	}
	if users && pusher.KindOf(channel).Is(pusher.Presence) {
		b = member(b, "user_count")
		b = strconv.AppendInt(b, int64(counts.Users), 10)
	}
	if subscriptions {
		b = member(b, "subscription_count")
		b = strconv.AppendInt(b, int64(counts.Subscriptions), 10)
	}
	return b
}

// appendReceipt appends what became of an event.
func appendReceipt(b []byte, p hub.Published) []byte {
	b = member(b, "id")
	b = pusher.AppendString(b, p.ID)
	b = member(b, "receipt")
	b = append(b, `{"matched":`...)
	b = strconv.AppendInt(b, int64(p.Receipt.Matched), 10)
	b = append(b, `,"written":`...)
	b = strconv.AppendInt(b, int64(p.Receipt.Written), 10)
	b = append(b, `,"waiting":`...)
	b = strconv.AppendInt(b, int64(p.Receipt.Waiting), 10)
	b = append(b, `,"dropped":`...)
	b = strconv.AppendInt(b, int64(p.Receipt.Dropped), 10)
	return append(b, '}')
}

// member begins a member of the object at the end of b. The name needs no
// escape.
func member(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// maxHeaderIDs bounds the header that lists a batch's ids; receipts have all.
const maxHeaderIDs = 100

// ids lists the ids of what was published, with commas between.
func ids(published []hub.Published) string {
	if len(published) == 1 {
		return published[0].ID
	}
	names := make([]string, 0, len(published))
	for _, p := range published[:min(len(published), maxHeaderIDs)] {
		names = append(names, p.ID)
	}
	return strings.Join(names, ",")
}

// notApplicable refuses an attribute (HTTP-42, HTTP-46).
func notApplicable(attribute, why string) error {
	return belfry.Errorf(belfry.CodeInvalid, "info: %q %s", clip(attribute), why)
}
