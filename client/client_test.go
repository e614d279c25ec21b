package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/client"
)

// wire answers requests one after another from a list, the last for all
// further ones.
type wire struct {
	mu       sync.Mutex // guards all below
	answers  []func(*http.Request) (*http.Response, error)
	requests []*http.Request
	bodies   []string
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	w.requests, w.bodies = append(w.requests, r), append(w.bodies, string(body))
	answer := w.answers[0]
	if len(w.answers) > 1 {
		w.answers = w.answers[1:]
	}
	w.mu.Unlock()
	return answer(r)
}

func gives(status int, body string, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

func breaks(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

const queued = `{"id":"x","status":"queued"}`

// open makes a client over a wire with those answers.
func open(t testing.TB, answers ...func(*http.Request) (*http.Response, error)) (*client.Client, *wire) {
	t.Helper()
	w := &wire{answers: answers}
	c, err := client.New(client.Config{URL: "https://ws.example.com/belfry/", Token: "secret", HTTPClient: &http.Client{Transport: w}})
	if err != nil {
		t.Fatal(err)
	}
	return c, w
}

var event = client.Event{Name: "e", Channels: []string{"a"}}

func TestTheRequestHasAllThatWasSet(t *testing.T) {
	c, w := open(t, gives(202, queued))
	_, err := c.Publish(t.Context(), client.Event{
		Name: "e", Channels: []string{"a", "b"}, Data: json.RawMessage(`{"n":1}`), App: "1001", Queue: "high", Delay: 90 * time.Second, Tries: 5,
		ExcludeSocket: "1.2", ExpiresIn: time.Hour, WithID: true, Condition: "occupied", Key: "k",
	})
	if err != nil {
		t.Fatal(err)
	}
	r := w.requests[0]
	if r.Method != "POST" || r.URL.String() != "https://ws.example.com/belfry/api/events" || r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Idempotency-Key") != "k" {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
	want := `{"event":"e","channels":["a","b"],"data":{"n":1},"app":"1001","queue":"high","delay":"1m30s","tries":5,"exclude_socket_id":"1.2","expires_in":"1h0m0s","with_id":true,"condition":"occupied"}`
	if w.bodies[0] != want {
		t.Errorf("body %s\nwant %s", w.bodies[0], want)
	}
	if _, err := c.Publish(t.Context(), event); err != nil || w.bodies[1] != `{"event":"e","channels":["a"]}` {
		t.Errorf("body %s, %v", w.bodies[1], err)
	}
	if len(w.requests[1].Header.Get("Idempotency-Key")) < 16 {
		t.Errorf("key %q", w.requests[1].Header.Get("Idempotency-Key"))
	}
}

func TestTriesShareAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w := open(t, breaks(errors.New("reset")), gives(502, "<html>"), gives(503, `{"error":"no","code":"unavailable"}`), gives(202, queued, "Idempotency-Replayed", "true"))
		began := time.Now()
		done, err := c.Publish(t.Context(), event)
		if err != nil || done.ID != "x" || !done.Replayed || len(w.requests) != 4 {
			t.Fatalf("%+v, %v after %d requests", done, err, len(w.requests))
		}
		for i, r := range w.requests {
			if r.Header.Get("Idempotency-Key") != w.requests[0].Header.Get("Idempotency-Key") || w.bodies[i] != w.bodies[0] {
				t.Errorf("try %d differs", i)
			}
		}
		// 250 + 500 + 1000 ms, half of each at random.
		if took := time.Since(began); took < 875*time.Millisecond || took > 1750*time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

func TestTheServerSaysWhenToTryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := open(t, gives(429, `{"error":"slow","code":"rate_limited"}`, "Retry-After", "7"), gives(202, queued))
		began := time.Now()
		if _, err := c.Publish(t.Context(), event); err != nil || time.Since(began) != 7*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		c, w := open(t, gives(429, `{"error":"slow","code":"rate_limited"}`, "Retry-After", "3600"))
		_, err := c.Publish(t.Context(), event)
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.Code != belfry.CodeRateLimited || e.RetryAfter != time.Hour || !e.Temporary() || len(w.requests) != 1 {
			t.Errorf("%v after %d requests", err, len(w.requests))
		}
	})
}

