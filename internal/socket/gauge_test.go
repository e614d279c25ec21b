package socket_test

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket"
)

// counted is a client's transport that counts what passes.
type counted struct {
	net.Conn
	in, out atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in.Add(int64(n))
	return n, err
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.out.Add(int64(n))
	return n, err
}

// gauged opens a connection that counts what passes behind its request, and
// gives its socket id.
func (b *bench) gauged(header string) (p *peer, passed *counted, id string) {
	b.t.Helper()
	passed = &counted{Conn: b.dial().nc}
	p = newPeer(b.t, passed)
	p.write([]byte(request(target, header)))
	passed.out.Store(0)
	p.switched()
	id, _, _ = strings.Cut(strings.SplitN(p.message().text(), `"`, 5)[3], `"`)
	return p, passed, id
}

// What each connection took and gave is counted, to the byte, also where writes
// had to wait, and together it is what the engine counts.
func testGauge(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{SendBuffer: 8 << 20})
	agent := "Mozilla/5.0 (X11; <b>Linux</b>) Firefox/150.0"
	first, firstPassed, firstID := b.gauged("User-Agent: " + agent)
	second, secondPassed, secondID := b.gauged("X-None: 1")
	first.subscribe("news", "big")
	second.subscribe("news")
	first.send(`{"event":"pusher:ping","data":{}}`)
	first.message()
	b.mustPublish("news", "n", "hello")
	first.message()
	second.message()
	published := make(chan error, 1)
	go func() { // more than the kernel takes at once: some of it waits
		for range 30 {
			if _, err := b.publish("big", "n", strings.Repeat("x", 200_000)); err != nil {
				published <- err
				return
			}
		}
		published <- nil
	}()
	for range 30 {
		first.message()
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	gauge := func(id string, passed *counted) hub.Gauge {
		t.Helper()
		var g hub.Gauge
		until(t, "all is counted", func() bool {
			one, ok := b.hub.Connection(id)
			if !ok {
				t.Fatal("the connection is not known")
			}
			g = one.Gauge
			return g.In >= passed.out.Load() && g.Out >= passed.in.Load()
		})
		if g.In != passed.out.Load() || g.Out != passed.in.Load() || g.Waiting != 0 || g.In == 0 || g.Out == 0 {
			t.Errorf("%+v, and the client sent %d and got %d", g, passed.out.Load(), passed.in.Load())
		}
		return g
	}
	one, two := gauge(firstID, firstPassed), gauge(secondID, secondPassed)
	if one.Out < 30*200_000 || two.Out > 2000 {
		t.Errorf("the first got %d bytes, the second %d", one.Out, two.Out)
	}
	if st := b.engine.Stats(); st.BytesIn != one.In+two.In || st.BytesOut != one.Out+two.Out {
		t.Errorf("the engine counted %d in and %d out, the connections %d and %d", st.BytesIn, st.BytesOut, one.In+two.In, one.Out+two.Out)
	}
	if now, _ := b.hub.Connection(firstID); now.Software != (hub.Software{Library: "js", Version: "8.4.0", Agent: agent}) {
		t.Errorf("it says that it runs on %+v", now.Software)
	}
	if now, _ := b.hub.Connection(secondID); now.Software.Agent != "" {
		t.Errorf("it says that it runs on %+v", now.Software)
	}
}
