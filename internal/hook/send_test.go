package hook_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hook"
)

func TestRetriesBackOffForFiveMinutesWithTheSameBytes(t *testing.T) {
	var logs syncBuffer
	inBubble(t, hook.Config{Logger: logTo(&logs)}, func(t *testing.T, h *hook.Hooks, s *sink) {
		s.answer = func(post, int) (int, time.Duration) { return 503, 0 }
		h.Notify(newApp(), occupied("a"))
		time.Sleep(time.Hour)
		var at []float64
		posts := s.all()
		for _, p := range posts {
			at = append(at, p.at.Seconds())
			equal(t, "body", p.body, posts[0].body)
			equal(t, "signature", p.header.Get("X-Pusher-Signature"), posts[0].header.Get("X-Pusher-Signature"))
		}
		equal(t, "attempts", at, []float64{0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 300})
		st := h.Stats()[0]
		equal(t, "stats", st.Counters, hook.Counters{Attempts: 11, Failed: 11, Retried: 10, Dropped: hook.Drops{Expired: 1}})
		equal(t, "log of drops", len(logs.lines("webhook events dropped")), 1)
		last := h.Attempts()[0]
		equal(t, "last attempt", fmt.Sprintln(last.Number, last.Status, last.Outcome, last.Error), "11 503 dropped answered 503, not 2xx\n")
	})
}

func TestJitterTakesOffUpToAQuarter(t *testing.T) {
	inBubble(t, hook.Config{Rand: func() float64 { return 0.999999 }}, func(t *testing.T, h *hook.Hooks, s *sink) {
		s.answer = func(post, int) (int, time.Duration) { return 500, 0 }
		h.Notify(newApp(), occupied("a"))
		time.Sleep(8 * time.Second)
		var at []string
		for _, p := range s.all() {
			at = append(at, p.at.Round(time.Millisecond).String())
		}
		equal(t, "attempts", at, []string{"0s", "750ms", "2.25s", "5.25s"})
	})
}

func TestAny2xxIsDelivered(t *testing.T) {
	for status, want := range map[int]int{200: 1, 204: 1, 299: 1, 199: 2, 301: 2, 307: 2, 400: 2, 410: 2, 500: 2} {
		inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
			s.answer = func(_ post, n int) (int, time.Duration) {
				if n == 1 {
					return status, 0
				}
				return 200, 0
			}
			h.Notify(newApp(), occupied("a"))
			time.Sleep(time.Minute)
			equal(t, fmt.Sprint("requests after ", status), len(s.all()), want)
			equal(t, "sent", h.Stats()[0].Sent, 1)
		})
	}
}

func TestAnAttemptTimesOut(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		s.answer = func(_ post, n int) (int, time.Duration) {
			if n == 1 {
				return 200, time.Hour
			}
			return 200, 0
		}
		h.Notify(newApp(), occupied("a"))
		time.Sleep(time.Minute)
		equal(t, "events", s.log(t), []string{"0s channel_occupied:a", "11s channel_occupied:a"})
		first := h.Attempts()[1]
		equal(t, "first attempt", fmt.Sprint(first.Duration, " ", first.Error), "10s no answer within 10s")
	})
}

func TestSlowEndpointDelaysNoOther(t *testing.T) {
	app := newApp(belfry.Webhook{URL: "http://slow.example/"}, belfry.Webhook{URL: "http://fast.example/"})
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		s.answer = func(p post, _ int) (int, time.Duration) {
			if strings.Contains(p.url, "slow") {
				return 200, 9 * time.Second
			}
			return 200, 0
		}
		for i := range 50 {
			h.Notify(app, occupied(fmt.Sprint("c", i)))
		}
		synctest.Wait()
		fast, slow := 0, 0
		for _, p := range s.all() {
			if strings.Contains(p.url, "fast") {
				fast++
			} else {
				slow++
			}
		}
		equal(t, "at once", []int{fast, slow}, []int{50, 4})
		time.Sleep(5 * time.Minute)
		equal(t, "in all", len(s.all()), 100)
	})
}

