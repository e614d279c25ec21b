package hub_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/hub/hubtest"
	"github.com/belfryhq/belfry/pusher"
)

// The model is what the hub's state should be, kept in the plainest way: who is
// subscribed to what, as whom, in which order they came, and what a cache
// keeps. The test plays random steps against hub and model and compares every
// frame, every notice and every answer to a query after each.

type modelCache struct {
	event, data string
	until       time.Time
}

type modelSub struct {
	conn *modelConn
	user string
}

type modelConn struct {
	*hubtest.Conn
	want []string // frames it is owed, in order
}

type model struct {
	t      *testing.T
	w      *world
	rnd    *rand.Rand
	conns  []*modelConn
	subs   map[string][]modelSub // by channel, in the order of their coming
	order  map[string][]string   // members of presence channels, likewise
	caches map[string]modelCache
	missed map[string]time.Time
	want   []string // notices
	trail  []string
}

var modelChannels = []string{"a", "b", "private-p", "presence-r", "presence-cache-s", "cache-c", "private-cache-d"}

func TestModel(t *testing.T) {
	steps := 400
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) { playModel(t, seed, steps) })
		if t.Failed() {
			return
		}
	}
}

func playModel(t *testing.T, seed uint64, steps int) {
	m := &model{t: t, w: newWorld(nil), rnd: rand.New(rand.NewPCG(seed, 1)),
		subs: map[string][]modelSub{}, order: map[string][]string{}, caches: map[string]modelCache{}, missed: map[string]time.Time{}}
	for range steps {
		m.step()
		m.check()
		if t.Failed() {
			t.Logf("seed %d, steps:\n%s", seed, strings.Join(m.trail[max(0, len(m.trail)-30):], "\n"))
			return
		}
	}
}

func (m *model) did(format string, args ...any) {
	m.trail = append(m.trail, fmt.Sprintf(format, args...))
}

func (m *model) step() {
	channel := modelChannels[m.rnd.IntN(len(modelChannels))]
	if len(m.conns) == 0 {
		m.connect()
		return
	}
	i := m.rnd.IntN(len(m.conns))
	c := m.conns[i]
	switch n := m.rnd.IntN(100); {
	case n < 12 && len(m.conns) < 12:
		m.connect()
	case n < 20: // a crash or a goodbye: the hub sees the same
		m.did("%s disconnects", c.ID())
		m.conns = slices.Delete(m.conns, i, i+1)
		for _, ch := range m.joined(c) {
			m.leave(c, ch)
		}
		c.Disconnect()
	case n < 50:
		m.subscribe(c, channel)
	case n < 65:
		m.unsubscribe(c, channel)
	case n < 85:
		m.publish(channel)
	case n < 92:
		m.clientEvent(c, channel)
	case n < 96:
		m.did("reload")
		changed := *m.w.app
		changed.Name = fmt.Sprint(m.rnd.IntN(1000))
		m.w.app = &changed
		m.w.SetApps([]*belfry.App{m.w.app})
	default:
		d := time.Duration(m.rnd.IntN(2000)) * time.Second
		m.did("%s pass", d)
		time.Sleep(d)
		synctest.Wait()
	}
}

func (m *model) connect() {
	c := &modelConn{Conn: hubtest.Connect(m.t, m.w.Hub, key)}
	m.did("%s connects", c.ID())
	m.conns = append(m.conns, c)
}

func (m *model) joined(c *modelConn) (channels []string) {
	for _, ch := range slices.Sorted(maps.Keys(m.subs)) {
		if m.find(c, ch) >= 0 {
			channels = append(channels, ch)
		}
	}
	return channels
}

func (m *model) find(c *modelConn, channel string) int {
	return slices.IndexFunc(m.subs[channel], func(s modelSub) bool { return s.conn == c })
}

func (m *model) notice(kind hub.NoticeKind, channel, user string) {
	m.want = append(m.want, fmt.Sprint(kind, " ", channel, " ", user))
}

func (m *model) subscribe(c *modelConn, channel string) {
	user := fmt.Sprintf("u%d", m.rnd.IntN(4))
	m.did("%s subscribes to %s as %s", c.ID(), channel, user)
	kind := pusher.KindOf(channel)
	again := m.find(c, channel) >= 0
	switch {
	case again:
		c.want = append(c.want, "pusher:error")
	default:
		m.join(c, channel, user, kind)
	}
	switch {
	case kind.Is(pusher.Presence):
		c.SubscribeAs(key, secret, channel, `{"user_id":"`+user+`"}`)
	case kind.NeedsAuth():
		c.SubscribeAs(key, secret, channel, "")
	default:
		c.Subscribe(channel)
	}
}

