package hub

import (
	"cmp"
	"fmt"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// refusedSub is a subscription that is not granted (CH-13, CH-14).
type refusedSub struct {
	kind pusher.RefusalType
	text string
	// log is what observers are told in the place of text, which may hold the
	// member's own data; empty when it does not.
	log string
}

func refusef(kind pusher.RefusalType, format string, args ...any) *refusedSub {
	return &refusedSub{kind: kind, text: fmt.Sprintf(format, args...)}
}

// subscribe handles pusher:subscribe (section 2.2).
func (c *Client) subscribe(m pusher.Message, resume func()) (done bool) {
	req, err := pusher.ParseSubscribe(m)
	switch {
	case err != nil:
		c.violation("subscribe: " + err.Error())
		return true
	case req.Channel == "":
		c.violation("subscribe: data must name a channel")
		return true
	}
	if sub := c.subscription(req.Channel); sub != nil {
		c.again(sub)
		return true
	}
	seat, who, refusal := c.mayJoin(req)
	if refusal != nil {
		c.refuse(req.Channel, refusal)
		return true
	}
	if c.app.hub.cluster.Owns(c.app.settings.Load().ID, req.Channel) {
		c.joinOwned(req.Channel, seat, who)
		c.doubt(who)
		return true
	}
	c.askToJoin(req.Channel, seat, who, resume)
	return false
}

// again answers a second subscribe of one channel: nothing changes (CH-16).
func (c *Client) again(sub *Subscription) {
	if !c.app.settings.Load().Compat.RepeatSuccess {
		c.fail(pusher.NoCode, "this connection has an existing subscription to channel %s", sub.Topic.Name)
		return
	}
	ch := c.app.lock(sub.Topic.Name, false)
	if ch == nil {
		return
	}
	defer ch.mu.Unlock()
	c.send(ch.success(ch.ledger.list()))
}

// refuse tells the client that it is not subscribed; the connection stays
// (CH-13).
func (c *Client) refuse(channel string, r *refusedSub) {
	c.app.counters.denied.Add(1)
	c.app.notice(Notice{Kind: NoticeRefused, Channel: channel, Socket: c.id.String(), Text: cmp.Or(r.log, r.text)})
	frames := c.app.settings.Load().Compat.Refusal
	encryptedJava := c.java && pusher.KindOf(channel).Is(pusher.Encrypted) // CH-53
	if frames != "error" && !encryptedJava {
		c.send(pusher.AppendSubscriptionError(begin(256), channel, r.kind, r.text))
	}
	if frames != "subscription_error" || encryptedJava {
		code := pusher.NoCode
		if r.kind == pusher.AuthError {
			code = pusher.CloseUnauthorized
		}
		c.fail(code, "%s", r.text)
	}
}

// joinOwned joins a channel that this node owns: decision and effect under one
// lock.
func (c *Client) joinOwned(name string, seat *pusher.Member, who *Principal) {
	ch := c.app.lock(name, true)
	defer ch.mu.Unlock()
	if ch.over(seat) {
		ch.settle()
		c.refuseFull(name)
		return
	}
	ch.wake()
	m, occupied, added := ch.ledger.join(seat)
	sub := &Subscription{Topic: &ch.topic, Client: c, member: m}
	if !c.keep(sub, who) { // the connection ended meanwhile
		ch.ledger.leave(memberID(seat))
		ch.settle()
		return
	}
	first := [][]byte{c.sealed(ch.success(ch.ledger.list()))}
	miss := false
	if ch.kind.Is(pusher.Cache) {
		cache := ch.ledger.cacheState(c.app.hub.clock.Now())
		miss = cache == nil
		first = append(first, c.sealed(ch.cacheFrame(cache)))
	}
	ch.admit(sub, first)
	ch.tellJoin(sub, who, occupied, added, miss)
}

// askToJoin asks the channel's owner on another node, and joins when it says
// yes.
func (c *Client) askToJoin(name string, seat *pusher.Member, who *Principal, resume func()) {
	op := Op{Kind: OpJoin, App: c.app.settings.Load().ID, Channel: name, Socket: c.id}
	if seat != nil {
		op.Member = *seat
	}
	c.app.hub.cluster.Ask(op, func(a Answer, err error) {
		defer resume()
		defer c.doubt(who)
		switch {
		case err != nil:
			c.close(pusher.CloseOverCapacity, "the cluster did not answer: connect again in a moment")
			return
		case a.Full:
			c.refuseFull(name)
			return
		}
		ch := c.app.lock(name, true)
		defer ch.mu.Unlock()
		sub := &Subscription{Topic: &ch.topic, Client: c}
		if seat != nil {
			sub.member = &member{Member: *seat}
		}
		if !c.keep(sub, who) {
			op.Kind = OpLeave
			c.app.hub.cluster.Ask(op, func(Answer, error) {})
			ch.settle()
			return
		}
		first := [][]byte{c.sealed(ch.success(a.Members))}
		if ch.kind.Is(pusher.Cache) {
			first = append(first, c.sealed(ch.cacheFrame(a.Cached)))
		}
		ch.admit(sub, first)
		c.notice(NoticeSubscribed, sub, who)
	})
}

// keep notes a subscription with the connection, and whom it stands for, unless
// the connection has ended.
func (c *Client) keep(sub *Subscription, who *Principal) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	c.subs = append(c.subs, sub)
	c.app.holders.add(hold{c, sub}, who)
	if sub.member != nil || pusher.KindOf(sub.Topic.Name).NeedsAuth() {
		if c.extra != nil && c.extra.deadline != nil {
			c.extra.deadline.Stop() // WS-46
		}
	}
	return true
}

