package socket_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/socket"
)

// fakeAPI answers requests by what their targets ask for.
type fakeAPI struct {
	mu      sync.Mutex
	bodies  []string      // of the requests, in order
	waiting chan struct{} // a token when one waits
	proceed chan struct{} // a token lets it go on
	ended   chan error    // what ended its wait
}

func newFakeAPI() *fakeAPI {
	return &fakeAPI{waiting: make(chan struct{}, 8), proceed: make(chan struct{}, 8), ended: make(chan error, 8)}
}

func (f *fakeAPI) express(r socket.Request) (socket.Answer, func(context.Context) socket.Answer, bool) {
	body := string(r.Body)
	f.mu.Lock()
	f.bodies = append(f.bodies, body)
	f.mu.Unlock()
	answer := socket.Answer{Status: 200, Header: [][2]string{{"X-Target", r.Target}}, Body: []byte("got " + body)}
	switch {
	case strings.Contains(r.Target, "other"):
		return socket.Answer{}, nil, false
	case strings.Contains(r.Target, "panic"):
		panic("a test's")
	case strings.Contains(r.Target, "long"):
		answer.Body = []byte(strings.Repeat("x", 100_000))
	case strings.Contains(r.Target, "refuse"):
		answer.Status = 429
	case strings.Contains(r.Target, "wait"):
		return socket.Answer{}, func(ctx context.Context) socket.Answer {
			f.waiting <- struct{}{}
			if strings.Contains(r.Target, "wait-panic") {
				panic("a test's")
			}
			var err error
			select {
			case <-f.proceed:
			case <-ctx.Done():
				err = ctx.Err()
			}
			f.ended <- err
			return answer
		}, true
	}
	return answer, nil, true
}

func (f *fakeAPI) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.bodies)
}

func postTo(what, body string, header ...string) []byte {
	text := "POST /apps/" + what + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + fmt.Sprint(len(body)) + "\r\n"
	for _, h := range header {
		text += h + "\r\n"
	}
	return []byte(text + "\r\n" + body)
}

// got reads the answer to a request that the fake took.
func (p *peer) got(body string) *http.Response {
	p.t.Helper()
	r := p.answer()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 || string(b) != "got "+body || r.ContentLength != int64(len(b)) {
		p.t.Fatalf("%d %q, %v; want what became of %q", r.StatusCode, b, err, body)
	}
	if at, err := http.ParseTime(r.Header.Get("Date")); err != nil || time.Since(at).Abs() > 10*time.Second {
		p.t.Errorf("Date %q: %v", r.Header.Get("Date"), err)
	}
	return r
}

// eachNumber runs a test on one shard and on several.
func eachNumber(t *testing.T, test func(t *testing.T, open opening)) {
	t.Run("one shard", func(t *testing.T) { test(t, sharded(t, 1)) })
	t.Run("three shards", func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
		test(t, sharded(t, 3))
	})
}

// Requests are answered on the connection one after another, in any pieces.
func TestExpress(t *testing.T) {
	eachNumber(t, func(t *testing.T, open opening) {
		api := newFakeAPI()
		b := listen(t, open, socket.Config{Express: api.express, PathPrefix: "/real"})
		t.Run("one after another", func(t *testing.T) {
			p := b.dial()
			for i := range 5 {
				p.write(postTo("1/events?n", fmt.Sprint(i)))
				if r := p.got(fmt.Sprint(i)); r.Close || r.Header.Get("X-Target") != "/apps/1/events?n" {
					t.Errorf("%v", r)
				}
			}
			p.wantNothingYet()
		})
		t.Run("with the prefix", func(t *testing.T) {
			p := b.dial()
			p.write([]byte("POST /real/apps/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"))
			p.got("x")
		})
		t.Run("in one packet", func(t *testing.T) {
			p := b.dial()
			p.write(postTo("1", "a"), postTo("1", ""), postTo("1", "c"))
			p.got("a")
			p.got("")
			p.got("c")
		})
		t.Run("split at every byte", func(t *testing.T) {
			request := postTo("1/events", "hello")
			p := b.dial()
			for i := range request {
				p.write(request[:i])
				if i%7 == 0 {
					runtime.Gosched()
				}
				p.write(request[i:])
				p.got("hello")
			}
			for _, c := range request {
				p.write([]byte{c})
			}
			p.got("hello")
		})
		t.Run("as large as may be", func(t *testing.T) {
			p := b.dial()
			body := strings.Repeat("x", 31<<10)
			for range 3 {
				p.write(postTo("1", body))
				p.got(body)
			}
		})
		t.Run("another status", func(t *testing.T) {
			p := b.dial()
			p.write(postTo("refuse", ""))
			if r := p.answer(); r.Status != "429 Too Many Requests" {
				t.Errorf("%v", r)
			}
		})
		t.Run("the last one", func(t *testing.T) {
			p := b.dial()
			p.write(postTo("1", "a", "Connection: close"), postTo("1", "not heard"))
			if r := p.got("a"); !r.Close {
				t.Error("the answer does not say that it is the last")
			}
			p.wantEnd()
		})
		t.Run("then a WebSocket", func(t *testing.T) {
			p := b.dial()
			p.write(postTo("1", "a"))
			p.got("a")
			head := strings.Replace(request(target), "/app/", "/real/app/", 1)
			p.write(postTo("1", "b"), []byte(head), subscribe, ping)
			p.got("b")
			p.upgraded()
		})
		t.Run("then something else", func(t *testing.T) {
			p := b.dial()
			p.write(postTo("1", "a"), get)
			p.got("a")
			p.answered(404)
			p.write(get)
			p.answered(404)
		})
	})
}

