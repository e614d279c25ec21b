package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/pusher"
)

// byReceiver answers why a user or a socket should have got an event.
func (c *inquiry) byReceiver() (*Verdict, error) {
	if c.app = c.now.App(c.q.App); c.app == nil {
		return c.noApp(c.q.App), nil
	}
	if v, err := c.findUser(); v != nil || err != nil {
		return v, err
	}
	if v := c.findSocket(); v != nil {
		return v, nil
	}
	found := c.past.Events(trace.Filter{App: c.app.ID, Channel: c.q.Channel, Event: c.q.Event, Since: c.since(), Limit: 1})
	if len(found) == 0 || found[0].Status() == trace.Refused {
		return c.noEvent()
	}
	t := &found[0]
	v, err := c.follow(t)
	if err == nil && v.reached() {
		v, err = c.receiver(t, v)
	}
	if err != nil {
		return nil, err
	}
	v.Evidence = append(v.Evidence, c.refusedSince(t)...)
	return v, nil
}

func (c *inquiry) noApp(name string) *Verdict {
	var names, ids []string
	for _, a := range c.now.Apps() {
		ids = append(ids, a.ID)
		names = append(names, a.ID, a.Name)
		for _, k := range a.Keys {
			names = append(names, k.Key)
		}
	}
	v := &Verdict{Code: NoSuchApp, Sentence: fmt.Sprintf("This server has no app %q.", clip(name)), Near: nearNames(name, names),
		Fix: "Use one of: " + list(ids) + " (belfry app:list)."}
	if name == "" {
		v.Sentence, v.Fix = "This server has no app at all.", "Add one with: belfry app:add"
	}
	if len(v.Near) > 0 {
		v.Evidence = append(v.Evidence, "Near it: "+list(v.Near)+".")
	}
	return v
}

// findUser resolves the user of the question; a verdict says that there is none.
func (c *inquiry) findUser() (*Verdict, error) {
	if c.q.User == "" {
		return nil, nil
	}
	user, near, err := c.now.User(c.ctx, c.q.User)
	if err != nil {
		return nil, err
	}
	if user != nil {
		c.user, c.q.User = user, user.ID
		return nil, nil
	}
	if len(c.past.Connections(trace.Links{User: c.q.User, Limit: 1})) > 0 {
		return nil, nil // the application's own
	}
	if denials, err := c.past.Denials(c.ctx, authz.DenialFilter{User: c.q.User, Since: c.since()}); err == nil && len(denials) > 0 {
		return nil, nil
	}
	if c.unnamed() > 0 {
		return c.userNotKnown(), nil
	}
	v := &Verdict{Code: UnknownUser, Sentence: fmt.Sprintf("There is no user %q, and no connection has named one.", clip(c.q.User)), Near: near,
		Fix: "Give the user's id or email as belfry user:list shows them. If the application signs its own channels, users are not known here: ask with --socket."}
	if len(near) > 0 {
		v.Evidence = append(v.Evidence, "Near it: "+list(near)+".")
	}
	return v, nil
}

// unnamed counts the connections that are subscribed to the channel of the
// question while nobody knows for whom.
func (c *inquiry) unnamed() (n int) {
	if c.q.Channel == "" || !pusher.KindOf(c.q.Channel).NeedsAuth() {
		return 0
	}
	for _, one := range c.past.Connections(trace.Links{App: c.app.ID, Channel: c.q.Channel}) {
		for _, s := range one.Subscriptions {
			if s.Channel == c.q.Channel && s.User == "" && one.User == "" {
				n++
				break
			}
		}
	}
	return n
}

func (c *inquiry) userNotKnown() *Verdict {
	v := &Verdict{Code: UserNotKnown,
		Sentence: fmt.Sprintf("Whether user %q was there cannot be told: the application signs its own channels, and their signatures name no user.", clip(c.q.User)),
		Fix:      "Take the socket id from the page (Echo.socketId(), pusher.connection.socket_id) and ask with --socket."}
	v.Evidence = append(v.Evidence, fmt.Sprintf("%s subscribed to %s in the last hour without naming anybody.", are(c.unnamed(), "connection", "connections"), c.q.Channel))
	v.Connections = c.past.Connections(trace.Links{App: c.app.ID, Channel: c.q.Channel, Limit: 5})
	return v
}

