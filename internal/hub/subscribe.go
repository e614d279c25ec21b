package hub

import (
	"fmt"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// refusedSub is a subscription that is not granted (CH-13, CH-14).
type refusedSub struct {
	kind pusher.RefusalType
	text string
}

func refusef(kind pusher.RefusalType, format string, args ...any) *refusedSub {
	return &refusedSub{kind, fmt.Sprintf(format, args...)}
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
	seat, refusal := c.mayJoin(req)
	if refusal != nil {
		c.refuse(req.Channel, refusal)
		return true
	}
	if c.hub.cluster.Owns(c.app.settings.Load().ID, req.Channel) {
		c.joinOwned(req.Channel, seat)
		return true
	}
	c.askToJoin(req.Channel, seat, resume)
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

// mayJoin checks name, limits and authorization; seat is who the connection
// will be on a presence channel.
func (c *Client) mayJoin(req pusher.Subscribe) (seat *pusher.Member, refusal *refusedSub) {
	s := c.app.settings.Load()
	naming := pusher.Naming{Limits: s.Limits, Strict: s.StrictNames}
	if longest := naming.MaxChannelName(); !pusher.ValidName(req.Channel, longest) {
		return nil, refusef(pusher.InvalidChannel, "channel %s is not a legal name: use 1 to %d letters, digits and _-=@,.; only", quote(req.Channel), longest)
	}
	c.mu.Lock()
	n := len(c.subs) + 1
	c.mu.Unlock()
	if belfry.Over(n, s.Limits.ChannelsPerConnection) {
		c.app.limit("channels_per_connection", Notice{Channel: req.Channel}, int64(n), int64(s.Limits.ChannelsPerConnection))
		return nil, refusef(pusher.LimitReached, "channel %s refused: this connection has its limit of %d channels", req.Channel, s.Limits.ChannelsPerConnection)
	}
	kind := pusher.KindOf(req.Channel)
	if kind.Is(pusher.ServerToUser) {
		return nil, c.mayHearUser(req.Channel)
	}
	if !kind.NeedsAuth() {
		return nil, nil
	}
	if refusal := c.verify(s, req, kind); refusal != nil {
		return nil, refusal
	}
	if kind.Is(pusher.Presence) {
		return c.memberOf(s, req)
	}
	return nil, nil
}

// mayHearUser guards #server-to-user-{id}: the connection must be signed in as
// that user (USER-10).
func (c *Client) mayHearUser(channel string) *refusedSub {
	id, _ := pusher.UserOfChannel(channel)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user == nil || c.user.ID != id {
		return refusef(pusher.AuthError, "channel %s needs this connection to be signed in as that user", channel)
	}
	return nil
}

// verify checks the signature of a private channel (AUTH-01 to AUTH-06).
func (c *Client) verify(s *belfry.App, req pusher.Subscribe, kind pusher.Kind) *refusedSub {
	secrets, signature, refusal := credentials(s, req.Auth)
	if refusal != nil {
		return refusal
	}
	id := c.id.String()
	text := pusher.ChannelText(id, req.Channel, req.ChannelData, req.HasData)
	if pusher.Verify(secrets, text, signature) {
		return nil
	}
	// The data of a private channel may have been left out of the signature
	// (AUTH-04); a presence channel's never (N04).
	if req.HasData && !kind.Is(pusher.Presence) && pusher.Verify(secrets, pusher.ChannelText(id, req.Channel, "", false), signature) {
		return nil
	}
	return refusef(pusher.AuthError, "invalid signature: expected the HMAC-SHA256, in lower-case hex, of %s", quote(text))
}

// credentials parts "key:signature" and finds the key's secrets (AUTH-06).
func credentials(s *belfry.App, auth string) (secrets []string, signature string, refusal *refusedSub) {
	if auth == "" {
		return nil, "", refusef(pusher.AuthError, "auth info required: this channel needs a signature from your authorization endpoint")
	}
	key, signature, ok := pusher.SplitAuth(auth)
	if !ok {
		return nil, "", refusef(pusher.AuthError, "auth must look like key:signature")
	}
	secrets = s.Secrets(key)
	if secrets == nil {
		return nil, "", refusef(pusher.AuthError, "invalid key %s: it is not a key of the app this connection belongs to", quote(key))
	}
	return secrets, signature, nil
}

// memberOf reads who the connection is on a presence channel: channel_data, or
// the signed-in user (CH-30, CH-32).
func (c *Client) memberOf(s *belfry.App, req pusher.Subscribe) (*pusher.Member, *refusedSub) {
	if !req.HasData {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.user == nil {
			return nil, refusef(pusher.AuthError, "presence channel %s needs channel_data, or a connection that is signed in", req.Channel)
		}
		return &pusher.Member{ID: c.user.ID, Info: c.user.Info}, nil
	}
	member, err := pusher.ParseMember(req.ChannelData)
	if err != nil {
		return nil, refusef(pusher.InvalidChannel, "channel %s refused: %v", req.Channel, err)
	}
	n := Notice{Channel: req.Channel, UserID: member.ID}
	if size := len(req.ChannelData); belfry.Over(size, s.Limits.PresenceMemberSize) {
		c.app.limit("presence_member_size", n, int64(size), int64(s.Limits.PresenceMemberSize))
		return nil, refusef(pusher.LimitReached, "channel %s refused: channel_data has %d bytes, at most %d are allowed", req.Channel, size, s.Limits.PresenceMemberSize)
	}
	if size := len([]rune(member.ID)); belfry.Over(size, s.Limits.PresenceUserID) {
		c.app.limit("presence_user_id", n, int64(size), int64(s.Limits.PresenceUserID))
		return nil, refusef(pusher.LimitReached, "channel %s refused: the user id has %d characters, at most %d are allowed", req.Channel, size, s.Limits.PresenceUserID)
	}
	return &member, nil
}

// refuse tells the client that it is not subscribed; the connection stays
// (CH-13).
func (c *Client) refuse(channel string, r *refusedSub) {
	c.app.counters.denied.Add(1)
	c.app.notice(Notice{Kind: NoticeRefused, Channel: channel, Socket: c.id.String(), Text: r.text})
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
func (c *Client) joinOwned(name string, seat *pusher.Member) {
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
	if !c.keep(sub) { // the connection ended meanwhile
		ch.ledger.leave(memberID(seat))
		ch.settle()
		return
	}
	first := [][]byte{c.sealed(ch.success(ch.ledger.list()))}
	miss := false
	if ch.kind.Is(pusher.Cache) {
		cache := ch.ledger.cacheState(c.hub.clock.Now())
		miss = cache == nil
		first = append(first, c.sealed(ch.cacheFrame(cache)))
	}
	ch.admit(sub, first)
	ch.tellJoin(sub, occupied, added, miss)
}

// askToJoin asks the channel's owner on another node, and joins when it says
// yes.
func (c *Client) askToJoin(name string, seat *pusher.Member, resume func()) {
	op := Op{Kind: OpJoin, App: c.app.settings.Load().ID, Channel: name, Socket: c.id}
	if seat != nil {
		op.Member = *seat
	}
	c.hub.cluster.Ask(op, func(a Answer, err error) {
		defer resume()
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
		if !c.keep(sub) {
			op.Kind = OpLeave
			c.hub.cluster.Ask(op, func(Answer, error) {})
			ch.settle()
			return
		}
		first := [][]byte{c.sealed(ch.success(a.Members))}
		if ch.kind.Is(pusher.Cache) {
			first = append(first, c.sealed(ch.cacheFrame(a.Cached)))
		}
		ch.admit(sub, first)
		c.notice(NoticeSubscribed, sub)
	})
}

// keep notes a subscription with the connection, unless that has ended.
func (c *Client) keep(sub *Subscription) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	c.subs = append(c.subs, sub)
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
	m := c.hub.seal(buf)
	c.app.counters.bytesOut.Add(int64(len(m.sealed)))
	return m.sealed
}

func (c *Client) notice(kind NoticeKind, sub *Subscription) {
	n := Notice{Kind: kind, Channel: sub.Topic.Name, Socket: c.id.String()}
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
	ch.local[outlet]++
	ch.app.counters.subscribed(ch.kind, 1, ch.subscribers() == 1)
	ch.app.hub.outlets[outlet].Join(sub, first)
}

// tellJoin tells the other subscribers and the observers, as the owner.
func (ch *channel) tellJoin(sub *Subscription, occupied, added, miss bool) {
	c := sub.Client
	if ch.kind.Is(pusher.ServerToUser) { // silent (USER-10, HOOK-21)
		return
	}
	c.notice(NoticeSubscribed, sub)
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

// unsubscribe handles pusher:unsubscribe (section 2.3).
func (c *Client) unsubscribe(m pusher.Message) {
	name, err := pusher.ParseUnsubscribe(m)
	if err != nil {
		c.violation("unsubscribe: " + err.Error())
		return
	}
	c.mu.Lock()
	var sub *Subscription
	for i, s := range c.subs {
		if s.Topic.Name == name {
			sub = s
			last := len(c.subs) - 1
			c.subs[i] = c.subs[last]
			c.subs[last] = nil
			c.subs = c.subs[:last]
			break
		}
	}
	c.mu.Unlock()
	if sub == nil {
		c.fail(pusher.NoCode, "no current subscription to channel %s", quote(name))
		return
	}
	c.leave(sub)
}

// leave ends a subscription that the connection no longer keeps.
func (c *Client) leave(sub *Subscription) {
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
	ch.local[c.outlet]--
	ch.app.counters.subscribed(ch.kind, -1, ch.subscribers() == 0)
	if !ch.kind.Is(pusher.ServerToUser) {
		c.notice(NoticeUnsubscribed, sub)
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

func memberID(m *pusher.Member) string {
	if m == nil {
		return ""
	}
	return m.ID
}
