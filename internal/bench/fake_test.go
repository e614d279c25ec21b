package bench_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/internal/socket/wsframe"
	"github.com/belfryhq/belfry/pusher"
)

// fake is a Pusher server of a few lines that does what a test tells it to do
// wrong.
type fake struct {
	t testing.TB
	// tamper gives what the connection of that number gets in place of the n-th
	// event's frame.
	tamper func(connection, n int, frame []byte) []byte
	// answer, when set, answers a publish before anything is delivered.
	answer func(n int) int
	// silent leaves subscriptions without an answer.
	silent bool

	mu     sync.Mutex // guards all below
	conns  []net.Conn
	events int
	asked  int
}

func (f *fake) serve() bench.Target {
	s := httptest.NewServer(f)
	f.t.Cleanup(func() {
		f.mu.Lock()
		for _, c := range f.conns {
			c.Close()
		}
		f.mu.Unlock()
		s.Close()
	})
	return bench.Target{URL: s.URL, AppID: "1", Key: "k", Secret: "s"}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/apps/") {
		f.publish(w, r)
		return
	}
	conn, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		f.t.Error(err)
		return
	}
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	conn.Write(wsframe.Append(nil, wsframe.Text, pusher.AppendEstablished(nil, pusher.NewSocketID(), 30*time.Second)))
	var reader wsframe.Reader
	buf := make([]byte, 4096)
	for {
		n, err := rw.Read(buf)
		if err != nil {
			return
		}
		for in := buf[:n]; ; {
			m, rest, ok, broken := reader.Next(in, 1<<20)
			if broken != nil {
				f.t.Errorf("the client breaks the protocol: %v", broken)
				return
			}
			if !ok {
				break
			}
			in = rest
			if m.Op == wsframe.Text && bytes.Contains(m.Payload, []byte("pusher:subscribe")) && !f.silent {
				f.mu.Lock()
				f.conns = append(f.conns, conn)
				conn.Write(wsframe.Append(nil, wsframe.Text, pusher.AppendSucceeded(nil, "x")))
				f.mu.Unlock()
			}
		}
	}
}

func (f *fake) publish(w http.ResponseWriter, r *http.Request) {
	var e struct{ Name, Channel, Data string }
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.answer != nil {
		if status := f.answer(f.asked); status != 200 {
			w.WriteHeader(status)
			io.WriteString(w, "no")
			return
		}
	}
	f.events++
	frame := wsframe.Append(nil, wsframe.Text, pusher.AppendEvent(nil, e.Name, e.Channel, pusher.AppendString(nil, e.Data), ""))
	for i, c := range f.conns {
		out := frame
		if f.tamper != nil {
			out = f.tamper(i, f.events, frame)
		}
		c.Write(out)
	}
	io.WriteString(w, "{}")
}

// flat is a shape for the fake: three connections, one channel.
func flat() bench.Shape {
	return bench.Shape{Connections: 3, Channels: 1, Mode: bench.FlatOut, Duration: 30 * time.Millisecond, Warmup: time.Nanosecond, Patience: 500 * time.Millisecond}
}

// only tampers with the events from the third to the fifth of the second
// connection.
func only(change func(n int, frame []byte) []byte) func(connection, n int, frame []byte) []byte {
	return func(connection, n int, frame []byte) []byte {
		if connection != 1 || n < 3 || n > 5 {
			return frame
		}
		return change(n, bytes.Clone(frame))
	}
}