func (c *inquiry) findSocket() *Verdict {
	if c.q.Socket == "" || len(c.past.Connections(trace.Links{Socket: c.q.Socket, Limit: 1})) > 0 {
		return nil
	}
	var sockets []string
	for _, one := range c.past.Connections(trace.Links{Limit: 500}) {
		sockets = append(sockets, one.Socket)
	}
	_, from := c.past.Reach()
	v := &Verdict{Code: UnknownSocket, Sentence: fmt.Sprintf("No connection has, or since %s had, the socket id %q.", clock(from), clip(c.q.Socket)), Near: nearNames(c.q.Socket, sockets),
		Fix: "Take the id from the page while it is connected (Echo.socketId()); a page has a new one after each reconnect."}
	if c.setup.Untraced {
		v.Sentence = fmt.Sprintf("No open connection has the socket id %q; connections that were closed are not remembered, since trace.enabled is false.", clip(c.q.Socket))
	}
	if c.setup.Nodes > 1 {
		v.Evidence = append(v.Evidence, "Other servers share the channels; the connection may be on one of them.")
	}
	if len(v.Near) > 0 {
		v.Evidence = append(v.Evidence, "Near it: "+list(v.Near)+".")
	}
	return v
}

// receiver finds why the receiver did, or did not, get an event that came to the
// hub; so far is what is known of the event alone.
func (c *inquiry) receiver(t *trace.Timeline, so *Verdict) (*Verdict, error) {
	r := &reception{inquiry: c, t: t, channel: c.q.Channel}
	if r.channel == "" {
		r.channel = first(t.Channels)
	}
	r.at = moment(t, r.channel)
	r.all = c.past.Connections(trace.Links{User: c.q.User, Socket: c.q.Socket})
	v, err := r.verdict(so)
	if err != nil {
		return nil, err
	}
	if v != so {
		v.Event = t
		v.Evidence = append(c.story(t), v.Evidence...)
	}
	return v, nil
}

// reception is how one event met the connections of one receiver.
type reception struct {
	*inquiry
	t       *trace.Timeline
	channel string
	at      time.Time // when the event was published there
	all     []trace.Connection
}

// name names the receiver.
func (r *reception) name() string {
	if r.q.Socket != "" {
		return "socket " + r.q.Socket
	}
	return "user " + r.q.User
}

func (r *reception) verdict(so *Verdict) (*Verdict, error) {
	var got []trace.Connection
	for _, one := range r.all {
		if s := r.subscription(one, func(s trace.Subscription) bool { return s.At(r.at) }); s != nil && one.App == r.t.App {
			got = append(got, one)
		}
	}
	if len(got) > 0 {
		return r.got(got), nil
	}
	for _, cause := range []func() (*Verdict, error){r.denied, r.before, r.after, r.nearMiss, r.otherApp, r.notSubscribed} {
		if v, err := cause(); v != nil || err != nil {
			return v, err
		}
	}
	if so.Code == NearMiss || so.Code == OtherApp {
		return so, nil
	}
	return r.notConnected()
}

// subscription gives the connection's last subscription to the channel that
// is meant.
func (r *reception) subscription(one trace.Connection, meant func(trace.Subscription) bool) *trace.Subscription {
	for i := len(one.Subscriptions) - 1; i >= 0; i-- {
		if s := &one.Subscriptions[i]; s.Channel == r.channel && meant(*s) {
			return s
		}
	}
	return nil
}

// slowWithin is how long after an event a connection is closed for it.
const slowWithin = time.Minute

// got is about connections that were subscribed when the event was published.
func (r *reception) got(all []trace.Connection) *Verdict {
	var fine []trace.Connection
	var bad *Verdict
	for _, one := range all {
		switch {
		case one.Socket == r.t.Except:
			bad = r.excluded(r.t, one)
		case one.Code == int(pusher.CloseOverCapacity) && one.Closed.Sub(r.at) < slowWithin:
			bad = r.tooSlow(one)
		default:
			fine = append(fine, one)
		}
	}
	if len(fine) == 0 {
		return bad
	}
	said := r.pages(r.t, fine)
	if v := said.verdict(); v != nil {
		return v
	}
	v := &Verdict{Code: Delivered, Connections: fine, Sentence: fmt.Sprintf("The event was delivered to %s: %s was subscribed to %s when it was published.", r.name(), sockets(fine), r.channel)}
	for _, one := range fine {
		line := "Socket " + one.Socket
		if one.Address != "" {
			line += " from " + one.Address
		}
		if s := r.subscription(one, func(s trace.Subscription) bool { return s.At(r.at) }); !s.From.IsZero() {
			line += ", subscribed since " + clock(s.From)
		}
		v.Evidence = append(v.Evidence, line+".")
	}
	v.Evidence = append(v.Evidence, said.evidence()...)
	return v
}

