package socket_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/socket"
)

// A connection is gone when its close frame arrives (CH-22): with the echo in
// its hands, the peer finds nothing of itself.
func testCloseByPeer(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	for _, code := range []int{1000, 1001, 3000, 4999} {
		p := b.subscribed("news")
		p.write(closing(code, "bye"))
		p.wantClose(code)
		if s, err := b.hub.Channel(context.Background(), "1", "news"); err != nil || s.Occupied {
			t.Errorf("%d: %+v, %v", code, s, err)
		}
		p.wantEnd()
	}
	p := b.connect()
	p.write(frame(0x88, ""))
	p.wantFrame(8, "") // without a code, as it came
	p.wantEnd()

	p = b.subscribed("news")
	p.write(frame(0x01, "half a message"), closing(1000, ""), frame(0x82, "nothing counts after it"))
	p.wantClose(1000)
	if n := len(b.engine.Stats().Closed); n != 0 {
		t.Errorf("%d closes are counted as the server's", n)
	}
}

// The hub's close goes behind what waits, and the hub is told at once that the
// connection is gone.
func testCloseByHub(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	p := b.subscribed("news")
	b.mustPublish("news", "last", "words")
	b.hub.SetApps(nil)
	if m := p.message(); m.Event != "last" {
		t.Errorf("%+v", m)
	}
	if reason := p.wantClose(4001); reason == "" {
		t.Error("no reason")
	}
	until(t, "the hub to know", func() bool { return b.notices.disconnected() == 1 })
	p.write(frame(0x81, "not heard any more"), closing(4001, ""))
	p.wantEnd()
	until(t, "the connection to be gone", func() bool { return b.engine.Stats().Open == 0 })
	if n := b.engine.Stats().Closed[4001]; n != 1 {
		t.Errorf("%d closes counted", n)
	}
}

// Before protocol 6 pusher:error comes first; so it does for all when the app
// wants it (WS-34).
func testCloseOldProtocol(t *testing.T, open opening) {
	chatty := app()
	chatty.ID, chatty.Keys, chatty.Compat.ErrorBeforeClose = "2", []belfry.Credential{{Key: "chatty", Secret: "s"}}, true
	b := listen(t, open, socket.Config{}, app(), chatty)
	var peers []*peer
	for _, path := range []string{"/app/demo-key?protocol=5", "/app/chatty?protocol=7"} {
		p := b.open(path)
		p.message()
		peers = append(peers, p)
	}
	b.hub.SetApps(nil)
	for _, p := range peers {
		p.wantError(4001)
		p.wantClose(4001)
	}
}

// A peer that goes without a word is gone when its connection ends.
func testVanishedPeer(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	p := b.subscribed("news")
	p.nc.Close()
	until(t, "the connection to be gone", func() bool { return b.engine.Stats().Open == 0 })
	if s, _ := b.hub.Channel(context.Background(), "1", "news"); s.Occupied {
		t.Error("still subscribed")
	}
}

// When Run ends, nothing of the engine is left, and nobody gets in.
func testStop(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	var peers []*peer
	for range 5 {
		peers = append(peers, b.subscribed("news"))
	}
	b.stop()
	for _, p := range peers {
		p.wantEnd()
	}
	if s := b.engine.Stats(); s.Open != 0 || s.PendingBytes != 0 {
		t.Errorf("stats: %+v", s)
	}
	p := b.dial()
	p.write([]byte(request(target)))
	if r := p.answer(); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d", r.StatusCode)
	}
}

// Draining closes with 4200 behind all that was published, and lets nobody in.
func testDrain(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	var peers []*peer
	for range 20 {
		peers = append(peers, b.subscribed("news"))
	}
	for range 50 {
		b.mustPublish("news", "n", strings.Repeat("x", 1000))
	}
	drained := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		drained <- b.hub.Drain(ctx, 100*time.Millisecond)
	}()
	for _, p := range peers {
		for range 50 {
			if m := p.message(); m.Event != "n" {
				t.Fatalf("%+v", m)
			}
		}
		p.wantClose(4200)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	p := b.open(target)
	p.wantError(4100)
	p.wantClose(4100)
}
