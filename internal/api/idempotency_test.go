package api_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/api"
)

func (f *fixture) keyed(idempotencyKey, path, body string, params ...string) *httptest.ResponseRecorder {
	f.Helper()
	return f.send("POST", f.target("POST", base+path, body, params...), body, "Idempotency-Key: "+idempotencyKey)
}

// The same key and request give the same answer, without a second publish.
func TestIdempotency_Replay(t *testing.T) { bothWays(t, testIdempotency_Replay) }

func testIdempotency_Replay(t *testing.T, by way) {
	f := by.start(t)
	const body = `{"name":"e","channel":"c","data":"1","receipt":true}`
	first := f.keyed("k1", "/events", body)
	f.now = f.now.Add(time.Minute) // signed anew: the parameters of the signature do not count
	again := f.keyed("k1", "/events", body)
	want(t, again, 200, first.Body.String())
	if first.Header().Get("X-Belfry-Event-Id") == "" || again.Header().Get("X-Belfry-Event-Id") != first.Header().Get("X-Belfry-Event-Id") {
		t.Errorf("ids %q and %q", first.Header(), again.Header())
	}
	if first.Header().Get("Idempotency-Replayed") != "" || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("Idempotency-Replayed: %q then %q", first.Header(), again.Header())
	}
	if got := len(f.hub.events()); got != 1 {
		t.Errorf("published %d times", got)
	}
}

// The key is remembered for two minutes.
func TestIdempotency_Window(t *testing.T) { bothWays(t, testIdempotency_Window) }

func testIdempotency_Window(t *testing.T, by way) {
	f := by.start(t)
	f.keyed("k1", "/events", goodEvent)
	f.now = f.now.Add(2*time.Minute - 1)
	f.keyed("k1", "/events", goodEvent)
	if got := len(f.hub.events()); got != 1 {
		t.Fatalf("published %d times within the window", got)
	}
	f.now = f.now.Add(1)
	f.keyed("k1", "/events", strings.Replace(goodEvent, "1", "2", 1))
	if got := len(f.hub.events()); got != 2 {
		t.Errorf("published %d times after the window", got)
	}
}

// The same key with another request is a conflict; another key, another app
// and no key are not.
func TestIdempotency_Conflict(t *testing.T) { bothWays(t, testIdempotency_Conflict) }

func testIdempotency_Conflict(t *testing.T, by way) {
	f := by.start(t)
	other := demoApp()
	other.ID = "2"
	f.hub.apps["2"] = other
	want(t, f.keyed("k1", "/events", goodEvent), 200, `{}`)
	refused(t, f.keyed("k1", "/events", strings.Replace(goodEvent, "1", "2", 1)), 409, "k1")
	refused(t, f.keyed("k1", "/batch_events", goodEvent), 409)
	want(t, f.keyed("k2", "/channels/c/events", "1", "name=e"), 202, `{}`)
	want(t, f.keyed("k2", "/channels/c/events", "1", "name=e"), 202, `{}`)
	refused(t, f.keyed("k2", "/channels/c/events", "1", "name=f"), 409)
	refused(t, f.keyed("k2", "/channels/d/events", "1", "name=e"), 409)
	if got := len(f.hub.events()); got != 2 {
		t.Errorf("published %d times, want 2", got)
	}
	target := f.target("POST", "/apps/2/events", goodEvent)
	want(t, f.send("POST", target, goodEvent, "Idempotency-Key: k1"), 200, `{}`)
	want(t, f.post("/events", goodEvent), 200, `{}`)
	want(t, f.post("/events", goodEvent), 200, `{}`)
	if got := len(f.hub.events()); got != 5 {
		t.Errorf("published %d times, want 5", got)
	}
}

// A refusal or a fault published nothing, so the key is free again.
func TestIdempotency_FailureIsForgotten(t *testing.T) {
	bothWays(t, testIdempotency_FailureIsForgotten)
}

func testIdempotency_FailureIsForgotten(t *testing.T, by way) {
	f := by.start(t)
	f.hub.err = belfry.Errorf(belfry.CodeUnavailable, "no room")
	refused(t, f.keyed("k1", "/events", goodEvent), 503)
	f.hub.err = nil
	refused(t, f.keyed("k1", "/events", "{"), 400)
	want(t, f.keyed("k1", "/events", goodEvent), 200, `{}`)
	if got := len(f.hub.events()); got != 1 {
		t.Errorf("published %d times, want 1", got)
	}
	refused(t, f.keyed(strings.Repeat("k", 256), "/events", goodEvent), 400, "256", "255")
	want(t, f.keyed(strings.Repeat("k", 255), "/events", goodEvent), 200, `{}`)
}