func TestFailingEventHoldsItsChannelForAWhile(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		s.answer = func(p post, _ int) (int, time.Duration) {
			if strings.Contains(p.body, "client-bad") {
				return 500, 0
			}
			return 200, 0
		}
		app := newApp()
		h.Notify(app, client("a", "client-bad", "1"))
		h.Notify(app, client("a", "client-next", "2"))
		h.Notify(app, client("b", "client-other", "3"))
		time.Sleep(10 * time.Minute)
		arrived := s.log(t)
		for _, want := range []string{"0s client_event:b:client-other", "30s client_event:a:client-next", "5m0s client_event:a:client-bad"} {
			if !slices.Contains(arrived, want) {
				t.Errorf("no %q in %q", want, arrived)
			}
		}
	})
}

func TestShortOutageKeepsOrder(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		s.answer = func(p post, _ int) (int, time.Duration) {
			if p.at < 10*time.Second {
				return 502, 0
			}
			return 200, 0
		}
		for i := range 5 {
			h.Notify(newApp(), client("a", fmt.Sprint("client-", i), "1"))
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		arrived := s.log(t)
		equal(t, "after the outage", arrived[len(arrived)-5:], []string{
			"15s client_event:a:client-0", "15s client_event:a:client-1", "15s client_event:a:client-2",
			"15s client_event:a:client-3", "15s client_event:a:client-4",
		})
	})
}

// However holds, retries and batches meet, each event arrives, and once.
func TestEachEventArrivesOnceWhileManyFail(t *testing.T) {
	for seed := range uint64(4) {
		failures := rand.New(rand.NewPCG(seed, 3))
		inBubble(t, hook.Config{HoldFor: time.Second, Rand: func() float64 { return 0.5 }}, func(t *testing.T, h *hook.Hooks, s *sink) {
			delivered := make(map[string]int)
			s.answer = func(p post, _ int) (int, time.Duration) {
				names := p.names(t)
				s.mu.Lock()
				defer s.mu.Unlock()
				if failures.IntN(2) == 0 {
					return 500, time.Duration(failures.IntN(3000)) * time.Millisecond
				}
				for _, name := range names {
					delivered[name]++
				}
				return 200, time.Duration(failures.IntN(100)) * time.Millisecond
			}
			app := newApp()
			app.WebhookBatch = seed%2 == 0
			for i := range 500 {
				h.Notify(app, client(fmt.Sprint("c", i%20), fmt.Sprint("client-", i), "1"))
				time.Sleep(100 * time.Millisecond)
			}
			time.Sleep(10 * time.Minute)
			st := h.Stats()[0]
			equal(t, "delivered, sent and dropped", []uint64{uint64(len(delivered)), st.Sent + st.Dropped.Expired}, []uint64{uint64(st.Sent), 500})
			for name, n := range delivered {
				if n != 1 {
					t.Errorf("%s arrived %d times", name, n)
				}
			}
		})
	}
}

func TestFloodIsBounded(t *testing.T) {
	var logs syncBuffer
	synctest.Test(t, func(t *testing.T) {
		h := hook.New(hook.Config{Logger: logTo(&logs), QueueMax: 1000}) // not running: nothing leaves
		for i := range 5000 {
			h.Notify(newApp(), occupied(fmt.Sprint("c", i%10)))
		}
		st := h.Stats()[0]
		equal(t, "pending and dropped", []uint64{uint64(st.Pending), st.Dropped.Full}, []uint64{1000, 4000})
	})
}