func TestRefusalsAreNotTriedAgain(t *testing.T) {
	for status, code := range map[int]belfry.Code{400: belfry.CodeInvalid, 401: belfry.CodeUnauthenticated, 403: belfry.CodeForbidden, 404: belfry.CodeNotFound,
		409: belfry.CodeConflict, 413: belfry.CodeTooLarge} {
		c, w := open(t, gives(status, `{"error":"a sentence","code":"`+string(code)+`"}`))
		_, err := c.Publish(t.Context(), event)
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.Status != status || e.Code != code || e.Message != "a sentence" || e.Temporary() || len(w.requests) != 1 {
			t.Errorf("%d: %v after %d requests", status, err, len(w.requests))
		}
	}
	c, _ := open(t, gives(301, "", "Location", "https://other.example.com"))
	if _, err := c.Publish(t.Context(), event); err == nil || !strings.Contains(err.Error(), "Config.URL") {
		t.Errorf("a redirect: %v", err)
	}
	c, _ = open(t, gives(200, "<html>hello"))
	if _, err := c.Publish(t.Context(), event); err == nil || !strings.Contains(err.Error(), "not Belfry's") {
		t.Errorf("another kind of server: %v", err)
	}
}

func TestTriesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("reset")
		c, w := open(t, breaks(broken))
		_, err := c.Publish(t.Context(), event)
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.Status != 0 || e.Code != belfry.CodeUnavailable || !errors.Is(err, broken) || len(w.requests) != 4 {
			t.Errorf("%v after %d requests", err, len(w.requests))
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v shows the token", err)
		}
	})
}

func TestOneTryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := open(t, hangs, gives(202, queued))
		began := time.Now()
		if _, err := c.Publish(t.Context(), event); err != nil || time.Since(began) < 10*time.Second || time.Since(began) > 11*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestTheContextEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, answer := range map[string]func(*http.Request) (*http.Response, error){"in a pause": breaks(errors.New("reset")), "in a try": hangs} {
			c, _ := open(t, answer)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			began := time.Now()
			_, err := c.Publish(ctx, event)
			cancel()
			if _, ok := errors.AsType[*client.Error](err); !errors.Is(err, context.DeadlineExceeded) || !ok || time.Since(began) != 100*time.Millisecond {
				t.Errorf("%s: %v after %s", name, err, time.Since(began))
			}
		}
	})
}

func TestFind(t *testing.T) {
	c, w := open(t, gives(200, `{"id":"x/y","status":"sent","event":"e","channels":["a"],"timeline":[{"at":"2026-11-22T00:00:00Z","what":"sent","receipt":{"matched":2}}]}`))
	state, err := c.Find(t.Context(), "x/y")
	if err != nil || state.Status != "sent" || len(state.Timeline) != 1 || state.Timeline[0].Receipt.Matched != 2 {
		t.Errorf("%+v, %v", state, err)
	}
	if r := w.requests[0]; r.Method != "GET" || r.URL.EscapedPath() != "/belfry/api/events/x%2Fy" || r.Header.Get("Idempotency-Key") != "" {
		t.Errorf("%s %s", r.Method, r.URL)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for name, cfg := range map[string]client.Config{
		"no token":      {},
		"bad token":     {Token: "a\nb"},
		"no address":    {URL: "ws.example.com", Token: "t"},
		"another kind":  {URL: "ws://example.com", Token: "t"},
		"with password": {URL: "https://u:p@example.com", Token: "t"},
		"with query":    {URL: "https://example.com/?a=b", Token: "t"},
	} {
		if _, err := client.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		} else if _, ok := errors.AsType[*client.Error](err); !ok {
			t.Errorf("%s: %T", name, err)
		}
	}
	if _, err := client.New(client.Config{Token: "t"}); err != nil {
		t.Error(err)
	}
	c, w := open(t, gives(202, queued))
	if _, err := c.Publish(t.Context(), client.Event{Name: "e", Channels: []string{"a"}, Data: func() {}}); err == nil || len(w.requests) != 0 {
		t.Errorf("data that is no JSON: %v", err)
	}
}
