package hub

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/pusher"
)

// Gauged is a Conn that says how it does.
type Gauged interface{ Gauge() Gauge }

// Gauge is how a connection does at a moment.
type Gauge struct {
	// Waiting is how many bytes wait to be written to it.
	Waiting int
	// Silent is for how long nothing has come from it, to about a second.
	Silent time.Duration
	// In and Out are the bytes that have come from it and gone to it since it
	// was opened: frames with their headers, without what TLS adds.
	In, Out int64
}

// Software is what a connection says that it runs on. It may be anything.
type Software struct {
	Library string `json:"library,omitempty"` // the client library's name
	Version string `json:"version,omitempty"` // and version
	Agent   string `json:"agent,omitempty"`   // the User-Agent header, of browsers
}

// Of what a connection says that it runs on, so many bytes are kept.
const (
	maxLibrary = 40
	maxAgent   = 200
)

func (hs *Handshake) software() Software {
	return Software{Library: cut(hs.Client, maxLibrary), Version: cut(hs.Version, maxLibrary), Agent: cut(hs.Agent, maxAgent)}
}

// cut gives the beginning of a text, as valid UTF-8.
func cut(s string, most int) string {
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}

// Connection is one connection of this node at a moment, for operators.
type Connection struct {
	App     string `json:"app"`
	Socket  string `json:"socket_id"`
	Address string `json:"address,omitempty"`
	// User is whom the connection is signed in as; empty when it is not.
	User  string `json:"user_id,omitempty"`
	Seats []Seat `json:"subscriptions"`
	// Opened is when it came, to the second. Gauge is how it does, where its
	// engine knows.
	Opened   time.Time `json:"opened,omitzero"`
	Gauge    Gauge     `json:"-"`
	Software Software  `json:"-"`
}

// Seat is a connection's place on a channel.
type Seat struct {
	Channel string `json:"channel"`
	// User is the member on a presence channel, else whom the subscription stands
	// for where Belfry authorized it, else empty.
	User string `json:"user_id,omitempty"`
}

// Is reports whether anything of the connection is that user's.
func (c *Connection) Is(user string) bool {
	return c.User == user || slices.ContainsFunc(c.Seats, func(s Seat) bool { return s.User == user })
}

// On reports whether the connection is subscribed to a channel.
func (c *Connection) On(channel string) bool {
	return slices.ContainsFunc(c.Seats, func(s Seat) bool { return s.Channel == channel })
}

// Connections gives the connections of an app on this node that wanted says yes
// to, of all apps for "", most at most (0: all), sorted by app and socket id. It
// looks at every connection, one after another: it is for operators, not for
// each request.
func (h *Hub) Connections(appID string, most int, wanted func(*Connection) bool) []Connection {
	var all []Connection
	for id, a := range h.registry.Load().byID {
		if appID != "" && id != appID {
			continue
		}
		for _, c := range a.clients() {
			if one := c.inspect(id); wanted == nil || wanted(&one) {
				all = append(all, one)
			}
			if most > 0 && len(all) == most {
				break
			}
		}
	}
	slices.SortFunc(all, func(x, y Connection) int {
		return cmp.Or(cmp.Compare(x.App, y.App), cmp.Compare(x.Socket, y.Socket))
	})
	if most > 0 && len(all) > most {
		all = all[:most]
	}
	return all
}

// Connection gives one connection of this node, by its socket id.
func (h *Hub) Connection(socketID string) (one Connection, ok bool) {
	id, ok := pusher.ParseSocketID(socketID)
	if !ok {
		return one, false
	}
	for app, a := range h.registry.Load().byID {
		if c := a.client(id); c != nil {
			return c.inspect(app), true
		}
	}
	return one, false
}

func (c *Client) inspect(app string) Connection {
	one := Connection{App: app, Socket: c.id.String(), Address: c.address, Opened: time.Unix(int64(c.since), 0).UTC(), Software: c.software.Value()}
	if g, ok := c.conn.(Gauged); ok {
		one.Gauge = g.Gauge()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user != nil {
		one.User = c.user.ID
	}
	one.Seats = make([]Seat, len(c.subs))
	for i, s := range c.subs {
		one.Seats[i] = Seat{Channel: s.Topic.Name}
		if s.member != nil {
			one.Seats[i].User = s.member.ID
		} else {
			one.Seats[i].User = c.app.holders.holder(hold{c, s})
		}
	}
	return one
}

// holder gives the user of a hold, or "".
func (hs *holders) holder(h hold) string {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.of[h].User
}

// End closes a connection of this node, by its socket id, with a code and a
// reason, and reports whether it was there.
func (h *Hub) End(socketID string, code pusher.CloseCode, reason string) bool {
	id, ok := pusher.ParseSocketID(socketID)
	if !ok {
		return false
	}
	for _, a := range h.registry.Load().byID {
		if c := a.client(id); c != nil {
			c.close(code, reason)
			return true
		}
	}
	return false
}
