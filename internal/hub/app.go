package hub

import (
	"container/list"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// app is one app at work: its settings of the moment and everything that lives
// in it.
type app struct {
	hub      *Hub
	settings atomic.Pointer[belfry.App]
	channels channelMap
	users    users
	counters counters
	idle     idleCaches
	holders  holders
	once     once

	mu    sync.Mutex // guards conns
	conns map[pusher.SocketID]*Client
}

func newApp(h *Hub, settings *belfry.App) *app {
	a := &app{hub: h, conns: make(map[pusher.SocketID]*Client)}
	a.settings.Store(settings)
	a.channels.seed = maphash.MakeSeed()
	for i := range a.channels.shards {
		a.channels.shards[i].m = make(map[string]*channel)
	}
	a.users.app = a
	a.users.byID = make(map[string]*user)
	a.idle.max = h.cfg.IdleCaches
	a.counters.init()
	return a
}

// get gives the settings; nil for a nil app.
func (a *app) get() *belfry.App {
	if a == nil {
		return nil
	}
	return a.settings.Load()
}

// client gives the connection with that id, or nil; the zero id is nobody's.
func (a *app) client(id pusher.SocketID) *Client {
	if id.IsZero() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conns[id]
}

// clients gives all connections of the moment.
func (a *app) clients() []*Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]*Client, 0, len(a.conns))
	for _, c := range a.conns {
		all = append(all, c)
	}
	return all
}

func (a *app) closeAll(code pusher.CloseCode, reason string) {
	for _, c := range a.clients() {
		c.close(code, reason)
	}
}

func (a *app) notice(n Notice) {
	n.App = a.settings.Load()
	a.hub.notice(n)
}

func (a *app) activityTimeout() time.Duration {
	if d := a.settings.Load().ActivityTimeout; d > 0 {
		return d
	}
	return 30 * time.Second
}

func (a *app) cacheTTL() time.Duration {
	if d := a.settings.Load().CacheTTL; d > 0 {
		return d
	}
	return 30 * time.Minute
}

// Limit counts and tells that an app met a limit which a door saw: limit is
// its configuration key. near is an early warning, which is told only.
func (h *Hub) Limit(settings *belfry.App, limit, event, channel string, size, max int64, near bool) {
	a := h.registry.Load().byID[settings.ID]
	if a == nil {
		return
	}
	n := Notice{Kind: NoticeLimit, Event: event, Channel: channel, Limit: limit, Size: size, Max: max, Near: near}
	if !near {
		a.counters.limit(limit)
	}
	a.notice(n)
}

// limit counts and tells a refusal by a limit; limit is its configuration key.
func (a *app) limit(key string, n Notice, size, max int64) {
	a.counters.limit(key)
	n.Kind, n.Limit, n.Size, n.Max = NoticeLimit, key, size, max
	a.notice(n)
}

// near tells, once for each crossing, that a limit is at 80%.
func (a *app) near(key string, n Notice, size, max int64) {
	if max > 0 && size == (max*8+9)/10 {
		n.Kind, n.Limit, n.Size, n.Max, n.Near = NoticeLimit, key, size, max, true
		a.notice(n)
	}
}

// channelMap finds channels by name, in shards so that publishers of different
// channels do not meet.
type channelMap struct {
	seed   maphash.Seed
	shards [32]struct {
		mu sync.RWMutex // guards m
		m  map[string]*channel
	}
}

func (m *channelMap) shard(name string) int {
	return int(maphash.String(m.seed, name) % uint64(len(m.shards)))
}

func (m *channelMap) find(name string) *channel {
	s := &m.shards[m.shard(name)]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[name]
}

func (m *channelMap) remove(name string) {
	s := &m.shards[m.shard(name)]
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, name)
}

// all gives the channels of the moment.
func (m *channelMap) all() []*channel {
	var all []*channel
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.RLock()
		for _, ch := range s.m {
			all = append(all, ch)
		}
		s.mu.RUnlock()
	}
	return all
}

// lock gives the channel with that name, locked. Without create it gives nil
// for one that does not exist.
func (a *app) lock(name string, create bool) *channel {
	for {
		ch := a.channels.find(name)
		if ch == nil && !create {
			return nil
		}
		if ch == nil {
			ch = a.add(name)
		}
		ch.mu.Lock()
		if !ch.gone {
			return ch
		}
		ch.mu.Unlock() // it went between find and Lock: look again
	}
}

func (a *app) add(name string) *channel {
	s := &a.channels.shards[a.channels.shard(name)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch := s.m[name]; ch != nil {
		return ch
	}
	outlets := len(a.hub.outlets)
	ch := &channel{
		app:   a,
		kind:  pusher.KindOf(name),
		topic: Topic{App: a.settings.Load().ID, Name: name, Slots: make([]any, outlets), local: make([]atomic.Int32, outlets)},
	}
	s.m[name] = ch
	return ch
}

// idleCaches are the vacant channels that live on for their cached event, the
// longest vacant first.
type idleCaches struct {
	max int

	mu    sync.Mutex // guards order
	order list.List  // of *channel
}

// add puts a channel behind the others and gives one to forget if that makes
// too many. The channel is locked.
func (i *idleCaches) add(ch *channel) (forget *channel) {
	i.mu.Lock()
	defer i.mu.Unlock()
	ch.idle = i.order.PushBack(ch)
	if i.order.Len() > i.max {
		return i.order.Front().Value.(*channel)
	}
	return nil
}

// drop takes a locked channel out.
func (i *idleCaches) drop(ch *channel) {
	if ch.idle == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.order.Remove(ch.idle)
	ch.idle = nil
}