func TestBytesAreBoundedOverAllEndpoints(t *testing.T) {
	before := heap()
	h := hook.New(hook.Config{QueueBytes: 1 << 20})
	app := newApp(belfry.Webhook{URL: "http://a.example/"}, belfry.Webhook{URL: "http://b.example/"})
	for i := range 3000 {
		h.Notify(app, client(fmt.Sprint("c", i), "client-x", strings.Repeat("x", 10_000)))
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("the queue takes %d bytes, the limit is %d", grown, 1<<20)
	}
	st := h.Stats()[0]
	equal(t, "booked", st.Pending+int(st.Dropped.Full), 6000)
	runtime.KeepAlive(h)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestDropsAreLoggedOnceAMinute(t *testing.T) {
	var logs syncBuffer
	inBubble(t, hook.Config{Logger: logTo(&logs), QueueMax: 1}, func(t *testing.T, h *hook.Hooks, s *sink) {
		s.answer = func(post, int) (int, time.Duration) { return 500, 0 }
		for range 150 {
			h.Notify(newApp(), occupied("a"))
			time.Sleep(1100 * time.Millisecond)
		}
		lines := logs.lines("webhook events dropped")
		equal(t, "lines", len(lines), 3)
		if !strings.Contains(lines[1], "full=54") {
			t.Errorf("second line: %s", lines[1])
		}
		equal(t, "failures", len(logs.lines("webhook endpoint fails")), 3)
	})
}

func TestLogTellsWhenAnEndpointAnswersAgain(t *testing.T) {
	var logs syncBuffer
	inBubble(t, hook.Config{Logger: logTo(&logs)}, func(t *testing.T, h *hook.Hooks, s *sink) {
		s.answer = func(_ post, n int) (int, time.Duration) { return map[bool]int{true: 500, false: 200}[n < 3], 0 }
		app := newApp(belfry.Webhook{URL: "http://user:hunter2@sink.example/hook?token=hunter2"})
		h.Notify(app, occupied("a"))
		time.Sleep(time.Minute)
		equal(t, "fails", len(logs.lines("webhook endpoint fails")), 1)
		equal(t, "answers", len(logs.lines("webhook endpoint answers again")), 1)
		if told := fmt.Sprint(logs.lines(""), h.Stats(), h.Attempts()); strings.Contains(told, "hunter2") || strings.Contains(told, testSecret) {
			t.Errorf("a secret in %s", told)
		}
	})
}

func TestObserverAndRingGetEveryAttempt(t *testing.T) {
	var mu sync.Mutex
	var seen []hook.Attempt
	observe := func(a hook.Attempt) { mu.Lock(); defer mu.Unlock(); seen = append(seen, a) }
	inBubble(t, hook.Config{Observe: observe}, func(t *testing.T, h *hook.Hooks, s *sink) {
		for i := range 250 {
			h.Notify(newApp(), occupied(fmt.Sprint("c", i)))
			synctest.Wait()
		}
		equal(t, "ring", len(h.Attempts()), 200)
		mu.Lock()
		defer mu.Unlock()
		equal(t, "observed", len(seen), 250)
		equal(t, "newest", h.Attempts()[0], seen[249])
		equal(t, "oldest", h.Attempts()[199], seen[50])
		a := seen[0]
		equal(t, "attempt", fmt.Sprintln(a.App, a.URL, a.Status, a.Number, a.Events, a.Outcome), "730041 "+testURL+" 200 1 [channel_occupied] delivered\n")
	})
}

func TestIdleEndpointsAreForgottenButNotTheirCounts(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		h.Notify(newApp(), occupied("a"))
		time.Sleep(time.Minute)
		equal(t, "endpoints", len(h.Stats()[0].Endpoints), 1)
		time.Sleep(time.Hour)
		equal(t, "endpoints", len(h.Stats()[0].Endpoints), 0)
		equal(t, "sent", h.Stats()[0].Sent, 1)
	})
}

func TestUnwantedEventsCostNothing(t *testing.T) {
	h := hook.New(hook.Config{Client: http.DefaultClient})
	app := newApp(belfry.Webhook{URL: testURL, Events: []string{hook.CacheMiss}})
	e := client("a", "client-x", "1")
	if n := testing.AllocsPerRun(100, func() { h.Notify(app, e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestEventsBeforeRunAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{start: time.Now()}
		h := hook.New(hook.Config{Client: s.client()})
		h.Notify(newApp(), occupied("a"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		synctest.Wait()
		equal(t, "events", s.log(t), []string{"0s channel_occupied:a"})
		if err := h.Run(ctx); err == nil {
			t.Error("a second Run was let in")
		}
		cancel()
		<-done
		h.Notify(newApp(), occupied("late"))
		h.Notify(newApp(), vacated("late"))
		equal(t, "dropped", h.Stats()[0].Dropped.Stopped, 2)
	})
}
