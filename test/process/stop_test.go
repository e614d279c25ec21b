//go:build unix

package process_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry/pusher"
	"github.com/belfryhq/belfry/test/pusherclient"
)

// SIGTERM under load (WS-38): clients are closed with 4200 in slices over the
// drain window, nothing that was accepted is lost to a client that is still
// connected, and the process exits in order.
//
// What "not lost" means here: the numbers that a client gets have no gap from 1
// to the last one before its close frame, and that last one is no lower than
// what its publisher had had accepted when the signal was sent.
func TestTerminationUnderLoad(t *testing.T) {
	const window, grace = 3 * time.Second, 20 * time.Second
	h := newHost(t, configuration+"server: {drain_window: 3s, shutdown_grace: 20s}\n")
	h.start()
	l := startLoad(h, h.target(), 200, 8)
	l.flows(t, 50)

	before := l.accepted()
	began := time.Now()
	h.signal(syscall.SIGTERM)
	h.logged(`"msg":"stopping"`)
	h.refusesWhileDraining()
	exit := h.wait()
	took := time.Since(began)
	l.wait(t)

	if exit != 0 {
		t.Errorf("exit status %d, want 0", exit)
	}
	if took > grace {
		t.Errorf("the stop took %s, more than the grace of %s", took, grace)
	}
	var moments []time.Time
	for i, li := range l.listeners {
		if code := pusherclient.CloseCode(li.end); code != int(pusher.CloseReconnect) {
			t.Errorf("client %d ended with %v, want close code 4200", i, li.end)
		}
		if li.gap != "" {
			t.Errorf("client %d lost events: %s", i, li.gap)
		}
		if least := before[li.from]; li.last < least {
			t.Errorf("client %d got events up to %d, but %d was accepted before the stop", i, li.last, least)
		}
		moments = append(moments, li.endedAt)
	}
	for _, p := range l.publishers {
		if e, answered := errors.AsType[*pusherclient.StatusError](p.err); answered && e.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: the publish after %d failed with %v", p.channel, p.accepted.Load(), p.err)
		}
	}
	checkSlices(t, moments, window)
	h.leftInOrder()
}

// refusesWhileDraining: a balancer learns that the server takes no more work,
// and a client that comes now is turned away at once.
func (h *host) refusesWhileDraining() {
	h.t.Helper()
	if status := h.ready(); status != http.StatusServiceUnavailable {
		h.t.Errorf("/ready = %d while draining, want 503", status)
	}
	// The listener closes in the first moments of the stop.
	deadline := time.Now().Add(patience)
	for {
		c, err := net.Dial("tcp", h.addr)
		if errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		if err == nil {
			c.Close()
		}
		if time.Now().After(deadline) {
			h.t.Errorf("a new connection while draining: %v, want it refused", err)
			break
		}
	}
	select {
	case <-h.ended:
		h.t.Error("the server was gone before its drain could be looked at")
	default:
	}
}

// checkSlices: the closes are spread over the window and not bunched. The
// bounds are wide, since a busy machine delivers late.
func checkSlices(t *testing.T, moments []time.Time, window time.Duration) {
	t.Helper()
	slices.SortFunc(moments, time.Time.Compare)
	first, last := moments[0], moments[len(moments)-1]
	if spread := last.Sub(first); spread < window/2 || spread > window+10*time.Second {
		t.Errorf("the closes are spread over %s, want about %s", spread, window)
	}
	// In ten equal parts of that time, how many saw closes, and how many most?
	parts := make([]int, 10)
	for _, m := range moments {
		parts[min(9, int(10*m.Sub(first)/max(1, last.Sub(first))))]++
	}
	used := 0
	for _, n := range parts {
		used += min(n, 1)
	}
	if used < 5 || slices.Max(parts) > len(moments)/2 {
		t.Errorf("the closes come in bunches: %v in ten equal parts of the time", parts)
	}
}

// leftInOrder: the control link is gone, the day's counts are written.
func (h *host) leftInOrder() {
	h.t.Helper()
	if _, err := os.Lstat(filepath.Join(h.dir, "data", "belfry.sock")); !errors.Is(err, os.ErrNotExist) {
		h.t.Errorf("belfry.sock after an orderly stop: %v, want it gone", err)
	}
	if text, err := os.ReadFile(filepath.Join(h.dir, "data", "usage.json")); err != nil || !strings.Contains(string(text), appID) {
		h.t.Errorf("usage.json after an orderly stop: %s, %v", text, err)
	}
	if strings.Contains(h.log.String(), `"level":"ERROR"`) {
		h.t.Errorf("an orderly stop logs errors:\n%s", h.log)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	h := newHost(t, configuration+"server: {drain_window: 50s, shutdown_grace: 1m}\n")
	h.start()
	// The last of many is closed at the end of the window, long after this test.
	var all []*pusherclient.Conn
	for range 20 {
		all = append(all, h.connect(h.target(), "news"))
	}
	h.signal(syscall.SIGTERM)
	h.logged(`"msg":"stopping"`)
	began := time.Now()
	h.signal(syscall.SIGTERM)
	if exit := h.wait(); exit != 1 {
		t.Errorf("exit status %d, want 1", exit)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the end took %s after the second signal", took)
	}
	h.logged("second signal")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := all[len(all)-1].Await(ctx, "never", ""); err == nil || ctx.Err() != nil {
		t.Errorf("the last client's connection: %v, want it ended", err)
	}
}

func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, take := range map[string]func(*host){
		"public":  func(h *host) { h.addr = l.Addr().String() },
		"metrics": func(h *host) { h.metrics = l.Addr().String() },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, configuration)
			take(h)
			out, exit := h.run("serve")
			if exit != 1 || !strings.Contains(out, l.Addr().String()+" is taken") || !strings.Contains(out, "hint: ") {
				t.Errorf("exit status %d, output:\n%s", exit, out)
			}
		})
	}
}

func TestTakenDataFolder(t *testing.T) {
	h := newHost(t, configuration)
	h.start()
	other := newHost(t, configuration)
	other.dir = h.dir
	out, exit := other.run("serve")
	if exit != 1 || !strings.Contains(out, "already running") {
		t.Errorf("exit status %d, output:\n%s", exit, out)
	}
	c := h.connect(h.target(), "news")
	h.delivers(h.target(), c, "news")
}
