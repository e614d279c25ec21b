package hub_test

import (
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/hub/hubtest"
	"github.com/belfryhq/belfry/pusher"
)

func TestConnectionsAreShownAsTheyAre(t *testing.T) {
	w := newWorld(nil)
	a, b := hubtest.Connect(t, w.Hub, key), hubtest.Connect(t, w.Hub, key)
	a.Subscribe("orders")
	b.Subscribe("orders")
	b.Subscribe("news")
	all := w.Connections("1", 0, nil)
	if len(all) != 2 || len(w.Connections("", 1, nil)) != 1 || len(w.Connections("2", 0, nil)) != 0 {
		t.Fatalf("%+v", all)
	}
	only := w.Connections("", 0, func(c *hub.Connection) bool { return c.On("news") })
	if len(only) != 1 || only[0].Socket != b.ID().String() || len(only[0].Seats) != 2 || only[0].App != "1" {
		t.Errorf("%+v", only)
	}
	if only[0].Is("7") {
		t.Error("nobody's connection is user 7's")
	}
}

func TestObserversHearHowAConnectionEnds(t *testing.T) {
	w := newWorld(nil)
	a, b, c := hubtest.Connect(t, w.Hub, key), hubtest.Connect(t, w.Hub, key), hubtest.Connect(t, w.Hub, key)
	a.Ended(1000, "closed by the client")
	a.Ended(4100, "too late") // the first counts
	a.Disconnect()
	b.Disconnect()
	w.SetApps(nil)
	c.Disconnect()
	want := map[string][2]any{
		a.ID().String(): {1000, "closed by the client"},
		b.ID().String(): {0, ""},
		c.ID().String(): {int(pusher.CloseNoApp), "This app is no longer served here"},
	}
	told := w.notices.Take(hub.NoticeDisconnected)
	if len(told) != 3 {
		t.Fatalf("told %+v", told)
	}
	for _, n := range told {
		if got := [2]any{n.Count, n.Text}; got != want[n.Socket] {
			t.Errorf("%s: %v, want %v", n.Socket, got, want[n.Socket])
		}
	}
}

func TestConnectionsSayWhatTheyRunOnWithinBounds(t *testing.T) {
	w := newWorld(nil)
	long := hubtest.ConnectAs(t, w.Hub, hub.Handshake{Key: key, Client: strings.Repeat("l", 500), Version: strings.Repeat("v", 500), Agent: strings.Repeat("ä", 500) + "\xff"})
	bare := hubtest.Connect(t, w.Hub, key)
	one, ok := w.Connection(long.ID().String())
	if s := one.Software; !ok || len(s.Library) != 40 || len(s.Version) != 40 || s.Agent != strings.Repeat("ä", 100) {
		t.Errorf("%+v, %v", one.Software, ok)
	}
	if one, ok := w.Connection(bare.ID().String()); !ok || one.Software.Agent != "" || one.App != "1" {
		t.Errorf("%+v, %v", one, ok)
	}
	for _, id := range []string{"", "nothing", "1.2", "1.2.3"} {
		if one, ok := w.Connection(id); ok {
			t.Errorf("%q: %+v", id, one)
		}
	}
	bare.Disconnect()
	if _, ok := w.Connection(bare.ID().String()); ok {
		t.Error("a connection that ended is there")
	}
}

func TestMembersComeWithWhatTheySay(t *testing.T) {
	w := newWorld(nil)
	a, b := hubtest.Connect(t, w.Hub, key), hubtest.Connect(t, w.Hub, key)
	a.SubscribeAs(key, secret, "presence-room", `{"user_id":"7","user_info":{"name":"<b>Ada</b>"}}`)
	b.SubscribeAs(key, secret, "presence-room", `{"user_id":"3"}`)
	all, err := w.Members(t.Context(), "1", "presence-room")
	if err != nil || len(all) != 2 || all[0].ID != "7" || string(all[0].Info) != `{"name":"<b>Ada</b>"}` || all[1].ID != "3" || all[1].Info != nil {
		t.Errorf("%+v, %v", all, err)
	}
	if all, err := w.Members(t.Context(), "1", "presence-empty"); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := w.Members(t.Context(), "none", "presence-room"); belfry.CodeOf(err) != belfry.CodeNotFound {
		t.Error(err)
	}
}