// What is not plain, or not Express's, goes to the HTTP server with every byte.
func TestExpressLeavesTheRest(t *testing.T) {
	api := newFakeAPI()
	b := listen(t, sharded(t, 1), socket.Config{Express: api.express})
	for name, text := range oddPosts {
		p := b.dial()
		p.write([]byte(text))
		r := p.answer()
		if r.StatusCode == http.StatusContinue {
			r = p.answer()
		}
		if r.StatusCode == 200 {
			t.Errorf("%s: answered by Express", name)
		}
	}
	if n := api.asked(); n != 0 {
		t.Errorf("Express was asked %d times", n)
	}
	p := b.dial()
	p.write(postTo("other", "hello"), get)
	p.answered(404)
	p.answered(404)
	if n := api.asked(); n != 1 {
		t.Errorf("Express was asked %d times", n)
	}
	t.Run("half a request", func(t *testing.T) {
		p := b.dial()
		p.write([]byte("POST /apps/1 HTT"))
		p.nc.(*net.TCPConn).CloseWrite()
		p.answered(400)
	})
	t.Run("a prefix that is the WebSockets'", func(t *testing.T) {
		b := listen(t, sharded(t, 1), socket.Config{Express: api.express, PathPrefix: "/app"})
		p := b.dial()
		p.write([]byte("POST /app/apps/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"))
		if r := p.answer(); r.StatusCode == 200 {
			t.Error("answered by Express")
		}
	})
}

// A request that has to wait holds up those behind it on its connection, and
// nobody else.
func TestExpressWaits(t *testing.T) {
	eachNumber(t, func(t *testing.T, open opening) {
		api := newFakeAPI()
		b := listen(t, open, socket.Config{Express: api.express})
		p := b.dial()
		p.write(postTo("1", "a"), postTo("wait", "b"), postTo("1", "c"), postTo("wait", "d"), []byte("POST /ap"))
		p.got("a")
		<-api.waiting
		if n := api.asked(); n != 2 {
			t.Errorf("%d requests were looked at", n)
		}
		other := b.dial()
		other.write(postTo("1", "other"))
		other.got("other")
		p.wantNothingYet()
		api.proceed <- struct{}{}
		p.got("b")
		p.got("c")
		<-api.waiting
		api.proceed <- struct{}{}
		p.got("d")
		p.write(postTo("1", "e")[8:])
		p.got("e")
		p.write(postTo("wait", "f"), []byte(request(target)), subscribe, ping)
		<-api.waiting
		api.proceed <- struct{}{}
		p.got("f")
		p.upgraded()
		for range 3 {
			if err := <-api.ended; err != nil {
				t.Error(err)
			}
		}
	})
}

// wantNothingYet checks that nothing has come.
func (p *peer) wantNothingYet() {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if b, err := p.r.Peek(1); err == nil {
		p.t.Fatalf("got %q", b)
	}
	p.nc.SetReadDeadline(time.Now().Add(30 * time.Second))
}

// Whoever waits is told when its caller has gone.
func TestExpressCallerHangsUp(t *testing.T) {
	api := newFakeAPI()
	b := listen(t, sharded(t, 1), socket.Config{Express: api.express})
	for name, leave := range map[string]func(*net.TCPConn){
		"in order": func(nc *net.TCPConn) { nc.Close() },
		"half":     func(nc *net.TCPConn) { nc.CloseWrite() },
		"by a reset": func(nc *net.TCPConn) {
			nc.SetLinger(0)
			nc.Close()
		},
	} {
		p := b.dial()
		p.write(postTo("wait", ""))
		<-api.waiting
		if n := b.sharded().AtDesks(); n == 0 {
			t.Error("the connection is at no desk")
		}
		leave(p.nc.(*net.TCPConn))
		if err := <-api.ended; err != context.Canceled {
			t.Errorf("%s: ended by %v", name, err)
		}
		if name == "half" {
			p.got("")
			p.wantEnd()
		}
	}
	until(t, "the connections to go", func() bool { return b.sharded().AtDesks() == 0 })
}

