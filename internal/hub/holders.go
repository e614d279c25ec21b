package hub

import (
	"slices"
	"sync"

	"github.com/belfryhq/belfry/pusher"
)

// Principal is who a subscription or a sign-in stands for, as Belfry's own
// authorization put it into the signed answer.
type Principal struct {
	User    string // the user's id
	Session string // the session's, where the user has one; may be empty
	// Doubtful says that the user's rights may have changed since the answer was
	// given: they are asked about again as soon as the subscription stands.
	Doubtful bool
}

// Holding is a private or presence subscription, or, without Channel, a
// sign-in, that stands for a known user.
type Holding struct {
	App     string // id
	Channel string // empty for a sign-in
	Socket  string
	Session string
}

// holders know which subscriptions of an app stand for which user. Only those
// that Belfry authorized itself are known: an application that signs its own
// answers keeps its users to itself.
type holders struct {
	mu     sync.Mutex // guards both
	of     map[hold]Principal
	byUser map[string]map[hold]struct{}
}

// hold is one thing that stands for a user: a subscription, or a connection's
// sign-in when sub is nil.
type hold struct {
	client *Client
	sub    *Subscription
}

func (hs *holders) add(h hold, p *Principal) {
	if p == nil {
		return
	}
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.of == nil {
		hs.of, hs.byUser = make(map[hold]Principal), make(map[string]map[hold]struct{})
	}
	hs.of[h] = *p
	all := hs.byUser[p.User]
	if all == nil {
		all = make(map[hold]struct{})
		hs.byUser[p.User] = all
	}
	all[h] = struct{}{}
}

func (hs *holders) remove(h hold) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	p, ok := hs.of[h]
	if !ok {
		return
	}
	delete(hs.of, h)
	all := hs.byUser[p.User]
	if delete(all, h); len(all) == 0 {
		delete(hs.byUser, p.User)
	}
}

func (hs *holders) user(user string) (all []hold, as []Principal) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for h := range hs.byUser[user] {
		all, as = append(all, h), append(as, hs.of[h])
	}
	return all, as
}

// principal asks whom a signed answer stands for; nil for nobody that is known.
// The answer for an encrypted channel has no data that could say so: whoever
// gave it remembers.
func (c *Client) principal(channel, data string) *Principal {
	ask := c.app.hub.cfg.Principal
	if ask == nil || data == "" && !pusher.KindOf(channel).Is(pusher.Encrypted) {
		return nil
	}
	if p, ok := ask(c.app.settings.Load(), c.id.String(), channel, data); ok {
		return &p
	}
	return nil
}

// doubt has a doubtful principal's rights looked at again, once what stands for
// it can be found.
func (c *Client) doubt(p *Principal) {
	if p != nil && p.Doubtful && c.app.hub.cfg.Doubt != nil {
		c.app.hub.cfg.Doubt(p.User)
	}
}

// Holders gives the ids of all users that anything on this node stands for.
func (h *Hub) Holders() []string {
	var all []string
	for _, a := range h.registry.Load().byID {
		a.holders.mu.Lock()
		for user := range a.holders.byUser {
			all = append(all, user)
		}
		a.holders.mu.Unlock()
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Holdings gives what stands for a user on this node, in no order.
func (h *Hub) Holdings(user string) []Holding {
	var list []Holding
	for _, a := range h.registry.Load().byID {
		all, as := a.holders.user(user)
		for i, hold := range all {
			list = append(list, a.holding(hold, as[i]))
		}
	}
	return list
}

func (a *app) holding(h hold, p Principal) Holding {
	one := Holding{App: a.settings.Load().ID, Socket: h.client.id.String(), Session: p.Session}
	if h.sub != nil {
		one.Channel = h.sub.Topic.Name
	}
	return one
}

// Revoke ends, of what stands for the user, everything that lost says has lost
// its ground: nothing published later reaches those subscriptions. Their
// connections are closed with 4200, so that a page asks again for all it had
// and is refused what it lost. It counts the connections.
func (h *Hub) Revoke(user string, lost func(Holding) bool) int {
	return h.expel(user, lost, pusher.CloseReconnect, "your rights have changed: connect again")
}

// Expel closes every connection that anything of the user's stands on, with
// 4009, for a user who is removed or disabled. It counts them.
func (h *Hub) Expel(user string) int {
	return h.expel(user, func(Holding) bool { return true }, pusher.CloseUnauthorized, "this user may not connect any more")
}

func (h *Hub) expel(user string, lost func(Holding) bool, code pusher.CloseCode, reason string) int {
	ended := make(map[*Client]struct{})
	for _, a := range h.registry.Load().byID {
		all, as := a.holders.user(user)
		for i, hold := range all {
			if !lost(a.holding(hold, as[i])) {
				continue
			}
			if hold.sub != nil {
				hold.client.drop(hold.sub)
			}
			ended[hold.client] = struct{}{}
		}
	}
	for c := range ended {
		c.close(code, reason)
	}
	return len(ended)
}

// drop ends a subscription unless it has ended meanwhile.
func (c *Client) drop(sub *Subscription) {
	c.mu.Lock()
	kept := c.forget(func(s *Subscription) bool { return s == sub })
	c.mu.Unlock()
	if kept != nil {
		c.leave(kept)
	}
}

// forget takes the first subscription that is meant out of the connection's
// list and gives it, or nil. c.mu is held.
func (c *Client) forget(meant func(*Subscription) bool) *Subscription {
	i := slices.IndexFunc(c.subs, meant)
	if i < 0 {
		return nil
	}
	sub, last := c.subs[i], len(c.subs)-1
	c.subs[i] = c.subs[last]
	c.subs[last] = nil
	c.subs = c.subs[:last]
	return sub
}