func (m *model) join(c *modelConn, channel, user string, kind pusher.Kind) {
	if !kind.Is(pusher.Presence) {
		user = ""
	}
	occupied := len(m.subs[channel]) == 0
	added := user != "" && !slices.Contains(m.order[channel], user)
	if added {
		m.order[channel] = append(m.order[channel], user)
	}
	if kind.Is(pusher.Presence) {
		c.want = append(c.want, "success "+channel+" "+strings.Join(m.order[channel], ","))
	} else {
		c.want = append(c.want, "success "+channel+" ")
	}
	if kind.Is(pusher.Cache) {
		if cache, ok := m.cache(channel); ok {
			c.want = append(c.want, "event "+channel+" "+cache.event+" "+cache.data)
		} else {
			c.want = append(c.want, "miss "+channel)
		}
	}
	if occupied {
		m.notice(hub.NoticeOccupied, channel, "")
	}
	if added {
		for _, s := range m.subs[channel] {
			s.conn.want = append(s.conn.want, "added "+channel+" "+user)
		}
		m.notice(hub.NoticeMemberAdded, channel, user)
	}
	if _, ok := m.cache(channel); kind.Is(pusher.Cache) && !ok {
		if last, told := m.missed[channel]; !told || time.Since(last) >= time.Minute {
			m.missed[channel] = time.Now()
			m.notice(hub.NoticeCacheMiss, channel, "")
		}
	}
	m.subs[channel] = append(m.subs[channel], modelSub{c, user})
}

func (m *model) cache(channel string) (modelCache, bool) {
	c, ok := m.caches[channel]
	return c, ok && time.Now().Before(c.until)
}

func (m *model) unsubscribe(c *modelConn, channel string) {
	m.did("%s unsubscribes from %s", c.ID(), channel)
	if m.find(c, channel) < 0 {
		c.want = append(c.want, "pusher:error")
	} else {
		m.leave(c, channel)
	}
	c.Unsubscribe(channel)
}

func (m *model) leave(c *modelConn, channel string) {
	i := m.find(c, channel)
	user := m.subs[channel][i].user
	m.subs[channel] = slices.Delete(m.subs[channel], i, i+1)
	stays := slices.ContainsFunc(m.subs[channel], func(s modelSub) bool { return s.user == user })
	if user != "" && !stays {
		m.order[channel] = slices.DeleteFunc(m.order[channel], func(u string) bool { return u == user })
		for _, s := range m.subs[channel] {
			s.conn.want = append(s.conn.want, "removed "+channel+" "+user)
		}
		m.notice(hub.NoticeMemberRemoved, channel, user)
	}
	if len(m.subs[channel]) == 0 {
		delete(m.subs, channel)
		m.notice(hub.NoticeVacated, channel, "")
		if _, ok := m.cache(channel); !ok {
			delete(m.missed, channel) // an empty, vacant channel is forgotten
		}
	}
}

func (m *model) publish(channel string) {
	event, data := fmt.Sprintf("e%d", m.rnd.IntN(5)), fmt.Sprint(m.rnd.IntN(1000))
	socket := ""
	if m.rnd.IntN(3) == 0 {
		socket = m.conns[m.rnd.IntN(len(m.conns))].ID().String()
	}
	m.did("publish %s %s %s but to %q", event, channel, data, socket)
	matched := 0
	for _, s := range m.subs[channel] {
		if s.conn.ID().String() != socket {
			s.conn.want = append(s.conn.want, "event "+channel+" "+event+" "+data)
			matched++
		}
	}
	if pusher.KindOf(channel).Is(pusher.Cache) {
		m.caches[channel] = modelCache{event, data, time.Now().Add(30 * time.Minute)}
		delete(m.missed, channel)
	}
	if p := m.w.publishExcept(m.t, event, channel, data, socket); p.Receipt.Matched != matched {
		m.t.Errorf("receipt = %+v, want %d matched", p.Receipt, matched)
	}
}