func (c *Client) refuseFull(name string) {
	max := c.app.settings.Load().Limits.PresenceMembers
	c.app.limit("presence_members", Notice{Channel: name}, int64(max)+1, int64(max))
	c.refuse(name, refusef(pusher.LimitReached, "presence channel %s has its limit of %d members", name, max))
}

func (c *Client) sealed(buf []byte) []byte {
	m := c.app.hub.seal(buf)
	c.app.counters.bytesOut.Add(int64(len(m.sealed)))
	return m.sealed
}

func (c *Client) notice(kind NoticeKind, sub *Subscription, who *Principal) {
	n := Notice{Kind: kind, Channel: sub.Topic.Name, Socket: c.id.String()}
	if who != nil {
		n.Holder = who.User
	}
	if sub.member != nil {
		n.UserID = sub.member.ID
	}
	c.app.notice(n)
}

// over reports whether seat would be one member too many. The channel is locked.
func (ch *channel) over(seat *pusher.Member) bool {
	if seat == nil {
		return false
	}
	limit := ch.app.settings.Load().Limits.PresenceMembers
	if ch.ledger.members[seat.ID] == nil {
		ch.app.near("presence_members", Notice{Channel: ch.topic.Name}, int64(len(ch.ledger.members)+1), int64(limit))
	}
	return ch.ledger.full(seat.ID, func(n int) bool { return belfry.Over(n, limit) })
}

// success encodes the confirmation of a subscription (CH-11, CH-12).
func (ch *channel) success(members []pusher.Member) []byte {
	if ch.kind.Is(pusher.Presence) {
		return pusher.AppendPresenceSucceeded(begin(128+96*len(members)), ch.topic.Name, members)
	}
	return pusher.AppendSucceeded(begin(96+len(ch.topic.Name)), ch.topic.Name)
}

// cacheFrame encodes what a newcomer to a cache channel gets (CH-41).
func (ch *channel) cacheFrame(cache *CacheState) []byte {
	if cache == nil {
		return pusher.AppendCacheMiss(begin(96+len(ch.topic.Name)), ch.topic.Name)
	}
	return pusher.AppendEvent(begin(64+len(cache.Event)+len(ch.topic.Name)+len(cache.Data)), cache.Event, ch.topic.Name, cache.Data, "")
}

// admit makes sub a local subscriber, behind the messages that come first. The
// channel is locked.
func (ch *channel) admit(sub *Subscription, first [][]byte) {
	outlet := sub.Client.outlet
	ch.topic.local[outlet].Add(1)
	ch.app.counters.subscribed(ch.kind, 1, ch.subscribers() == 1)
	ch.app.hub.outlets[outlet].Join(sub, first)
}

// tellJoin tells the other subscribers and the observers, as the owner.
func (ch *channel) tellJoin(sub *Subscription, who *Principal, occupied, added, miss bool) {
	c := sub.Client
	if ch.kind.Is(pusher.ServerToUser) { // silent (USER-10, HOOK-21)
		return
	}
	c.notice(NoticeSubscribed, sub, who)
	var seat *pusher.Member
	if sub.member != nil {
		seat = &sub.member.Member
	}
	ch.decidedJoin(c.id, seat, occupied, added, miss)
}

// decidedJoin tells of the transitions that a join brought, wherever the
// subscriber, except, is.
func (ch *channel) decidedJoin(except pusher.SocketID, seat *pusher.Member, occupied, added, miss bool) {
	name := ch.topic.Name
	if occupied {
		ch.app.notice(Notice{Kind: NoticeOccupied, Channel: name})
	}
	if added {
		m := ch.app.hub.seal(pusher.AppendMemberAdded(begin(128+len(seat.Info)), name, *seat))
		ch.cast(m, except, false)
		ch.app.notice(Notice{Kind: NoticeMemberAdded, Channel: name, UserID: seat.ID})
	}
	if miss && ch.missIsNews() {
		ch.app.notice(Notice{Kind: NoticeCacheMiss, Channel: name})
	}
	ch.countChanged()
}

func memberID(m *pusher.Member) string {
	if m == nil {
		return ""
	}
	return m.ID
}
