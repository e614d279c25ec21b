package trace

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Connection is what is remembered of one connection.
type Connection struct {
	Socket  string `json:"socket_id"`
	App     string `json:"app"`
	Address string `json:"address,omitempty"`
	// User is whom it is signed in as.
	User string `json:"user_id,omitempty"`
	// Opened is zero for one that was opened before what is remembered; Closed is
	// zero while it is open.
	Opened time.Time `json:"opened,omitzero"`
	Closed time.Time `json:"closed,omitzero"`
	// Code and Reason say how it ended; Code is 0 where it was lost without a
	// word.
	Code          int            `json:"code,omitempty"`
	Reason        string         `json:"reason,omitempty"`
	Subscriptions []Subscription `json:"subscriptions"`
	Denials       []Denial       `json:"denials,omitempty"`
}

// Subscription is a connection's time on one channel.
type Subscription struct {
	Channel string `json:"channel"`
	// User is the member, or whom the subscription stands for; empty where only
	// the application knows.
	User string `json:"user_id,omitempty"`
	// From is zero for one from before what is remembered; To is zero while it
	// stands.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// At reports whether the subscription stood at a time.
func (s *Subscription) At(t time.Time) bool {
	return !s.From.After(t) && (s.To.IsZero() || s.To.After(t))
}

// Denial is a subscription or, without a channel, a sign-in that was refused.
type Denial struct {
	At      time.Time `json:"at"`
	Channel string    `json:"channel,omitempty"`
	Reason  string    `json:"reason"`
}

// Is reports whether anything of the connection is that user's.
func (c *Connection) Is(user string) bool {
	return c.User == user || slices.ContainsFunc(c.Subscriptions, func(s Subscription) bool { return s.User == user })
}

// Links picks connections. What is zero does not count.
type Links struct {
	App     string
	User    string
	Channel string // that it was subscribed to, or denied
	Socket  string
	Since   time.Time // that something of it is remembered since
	Limit   int       // the latest ones; default 500
}

// Connections gives the connections of memory that are picked, the ones of
// which something was heard last first. What is open for longer than memory
// reaches, and did nothing since, is not among them.
func (t *Trace) Connections(l Links) []Connection {
	sockets := map[string]int64{}
	key := cmp.Or(l.Socket, l.User, l.Channel)
	t.links.each(wanted{key: key, own: l.Socket != "", since: t.from(l.Since)}, func(r *record) bool {
		if r.socket != "" && l.picks(r) {
			sockets[r.socket] = max(sockets[r.socket], r.at)
		}
		return true
	})
	names := make([]string, 0, len(sockets))
	for socket := range sockets {
		names = append(names, socket)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(sockets[b], sockets[a]), strings.Compare(a, b)) })
	var all []Connection
	for _, socket := range names {
		if one := t.connection(socket); (l.User == "" || one.Is(l.User)) && (l.Channel == "" || one.knew(l.Channel)) {
			all = append(all, one)
		}
		if len(all) == cmp.Or(l.Limit, 500) {
			break
		}
	}
	return all
}

func (l *Links) picks(r *record) bool {
	switch {
	case l.App != "" && r.app != l.App,
		l.Socket != "" && r.socket != l.Socket,
		l.User != "" && r.user != l.User,
		l.User == "" && l.Channel != "" && r.channel != l.Channel:
		return false
	}
	return true
}

// knew reports whether the connection had to do with a channel.
func (c *Connection) knew(channel string) bool {
	return slices.ContainsFunc(c.Subscriptions, func(s Subscription) bool { return s.Channel == channel }) ||
		slices.ContainsFunc(c.Denials, func(d Denial) bool { return d.Channel == channel })
}

// connection puts together what is remembered of one.
func (t *Trace) connection(socket string) Connection {
	c := Connection{Socket: socket, Subscriptions: []Subscription{}}
	t.links.each(wanted{key: socket, own: true, since: t.from(time.Time{})}, func(r *record) bool {
		if r.socket == socket {
			c.add(r)
		}
		return true
	})
	return c
}

func (c *Connection) add(r *record) {
	c.App = r.app
	at := r.time()
	switch r.kind {
	case kindConnected:
		c.Opened, c.Address = at, r.address
	case kindSignedIn:
		c.User = r.user
	case kindSubscribed:
		c.Subscriptions = append(c.Subscriptions, Subscription{Channel: r.channel, User: r.user, From: at})
	case kindUnsubscribed:
		for i := len(c.Subscriptions) - 1; i >= 0; i-- {
			if s := &c.Subscriptions[i]; s.Channel == r.channel && s.To.IsZero() {
				s.To = at
				return
			}
		}
		c.Subscriptions = append(c.Subscriptions, Subscription{Channel: r.channel, To: at})
	case kindDenied:
		c.Denials = append(c.Denials, Denial{At: at, Channel: r.channel, Reason: r.text})
	case kindDisconnected:
		c.Closed, c.Code, c.Reason = at, int(r.status), r.text
	}
}

// RefusedConnection is a connection that was not let in.
type RefusedConnection struct {
	At      time.Time `json:"at"`
	App     string    `json:"app,omitempty"` // empty: its key is no app's
	Address string    `json:"address,omitempty"`
	Code    int       `json:"code"`
	Reason  string    `json:"reason"`
}

// RefusedConnections gives those that were not let in, the newest first; app ""
// is all.
func (t *Trace) RefusedConnections(app string, since time.Time, limit int) []RefusedConnection {
	var all []RefusedConnection
	t.links.each(wanted{since: t.from(since), kinds: setOf(kindDenied)}, func(r *record) bool {
		if r.socket == "" && (app == "" || r.app == app || r.app == "") {
			all = append(all, RefusedConnection{At: r.time(), App: r.app, Address: r.address, Code: int(r.status), Reason: r.text})
		}
		return true
	})
	slices.SortStableFunc(all, func(a, b RefusedConnection) int { return b.At.Compare(a.At) })
	return all[:min(len(all), cmp.Or(limit, 100))]
}
