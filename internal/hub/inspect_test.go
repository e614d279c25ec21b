package hub_test

import (
	"testing"

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
