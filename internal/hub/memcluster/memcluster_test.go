package memcluster_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/hub/hubtest"
	"github.com/belfryhq/belfry/internal/hub/memcluster"
	"github.com/belfryhq/belfry/pusher"
)

const key, secret = "a-key", "a-secret"

// cluster starts linked hubs inside a synctest bubble.
func cluster(t *testing.T, n int) (hubs []*hub.Hub, notices *hubtest.Notices) {
	t.Helper()
	notices = &hubtest.Notices{}
	net := &memcluster.Network{}
	app := &belfry.App{ID: "1", Keys: []belfry.Credential{{Key: key, Secret: secret}}, ClientEvents: true,
		SubscriptionCount: true, Limits: belfry.DefaultLimits()}
	var nodes []*memcluster.Node
	for range n {
		node := net.Add()
		h := hub.New(hub.Config{Cluster: node, Observers: []hub.Observer{notices}})
		h.AddOutlet(&hubtest.Outlet{})
		h.SetApps([]*belfry.App{app})
		nodes, hubs = append(nodes, node), append(hubs, h)
	}
	for i, node := range nodes {
		node.Start(hubs[i])
		t.Cleanup(node.Stop)
	}
	return hubs, notices
}

// peer is a connection that waits for deferred answers, as an engine does.
type peer struct {
	*hubtest.Conn
	t *testing.T
}

func connect(t *testing.T, h *hub.Hub) *peer { return &peer{hubtest.Connect(t, h, key), t} }

func (p *peer) say(message string) {
	resumed := make(chan struct{})
	if !p.Receive([]byte(message), func() { close(resumed) }) {
		<-resumed
	}
}

func (p *peer) join(channel, user string) {
	data := ""
	if user != "" {
		data = `{"user_id":"` + user + `"}`
	}
	text := pusher.ChannelText(p.ID().String(), channel, data, data != "")
	b, _ := json.Marshal(map[string]any{"event": pusher.EventSubscribe, "data": map[string]any{
		"channel": channel, "auth": key + ":" + pusher.Sign(secret, text), "channel_data": data}})
	if user == "" {
		b = []byte(strings.Replace(string(b), `,"channel_data":""`, "", 1))
		b = []byte(strings.Replace(string(b), `"channel_data":"",`, "", 1))
	}
	p.say(string(b))
}

func publish(t *testing.T, h *hub.Hub, event, channel, data, socket string) hub.Published {
	t.Helper()
	done, err := h.Publish(t.Context(), "1", []pusher.Event{{Name: event, Channels: []string{channel},
		Data: pusher.AppendString(nil, data), SocketID: socket}})
	if err != nil {
		t.Fatal(err)
	}
	return done[0]
}

// channels that, over three nodes, have owners of every kind with near
// certainty.
func names(prefix string) (all []string) {
	for i := range 12 {
		all = append(all, fmt.Sprint(prefix, i))
	}
	return all
}

func TestGEN03_OneChannelOverThreeNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, notices := cluster(t, 3)
		for _, channel := range names("presence-room") {
			notices.Take()
			a, b, a2 := connect(t, hubs[0]), connect(t, hubs[1]), connect(t, hubs[2])
			a.join(channel, "7")
			a.Expect(pusher.EventSucceeded)
			b.join(channel, "8")
			if got := b.Expect(pusher.EventSucceeded).Text(); !strings.Contains(got, `"ids":["7","8"]`) {
				t.Errorf("b sees %s", got)
			}
			synctest.Wait()
			if got := a.Expect(pusher.EventMemberAdded).Text(); got != `{"user_id":"8"}` {
				t.Errorf("a is told %s", got)
			}
			a2.join(channel, "7")
			a2.Expect(pusher.EventSucceeded)
			a.Disconnect()
			synctest.Wait()
			b.ExpectNothing() // 7 is still there, on another node
			publish(t, hubs[0], "hello", channel, "x", a2.ID().String())
			synctest.Wait()
			b.Expect("hello")
			a2.ExpectNothing() // excluded, though on another node
			a2.Disconnect()
			synctest.Wait()
			b.Expect(pusher.EventMemberRemoved)
			for _, h := range hubs {
				if s, err := h.Channel(t.Context(), "1", channel); err != nil || s.Subscriptions != 1 || s.Users != 1 {
					t.Errorf("state = %+v, %v", s, err)
				}
				if all, err := h.Channels(t.Context(), "1", channel); err != nil || len(all) != 1 {
					t.Errorf("channels = %v, %v", all, err)
				}
				if users, err := h.Users(t.Context(), "1", channel); err != nil || !slices.Equal(users, []string{"8"}) {
					t.Errorf("users = %v, %v", users, err)
				}
			}
			b.Disconnect()
			synctest.Wait()
			var told []hub.NoticeKind
			for _, n := range notices.Take(hub.NoticeOccupied, hub.NoticeVacated, hub.NoticeMemberAdded, hub.NoticeMemberRemoved) {
				told = append(told, n.Kind)
			}
			want := []hub.NoticeKind{hub.NoticeOccupied, hub.NoticeMemberAdded, hub.NoticeMemberAdded,
				hub.NoticeMemberRemoved, hub.NoticeMemberRemoved, hub.NoticeVacated}
			if !slices.Equal(told, want) {
				t.Errorf("transitions %v, want %v", told, want)
			}
		}
	})
}

func TestGEN03_CachesCountsAndTerminateOverNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, _ := cluster(t, 3)
		for _, channel := range names("cache-c") {
			publish(t, hubs[0], "price", channel, "1", "")
			for i, h := range hubs {
				c := connect(t, h)
				c.join(channel, "")
				synctest.Wait()
				c.Expect(pusher.EventSucceeded)
				c.Expect("price")
				if got := c.Expect(pusher.EventSubscriptionCount).Text(); got != fmt.Sprintf(`{"subscription_count":%d}`, i+1) {
					t.Errorf("count = %s", got)
				}
			}
		}
		c := connect(t, hubs[1])
		data := `{"id":"u"}`
		c.say(fmt.Sprintf(`{"event":"pusher:signin","data":{"auth":%q,"user_data":%q}}`,
			key+":"+pusher.Sign(secret, pusher.UserText(c.ID().String(), data)), data))
		c.Expect(pusher.EventSigninSuccess)
		c.join("#server-to-user-u", "")
		c.Expect(pusher.EventSucceeded)
		publish(t, hubs[2], "hi", "#server-to-user-u", "1", "")
		synctest.Wait()
		c.Expect("hi")
		if err := hubs[0].Terminate(t.Context(), "1", "u"); err != nil {
			t.Fatal(err)
		}
		if code, _ := c.Closed(); code != pusher.CloseUnauthorized {
			t.Errorf("closed with %d", code)
		}
	})
}

// TestGEN05_QuickChangesEndSubscribed says three commands at once; the
// connection is read on only when each is done.
func TestGEN05_QuickChangesEndSubscribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, _ := cluster(t, 3)
		for _, channel := range names("room") {
			c := connect(t, hubs[0])
			c.join(channel, "")
			c.Unsubscribe(channel)
			c.join(channel, "")
			synctest.Wait()
			publish(t, hubs[2], "hello", channel, "1", "")
			synctest.Wait()
			frames := c.Drain()
			if last := frames[len(frames)-1]; last.Event != "hello" {
				t.Errorf("%s: got %v", channel, frames)
			}
			if s, _ := hubs[1].Channel(t.Context(), "1", channel); s.Subscriptions != 1 {
				t.Errorf("%s has %d subscriptions", channel, s.Subscriptions)
			}
		}
	})
}

// TestEveryNodeSeesTheSameMembers plays on all nodes at once and then compares
// what each connection believes.
func TestEveryNodeSeesTheSameMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, _ := cluster(t, 3)
		channels := names("presence-m")[:4]
		views := make([]map[*peer]map[string]bool, len(hubs))
		var players sync.WaitGroup
		for i, h := range hubs {
			views[i] = map[*peer]map[string]bool{}
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			players.Go(func() {
				for range 300 {
					conns := slices.Collect(maps.Keys(views[i]))
					if len(conns) < 3 {
						views[i][connect(t, h)] = map[string]bool{}
						continue
					}
					c, channel := conns[rnd.IntN(len(conns))], channels[rnd.IntN(len(channels))]
					switch {
					case rnd.IntN(10) == 0:
						c.Disconnect()
						delete(views[i], c)
					case views[i][c][channel]:
						c.Unsubscribe(channel)
						delete(views[i][c], channel)
					default:
						c.join(channel, fmt.Sprint("u", rnd.IntN(4)))
						views[i][c][channel] = true
					}
				}
			})
		}
		players.Wait()
		synctest.Wait()
		for _, channel := range channels {
			want, err := hubs[0].Users(t.Context(), "1", channel)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(want)
			for _, view := range views {
				for c, on := range view {
					if on[channel] {
						if got := believes(c, channel); !slices.Equal(got, want) {
							t.Errorf("%s: %s believes in %v, want %v", channel, c.ID(), got, want)
						}
					}
				}
			}
		}
	})
}

// believes folds what a connection was sent into the members it must see.
func believes(c *peer, channel string) []string {
	members := map[string]bool{}
	for _, f := range c.All() {
		if f.Channel != channel {
			continue
		}
		var told struct {
			UserID   string `json:"user_id"`
			Presence struct{ IDs []string }
		}
		json.Unmarshal([]byte(f.Text()), &told)
		switch f.Event {
		case pusher.EventSucceeded:
			clear(members)
			for _, id := range told.Presence.IDs {
				members[id] = true
			}
		case pusher.EventMemberAdded:
			members[told.UserID] = true
		case pusher.EventMemberRemoved:
			delete(members, told.UserID)
		}
	}
	return slices.Sorted(maps.Keys(members))
}
