package socket_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/socket"
)

// These tests need hours, and have milliseconds: the engine stands on pipes in
// a bubble whose clock jumps.

// bubble runs a test of an engine in a bubble. Nothing outlives it.
func bubble(t *testing.T, open opening, cfg socket.Config, run func(t *testing.T, b *bench), apps ...*belfry.App) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, open, cfg, apps...)
		run(t, b)
		b.stop()
	})
}

// taken is a response whose connection is a pipe.
type taken struct {
	http.ResponseWriter
	nc net.Conn
}

func (w taken) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.nc, bufio.NewReadWriter(bufio.NewReader(w.nc), bufio.NewWriter(w.nc)), nil
}

// pipe opens a connection over a pipe and passes over the established message.
func (b *bench) pipe(target string) *peer {
	b.t.Helper()
	theirs, ours := net.Pipe()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request(target))))
	if err != nil {
		b.t.Fatal(err)
	}
	r.RemoteAddr = "192.0.2.1:1234"
	b.engine.ServeHTTP(taken{httptest.NewRecorder(), theirs}, r)
	b.t.Cleanup(func() { ours.Close() })
	p := &peer{t: b.t, nc: ours, r: bufio.NewReader(ours)}
	p.switched()
	if m := p.message(); m.Event != "pusher:connection_established" {
		b.t.Fatalf("%+v", m)
	}
	return p
}

// within fails unless about what it should has passed since then, given that
// engines work in steps of a second.
func within(t testing.TB, since time.Time, least, most time.Duration) {
	t.Helper()
	if d := time.Since(since); d < least || d > most {
		t.Errorf("after %s, want %s to %s", d, least, most)
	}
}

// wantPing reads a ping frame and, from protocol 5 on, pusher:ping (WS-23).
func (p *peer) wantPing(both bool) {
	p.t.Helper()
	p.wantFrame(9, "")
	if both {
		p.wantFrame(1, `{"event":"pusher:ping","data":"{}"}`)
	}
}

func TestSilentConnectionIsPingedAndClosed(t *testing.T) {
	bubble(t, portable, socket.Config{}, func(t *testing.T, b *bench) {
		begun := time.Now()
		p := b.pipe(target)
		p.wantPing(true)
		within(t, begun, 23*time.Second, 26*time.Second)
		pinged := time.Now()
		p.wantClose(4201)
		within(t, pinged, 29*time.Second, 31*time.Second)
		synctest.Wait()
		if b.notices.disconnected() != 1 {
			t.Error("the hub was not told at once")
		}
		// The peer does not answer the close frame either.
		closed := time.Now()
		p.wantEnd()
		within(t, closed, 4*time.Second, 7*time.Second)
		synctest.Wait()
		if s := b.engine.Stats(); s.Open != 0 || s.Pings != 1 || s.Closed[4201] != 1 {
			t.Errorf("stats: %+v", s)
		}
	})
}

// Whatever comes in proves the peer alive (WS-22).
func TestAnyFrameKeepsAlive(t *testing.T) {
	for name, sign := range map[string][]byte{
		"pong": frame(0x8A, ""), "ping": frame(0x89, ""), "pusher:pong": frame(0x81, `{"event":"pusher:pong","data":{}}`),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, portable, socket.Config{}, func(t *testing.T, b *bench) {
				p := b.pipe(target)
				for range 20 {
					p.wantPing(true)
					time.Sleep(20 * time.Second)
					p.write(sign)
					if name == "ping" {
						p.wantFrame(10, "")
					}
				}
				talks := time.Now()
				for time.Since(talks) < time.Hour {
					time.Sleep(20 * time.Second)
					p.write(sign)
					if name == "ping" {
						p.wantFrame(10, "")
					}
				}
				if s := b.engine.Stats(); s.Open != 1 || s.Pings != 20 {
					t.Errorf("stats: %+v", s)
				}
			})
		})
	}
}

// A ping comes at the latest 15 s after the announced activity timeout.
func TestPingFollowsTheActivityTimeout(t *testing.T) {
	brisk := app()
	brisk.ActivityTimeout = 5 * time.Second
	bubble(t, portable, socket.Config{PingAfter: time.Hour, PingTimeout: 3 * time.Second}, func(t *testing.T, b *bench) {
		begun := time.Now()
		p := b.pipe(target)
		p.wantPing(true)
		within(t, begun, 18*time.Second, 20*time.Second)
		begun = time.Now()
		p.wantClose(4201)
		within(t, begun, 2*time.Second, 4*time.Second)
	}, brisk)
}

// Clients without ping support get ping frames, and a day (WS-26).
func TestOldClientsGetADay(t *testing.T) {
	bubble(t, portable, socket.Config{}, func(t *testing.T, b *bench) {
		begun := time.Now()
		p := b.pipe("/app/" + appKey + "?protocol=4")
		for {
			op, payload, err := p.next()
			if err != nil || op == 9 && len(payload) > 0 {
				t.Fatal(op, payload, err)
			}
			if op != 9 {
				if op != 1 || !strings.Contains(string(payload), "4202") { // pusher:error before the close (WS-34)
					t.Errorf("opcode %d, %q", op, payload)
				}
				break
			}
		}
		p.wantClose(4202)
		within(t, begun, 24*time.Hour-time.Second, 24*time.Hour+time.Minute)
	})
}