// A peer that does not read its answers is not read from, and gets them all.
func TestExpressAnswersPileUp(t *testing.T) {
	api := newFakeAPI()
	b := listen(t, sharded(t, 1), socket.Config{Express: api.express})
	p := b.dial()
	const n = 400
	sent := make(chan error, 1)
	go func() {
		for range n {
			if _, err := p.nc.Write(postTo("long", strings.Repeat("y", 20_000))); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	until(t, "answers to wait", func() bool { return b.engine.Stats().PendingBytes > 0 })
	if asked := api.asked(); asked > n/2 {
		t.Errorf("%d requests were looked at", asked)
	}
	for range n {
		r := p.answer()
		if b, err := io.ReadAll(r.Body); err != nil || len(b) != 100_000 {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if n := b.engine.Stats().PendingBytes; n != 0 {
		t.Errorf("%d bytes wait", n)
	}
	p.write(postTo("1", "a"))
	p.got("a")
}

// A panic ends its connection, as in the HTTP server, and nothing else.
func TestExpressPanics(t *testing.T) {
	api := newFakeAPI()
	b := listen(t, sharded(t, 1), socket.Config{Express: api.express})
	for _, what := range []string{"panic", "wait-panic"} {
		p := b.dial()
		p.write(postTo(what, ""))
		p.wantEnd()
	}
	p := b.dial()
	p.write(postTo("1", "a"))
	p.got("a")
}

// Kept connections end after a time; a request that is too slow ends its
// connection, but a body may take as long as it likes, at the HTTP server.
func TestExpressTimes(t *testing.T) {
	api := newFakeAPI()
	b := listen(t, sharded(t, 1), socket.Config{Express: api.express, HandshakeTimeout: 3 * time.Second, IdleTimeout: time.Second})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		p := b.dial()
		p.write(postTo("1", "a"))
		begun := time.Now()
		p.got("a")
		p.wantEnd()
		if d := time.Since(begun); d < time.Second || d > 8*time.Second {
			t.Errorf("ended after %s", d)
		}
	})
	for name, part := range map[string]int{"a word": 4, "half a head": 30} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := b.dial()
			p.write(postTo("1", "a"))
			p.got("a")
			begun := time.Now()
			p.write(postTo("1", "a")[:part])
			p.wantEnd()
			if d := time.Since(begun); d < 2*time.Second || d > 10*time.Second {
				t.Errorf("ended after %s", d)
			}
		})
	}
	t.Run("half a body", func(t *testing.T) {
		t.Parallel()
		p := b.dial()
		request := postTo("1", "hello")
		p.write(request[:len(request)-2])
		until(t, "the shard to have it", func() bool { return b.sharded().Part(p.nc.LocalAddr()) > 0 })
		until(t, "the HTTP server to have it", func() bool { return !b.sharded().Has(p.nc.LocalAddr()) })
		p.write(request[len(request)-2:])
		p.answered(404)
	})
}

// When the listener closes, kept connections end, and those with a request under
// way end behind its answer; the engine's end waits for that.
func TestExpressAtTheEnd(t *testing.T) {
	eachNumber(t, func(t *testing.T, open opening) {
		api := newFakeAPI()
		b := start(t, open, socket.Config{Express: api.express})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		b.address = l.Addr().String()
		l = b.engine.Listener(l)
		idle, busy, late := b.dial(), b.dial(), b.dial()
		idle.write(postTo("1", "a"))
		idle.got("a")
		busy.write(postTo("wait", "b"))
		<-api.waiting
		late.write(postTo("1", "c"))
		late.got("c")
		late.write([]byte("POST /apps/1 HTTP/1.1\r\n"))
		until(t, "the half of a request to be read", func() bool { return b.sharded().Part(late.nc.LocalAddr()) > 0 })
		l.Close()
		idle.wantEnd()
		late.write([]byte("Host: x\r\nContent-Length: 1\r\n\r\nd"))
		if r := late.got("d"); !r.Close {
			t.Error("the answer does not say that it is the last")
		}
		late.wantEnd()
		stopped := make(chan struct{})
		go func() {
			b.stop()
			close(stopped)
		}()
		until(t, "the engine to stop", b.sharded().Stopped)
		api.proceed <- struct{}{}
		if r := busy.got("b"); !r.Close {
			t.Error("the answer does not say that it is the last")
		}
		<-stopped
	})
}

// An answer that never comes does not hold up the engine's end for long.
func TestExpressIsCutAtTheEnd(t *testing.T) {
	api := newFakeAPI()
	b := listen(t, sharded(t, 1), socket.Config{Express: api.express, CloseTimeout: time.Second})
	p := b.dial()
	p.write(postTo("wait", "a"))
	<-api.waiting
	b.stop()
	if err := <-api.ended; err != context.Canceled {
		t.Errorf("ended by %v", err)
	}
	p.wantEnd()
}