func sockets(all []trace.Connection) string {
	if len(all) == 1 {
		return "socket " + all[0].Socket
	}
	return count(len(all), "socket", "sockets")
}

func (r *reception) tooSlow(one trace.Connection) *Verdict {
	return &Verdict{Code: TooSlow, Connections: []trace.Connection{one},
		Sentence: fmt.Sprintf("Socket %s read too slowly: too much waited for it, and it was closed with 4100 at %s.", one.Socket, clock(one.Closed)),
		Fix:      "Send less to the channel, or split it; see whether the page was asleep or its network bad. It comes back by itself and has to fetch what it missed."}
}

// denied is about a receiver whom the channel was refused.
func (r *reception) denied() (*Verdict, error) {
	for _, one := range r.all {
		if one.App != r.t.App || r.subscription(one, func(trace.Subscription) bool { return true }) != nil {
			continue
		}
		for _, d := range slices.Backward(one.Denials) {
			if d.Channel == r.channel {
				return r.refusedSubscription(one, d), nil
			}
		}
	}
	if slices.ContainsFunc(r.all, func(one trace.Connection) bool {
		return r.subscription(one, func(trace.Subscription) bool { return true }) != nil
	}) {
		return nil, nil // the channel was opened to them, if not in time
	}
	asked := []authz.DenialFilter{}
	if r.q.User != "" {
		asked = append(asked, authz.DenialFilter{User: r.q.User})
	}
	for _, one := range r.all[:min(len(r.all), 20)] {
		asked = append(asked, authz.DenialFilter{Socket: one.Socket}) // whoever was signed in there
	}
	for _, f := range asked {
		f.App, f.Channel, f.Since = r.t.App, r.channel, r.at.Add(-time.Hour)
		if denials, err := r.past.Denials(r.ctx, f); err != nil || len(denials) > 0 {
			return r.deniedTo(denials), err
		}
	}
	return nil, nil
}

// deniedTo is about a question for the channel that was answered with no.
func (r *reception) deniedTo(denials []authz.Denial) *Verdict {
	if len(denials) == 0 {
		return nil
	}
	d := denials[0]
	return r.deniedBy(d.Result, d.Rule, d.UserID, fmt.Sprintf("Authorization for %s was denied to %s at %s: %s", r.channel, who(d.UserID), clock(d.At), ruleText(d.Rule, d.Reason)))
}

func (r *reception) deniedBy(result authz.Result, rule, user, sentence string) *Verdict {
	ask := "belfry auth:explain --channel " + r.channel
	if user != "" {
		ask = "belfry auth:explain --user " + user + " --channel " + r.channel
	}
	v := &Verdict{Code: Denied, Sentence: sentence, Fix: "See why with: " + ask}
	switch result {
	case authz.NotSignedIn:
		v.Code, v.Fix = NotSignedIn, "Sign in on that page before it subscribes; a session that has ended counts as none."
	case authz.NoRule:
		v.Fix = "Add a rule for the channel to channels: in belfry.yaml; without one nobody has access."
	case authz.Refused:
		if rule != "" {
			v.Fix = "Give the user what the rule " + quote(rule) + " asks for, or change the rule: " + ask
		}
	}
	return v
}

