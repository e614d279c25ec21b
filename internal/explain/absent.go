package explain

import (
	"fmt"
	"time"

	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/pusher"
)

// before is about a receiver who had left before the event.
func (r *reception) before() (*Verdict, error) {
	var last *trace.Subscription
	var of trace.Connection
	for _, one := range r.all {
		s := r.subscription(one, func(s trace.Subscription) bool { return !s.To.IsZero() && !s.To.After(r.at) })
		if s != nil && one.App == r.t.App && (last == nil || s.To.After(last.To)) {
			last, of = s, one
		}
	}
	if last == nil {
		return nil, nil
	}
	v := &Verdict{Code: LeftBefore, Connections: []trace.Connection{of},
		Sentence: fmt.Sprintf("Socket %s unsubscribed from %s at %s, before the event.", of.Socket, r.channel, clock(last.To)),
		Fix:      "See why the page leaves the channel (Echo.leave(), a component that is taken off the page)."}
	if !of.Closed.IsZero() && !of.Closed.After(r.at) && of.Closed.Sub(last.To) < time.Second {
		v.Code = ClosedBefore
		v.Sentence = fmt.Sprintf("The connection of %s (socket %s) ended at %s, before the event%s.", r.name(), of.Socket, clock(of.Closed), ending(of))
		v.Fix = "Have the page fetch what it missed when it connects again; notifications do so by themselves."
		if of.Code == int(pusher.CloseOverCapacity) {
			v.Code = TooSlow
			v.Sentence = r.tooSlow(of).Sentence
		}
	}
	return v, nil
}

// after is about a receiver who came after the event.
func (r *reception) after() (*Verdict, error) {
	var soonest *trace.Subscription
	var of trace.Connection
	for _, one := range r.all {
		for i := range one.Subscriptions {
			if s := &one.Subscriptions[i]; s.Channel == r.channel && one.App == r.t.App && s.From.After(r.at) && (soonest == nil || s.From.Before(soonest.From)) {
				soonest, of = s, one
			}
		}
	}
	switch {
	case soonest == nil:
		return nil, nil
	case of.Opened.After(r.at):
		return &Verdict{Code: ConnectedAfter, Connections: []trace.Connection{of},
			Sentence: fmt.Sprintf("%s connected after the event: socket %s at %s, %s later.", upper(r.name()), of.Socket, clock(of.Opened), of.Opened.Sub(r.at).Round(time.Millisecond)),
			Fix:      "Events are for those who are there. Have the page fetch what it missed when it connects, or use a cache channel for the last event."}, nil
	}
	return &Verdict{Code: SubscribedAfter, Connections: []trace.Connection{of},
		Sentence: fmt.Sprintf("Socket %s subscribed to %s after the event, at %s, %s later.", of.Socket, r.channel, clock(soonest.From), soonest.From.Sub(r.at).Round(time.Millisecond)),
		Fix:      "Subscribe before the action that causes the event, or have the page fetch what it missed once it is subscribed."}, nil
}

// open reports whether a connection was open when the event was published.
func (r *reception) open(one trace.Connection) bool {
	return !one.Opened.After(r.at) && (one.Closed.IsZero() || one.Closed.After(r.at))
}

func (r *reception) nearMiss() (*Verdict, error) {
	for _, one := range r.all {
		var names []string
		for _, s := range one.Subscriptions {
			if one.App == r.t.App && s.At(r.at) {
				names = append(names, s.Channel)
			}
		}
		if near := nearChannels(r.channel, names); len(near) > 0 {
			return &Verdict{Code: NearMiss, Near: near, Connections: []trace.Connection{one},
				Sentence: fmt.Sprintf("%s was subscribed to %s (socket %s), and the event went to %s.", upper(r.name()), near[0], one.Socket, r.channel),
				Fix:      "Use one name on both sides: " + nameFix(r.channel, near[0])}, nil
		}
	}
	return nil, nil
}

func (r *reception) otherApp() (*Verdict, error) {
	for _, one := range r.all {
		if one.App == r.t.App && r.open(one) {
			return nil, nil
		}
	}
	for _, one := range r.all {
		if one.App != r.t.App && r.open(one) {
			return &Verdict{Code: OtherApp, Connections: []trace.Connection{one},
				Sentence: fmt.Sprintf("%s was connected to app %s (socket %s), and the event was published in app %s.", upper(r.name()), one.App, one.Socket, r.t.App),
				Fix:      "Give page and publisher the same app: PUSHER_APP_KEY of the page and PUSHER_APP_ID of the publisher must belong together."}, nil
		}
	}
	return nil, nil
}

// notSubscribed is about a receiver who was connected, and that was all.
func (r *reception) notSubscribed() (*Verdict, error) {
	for _, one := range r.all {
		if one.App != r.t.App || !r.open(one) {
			continue
		}
		if r.user != nil && !r.setup.Forwards && pusher.KindOf(r.channel).NeedsAuth() {
			if d := r.now.Decide(r.user, r.channel); !d.Allowed {
				v := r.deniedBy(d.Result, d.Rule, r.user.ID, fmt.Sprintf("User %s has no right to %s: %s", r.user.ID, r.channel, ruleText(d.Rule, d.Reason)))
				v.Evidence = []string{fmt.Sprintf("Socket %s was connected, and did not subscribe to it.", one.Socket)}
				v.Connections = []trace.Connection{one}
				return v, nil
			}
		}
		var names []string
		for _, s := range one.Subscriptions {
			if s.At(r.at) {
				names = append(names, s.Channel)
			}
		}
		v := &Verdict{Code: NotSubscribed, Connections: []trace.Connection{one},
			Sentence: fmt.Sprintf("%s was connected (socket %s) and did not subscribe to %s.", upper(r.name()), one.Socket, r.channel),
			Fix:      "See that the page subscribes to " + r.channel + " (Echo.private() and join() add the prefix by themselves), and its console for errors."}
		if len(names) > 0 {
			v.Evidence = append(v.Evidence, "It was subscribed to: "+list(names)+".")
		}
		return v, nil
	}
	return nil, nil
}
