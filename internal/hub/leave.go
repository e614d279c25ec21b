package hub

import "github.com/belfryhq/belfry/pusher"

// unsubscribe handles pusher:unsubscribe (section 2.3).
func (c *Client) unsubscribe(m pusher.Message) {
	name, err := pusher.ParseUnsubscribe(m)
	if err != nil {
		c.violation("unsubscribe: " + err.Error())
		return
	}
	c.mu.Lock()
	sub := c.forget(func(s *Subscription) bool { return s.Topic.Name == name })
	c.mu.Unlock()
	if sub == nil {
		c.fail(pusher.NoCode, "no current subscription to channel %s", quote(name))
		return
	}
	c.leave(sub)
}

// leave ends a subscription that the connection no longer keeps.
func (c *Client) leave(sub *Subscription) {
	if c.app.hub.cfg.Principal != nil && pusher.KindOf(sub.Topic.Name).NeedsAuth() {
		c.app.holders.remove(hold{c, sub})
	}
	ch := c.app.lock(sub.Topic.Name, false)
	if ch == nil || &ch.topic != sub.Topic {
		if ch != nil {
			ch.mu.Unlock()
		}
		return
	}
	forget := ch.leave(c, sub)
	ch.mu.Unlock()
	forget.forget()
}

// leave takes a local subscriber out. The channel is locked.
func (ch *channel) leave(c *Client, sub *Subscription) (forget *channel) {
	h := ch.app.hub
	h.outlets[c.outlet].Leave(sub)
	ch.topic.local[c.outlet].Add(-1)
	ch.app.counters.subscribed(ch.kind, -1, ch.subscribers() == 0)
	if !ch.kind.Is(pusher.ServerToUser) {
		c.notice(NoticeUnsubscribed, sub, nil)
	}
	id := ""
	if sub.member != nil {
		id = sub.member.ID
	}
	if h.cluster.Owns(ch.topic.App, ch.topic.Name) {
		ch.decideLeave(id)
	} else {
		h.cluster.Ask(Op{Kind: OpLeave, App: ch.topic.App, Channel: ch.topic.Name, Socket: c.id, Member: pusher.Member{ID: id}}, func(Answer, error) {})
	}
	return ch.settle()
}

// decideLeave counts a subscriber out, as the owner, and tells of the
// transitions.
func (ch *channel) decideLeave(memberID string) {
	name := ch.topic.Name
	vacated, removed := ch.ledger.leave(memberID)
	if ch.kind.Is(pusher.ServerToUser) {
		return
	}
	if removed {
		ch.cast(ch.app.hub.seal(pusher.AppendMemberRemoved(begin(128), name, memberID)), pusher.SocketID{}, false)
		ch.app.notice(Notice{Kind: NoticeMemberRemoved, Channel: name, UserID: memberID})
	}
	ch.countChanged()
	if vacated {
		ch.app.notice(Notice{Kind: NoticeVacated, Channel: name})
	}
}