// Duplicates that come while the first is under way wait for it; when it fails
// one of them takes its place.
func TestIdempotency_ConcurrentDuplicates(t *testing.T) {
	bothWays(t, testIdempotency_ConcurrentDuplicates)
}

func testIdempotency_ConcurrentDuplicates(t *testing.T, by way) {
	synctest.Test(t, func(t *testing.T) {
		f := by.start(t)
		gate := make(chan error)
		f.hub.onPublish = func(ctx context.Context) error {
			select {
			case err := <-gate:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		answers := make(chan *httptest.ResponseRecorder, 5)
		for range 5 {
			go func() { answers <- f.keyed("k1", "/events", goodEvent) }()
		}
		synctest.Wait() // one is in the hub, four wait for it
		gate <- belfry.Errorf(belfry.CodeUnavailable, "no room")
		synctest.Wait() // the first was refused, another is in the hub
		gate <- nil
		got := map[int]int{}
		for range 5 {
			got[(<-answers).Code]++
		}
		if got[503] != 1 || got[200] != 4 || len(f.hub.events()) != 1 {
			t.Errorf("answers %v, published %d times; want one 503, four 200, one publish", got, len(f.hub.events()))
		}
	})
}

// A publish under a key goes on when its caller hangs up, and one who waits for
// it may hang up too.
func TestIdempotency_CallerHangsUp(t *testing.T) { bothWays(t, testIdempotency_CallerHangsUp) }

func testIdempotency_CallerHangsUp(t *testing.T, by way) {
	synctest.Test(t, func(t *testing.T) {
		f := by.start(t)
		gate := make(chan struct{})
		f.hub.onPublish = func(ctx context.Context) error {
			select {
			case <-gate:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		ctx, hangUp := context.WithCancel(context.Background())
		codes := make(chan int, 2)
		keyed := func() {
			r := newRequest(t, f.target("POST", base+"/events", goodEvent), strings.NewReader(goodEvent)).WithContext(ctx)
			r.Header.Set("Idempotency-Key", "k1")
			codes <- record(f, r).Code
		}
		go keyed()
		synctest.Wait()
		go keyed()
		synctest.Wait()
		hangUp()
		if got := <-codes; got != 503 {
			t.Errorf("the one who waited got %d, want 503", got)
		}
		close(gate)
		if got := <-codes; got != 200 {
			t.Errorf("the first got %d, want 200", got)
		}
		want(t, f.keyed("k1", "/events", goodEvent), 200, `{}`)
		if got := len(f.hub.events()); got != 1 {
			t.Errorf("published %d times, want 1", got)
		}
	})
}

// A panic in the hub does not leave the key taken.
func TestIdempotency_Panic(t *testing.T) { bothWays(t, testIdempotency_Panic) }

func testIdempotency_Panic(t *testing.T, by way) {
	f := by.start(t)
	f.hub.onPublish = func(context.Context) error { panic("broken") }
	func() {
		defer func() { _ = recover() }()
		f.keyed("k1", "/events", goodEvent)
	}()
	f.hub.onPublish = nil
	want(t, f.keyed("k1", "/events", goodEvent), 200, `{}`)
}

// Above its bound an app's oldest keys are forgotten early, and the log says so
// once a window.
func TestIdempotency_Bound(t *testing.T) { bothWays(t, testIdempotency_Bound) }

func testIdempotency_Bound(t *testing.T, by way) {
	var log bytes.Buffer
	f := by.start(t, func(_ *belfry.App, cfg *api.Config) {
		cfg.IdempotencyKeys = 2
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	for _, k := range []string{"a", "b", "c", "d"} {
		f.keyed(k, "/events", goodEvent)
	}
	for k, replayed := range map[string]string{"c": "true", "d": "true"} {
		if got := f.keyed(k, "/events", goodEvent).Header().Get("Idempotency-Replayed"); got != replayed {
			t.Errorf("key %s replayed %q, want %q", k, got, replayed)
		}
	}
	if got := f.keyed("a", "/events", goodEvent).Header().Get("Idempotency-Replayed"); got != "" {
		t.Error("key a was kept")
	}
	if n := strings.Count(log.String(), "forgotten early"); n != 1 {
		t.Errorf("warned %d times: %s", n, &log)
	}
}
