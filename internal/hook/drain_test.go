package hook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hook"
	"github.com/belfryhq/belfry/internal/httpx"
)

func (s *sink) client() *http.Client { return &http.Client{Transport: s} }

func drain(t testing.TB, h *hook.Hooks, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return h.Drain(ctx)
}

func TestDrainSendsWhatWaitsAtOnce(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		s.answer = func(p post, _ int) (int, time.Duration) {
			if strings.Contains(p.body, "failing") && p.at < 40*time.Second {
				return 500, 0
			}
			return 200, 0
		}
		h.Notify(newApp(), occupied("failing")) // waits for its retry at 63 s
		time.Sleep(50 * time.Second)
		h.Notify(newApp(), vacated("delayed"))
		h.Notify(batched(newApp()), occupied("batched"))
		if err := drain(t, h, 5*time.Second); err != nil {
			t.Error(err)
		}
		flushed := s.log(t)[6:]
		slices.Sort(flushed)
		equal(t, "events", flushed, []string{
			"50s channel_occupied:batched", "50s channel_occupied:failing", "50s channel_vacated:delayed",
		})
		equal(t, "took", time.Since(s.start), 50*time.Second)
		h.Notify(newApp(), vacated("after")) // no delay any more
		if err := drain(t, h, time.Second); err != nil {
			t.Error(err)
		}
		equal(t, "dropped", h.Stats()[0].Dropped.Total(), 0)
	})
}

func TestDrainTriesAgainEverySecond(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		s.answer = func(_ post, n int) (int, time.Duration) { return map[bool]int{true: 500, false: 200}[n < 5], 0 }
		h.Notify(newApp(), occupied("a"))
		if err := drain(t, h, 10*time.Second); err != nil {
			t.Error(err)
		}
		equal(t, "took", time.Since(s.start), 4*time.Second)
	})
}

func TestDrainEndsWithItsDeadline(t *testing.T) {
	var logs syncBuffer
	inBubble(t, hook.Config{Logger: logTo(&logs)}, func(t *testing.T, h *hook.Hooks, s *sink) {
		s.answer = func(post, int) (int, time.Duration) { return 200, time.Hour }
		for i := range 6 {
			h.Notify(newApp(), vacated(fmt.Sprint("c", i)))
		}
		err := drain(t, h, 5*time.Second)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "6 webhook events") {
			t.Errorf("got %v", err)
		}
		equal(t, "took", time.Since(s.start), 5*time.Second)
	})
	if lines := logs.lines("webhook events dropped"); len(lines) != 1 || !strings.Contains(lines[0], "stopped=6") {
		t.Errorf("log of drops: %q", lines)
	}
}

func TestStopDropsAndCountsWhatWaits(t *testing.T) {
	var after *hook.Hooks
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		after = h
		s.answer = func(p post, _ int) (int, time.Duration) {
			if strings.Contains(p.body, "failing") {
				return 500, 0
			}
			return 200, time.Hour
		}
		h.Notify(newApp(), vacated("delayed"))
		h.Notify(newApp(), occupied("failing"))
		h.Notify(newApp(), occupied("failing"))
		time.Sleep(time.Second / 2)
		for i := range 10 { // four under way, six queued
			h.Notify(newApp(), occupied(fmt.Sprint("slow", i%5)))
		}
	})
	equal(t, "dropped", after.Stats()[0].Dropped, hook.Drops{Stopped: 13})
	if err := drain(t, after, time.Second); err != nil {
		t.Errorf("drain after the end: %v", err)
	}
}

// start runs Hooks on the real network for the length of a test.
func start(t *testing.T, cfg hook.Config) *hook.Hooks {
	h := hook.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if cfg.Client != nil {
			cfg.Client.CloseIdleConnections()
		}
	})
	return h
}

func loopbackClient() *http.Client {
	return httpx.NewClient(httpx.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
}

func TestOverTheNetwork(t *testing.T) {
	got := make(chan http.Header, 10)
	mux := http.NewServeMux()
	mux.HandleFunc("/hook", func(w http.ResponseWriter, r *http.Request) { got <- r.Header })
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/hook", http.StatusPermanentRedirect)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	attempts := make(chan hook.Attempt, 10)
	h := start(t, hook.Config{Client: loopbackClient(), Observe: func(a hook.Attempt) { attempts <- a }})

	h.Notify(newApp(belfry.Webhook{URL: server.URL + "/hook"}), occupied("a"))
	header := <-got
	equal(t, "content type", header["Content-Type"], []string{"application/json"})
	equal(t, "user agent", header["User-Agent"], []string{"Belfry"})
	if _, sent := header["X-Idempotency-Key"]; sent {
		t.Error("X-Idempotency-Key was sent")
	}
	equal(t, "outcome", (<-attempts).Outcome, hook.Delivered)

	h.Notify(newApp(belfry.Webhook{URL: server.URL + "/redirect"}), occupied("a"))
	a := <-attempts
	equal(t, "redirect", fmt.Sprint(a.Status, " ", a.Outcome), "308 retrying")
	if len(got) != 0 {
		t.Error("a redirect was followed")
	}
}

func TestPrivateAddressesAreRefusedByDefault(t *testing.T) {
	var reached atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer server.Close()
	attempts := make(chan hook.Attempt, 10)
	h := start(t, hook.Config{Observe: func(a hook.Attempt) { attempts <- a }})
	for _, url := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)} {
		h.Notify(newApp(belfry.Webhook{URL: url + "/?token=hunter2"}), occupied("a"))
		a := <-attempts
		if !strings.Contains(a.Error, "a loopback address") || strings.Contains(a.Error, "hunter2") {
			t.Errorf("%s: %s", url, a.Error)
		}
	}
	if reached.Load() {
		t.Error("loopback was reached")
	}
}

func TestManyPublishersAtOnce(t *testing.T) {
	var received atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { received.Add(1) }))
	defer server.Close()
	h := start(t, hook.Config{Client: loopbackClient()})
	app := batched(newApp(belfry.Webhook{URL: server.URL}))
	var publishers sync.WaitGroup
	for p := range 8 {
		publishers.Go(func() {
			for i := range 200 {
				h.Notify(app, client(fmt.Sprint("c", i%7), fmt.Sprint("client-", p), "1"))
				h.Notify(app, vacated(fmt.Sprint("v", p)))
				h.Notify(app, occupied(fmt.Sprint("v", p)))
			}
			_ = h.Stats()
		})
	}
	publishers.Wait()
	if err := drain(t, h, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	st := h.Stats()[0]
	equal(t, "sent", st.Sent, 1600)
	equal(t, "requests", received.Load(), int64(st.Attempts))
	if st.Attempts >= 1600 {
		t.Errorf("%d requests: nothing was batched", st.Attempts)
	}
}
