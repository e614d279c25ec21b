package explain

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/trace"
)

// nobody is about an event that matched no subscriber.
func (c *inquiry) nobody(t *trace.Timeline) (*Verdict, error) {
	channel := first(t.Channels)
	at := moment(t, channel)
	v := &Verdict{Code: NobodyThere, Sentence: fmt.Sprintf("Nobody was subscribed to %s in app %s when the event was published at %s.", channels(t.Channels), t.App, clock(at)),
		Fix: "Open the page that should listen, and see that it subscribes: belfry channels lists what is occupied."}
	if t.Except != "" {
		for _, one := range c.past.Connections(trace.Links{App: t.App, Socket: t.Except}) {
			if slices.ContainsFunc(one.Subscriptions, func(s trace.Subscription) bool { return slices.Contains(t.Channels, s.Channel) && s.At(at) }) {
				return c.excluded(t, one), nil
			}
		}
	}
	if v, err := c.onOthers(t); v != nil || err != nil {
		return v, err
	}
	occupied, err := c.occupied(t.App, at)
	if err != nil {
		return nil, err
	}
	for _, channel := range t.Channels {
		if names := nearChannels(channel, slices.Sorted(maps.Keys(occupied))); len(names) > 0 {
			v.Code, v.Near = NearMiss, names
			v.Sentence = fmt.Sprintf("Nobody was subscribed to %s when the event was published, but %s subscribed to %s.", channel, are(occupied[names[0]], "connection was", "connections were"), names[0])
			v.Fix = "Use one name on both sides: " + nameFix(channel, names[0])
			return v, nil
		}
	}
	if other := c.elsewhereOccupied(t.App, t.Channels, at); other != "" {
		v.Code = OtherApp
		v.Sentence = fmt.Sprintf("Nobody was subscribed to %s in app %s; its subscribers are connected to app %s.", channels(t.Channels), t.App, other)
		v.Fix = "Give page and publisher the same app: PUSHER_APP_KEY of the page and PUSHER_APP_ID of the publisher must belong together."
		return v, nil
	}
	c.whoCameOrWent(v, t, at)
	return v, nil
}

// whoCameOrWent adds who was subscribed before or after, or was denied.
func (c *inquiry) whoCameOrWent(v *Verdict, t *trace.Timeline, at time.Time) {
	for _, channel := range t.Channels[:min(len(t.Channels), 3)] {
		for _, one := range c.past.Connections(trace.Links{App: t.App, Channel: channel, Limit: 3}) {
			for _, s := range one.Subscriptions {
				switch {
				case s.Channel != channel:
				case s.From.After(at):
					v.Evidence = append(v.Evidence, fmt.Sprintf("Socket %s subscribed to %s after it, at %s.", one.Socket, channel, clock(s.From)))
				case !s.To.IsZero():
					v.Evidence = append(v.Evidence, fmt.Sprintf("Socket %s left %s before it, at %s%s.", one.Socket, channel, clock(s.To), ending(one)))
				}
			}
		}
		if denials, err := c.past.Denials(c.ctx, authz.DenialFilter{Channel: channel, App: t.App, Since: at.Add(-time.Hour)}); err == nil && len(denials) > 0 {
			d := denials[0]
			v.Evidence = append(v.Evidence, fmt.Sprintf("Authorization for %s was denied at %s to %s: %s", channel, clock(d.At), who(d.UserID), ruleText(d.Rule, d.Reason)))
		}
	}
}

func (c *inquiry) excluded(t *trace.Timeline, one trace.Connection) *Verdict {
	return &Verdict{Code: Excluded, Connections: []trace.Connection{one},
		Sentence: fmt.Sprintf("The event was not for socket %s: its sender named that socket as the one that caused it (toOthers, X-Socket-ID).", t.Except),
		Fix:      "Send without toOthers() or exclude_socket_id if the page itself is to hear of it."}
}

// onOthers is about an event without a subscriber on this server that others
// have some for.
func (c *inquiry) onOthers(t *trace.Timeline) (*Verdict, error) {
	for _, channel := range t.Channels {
		_, away, err := c.subscriptions(t.App, channel)
		if err != nil {
			return nil, err
		}
		if away > 0 {
			return &Verdict{Code: OtherNode,
				Sentence: fmt.Sprintf("Nobody on this server was subscribed to %s; the event was passed on to the other servers, where %s now.", channel, are(away, "connection is subscribed to it", "connections are subscribed to it")),
				Fix:      "Ask about the receiver on the server that its connection is on."}, nil
		}
	}
	return nil, nil
}

// subscriptions counts those that a channel has now, and how many of them are on
// other servers.
func (c *inquiry) subscriptions(app, channel string) (all, away int, err error) {
	if c.setup.Nodes < 2 {
		return 0, 0, nil
	}
	occupied, err := c.now.Channels(c.ctx, app)
	if err != nil {
		return 0, 0, err
	}
	all, away = occupied[channel], occupied[channel]
	for _, one := range c.past.Connections(trace.Links{App: app, Channel: channel}) {
		if slices.ContainsFunc(one.Subscriptions, func(s trace.Subscription) bool { return s.Channel == channel && s.To.IsZero() }) {
			away--
		}
	}
	return all, max(away, 0), nil
}

// occupied counts the subscriptions by channel of an app at a time, as far as
// is known.
func (c *inquiry) occupied(app string, at time.Time) (map[string]int, error) {
	all := map[string]int{}
	now, err := c.now.Channels(c.ctx, app)
	if err != nil {
		return nil, err
	}
	past := map[string]int{}
	for _, one := range c.past.Connections(trace.Links{App: app}) {
		for _, s := range one.Subscriptions {
			if s.At(at) {
				past[s.Channel]++
			}
		}
	}
	maps.Copy(all, now)
	maps.Copy(all, past)
	return all, nil
}

// elsewhereOccupied gives another app with subscribers of one of the channels.
func (c *inquiry) elsewhereOccupied(app string, channels []string, at time.Time) string {
	for _, channel := range channels {
		for _, one := range c.past.Connections(trace.Links{Channel: channel}) {
			if one.App != app && slices.ContainsFunc(one.Subscriptions, func(s trace.Subscription) bool { return s.Channel == channel && s.At(at) }) {
				return one.App
			}
		}
	}
	return ""
}

// nameFix says in what two names of channels differ.
func nameFix(published, subscribed string) string {
	switch {
	case strings.EqualFold(published, subscribed):
		return fmt.Sprintf("%s and %s differ in upper and lower case, which counts.", published, subscribed)
	case strings.TrimPrefix(published, "private-") == subscribed || strings.TrimPrefix(subscribed, "private-") == published:
		return fmt.Sprintf("%s and %s differ in the prefix private- (Echo's private() adds it; a publisher has to write it).", published, subscribed)
	case strings.TrimPrefix(published, "presence-") == subscribed || strings.TrimPrefix(subscribed, "presence-") == published:
		return fmt.Sprintf("%s and %s differ in the prefix presence- (Echo's join() adds it; a publisher has to write it).", published, subscribed)
	case plainName(published) == plainName(subscribed):
		return fmt.Sprintf("%s and %s are two names: prefixes, case and zeros in front of a number count.", published, subscribed)
	}
	return fmt.Sprintf("%s or %s.", published, subscribed)
}
