package explain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/belfryhq/belfry/internal/trace"
)

// noEvent is about an event that was not handed in.
func (c *inquiry) noEvent() (*Verdict, error) {
	for _, t := range c.past.Refusals("", c.since()) {
		s := t.Last(trace.Refused)
		ours := t.App == c.app.ID || t.App == "" || s.Code == "app"
		if ours && (t.Event == "" || c.q.Event == "" || t.Event == c.q.Event) && (len(t.Channels) == 0 || c.q.Channel == "" || slices.Contains(t.Channels, c.q.Channel)) {
			v := c.refusal(&t)
			v.Evidence = append(c.story(&t), fmt.Sprintf("No event %s was accepted since then.", c.what()))
			return v, nil
		}
	}
	var named, heard []string // channels with the event, events on the channel
	all := map[string]bool{}
	for _, n := range c.past.Names(c.app.ID, c.since()) {
		all[n.Channel] = true
		if n.Event == c.q.Event || c.q.Event == "" {
			named = append(named, n.Channel)
		}
		if n.Channel == c.q.Channel || c.q.Channel == "" {
			heard = append(heard, n.Event)
		}
	}
	if near := nearChannels(c.q.Channel, named); c.q.Channel != "" && len(near) > 0 {
		return &Verdict{Code: NearMiss, Near: near, Sentence: fmt.Sprintf("No event %s was published on %s, but one was on %s.", quotedOr(c.q.Event), c.q.Channel, near[0]),
			Fix: "Use one name on both sides: " + nameFix(near[0], c.q.Channel)}, nil
	}
	if near := nearEvents(c.q.Event, heard); c.q.Event != "" && len(near) > 0 {
		return &Verdict{Code: OtherName, Near: near, Sentence: fmt.Sprintf("No event %q was published%s, but %q was.", c.q.Event, on(c.q.Channel), near[0]),
			Fix: "Use one name on both sides: spelling, case, namespace and a leading dot count."}, nil
	}
	for _, n := range c.past.Names("", c.since()) {
		if n.App != c.app.ID && n.Channel == c.q.Channel && (c.q.Event == "" || n.Event == c.q.Event) {
			return &Verdict{Code: OtherApp, Near: []string{n.App}, Sentence: fmt.Sprintf("The event was published in app %s, not in app %s.", n.App, c.app.ID),
				Fix: "Give page and publisher the same app: PUSHER_APP_ID and PUSHER_APP_KEY must belong together."}, nil
		}
	}
	return c.neverThere(all)
}

// refusedSince tells of a publish that was refused after the event that is
// remembered, since that one may be meant.
func (c *inquiry) refusedSince(t *trace.Timeline) []string {
	for _, one := range c.past.Refusals(c.app.ID, moment(t, c.q.Channel)) {
		s := one.Last(trace.Refused)
		if (one.Event == "" || c.q.Event == "" || one.Event == c.q.Event) && (len(one.Channels) == 0 || c.q.Channel == "" || slices.Contains(one.Channels, c.q.Channel)) {
			return []string{fmt.Sprintf("After this event, at %s, a publish from %s was refused with %d: %s", clock(s.At), cmp.Or(one.Address, "an unknown address"), s.Status, period(s.Reason))}
		}
	}
	return nil
}

// neverThere is about a channel that is not known, or an event that was never
// handed in.
func (c *inquiry) neverThere(published map[string]bool) (*Verdict, error) {
	if c.setup.Untraced {
		v := untraced("Whether there was an event " + c.what() + " is not known")
		v.Evidence = c.present()
		return v, nil
	}
	from, _ := c.past.Reach()
	if since := c.since(); since.After(from) {
		from = since
	}
	if c.q.Channel != "" && !published[c.q.Channel] && len(c.past.Connections(trace.Links{App: c.app.ID, Channel: c.q.Channel, Limit: 1})) == 0 {
		occupied, err := c.now.Channels(c.ctx, c.app.ID)
		if err != nil {
			return nil, err
		}
		if _, is := occupied[c.q.Channel]; !is {
			names := slices.Concat(slices.Sorted(maps.Keys(occupied)), slices.Sorted(maps.Keys(published)))
			v := &Verdict{Code: UnknownChannel, Near: nearChannels(c.q.Channel, names),
				Sentence: fmt.Sprintf("Channel %s of app %s is not known: since %s nothing was published on it, and nobody subscribed to it.", c.q.Channel, c.app.ID, clock(from)),
				Fix:      "Compare the names that page and publisher use: belfry channels lists what is occupied."}
			if len(v.Near) > 0 {
				v.Evidence = append(v.Evidence, "Near it: "+list(v.Near)+".")
			}
			v.Evidence = append(v.Evidence, c.others()...)
			return v, nil
		}
	}
	v := &Verdict{Code: UnknownEvent, Sentence: fmt.Sprintf("No event %s was handed in since %s.", c.what(), clock(from)),
		Fix: "See the publisher: its log, its settings (host, port, app), and whether it is a queued event of a worker that does not run there."}
	if n := c.past.OneIn(from, c.setup.Now); n > 1 {
		v.Code = NotTraced
		v.Sentence = fmt.Sprintf("No event %s is remembered since %s, and there were times since then with so many events that one in %d was traced: it may be one of the others.", c.what(), clock(from), n)
		v.Fix = "Ask with the event's id, from the publisher's answer: what failed is always traced. Or trace more: trace.events_per_second."
	}
	v.Evidence = append(v.Evidence, c.others()...)
	return v, nil
}

// present says what the receiver's connections are subscribed to now.
func (c *inquiry) present() (lines []string) {
	for _, one := range c.past.Connections(trace.Links{User: c.q.User, Socket: c.q.Socket, Limit: 5}) {
		var names []string
		for _, s := range one.Subscriptions {
			names = append(names, s.Channel)
		}
		if len(names) == 0 {
			names = []string{"nothing"}
		}
		lines = append(lines, fmt.Sprintf("Socket %s is connected to app %s now, and subscribed to %s.", one.Socket, one.App, list(names)))
	}
	return lines
}

// what names the event of the question.
func (c *inquiry) what() string {
	text := ""
	if c.q.Event != "" {
		text = quote(c.q.Event)
	}
	if c.q.Channel != "" {
		text = cmp.Or(text, "at all") + " for " + c.q.Channel
	}
	return text + " of app " + c.app.ID
}

func on(channel string) string {
	if channel == "" {
		return ""
	}
	return " on " + channel
}

func quotedOr(event string) string {
	if event == "" {
		return "at all"
	}
	return quote(event)
}