// Nobody holds a connection open by taking no bytes: its close frame has a
// minute to be written.
func TestPeerThatReadsNothingIsCut(t *testing.T) {
	bubble(t, portable, socket.Config{SendBuffer: 4 << 10}, func(t *testing.T, b *bench) {
		p := b.pipe(target)
		p.subscribe("news")
		for b.engine.Stats().SlowClosed == 0 {
			b.mustPublish("news", "n", strings.Repeat("x", 2000))
		}
		synctest.Wait()
		closed := time.Now()
		if b.notices.disconnected() != 1 || b.engine.Stats().Closed[4100] != 1 {
			t.Errorf("the hub was not told at once; stats %+v", b.engine.Stats())
		}
		if r := b.mustPublish("news", "n", "x"); r.Matched != 0 {
			t.Errorf("still subscribed: %+v", r)
		}
		for b.engine.Stats().Open != 0 && time.Since(closed) < time.Hour {
			time.Sleep(time.Second)
		}
		within(t, closed, 59*time.Second, 62*time.Second)
	})
}

// A reader that stands still cannot hold its publishers up for longer than they
// are patient: it is cut, and they go on.
func TestStalledReaderReleasesPublishers(t *testing.T) {
	bubble(t, portable, socket.Config{SendBuffer: 40 << 10}, func(t *testing.T, b *bench) {
		p := b.pipe(target)
		p.subscribe("news")
		longest := time.Duration(0)
		for range 200 {
			begun := time.Now()
			if _, err := b.publish("news", "n", strings.Repeat("x", 1000)); err != nil {
				t.Fatalf("refused: %v", err)
			}
			longest = max(longest, time.Since(begun))
		}
		if longest < 2*time.Second || longest > 5*time.Second {
			t.Errorf("the longest publish took %s", longest)
		}
		if s := b.engine.Stats(); s.SlowClosed != 1 {
			t.Errorf("stats: %+v", s)
		}
		for { // whole frames, then the close
			op, payload, err := p.next()
			if err != nil {
				t.Fatal(err)
			}
			if op == 8 {
				if got := int(payload[0])<<8 | int(payload[1]); got != 4100 {
					t.Errorf("closed with %d", got)
				}
				break
			}
		}
	})
}

// Many connections with a little waiting each hold everyone up once it is too
// much together, and those that stand still are cut.
func TestTooMuchWaitsForAll(t *testing.T) {
	bubble(t, portable, socket.Config{SendBuffer: 1 << 20, MaxPending: 400 << 10}, func(t *testing.T, b *bench) {
		for range 20 {
			b.pipe(target).subscribe("news")
		}
		begun := time.Now()
		for range 40 {
			if _, err := b.publish("news", "n", strings.Repeat("x", 1000)); err != nil {
				t.Fatalf("refused after %s: %v; %+v", time.Since(begun), err, b.engine.Stats())
			}
			if pending := b.engine.Stats().PendingBytes; pending > 450<<10 {
				t.Fatalf("%d bytes wait", pending)
			}
		}
		within(t, begun, 2*time.Second, 5*time.Second)
		if s := b.engine.Stats(); s.SlowClosed != 20 {
			t.Errorf("stats: %+v", s)
		}
	})
}

// One that stands still among many holds nobody up.
func TestOneStalledAmongManyDelaysNobody(t *testing.T) {
	bubble(t, portable, socket.Config{SendBuffer: 40 << 10}, func(t *testing.T, b *bench) {
		b.pipe(target).subscribe("news")
		for range 5 {
			p := b.pipe(target)
			p.subscribe("news")
			go func() {
				for {
					if _, _, err := p.next(); err != nil {
						return
					}
				}
			}()
		}
		var waited time.Duration
		for range 100 {
			time.Sleep(50 * time.Millisecond)
			begun := time.Now()
			b.mustPublish("news", "n", strings.Repeat("x", 1000))
			waited += time.Since(begun)
		}
		if s := b.engine.Stats(); s.SlowClosed != 1 || waited > 300*time.Millisecond {
			t.Errorf("waited %s in all, stats: %+v", waited, s)
		}
	})
}

// Publishers with many large events at once do not carry a healthy reader over
// its limit, however many come at the same time.
func TestManyPublishersAtOnce(t *testing.T) {
	bubble(t, portable, socket.Config{SendBuffer: 100 << 10}, func(t *testing.T, b *bench) {
		p := b.pipe(target)
		p.subscribe("news")
		const publishers = 100
		done := make(chan error, publishers)
		for range publishers {
			go func() {
				_, err := b.publish("news", "n", strings.Repeat("x", 9000))
				done <- err
			}()
		}
		for range publishers {
			time.Sleep(10 * time.Millisecond)
			if m := p.message(); len(m.text()) != 9000 {
				t.Fatalf("%+v", m)
			}
		}
		for range publishers {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if s := b.engine.Stats(); s.SlowClosed != 0 {
			t.Errorf("stats: %+v", s)
		}
	})
}

// A publisher that gives up leaves nothing reserved.
func TestImpatientPublisher(t *testing.T) {
	bubble(t, portable, socket.Config{SendBuffer: 8 << 10}, func(t *testing.T, b *bench) {
		p := b.pipe(target)
		p.subscribe("news")
		for range 2 { // more than a quarter waits
			b.mustPublish("news", "n", strings.Repeat("x", 1000))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.hub.Publish(ctx, "1", event("news", "n", "late")); belfry.CodeOf(err) != belfry.CodeUnavailable {
			t.Errorf("got %v", err)
		}
		for range 2 {
			p.message()
		}
		b.mustPublish("news", "n", "again")
		if m := p.message(); m.text() != "again" {
			t.Errorf("%+v", m)
		}
	})
}