func TestFaultsAreFound(t *testing.T) {
	var kept []byte
	for name, c := range map[string]struct {
		tamper func(connection, n int, frame []byte) []byte
		says   string
	}{
		"lost":  {only(func(int, []byte) []byte { return nil }), "3 deliveries are missing"},
		"twice": {only(func(_ int, f []byte) []byte { return append(f, f...) }), "3 deliveries came twice"},
		"reordered": {only(func(n int, f []byte) []byte {
			switch n {
			case 3:
				kept = f
				return nil
			case 4:
				return append(f, kept...)
			}
			return f
		}), "1 deliveries came out of order"},
		"closed": {only(func(n int, f []byte) []byte {
			if n == 4 {
				return wsframe.AppendClose(f, 4200, "go")
			}
			return f
		}), "1 connections were closed with 4200"},
		"masked": {only(func(n int, f []byte) []byte {
			if n == 4 {
				f[1] |= 0x80
			}
			return f
		}), "1 connections were closed with 1006"},
		"complaint": {only(func(n int, f []byte) []byte {
			if n == 4 {
				return wsframe.Append(f, wsframe.Text, pusher.AppendError(nil, 4301, "too fast"))
			}
			return f
		}), "too fast"},
		"ping": {only(func(n int, f []byte) []byte {
			f = wsframe.Append(f, wsframe.Ping, []byte("hi"))
			return wsframe.Append(f, wsframe.Text, pusher.AppendPing(nil))
		}), ""},
	} {
		for _, run := range []func(testing.TB, bench.Config) (*bench.Report, error){
			func(t testing.TB, c bench.Config) (*bench.Report, error) { return bench.Run(t.Context(), c) },
			func(t testing.TB, c bench.Config) (*bench.Report, error) { return bench.RunPortable(t.Context(), c) },
		} {
			t.Run(name, func(t *testing.T) {
				f := &fake{t: t, tamper: c.tamper}
				r, err := run(t, bench.Config{Target: f.serve(), Shape: flat()})
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(r.Faults, "; "); !strings.Contains(got, c.says) || (c.says == "") != (got == "") {
					t.Errorf("faults: %q, want %q", got, c.says)
				}
			})
		}
	}
}

// A refused publish is counted, and is no loss.
func TestRefusedPublishes(t *testing.T) {
	f := &fake{t: t, answer: func(n int) int {
		if n == 2 {
			return 503
		}
		return 200
	}}
	r, err := bench.Run(t.Context(), bench.Config{Target: f.serve(), Shape: bench.Shape{Connections: 3, Channels: 1, Mode: bench.AtRate, Rate: 100,
		Duration: 100 * time.Millisecond, Warmup: time.Nanosecond}})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.Faults, "; "); got != "1 publishes were refused: HTTP 503: no" {
		t.Errorf("faults: %q", got)
	}
}

// Connections that stop reading and then find close 4100 are as they should be;
// others, and other codes, are not.
func TestSlow(t *testing.T) {
	shape, err := bench.Preset("slow100")
	if err != nil {
		t.Fatal(err)
	}
	shape = small(shape)
	shape.Connections, shape.Stalled = 10, 3
	for _, c := range []struct {
		first, last, code int // connections that are closed
		says              string
	}{
		{0, 2, 4100, ""},
		{0, 2, 4200, "found close 4100"},
		{0, 1, 4100, "of 3 connections that stopped reading 2 found close 4100"},
		{0, 3, 4100, "1 connections were closed with 4100"},
	} {
		// The fake closes once all read no more: at the 9th event or later.
		f := &fake{t: t}
		f.tamper = func(connection, n int, frame []byte) []byte {
			if n == 12 && connection >= c.first && connection <= c.last {
				return wsframe.AppendClose(bytes.Clone(frame), c.code, "slow")
			}
			return frame
		}
		shape.AtOnce = 1 // so that both sides number the connections alike
		shape.Patience = 300 * time.Millisecond
		r, err := bench.Run(t.Context(), bench.Config{Target: f.serve(), Shape: shape})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Faults, "; "); !strings.Contains(got, c.says) || (c.says == "") != (got == "") {
			t.Errorf("%+v: faults %q", c, got)
		}
		if r.Slow == nil || r.Slow.Before.Count == 0 {
			t.Errorf("%+v: %+v", c, r.Slow)
		}
	}
}

func TestASubscriptionWithoutAnswer(t *testing.T) {
	f := &fake{t: t, silent: true}
	shape := flat()
	shape.Patience = 200 * time.Millisecond
	for _, run := range []func() (*bench.Report, error){
		func() (*bench.Report, error) {
			return bench.Run(t.Context(), bench.Config{Target: f.serve(), Shape: shape})
		},
		func() (*bench.Report, error) {
			return bench.RunPortable(t.Context(), bench.Config{Target: f.serve(), Shape: shape})
		},
	} {
		if _, err := run(); err == nil || !strings.Contains(err.Error(), "3 of 3 connections failed: the server took too long") {
			t.Errorf("got %v", err)
		}
	}
}
