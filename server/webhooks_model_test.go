package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hook"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/hub/hubtest"
	"github.com/belfryhq/belfry/pusher"
)

// receiver is a webhook endpoint that believes what it is told, after checking
// the signature. Some requests it answers with an error.
type receiver struct {
	t   *testing.T
	rnd *rand.Rand

	mu      sync.Mutex       // guards all below
	present map[string]bool  // channel, or channel and user
	times   map[string]int64 // of the last news of it
	calls   int
}

// RoundTrip implements http.RoundTripper.
func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if want := pusher.Sign("secret", string(body)); req.Header.Get("X-Pusher-Signature") != want {
		r.t.Errorf("signature of %s is not %s", body, want)
	}
	status := http.StatusOK
	if r.rnd.IntN(4) == 0 {
		status = http.StatusServiceUnavailable
	} else {
		r.believe(body)
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: req, ProtoMajor: 1, ProtoMinor: 1}, nil
}

func (r *receiver) believe(body []byte) {
	var told struct {
		TimeMS int64 `json:"time_ms"`
		Events []struct {
			Name, Channel string
			UserID        string `json:"user_id"`
		}
	}
	if err := json.Unmarshal(body, &told); err != nil {
		r.t.Errorf("body %s: %v", body, err)
	}
	for _, e := range told.Events {
		what := e.Channel + "/" + e.UserID
		if told.TimeMS < r.times[what] {
			continue // a retry that later news has overtaken (HOOK-06)
		}
		r.times[what] = told.TimeMS
		switch e.Name {
		case hook.ChannelOccupied, hook.MemberAdded:
			r.present[what] = true
		case hook.ChannelVacated, hook.MemberRemoved:
			delete(r.present, what)
		}
	}
}

// TestWebhooksTellTheTruth plays random joins, leaves, crashes, reloads and
// pauses; what a receiver believes in the end is what the hub says, in spite of
// failed requests and of leaves that a return cancelled.
func TestWebhooksTellTheTruth(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) { playWebhooks(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func playWebhooks(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	r := &receiver{t: t, rnd: rand.New(rand.NewPCG(seed, 8)), present: map[string]bool{}, times: map[string]int64{}}
	hooks := hook.New(hook.Config{Client: &http.Client{Transport: r}})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- hooks.Run(ctx) }()
	app := &belfry.App{ID: "1", Keys: []belfry.Credential{{Key: "key", Secret: "secret"}}, Limits: belfry.DefaultLimits(),
		Webhooks: []belfry.Webhook{{URL: "http://example.test/hook"}}, WebhookBatch: seed%2 == 0}
	h := hub.New(hub.Config{Observers: []hub.Observer{webhooks{hooks}}})
	h.AddOutlet(&hubtest.Outlet{})
	h.SetApps([]*belfry.App{app})

	conns := map[*hubtest.Conn]map[string]bool{}
	for range 200 {
		var c *hubtest.Conn
		for c = range conns {
			break
		}
		channel := []string{"a", "b", "presence-r", "presence-s"}[rnd.IntN(4)]
		switch n := rnd.IntN(10); {
		case n == 0 || c == nil:
			conns[hubtest.Connect(t, h, "key")] = map[string]bool{}
		case n == 1:
			c.Disconnect()
			delete(conns, c)
		case n == 2:
			again := *app
			h.SetApps([]*belfry.App{&again})
		case n == 3:
			time.Sleep(time.Duration(rnd.IntN(5000)) * time.Millisecond)
		case conns[c][channel]:
			c.Unsubscribe(channel)
			delete(conns[c], channel)
		default:
			data := ""
			if pusher.KindOf(channel).Is(pusher.Presence) {
				data = fmt.Sprintf(`{"user_id":"u%d"}`, rnd.IntN(3))
			}
			c.SubscribeAs("key", "secret", channel, data)
			conns[c][channel] = true
		}
	}
	time.Sleep(10 * time.Minute) // every delay and retry is over
	checkBelief(t, h, r)
	stop()
	if err := <-ended; err != nil && ctx.Err() == nil {
		t.Error(err)
	}
}

func checkBelief(t *testing.T, h *hub.Hub, r *receiver) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	truth := 0
	all, err := h.Channels(t.Context(), "1", "")
	if err != nil {
		t.Fatal(err)
	}
	for channel := range all {
		truth++
		if !r.present[channel+"/"] {
			t.Errorf("the receiver does not know that %s is occupied", channel)
		}
		users, err := h.Users(t.Context(), "1", channel)
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range users {
			truth++
			if !r.present[channel+"/"+user] {
				t.Errorf("the receiver does not know that %s is on %s", user, channel)
			}
		}
	}
	if len(r.present) != truth || r.calls == 0 {
		t.Errorf("after %d calls the receiver believes in %v, the hub in %d", r.calls, r.present, truth)
	}
}
