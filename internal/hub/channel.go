package hub

import (
	"container/list"
	"sync"
	"time"

	"github.com/belfryhq/belfry/pusher"
)

// channel is one channel on this node: the local subscribers, which the
// outlets hold, and, where this node is the owner, the ledger.
type channel struct {
	app   *app
	kind  pusher.Kind
	topic Topic

	mu      sync.Mutex // guards all below, and the order of everything on the channel
	gone    bool       // taken out of the map: look the name up again
	ledger  ledger
	counts  countState
	idle    *list.Element // its place among the vacant cache channels
	expires Timer         // ends a vacant channel's cache
}

// ledger is what a channel's owner knows of it: the state on which every
// transition is decided.
type ledger struct {
	subscriptions int
	members       map[string]*member // presence channels only
	order         []*member          // members in the order of their coming
	cached        *cached
	missed        time.Time // when a cache_miss was last told
}

// member is one user on a presence channel, over all of the user's sockets.
type member struct {
	pusher.Member
	sockets int
	at      int // place in order
}

// cached is the last event of a cache channel.
type cached struct {
	event string
	data  []byte
	until time.Time
}

// join counts a subscriber in. m is nil but on presence channels.
func (l *ledger) join(m *pusher.Member) (seat *member, occupied, added bool) {
	l.subscriptions++
	occupied = l.subscriptions == 1
	if m == nil {
		return nil, occupied, false
	}
	seat = l.members[m.ID]
	if seat == nil {
		if l.members == nil {
			l.members = make(map[string]*member)
		}
		seat = &member{Member: *m, at: len(l.order)}
		l.members[m.ID] = seat
		l.order = append(l.order, seat)
		added = true
	}
	seat.sockets++ // the info shown stays the first socket's (CH-35)
	return seat, occupied, added
}

// leave counts a subscriber out.
func (l *ledger) leave(memberID string) (vacated, removed bool) {
	l.subscriptions--
	vacated = l.subscriptions == 0
	seat := l.members[memberID]
	if seat == nil {
		return vacated, false
	}
	if seat.sockets--; seat.sockets > 0 {
		return vacated, false
	}
	delete(l.members, memberID)
	last := len(l.order) - 1
	copy(l.order[seat.at:], l.order[seat.at+1:])
	l.order[last] = nil
	l.order = l.order[:last]
	for i := seat.at; i < last; i++ {
		l.order[i].at = i
	}
	return vacated, true
}

// full reports whether a new member would be over the limit; another socket of
// a member never is (CH-36).
func (l *ledger) full(memberID string, over func(n int) bool) bool {
	return l.members[memberID] == nil && over(len(l.members)+1)
}

func (l *ledger) list() []pusher.Member {
	all := make([]pusher.Member, len(l.order))
	for i, m := range l.order {
		all[i] = m.Member
	}
	return all
}

// live gives the cached event unless its time is over.
func (l *ledger) live(now time.Time) *cached {
	if l.cached != nil && !now.Before(l.cached.until) {
		l.cached = nil
	}
	return l.cached
}

func (l *ledger) cacheState(now time.Time) *CacheState {
	c := l.live(now)
	if c == nil {
		return nil
	}
	return &CacheState{Event: c.event, Data: c.data, TTL: c.until.Sub(now)}
}

// info gives the counts of the channel.
func (ch *channel) info() ChannelInfo {
	return ChannelInfo{Subscriptions: ch.ledger.subscriptions, Users: len(ch.ledger.members)}
}

// fanout gives a message to the local subscribers. The channel is locked.
func (ch *channel) fanout(m message, except *Client, notJava bool) Receipt {
	var total Receipt
	d := Delivery{Message: m.sealed, Except: except, NotJava: notJava}
	for i := range ch.topic.Slots {
		if ch.topic.Local(i) > 0 {
			total.Add(ch.app.hub.outlets[i].Publish(&ch.topic, d))
		}
	}
	ch.app.hub.taps.tell(&ch.topic, m.payload)
	sent := int64(total.Matched - total.Dropped)
	ch.app.counters.delivered.Add(sent)
	ch.app.counters.dropped.Add(int64(total.Dropped))
	ch.app.counters.bytesOut.Add(sent * int64(len(m.sealed)))
	return total
}

// cast gives a message to the subscribers on every node but one connection,
// zero for none. The channel is locked.
func (ch *channel) cast(m message, except pusher.SocketID, notJava bool) Receipt {
	r := ch.fanout(m, ch.app.client(except), notJava)
	ch.app.hub.cluster.Publish(ch.castOf(m, except, notJava), nil)
	return r
}

func (ch *channel) castOf(m message, except pusher.SocketID, notJava bool) Cast {
	return Cast{App: ch.topic.App, Channel: ch.topic.Name, Message: m.payload, Except: except, NotJava: notJava}
}

// subscribers is the number of local subscribers.
func (ch *channel) subscribers() int {
	n := 0
	for i := range ch.topic.Slots {
		n += ch.topic.Local(i)
	}
	return n
}

// settle ends the channel when nothing keeps it: no subscriber here or, as the
// owner knows, elsewhere, and no live cached event (CH-04). The channel is
// locked. The caller ends what settle gives, without the lock.
func (ch *channel) settle() (forget *channel) {
	if ch.gone || ch.ledger.subscriptions > 0 || ch.subscribers() > 0 {
		return nil
	}
	h := ch.app.hub
	now := h.clock.Now()
	if c := ch.ledger.live(now); c != nil {
		if ch.expires != nil {
			ch.expires.Stop()
		}
		ch.expires = h.clock.AfterFunc(c.until.Sub(now), ch.expire)
		if ch.idle == nil {
			return ch.app.idle.add(ch)
		}
		return nil
	}
	ch.end()
	return nil
}

// end takes a locked channel out of the map.
func (ch *channel) end() {
	ch.gone = true
	ch.wake()
	ch.counts.stop()
	ch.app.channels.remove(ch.topic.Name)
}

// wake takes a locked channel from among the vacant ones.
func (ch *channel) wake() {
	if ch.expires != nil {
		ch.expires.Stop()
		ch.expires = nil
	}
	ch.app.idle.drop(ch)
}

// expire ends a vacant channel whose cached event is over.
func (ch *channel) expire() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.settle()
}

// forget ends a vacant channel to make room for another; nil is nothing.
func (ch *channel) forget() {
	if ch == nil {
		return
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !ch.gone && ch.ledger.subscriptions == 0 && ch.subscribers() == 0 {
		ch.ledger.cached = nil
		ch.end()
	}
}