func (m *model) clientEvent(c *modelConn, channel string) {
	m.did("%s sends client-x on %s", c.ID(), channel)
	i := m.find(c, channel)
	time.Sleep(time.Second) // the rate is another test's
	if i < 0 || !pusher.KindOf(channel).NeedsAuth() {
		c.want = append(c.want, "pusher:error")
	} else {
		for _, s := range m.subs[channel] {
			if s.conn != c {
				s.conn.want = append(s.conn.want, "event "+channel+" client-x {} "+m.subs[channel][i].user)
			}
		}
		m.notice(hub.NoticeClientEvent, channel, m.subs[channel][i].user)
	}
	c.Say(`{"event":"client-x","channel":"` + channel + `","data":{}}`)
}

// check compares frames, notices and queries with the model.
func (m *model) check() {
	m.t.Helper()
	for _, c := range m.conns {
		var got []string
		for _, f := range c.Drain() {
			got = append(got, describe(f))
		}
		if !slices.Equal(byChannel(got), byChannel(c.want)) {
			m.t.Errorf("%s got\n\t%q, want\n\t%q", c.ID(), got, c.want)
		}
		c.want = nil
	}
	var got []string
	for _, n := range m.w.notices.Take(hub.NoticeOccupied, hub.NoticeVacated, hub.NoticeMemberAdded, hub.NoticeMemberRemoved, hub.NoticeCacheMiss, hub.NoticeClientEvent) {
		got = append(got, fmt.Sprint(n.Kind, " ", n.Channel, " ", n.UserID))
	}
	if !slices.Equal(sorted(got), sorted(m.want)) {
		m.t.Errorf("notices\n\t%q, want\n\t%q", got, m.want)
	}
	m.want = nil
	m.checkQueries()
}

// byChannel sorts frames by channel and keeps the order within each, which is
// all that is promised.
func byChannel(frames []string) []string {
	frames = slices.Clone(frames)
	channel := func(f string) string {
		_, rest, _ := strings.Cut(f, " ")
		name, _, _ := strings.Cut(rest, " ")
		return name
	}
	slices.SortStableFunc(frames, func(a, b string) int { return strings.Compare(channel(a), channel(b)) })
	return frames
}

func sorted(s []string) []string { s = slices.Clone(s); slices.Sort(s); return s }

func (m *model) checkQueries() {
	m.t.Helper()
	ctx := m.t.Context()
	all, err := m.w.Channels(ctx, "1", "")
	if err != nil || len(all) != len(m.subs) {
		m.t.Errorf("channels = %v, %v; want those of %v", all, err, slices.Collect(maps.Keys(m.subs)))
	}
	for _, name := range modelChannels {
		s, err := m.w.Channel(ctx, "1", name)
		if err != nil || s.Occupied != (len(m.subs[name]) > 0) || s.Subscriptions != len(m.subs[name]) || s.Users != len(m.order[name]) {
			m.t.Errorf("%s = %+v, %v; want %d subscriptions and users %v", name, s, err, len(m.subs[name]), m.order[name])
		}
		cache, ok := m.cache(name)
		if (s.Cache != nil) != ok || ok && (s.Cache.Event != cache.event || pusher.StringValue(s.Cache.Data) != cache.data || s.Cache.TTL != time.Until(cache.until)) {
			m.t.Errorf("%s keeps %+v, want %+v", name, s.Cache, cache)
		}
		if users, err := m.w.Users(ctx, "1", name); err != nil || !slices.Equal(users, m.order[name]) {
			m.t.Errorf("%s has users %v, %v; want %v", name, users, err, m.order[name])
		}
	}
}

func describe(f hubtest.Frame) string {
	switch f.Event {
	case pusher.EventSucceeded:
		var ids []string
		if _, rest, ok := strings.Cut(f.Text(), `"ids":[`); ok {
			list, _, _ := strings.Cut(rest, "]")
			ids = strings.Split(strings.ReplaceAll(list, `"`, ""), ",")
		}
		return "success " + f.Channel + " " + strings.Join(ids, ",")
	case pusher.EventMemberAdded, pusher.EventMemberRemoved:
		_, user, _ := strings.Cut(f.Text(), `"user_id":"`)
		what := "added "
		if f.Event == pusher.EventMemberRemoved {
			what = "removed "
		}
		return what + f.Channel + " " + strings.TrimRight(user, `"}`)
	case pusher.EventCacheMiss:
		return "miss " + f.Channel
	case pusher.EventError:
		return f.Event
	}
	what := "event " + f.Channel + " " + f.Event + " " + f.Text()
	if pusher.IsClientEvent(f.Event) {
		what += " " + f.UserID
	}
	return what
}
