package hook_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hook"
)

func TestDelay(t *testing.T) {
	type step struct {
		at    time.Duration
		event hook.Event
	}
	const ms = time.Millisecond
	for _, test := range []struct {
		name  string
		steps []step
		want  []string
	}{
		{"a leave waits three seconds", []step{
			{0, occupied("a")}, {1000 * ms, vacated("a")},
		}, []string{"0s channel_occupied:a", "4s channel_vacated:a"}},
		{"a return cancels leave and join", []step{
			{0, occupied("a")}, {1000 * ms, vacated("a")}, {3999 * ms, occupied("a")},
		}, []string{"0s channel_occupied:a"}},
		{"a late return is told", []step{
			{0, occupied("a")}, {1000 * ms, vacated("a")}, {4001 * ms, occupied("a")},
		}, []string{"0s channel_occupied:a", "4s channel_vacated:a", "4.001s channel_occupied:a"}},
		{"each leave begins a new delay", []step{
			{0, occupied("a")}, {1000 * ms, vacated("a")}, {2000 * ms, occupied("a")}, {3000 * ms, vacated("a")},
		}, []string{"0s channel_occupied:a", "6s channel_vacated:a"}},
		{"flapping ends as it began", []step{
			{0, occupied("a")}, {10 * ms, vacated("a")}, {20 * ms, occupied("a")}, {30 * ms, vacated("a")},
			{40 * ms, occupied("a")}, {50 * ms, vacated("a")}, {60 * ms, occupied("a")},
		}, []string{"0s channel_occupied:a"}},
		{"a member of two channels is two members", []step{
			{0, added("presence-a", "u")}, {0, added("presence-b", "u")},
			{1000 * ms, removed("presence-a", "u")}, {1500 * ms, removed("presence-b", "u")},
			{2000 * ms, added("presence-b", "u")},
		}, []string{"0s member_added:presence-a:u", "0s member_added:presence-b:u", "4s member_removed:presence-a:u"}},
		{"another member does not cancel", []step{
			{0, removed("presence-a", "u")}, {0, vacated("presence-a")},
			{1000 * ms, occupied("presence-a")}, {1000 * ms, added("presence-a", "v")},
		}, []string{"1s member_added:presence-a:v", "3s member_removed:presence-a:u"}},
		{"leaves keep their order", []step{
			{0, removed("presence-a", "u")}, {0, removed("presence-a", "v")}, {0, vacated("presence-a")},
		}, []string{"3s member_removed:presence-a:u", "3s member_removed:presence-a:v", "3s channel_vacated:presence-a"}},
		{"other kinds pass", []step{
			{0, vacated("a")}, {1000 * ms, client("a", "client-x", "1")},
		}, []string{"1s client_event:a:client-x", "3s channel_vacated:a"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
				for _, st := range test.steps {
					time.Sleep(st.at - time.Since(s.start))
					h.Notify(newApp(), st.event)
					synctest.Wait()
				}
				time.Sleep(10 * time.Second)
				equal(t, "events", s.log(t), test.want)
			})
		})
	}
}

func TestDelayAppliesToEachAppAlone(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		other := newApp()
		other.ID = "2"
		h.Notify(newApp(), vacated("a"))
		h.Notify(other, occupied("a"))
		time.Sleep(10 * time.Second)
		equal(t, "events", s.log(t), []string{"0s channel_occupied:a", "3s channel_vacated:a"})
	})
}

func TestReturnIsCancelledForAnEndpointWithoutLeaves(t *testing.T) {
	app := newApp(belfry.Webhook{URL: testURL, Events: []string{hook.ChannelOccupied}})
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		h.Notify(app, occupied("a"))
		h.Notify(app, vacated("a"))
		h.Notify(app, occupied("a"))
		time.Sleep(10 * time.Second)
		equal(t, "events", s.log(t), []string{"0s channel_occupied:a"})
	})
}

func TestReturnAfterReloadCancelsTheLeave(t *testing.T) {
	inBubble(t, hook.Config{}, func(t *testing.T, h *hook.Hooks, s *sink) {
		h.Notify(newApp(), vacated("a"))
		bare := newApp()
		bare.Webhooks = nil
		h.Notify(bare, occupied("a"))
		time.Sleep(10 * time.Second)
		equal(t, "events", s.log(t), []string(nil))
	})
}

func TestTooManyDelayedLeavesGoEarly(t *testing.T) {
	inBubble(t, hook.Config{DelayedMax: 2}, func(t *testing.T, h *hook.Hooks, s *sink) {
		for i := range 3 {
			h.Notify(newApp(), vacated(fmt.Sprint("c", i)))
		}
		time.Sleep(10 * time.Second)
		got := s.log(t)
		slices.Sort(got) // channels keep no order among each other
		equal(t, "events", got, []string{"0s channel_vacated:c0", "3s channel_vacated:c1", "3s channel_vacated:c2"})
	})
}

func TestNoDelay(t *testing.T) {
	inBubble(t, hook.Config{Delay: -1}, func(t *testing.T, h *hook.Hooks, s *sink) {
		h.Notify(newApp(), vacated("a"))
		h.Notify(newApp(), occupied("a"))
		time.Sleep(10 * time.Second)
		equal(t, "events", s.log(t), []string{"0s channel_vacated:a", "0s channel_occupied:a"})
	})
}

// A receiver that does as it is told has the truth in the end, and sees joins
// and leaves of each key in turn, whatever comes, fails and is retried.
func TestReceiverEndsWithTheTruth(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			failures := rand.New(rand.NewPCG(seed, 2))
			cfg := hook.Config{HoldFor: 5 * time.Minute, InFlight: 1 + int(seed%4)}
			inBubble(t, cfg, func(t *testing.T, h *hook.Hooks, s *sink) {
				accepted := make(map[string]bool) // by body, which is there once
				s.answer = func(p post, n int) (int, time.Duration) {
					s.mu.Lock()
					defer s.mu.Unlock()
					if failures.IntN(4) == 0 {
						return 500, time.Duration(failures.IntN(300)) * time.Millisecond
					}
					return 200, time.Duration(failures.IntN(300)) * time.Millisecond
				}
				app := newApp()
				app.WebhookBatch = seed%2 == 0
				truth := make(map[string]bool)
				for range 600 {
					channel, user := fmt.Sprint("presence-", rng.IntN(4)), fmt.Sprint("u", rng.IntN(3))
					key, join, leave := channel, occupied(channel), vacated(channel)
					if rng.IntN(2) == 0 {
						key, join, leave = channel+":"+user, added(channel, user), removed(channel, user)
					}
					if truth[key] = !truth[key]; truth[key] {
						h.Notify(app, join)
					} else {
						h.Notify(app, leave)
					}
					time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
				}
				time.Sleep(10 * time.Minute)
				told := make(map[string]bool)
				for _, p := range s.all() {
					if accepted[p.body] {
						continue // a retry
					}
					accepted[p.body] = true
					for _, name := range p.names(t) {
						kind, key, _ := strings.Cut(name, ":")
						isJoin := kind == hook.ChannelOccupied || kind == hook.MemberAdded
						if told[key] == isJoin {
							t.Errorf("%v: %s twice", p.at, name)
						}
						told[key] = isJoin
					}
				}
				for key, is := range truth {
					if told[key] != is {
						t.Errorf("%s: told %v, is %v", key, told[key], is)
					}
				}
				if d := h.Stats()[0].Dropped.Total(); d != 0 {
					t.Errorf("%d dropped", d)
				}
			})
		})
	}
}
