package socket_test

import (
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/socket"
)

// Request heads, and connections that have served other requests before.

// The engine's copy of the listener does not go with a finalizer.
func TestListenerOutlivesTheCollector(t *testing.T) {
	b := listen(t, sharded(t, 2), socket.Config{})
	for range 4 {
		runtime.GC()
		p := b.dial()
		p.nc.SetDeadline(time.Now().Add(5 * time.Second))
		p.write([]byte(request(target)))
		p.switched()
		p.message()
		b.adopted().wantNothing()
	}
}

// The keys that tell connections apart begin anew after four billion; 0 is the
// listener's.
func TestKeysBeginAnew(t *testing.T) {
	b := listen(t, sharded(t, 1), socket.Config{})
	b.sharded().SetKey(^uint32(0) - 2)
	for range 5 {
		p, c := b.client()
		if socket.StateOf(c).Key == 0 {
			t.Fatal("a connection has the listener's key")
		}
		p.wantNothing()
	}
}

// Half a request head, or nothing at all, does not hold a connection for long;
// nor does a head that comes in drops.
func TestSlowRequestHead(t *testing.T) {
	b := listen(t, sharded(t, 1), socket.Config{HandshakeTimeout: time.Second})
	for name, head := range map[string]string{
		"nothing": "", "half a line": "GE", "a line": "GET " + target + " HTTP/1.1\r\n", "half": request(target)[:100],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := b.dial()
			begun := time.Now()
			p.write([]byte(head))
			p.wantEnd()
			if d := time.Since(begun); d < time.Second || d > 5*time.Second {
				t.Errorf("cut after %s", d)
			}
		})
	}
	t.Run("drops", func(t *testing.T) {
		t.Parallel()
		p := b.dial()
		begun := time.Now()
		go func() {
			for _, c := range []byte(request(target)) {
				if _, err := p.nc.Write([]byte{c}); err != nil {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		}()
		p.wantEnd()
		if d := time.Since(begun); d > 5*time.Second {
			t.Errorf("cut after %s", d)
		}
	})
	t.Run("in time", func(t *testing.T) {
		p := b.dial()
		p.write([]byte(request(target)[:100]))
		p.write([]byte(request(target)[100:]))
		p.switched()
		p.message()
		p.wantNothing()
	})
}

var (
	get            = []byte("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
	post           = []byte("POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
	subscribe      = frame(0x81, `{"event":"pusher:subscribe","data":{"channel":"news"}}`)
	ping           = frame(0x81, `{"event":"pusher:ping"}`)
	subscribedPing = []string{"pusher:connection_established", "pusher_internal:subscription_succeeded", "pusher:pong"}
)

// upgraded reads the answer to an upgrade, and to subscribe and ping behind it.
func (p *peer) upgraded() {
	p.t.Helper()
	p.switched()
	for _, want := range subscribedPing {
		if m := p.message(); m.Event != want {
			p.t.Fatalf("got %+v, want %s", m, want)
		}
	}
	p.wantNothing()
}

// answered reads a whole answer.
func (p *peer) answered(status int) {
	p.t.Helper()
	r := p.answer()
	io.Copy(io.Discard, r.Body)
	if r.StatusCode != status {
		p.t.Fatalf("%d", r.StatusCode)
	}
}

// Behind a proxy a connection may have served anything before.
func TestProxyReusesConnections(t *testing.T) {
	b := listen(t, sharded(t, 1), socket.Config{})
	t.Run("everything in one packet", func(t *testing.T) {
		p := b.dial()
		p.write([]byte(request(target)), subscribe, ping)
		p.upgraded()
	})
	t.Run("after GET", func(t *testing.T) {
		p := b.dial()
		p.write(get)
		p.answered(404)
		p.write([]byte(request(target)), subscribe, ping)
		p.upgraded()
	})
	t.Run("after POST, in one packet", func(t *testing.T) {
		p := b.dial()
		p.write(post, []byte(request(target)), subscribe, ping)
		p.answered(404)
		p.upgraded()
	})
	t.Run("after POST, behind more than one buffer", func(t *testing.T) {
		p := b.dial()
		head := request(target, "X-Long: "+strings.Repeat("x", 3000))
		long := frame(0x81, `{"event":"pusher:ping","data":"`+strings.Repeat("x", 9000)+`"}`)
		p.write(post, []byte(head), subscribe, ping, long)
		p.answered(404)
		p.switched()
		for _, want := range append(subscribedPing[:3:3], "pusher:pong") {
			if m := p.message(); m.Event != want {
				t.Fatalf("got %+v, want %s", m, want)
			}
		}
	})
	t.Run("half a request that is the HTTP server's", func(t *testing.T) {
		p := b.dial()
		p.write(get)
		p.answered(404)
		p.write([]byte(request(target)[:50]))
		if n := socket.Ready(b.sharded().Shards()[0], 50); n != 0 {
			t.Errorf("the shard still watches %d", n)
		}
		p.write([]byte(request(target)[50:]), subscribe, ping)
		p.upgraded()
	})
}

// A request head may come in any pieces and any size.
func TestRequestHeads(t *testing.T) {
	b := listen(t, sharded(t, 1), socket.Config{})
	t.Run("over the shard's limit", func(t *testing.T) {
		for _, n := range []int{15 << 10, 16 << 10, 17 << 10, 60 << 10, 200 << 10} {
			p := b.dial()
			p.write([]byte(request(target, "X-Long: "+strings.Repeat("x", n))), subscribe, ping)
			p.upgraded()
		}
	})
	t.Run("without an end", func(t *testing.T) {
		p := b.dial()
		p.write([]byte(request(target)[:100]), []byte(strings.Repeat("X-Long: "+strings.Repeat("x", 1000)+"\r\n", 1200)))
		p.answered(431)
	})
	t.Run("no host", func(t *testing.T) {
		p := b.dial()
		p.write([]byte(strings.Replace(request(target), "Host: belfry.test\r\n", "", 1)))
		if r := p.answer(); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%d", r.StatusCode)
		}
	})
	t.Run("split at every byte", func(t *testing.T) {
		all := slices.Concat([]byte(request(target)), subscribe, ping)
		for i := range all {
			p := b.dial()
			p.write(all[:i])
			if i%7 == 0 {
				runtime.Gosched() // one read, or two
			}
			p.write(all[i:])
			p.upgraded()
			p.nc.Close()
		}
	})
	t.Run("byte by byte", func(t *testing.T) {
		for _, before := range [][]byte{nil, get} {
			p := b.dial()
			for _, c := range before {
				p.write([]byte{c})
			}
			if before != nil {
				p.answered(404)
			}
			for _, c := range slices.Concat([]byte(request(target)), subscribe, ping) {
				p.write([]byte{c})
			}
			p.upgraded()
		}
	})
}
