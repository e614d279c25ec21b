package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket"
	"github.com/belfryhq/belfry/internal/uring"
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
	}{{false, hasURing()}, {true, false}} {
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

func hasURing() bool {
	r, err := uring.Open()
	if err != nil {
		return false
	}
	r.Close()
	return true
}

// fault is what goes wrong in one round of calls.
type fault struct {
	err  error // the ring is broken
	left int   // so many of the last are not made
	half bool  // every second connection takes half of its message
	lost bool  // nothing is known of the last that was made
}

// faulty makes calls one by one, with the faults that next gives. It is guarded by
// the shard's lock.
type faulty struct{ next func() fault }

func (f faulty) Do(calls []uring.Call) (made int, err error) {
	bad := f.next()
	made = max(0, len(calls)-bad.left)
	for i := range calls[:made] {
		c := &calls[i]
		message := c.Buffer
		if bad.half && i%2 == 0 {
			message = message[:len(message)/2]
		}
		n, err := syscall.Write(int(c.FD), message)
		if c.Result = int32(n); err != nil {
			c.Result = -int32(err.(syscall.Errno))
		}
	}
	if bad.lost {
		calls[made-1].Result = -int32(syscall.EIO)
	}
	return made, bad.err
}

func (faulty) Close() {}

// Whatever goes wrong in io_uring, everybody gets all messages, in order; but one
// of whom it is not known what was sent is cut.
func TestIOURingFaults(t *testing.T) {
	calls := 0 // under the shard's lock
	every := func(n int, f fault) func() fault {
		return func() fault {
			if calls++; calls%n == 0 {
				return f
			}
			return fault{}
		}
	}
	broken := errors.New("io_uring is broken")
	for name, test := range map[string]struct {
		next    func() fault
		dropped bool // it is used no more
		cut     int
	}{
		"none":                    {every(1, fault{}), false, 0},
		"nothing now and then":    {every(2, fault{left: uring.Size}), false, 0},
		"some":                    {every(1, fault{left: 5}), false, 0},
		"halves":                  {every(1, fault{half: true}), false, 0},
		"some, and halves":        {every(2, fault{left: 3, half: true}), false, 0},
		"forbidden later":         {every(4, fault{left: uring.Size, err: broken}), true, 0},
		"broken behind half":      {every(4, fault{left: 16, err: broken}), true, 0},
		"broken, and one is lost": {every(4, fault{err: broken, lost: true}), true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			calls = 0
			var log lines
			b := listen(t, sharded(t, 1, func(e *socket.Sharded) { e.Call(faulty{test.next}) }),
				socket.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			peers := append(b.crowd(3*uring.Size+5, "news"), b.crowd(5, "room")...)
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
		e.Call(faulty{func() fault { return fault{half: true} }})
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
