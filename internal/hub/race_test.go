package hub_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/hub/hubtest"
	"github.com/belfryhq/belfry/pusher"
)

// TestInterleavings lets many players act at once, and then compares what the
// hub says, what each connection saw and what the observers were told with
// what the players know that they did. It is for -race.
func TestInterleavings(t *testing.T) {
	for round := range uint64(6) {
		w := newWorld(nil)
		players := make([]*player, 8)
		var wg sync.WaitGroup
		for i := range players {
			players[i] = &player{t: t, w: w, id: i, rnd: rand.New(rand.NewPCG(round, uint64(i))), subs: map[*hubtest.Conn]map[string]string{}}
			wg.Go(func() { players[i].play(300) })
		}
		wg.Go(func() {
			for range 200 {
				again := *w.app
				w.SetApps([]*belfry.App{&again})
			}
		})
		wg.Wait()
		checkWorld(t, w, players)
		for _, p := range players {
			for c := range p.subs {
				c.Disconnect()
			}
		}
		if all, _ := w.Channels(t.Context(), "1", ""); len(all) > 0 {
			t.Errorf("occupied after everybody left: %v", all)
		}
		if s := w.Stats()[0]; s.Connections != 0 || len(s.Subscriptions) != 0 {
			t.Errorf("left over: %+v", s)
		}
		checkTransitions(t, w.notices.Take())
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
}

var raceChannels = []string{"a", "b", "private-p", "presence-r", "presence-cache-s", "cache-c"}

type player struct {
	t    *testing.T
	w    *world
	id   int
	rnd  *rand.Rand
	subs map[*hubtest.Conn]map[string]string // channel to member id
	sent int
}

func (p *player) play(steps int) {
	for range steps {
		switch n := p.rnd.IntN(100); {
		case n < 10 || len(p.subs) == 0:
			p.subs[hubtest.Connect(p.t, p.w.Hub, key)] = map[string]string{}
		case n < 20:
			c := p.any()
			c.Disconnect()
			delete(p.subs, c)
		case n < 50:
			p.subscribe(p.any(), raceChannels[p.rnd.IntN(len(raceChannels))])
		case n < 70:
			c, channel := p.any(), raceChannels[p.rnd.IntN(len(raceChannels))]
			if _, ok := p.subs[c][channel]; ok {
				c.Unsubscribe(channel)
				delete(p.subs[c], channel)
			}
		default:
			p.sent++
			p.w.publish(p.t, fmt.Sprintf("from%d", p.id), raceChannels[p.rnd.IntN(len(raceChannels))], strconv.Itoa(p.sent))
		}
	}
}

func (p *player) any() *hubtest.Conn {
	conns := slices.Collect(maps.Keys(p.subs))
	return conns[p.rnd.IntN(len(conns))]
}

func (p *player) subscribe(c *hubtest.Conn, channel string) {
	if _, ok := p.subs[c][channel]; ok {
		return
	}
	user := ""
	switch kind := pusher.KindOf(channel); {
	case kind.Is(pusher.Presence):
		user = fmt.Sprintf("u%d", p.rnd.IntN(5))
		c.SubscribeAs(key, secret, channel, `{"user_id":"`+user+`"}`)
	case kind.NeedsAuth():
		c.SubscribeAs(key, secret, channel, "")
	default:
		c.Subscribe(channel)
	}
	p.subs[c][channel] = user
}

func checkWorld(t *testing.T, w *world, players []*player) {
	t.Helper()
	counts, members := map[string]int{}, map[string]map[string]bool{}
	for _, p := range players {
		for _, subs := range p.subs {
			for channel, user := range subs {
				counts[channel]++
				if members[channel] == nil {
					members[channel] = map[string]bool{}
				}
				members[channel][user] = true
			}
		}
	}
	seen := map[*hubtest.Conn][]hubtest.Frame{}
	for _, channel := range raceChannels {
		s, _ := w.Channel(t.Context(), "1", channel)
		if s.Subscriptions != counts[channel] {
			t.Errorf("%s has %d subscriptions, want %d", channel, s.Subscriptions, counts[channel])
		}
		if !pusher.KindOf(channel).Is(pusher.Presence) {
			continue
		}
		want := slices.Sorted(maps.Keys(members[channel]))
		users, _ := w.Users(t.Context(), "1", channel)
		slices.Sort(users)
		if !slices.Equal(users, want) {
			t.Errorf("%s has users %v, want %v", channel, users, want)
		}
		for _, p := range players {
			for c, subs := range p.subs {
				if _, ok := subs[channel]; !ok {
					continue
				}
				if seen[c] == nil {
					seen[c] = c.Drain()
				}
				if got := viewOf(t, c, channel, seen[c]); !slices.Equal(got, want) {
					t.Errorf("%s on %s sees %v, want %v", c.ID(), channel, got, want)
				}
			}
		}
	}
}

// viewOf folds what a connection saw into the members it must believe in, and
// checks the order of events on the way.
func viewOf(t *testing.T, c *hubtest.Conn, channel string, frames []hubtest.Frame) []string {
	members := map[string]bool{}
	last := map[string]int{}
	for _, f := range frames {
		if f.Channel != channel {
			continue
		}
		switch f.Event {
		case pusher.EventSucceeded:
			clear(members)
			clear(last)
			var success struct{ Presence struct{ IDs []string } }
			json.Unmarshal([]byte(f.Text()), &success)
			for _, id := range success.Presence.IDs {
				members[id] = true
			}
		case pusher.EventMemberAdded, pusher.EventMemberRemoved:
			var who struct {
				UserID string `json:"user_id"`
			}
			json.Unmarshal([]byte(f.Text()), &who)
			if members[who.UserID] == (f.Event == pusher.EventMemberAdded) {
				t.Errorf("%s on %s: %s of %s changes nothing", c.ID(), channel, f.Event, who.UserID)
			}
			if f.Event == pusher.EventMemberAdded {
				members[who.UserID] = true
			} else {
				delete(members, who.UserID)
			}
		default:
			if !strings.HasPrefix(f.Event, "from") {
				continue
			}
			n, _ := strconv.Atoi(f.Text())
			if n <= last[f.Event] {
				t.Errorf("%s on %s: %s number %d after %d", c.ID(), channel, f.Event, n, last[f.Event])
			}
			last[f.Event] = n
		}
	}
	return slices.Sorted(maps.Keys(members))
}

// checkTransitions folds the notices: occupied and vacated, added and removed
// must alternate and end with nobody.
func checkTransitions(t *testing.T, all []hub.Notice) {
	t.Helper()
	state := map[string]bool{}
	for _, n := range all {
		var on bool
		switch n.Kind {
		case hub.NoticeOccupied, hub.NoticeMemberAdded:
			on = true
		case hub.NoticeVacated, hub.NoticeMemberRemoved:
		default:
			continue
		}
		what := n.Channel + "/" + n.UserID
		if state[what] == on {
			t.Errorf("%s told twice: now %v", what, on)
		}
		state[what] = on
	}
	for what, on := range state {
		if on {
			t.Errorf("%s still on after everybody left", what)
		}
	}
}
