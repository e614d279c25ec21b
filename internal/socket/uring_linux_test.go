package socket_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket"
)

// Without io_uring, the engine passes the same tests.
func TestOneCallEach(t *testing.T) {
	suite(t, func(cfg socket.Config) socket.Engine {
		cfg.OneCallEach = true
		return sharded(t, 0)(cfg)
	})
}

// The engine uses io_uring where the system has it, and says so.
func TestSaysWhetherItHasIOURing(t *testing.T) {
	for _, test := range []struct {
		one  bool
		want bool
	}{{false, socket.NewURing() == nil}, {true, false}} {
		var e *socket.Sharded
		b := start(t, sharded(t, 2, func(s *socket.Sharded) { e = s }), socket.Config{OneCallEach: test.one})
		if e.HasURing() != test.want || strings.Contains(fmt.Sprint(b.engine), "io_uring") != test.want {
			t.Errorf("one call each %t: %t, %s; want %t", test.one, e.HasURing(), b.engine, test.want)
		}
	}
}

// lines is a log that tests look at.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// Whatever goes wrong in io_uring, everybody gets all messages, in order; but one
// of whom it is not known what was sent is cut.
func TestIOURingFaults(t *testing.T) {
	calls := 0 // under the shard's lock
	every := func(n int, f socket.Fault) func() socket.Fault {
		return func() socket.Fault {
			if calls++; calls%n == 0 {
				return f
			}
			return socket.Fault{}
		}
	}
	for name, test := range map[string]struct {
		next    func() socket.Fault
		dropped bool // it is used no more
		cut     int
	}{
		"none":                   {every(1, socket.Fault{}), false, 0},
		"no memory now and then": {every(2, socket.Fault{Errno: syscall.ENOMEM}), false, 0},
		"busy":                   {every(3, socket.Fault{Errno: syscall.EBUSY}), false, 0},
		"interrupted":            {every(2, socket.Fault{Errno: syscall.EINTR}), false, 0},
		"takes few":              {every(1, socket.Fault{Most: 5}), false, 0},
		"takes halves":           {every(1, socket.Fault{Half: true}), false, 0},
		"forbidden later":        {every(4, socket.Fault{Errno: syscall.EPERM}), true, 0},
		"says nothing":           {every(4, socket.Fault{Silent: true}), true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			calls = 0
			var log lines
			b := listen(t, sharded(t, 1, func(e *socket.Sharded) { e.Emulate(test.next) }),
				socket.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			peers := append(b.crowd(3*socket.URingSize+5, "news"), b.crowd(5, "room")...)
			all := len(peers)
			for i := range 6 {
				text := fmt.Sprint(i, strings.Repeat(".", 100*i))
				b.mustPublish("news", "n", text)
				b.mustPublish("room", "n", text)
				peers = slices.DeleteFunc(peers, func(p *peer) bool { return !p.gets(text) })
			}
			if cut := all - len(peers); cut != test.cut {
				t.Errorf("%d are cut, want %d", cut, test.cut)
			}
			if has := b.sharded().HasURing(); has == test.dropped {
				t.Errorf("it is used: %t", has)
			}
			if n := strings.Count(log.String(), "io_uring fails"); n != map[bool]int{true: 1}[test.dropped] {
				t.Errorf("%d lines about it: %s", n, log.String())
			}
		})
	}
}

// gets reads the next message, and reports false for a connection that has ended.
func (p *peer) gets(text string) bool {
	p.t.Helper()
	_, payload, err := p.next()
	if err == nil && !strings.Contains(string(payload), `"`+text+`"`) {
		p.t.Fatalf("got %q, want %q", payload, text)
	}
	return err == nil
}

// A connection that is twice among those that get a message gets it twice, also
// when it takes half of the first at first.
func TestTwiceInOneFanOut(t *testing.T) {
	b := listen(t, sharded(t, 1, func(e *socket.Sharded) {
		e.Emulate(func() socket.Fault { return socket.Fault{Half: true} })
	}), socket.Config{})
	topic := &hub.Topic{Slots: make([]any, 1)}
	first, c := b.client()
	second, d := b.client()
	for range 20 {
		for _, client := range []*hub.Client{c, d, c, c} {
			socket.OutletOf(c).Join(&hub.Subscription{Topic: topic, Client: client}, nil)
		}
	}
	socket.OutletOf(c).Publish(topic, hub.Delivery{Message: sealed("some text")})
	for range 60 {
		first.wantFrame(1, "some text")
	}
	for range 20 {
		second.wantFrame(1, "some text")
	}
}