// guest is about a receiver without a connection, where a page that nobody was
// signed in on asked for the channel.
func (r *reception) guest() (*Verdict, error) {
	denials, err := r.past.Denials(r.ctx, authz.DenialFilter{App: r.t.App, Channel: r.channel, Result: authz.NotSignedIn, Since: r.at.Add(-time.Hour)})
	if err != nil || len(denials) == 0 {
		return nil, err
	}
	d := denials[0]
	from := ""
	if d.Address != "" {
		from = " from " + d.Address
	}
	return r.deniedBy(d.Result, d.Rule, "", fmt.Sprintf("%s has no connection that is known; a page that nobody was signed in on (socket %s%s) asked for %s at %s, and was refused.",
		upper(r.name()), d.Socket, from, r.channel, clock(d.At))), nil
}

// refusedSubscription is about a subscription that the realtime server refused.
func (r *reception) refusedSubscription(one trace.Connection, d trace.Denial) *Verdict {
	v := &Verdict{Code: Denied, Connections: []trace.Connection{one},
		Sentence: fmt.Sprintf("The subscription of socket %s to %s was refused at %s: %s", one.Socket, r.channel, clock(d.At), period(d.Reason)),
		Fix:      "Mend what the sentence names, and load the page again."}
	if d.Reason == "invalid signature" {
		v.Code = BadSignature
		v.Fix = "The application that answers /broadcasting/auth signs with another secret than this app's, or for another socket or channel: compare PUSHER_APP_KEY and PUSHER_APP_SECRET."
	}
	return v
}

// notConnected is about a receiver of whom no connection is known at the time.
func (r *reception) notConnected() (*Verdict, error) {
	if len(r.all) == 0 && r.q.User != "" {
		if r.q.Channel == "" {
			r.q.Channel = r.channel
		}
		if r.unnamed() > 0 {
			return r.userNotKnown(), nil
		}
	}
	for _, one := range r.all { // of another kind than before and after, which had the channel
		if !one.Closed.IsZero() && !one.Closed.After(r.at) {
			return &Verdict{Code: ClosedBefore, Connections: []trace.Connection{one},
				Sentence: fmt.Sprintf("The connection of %s (socket %s) ended at %s, before the event%s.", r.name(), one.Socket, clock(one.Closed), ending(one)),
				Fix:      "Have the page fetch what it missed when it connects again; notifications do so by themselves."}, nil
		}
		if one.Opened.After(r.at) {
			return &Verdict{Code: ConnectedAfter, Connections: []trace.Connection{one},
				Sentence: fmt.Sprintf("%s connected after the event: socket %s at %s.", upper(r.name()), one.Socket, clock(one.Opened)),
				Fix:      "Events are for those who are there. Have the page fetch what it missed when it connects."}, nil
		}
	}
	switch all, away, err := r.subscriptions(r.t.App, r.channel); {
	case err != nil:
		return nil, err
	case away > 0:
		return &Verdict{Code: OtherNode, Sentence: fmt.Sprintf("%s is not connected to this server; of %s to %s, %s on other servers.", upper(r.name()), count(all, "subscription", "subscriptions"), r.channel, are(away, "is", "are")),
			Fix: "Ask on the server that the connection is on."}, nil
	}
	if len(r.all) == 0 {
		if v, err := r.guest(); v != nil || err != nil {
			return v, err
		}
	}
	_, from := r.past.Reach()
	v := &Verdict{Code: NotConnected, Sentence: fmt.Sprintf("%s has no connection, and since %s has had none that is known.", upper(r.name()), clock(from)),
		Fix: "See the page's console (Pusher.logToConsole = true): does it connect, to this server, and is the user signed in there?"}
	v.Evidence = append(v.Evidence, r.others()...)
	if refused := r.past.RefusedConnections(r.t.App, r.at.Add(-time.Hour)); len(refused) > 0 {
		one := refused[0]
		line := fmt.Sprintf("%s refused; the last at %s from %s with %d: %s", are(len(refused), "connection was", "connections were"), clock(one.At), cmp.Or(one.Address, "an unknown address"), one.Code, period(one.Reason))
		v.Evidence = append(v.Evidence, line)
		if one.Code == int(pusher.CloseNoApp) {
			v.Code = NoSuchKey
			v.Sentence = fmt.Sprintf("%s has no connection, and pages are refused with 4001: their key is no app's.", upper(r.name()))
			v.Fix = "Set the page's key (VITE_PUSHER_APP_KEY) to a key that belfry app:list shows, and build the page again."
		}
	}
	return v, nil
}

// upper makes the first letter a capital one.
func upper(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
