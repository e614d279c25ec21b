package hub

import (
	"context"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// ChannelInfo is the state of an occupied channel (HTTP-46).
type ChannelInfo struct {
	Subscriptions int // connections (HTTP-47)
	Users         int // distinct members; presence channels only
}

// ChannelState is the state of any channel (HTTP-46).
type ChannelState struct {
	Occupied bool
	ChannelInfo
	Cache *CacheState // nil when the channel keeps nothing
}

// CacheState is what a cache channel keeps.
type CacheState struct {
	Event string
	Data  []byte // a JSON string token
	TTL   time.Duration
}

// Channels gives the occupied channels of an app whose names begin with prefix,
// but for those of single users (HTTP-41). It asks every node. Errors are
// *belfry.Error.
func (h *Hub) Channels(ctx context.Context, appID, prefix string) (map[string]ChannelInfo, error) {
	if _, err := h.app(appID); err != nil {
		return nil, err
	}
	op := Op{Kind: OpChannels, App: appID, Channel: prefix}
	all := h.decideHere(op).Channels
	others, err := h.gather(ctx, op)
	if err != nil {
		return nil, err
	}
	for _, a := range others {
		for name, info := range a.Channels {
			all[name] = info
		}
	}
	return all, nil
}

// Channel gives the state of one channel; one that was never used is merely
// not occupied. Errors are *belfry.Error.
func (h *Hub) Channel(ctx context.Context, appID, name string) (ChannelState, error) {
	a, err := h.state(ctx, appID, name)
	if err != nil {
		return ChannelState{}, err
	}
	info, occupied := a.Channels[name]
	return ChannelState{Occupied: occupied, ChannelInfo: info, Cache: a.Cached}, nil
}

// Users gives the ids of a presence channel's members (HTTP-51). Errors are
// *belfry.Error.
func (h *Hub) Users(ctx context.Context, appID, name string) ([]string, error) {
	members, err := h.Members(ctx, appID, name)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	return ids, nil
}

// Members gives a presence channel's members, with what they said of themselves,
// in the order in which they came. Errors are *belfry.Error.
func (h *Hub) Members(ctx context.Context, appID, name string) ([]pusher.Member, error) {
	a, err := h.state(ctx, appID, name)
	return a.Members, err
}

// Terminate closes every connection that is signed in as the user, on every
// node (USER-30). An unknown user is no error.
func (h *Hub) Terminate(ctx context.Context, appID, userID string) error {
	if _, err := h.app(appID); err != nil {
		return err
	}
	op := Op{Kind: OpTerminate, App: appID, UserID: userID}
	h.decideHere(op)
	_, err := h.gather(ctx, op)
	return err
}

// state asks a channel's owner about it.
func (h *Hub) state(ctx context.Context, appID, name string) (Answer, error) {
	if _, err := h.app(appID); err != nil {
		return Answer{}, err
	}
	op := Op{Kind: OpState, App: appID, Channel: name}
	if h.cluster.Owns(appID, name) {
		return h.decideHere(op), nil
	}
	return await(ctx, func(reply func(Answer, error)) { h.cluster.Ask(op, reply) })
}

func (h *Hub) gather(ctx context.Context, op Op) ([]Answer, error) {
	return await(ctx, func(reply func([]Answer, error)) { h.cluster.Gather(op, reply) })
}

// await waits for an answer of the cluster.
func await[T any](ctx context.Context, ask func(reply func(T, error))) (T, error) {
	type result struct {
		value T
		err   error
	}
	answered := make(chan result, 1)
	ask(func(value T, err error) { answered <- result{value, err} })
	var none T
	select {
	case r := <-answered:
		if r.err != nil {
			return none, &belfry.Error{Code: belfry.CodeUnavailable, Message: "the other servers did not answer", Err: r.err}
		}
		return r.value, nil
	case <-ctx.Done():
		return none, &belfry.Error{Code: belfry.CodeUnavailable, Message: "the other servers did not answer in time", Err: ctx.Err()}
	}
}

func (h *Hub) decideHere(op Op) (answer Answer) {
	h.Decide(op, func(a Answer) { answer = a })
	return answer
}

// Decide carries out op as a cluster driver asks it (Node).
func (h *Hub) Decide(op Op, reply func(Answer)) {
	a, err := h.app(op.App)
	if err != nil {
		reply(Answer{})
		return
	}
	switch op.Kind {
	case OpChannels:
		reply(Answer{Channels: a.occupied(op.Channel)})
		return
	case OpTerminate:
		a.terminate(op.UserID)
		reply(Answer{})
		return
	}
	ch := a.lock(op.Channel, op.Kind == OpJoin || op.Kind == OpCache)
	if ch == nil {
		reply(Answer{})
		return
	}
	ch.decide(op, reply)
	forget := ch.settle()
	ch.mu.Unlock()
	forget.forget()
}

// decide carries out an op about a locked channel, as its owner. Under the lock
// answers and messages leave in the order of the decisions.
func (ch *channel) decide(op Op, reply func(Answer)) {
	h := ch.app.hub
	now := h.clock.Now()
	switch op.Kind {
	case OpJoin:
		ch.decideJoin(op, reply)
	case OpLeave:
		reply(Answer{})
		ch.decideLeave(op.Member.ID)
	case OpCache:
		ch.store(op.Event, op.Data)
		m := h.seal(pusher.AppendEvent(begin(len(op.Data)+256), op.Event, op.Channel, op.Data, ""))
		reply(Answer{Receipt: ch.cast(m, op.Socket, false)})
	case OpState:
		answer := Answer{Members: ch.ledger.list(), Cached: ch.ledger.cacheState(now)}
		if ch.ledger.subscriptions > 0 {
			answer.Channels = map[string]ChannelInfo{op.Channel: ch.info()}
		}
		reply(answer)
	}
}

// decideJoin joins a subscriber of another node.
func (ch *channel) decideJoin(op Op, reply func(Answer)) {
	var seat *pusher.Member
	if ch.kind.Is(pusher.Presence) {
		seat = &op.Member
	}
	if ch.over(seat) {
		reply(Answer{Full: true})
		return
	}
	ch.wake()
	_, occupied, added := ch.ledger.join(seat)
	answer := Answer{Members: ch.ledger.list(), Cached: ch.ledger.cacheState(ch.app.hub.clock.Now())}
	reply(answer)
	if !ch.kind.Is(pusher.ServerToUser) {
		ch.decidedJoin(op.Socket, seat, occupied, added, ch.kind.Is(pusher.Cache) && answer.Cached == nil)
	}
}

// Deliver gives a message of another node to the local subscribers (Node).
func (h *Hub) Deliver(m Cast) {
	a, err := h.app(m.App)
	if err != nil {
		return
	}
	ch := a.lock(m.Channel, false)
	if ch == nil {
		return
	}
	defer ch.mu.Unlock()
	msg := h.seal(append(begin(len(m.Message)), m.Message...))
	ch.fanout(msg, a.client(m.Except), m.NotJava)
}

func (a *app) occupied(prefix string) map[string]ChannelInfo {
	all := make(map[string]ChannelInfo)
	for _, ch := range a.channels.all() {
		name := ch.topic.Name
		if ch.kind.Is(pusher.ServerToUser) || !strings.HasPrefix(name, prefix) {
			continue
		}
		ch.mu.Lock()
		if !ch.gone && ch.ledger.subscriptions > 0 {
			all[name] = ch.info()
		}
		ch.mu.Unlock()
	}
	return all
}

// terminate closes this node's connections of a user (USER-30).
func (a *app) terminate(userID string) {
	s := a.settings.Load()
	code := pusher.CloseUnauthorized
	if s.Compat.TerminateReconnect {
		code = pusher.CloseReconnect
	}
	clients := a.users.of(userID)
	if s.Compat.TerminatePresence {
		for _, c := range a.clients() {
			if c.isMember(userID) {
				clients = append(clients, c)
			}
		}
	}
	for _, c := range clients {
		c.close(code, "disconnected by the app")
	}
}

// isMember reports whether the connection is that user on any presence channel.
func (c *Client) isMember(userID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.subs {
		if s.member != nil && s.member.ID == userID {
			return true
		}
	}
	return false
}
