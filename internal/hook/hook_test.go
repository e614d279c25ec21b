package hook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hook"
	"github.com/belfryhq/belfry/pusher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey    = "demo-key-a1b2c3d4e5"
	testSecret = "demo-secret-9f8e7d6c5b4a"
	testURL    = "http://sink.example/hook"
)

// newApp gives an app with the endpoints, or with one at testURL for all.
func newApp(hooks ...belfry.Webhook) *belfry.App {
	if hooks == nil {
		hooks = []belfry.Webhook{{URL: testURL}}
	}
	return &belfry.App{ID: "730041", Keys: []belfry.Credential{
		{Key: testKey, Secret: testSecret}, {Key: "second", Secret: "other"},
	}, Webhooks: hooks}
}

func batched(app *belfry.App) *belfry.App {
	app.WebhookBatch = true
	return app
}

// post is one request as the receiver got it.
type post struct {
	at     time.Duration // since the sink was made
	url    string
	host   string
	header http.Header
	body   string
}

// names gives the events as "name:channel" or "name:channel:user".
func (p post) names(t testing.TB) []string {
	t.Helper()
	var body struct {
		Events []struct {
			Name    string
			Channel string
			UserID  string `json:"user_id"`
			Event   string
		}
	}
	if err := json.Unmarshal([]byte(p.body), &body); err != nil {
		t.Fatalf("body %q: %v", p.body, err)
	}
	var names []string
	for _, e := range body.Events {
		name := e.Name + ":" + e.Channel
		for _, more := range []string{e.Event, e.UserID} {
			if more != "" {
				name += ":" + more
			}
		}
		names = append(names, name)
	}
	return names
}

// sink is a receiver without a network, so that it works in a synctest bubble.
type sink struct {
	start  time.Time
	answer func(p post, n int) (status int, after time.Duration) // n counts from 1

	mu    sync.Mutex // guards posts
	posts []post
}

func (s *sink) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	p := post{at: time.Since(s.start), url: req.URL.String(), host: req.Host, header: req.Header.Clone(), body: string(body)}
	s.mu.Lock()
	s.posts = append(s.posts, p)
	n := len(s.posts)
	s.mu.Unlock()
	status, after := 200, time.Duration(0)
	if s.answer != nil {
		status, after = s.answer(p, n)
	}
	if after > 0 {
		select {
		case <-time.After(after):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}, Request: req}, nil
}

func (s *sink) all() []post {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.posts)
}

// log gives what arrived as "time name:channel", a line for each event.
func (s *sink) log(t testing.TB) []string {
	t.Helper()
	var lines []string
	for _, p := range s.all() {
		for _, name := range p.names(t) {
			lines = append(lines, fmt.Sprintf("%v %s", p.at, name))
		}
	}
	return lines
}

// inBubble runs f with Hooks that run in a synctest bubble and post to a sink.
func inBubble(t *testing.T, cfg hook.Config, f func(t *testing.T, h *hook.Hooks, s *sink)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{start: time.Now()}
		cfg.Client = &http.Client{Transport: s}
		if cfg.Rand == nil {
			cfg.Rand = func() float64 { return 0 }
		}
		h := hook.New(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		f(t, h, s)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if total := h.Stats(); len(total) > 0 && total[0].Pending+total[0].Delayed != 0 {
			t.Errorf("after Run: %d pending, %d delayed", total[0].Pending, total[0].Delayed)
		}
	})
}

func occupied(channel string) hook.Event {
	return hook.Event{Name: hook.ChannelOccupied, Channel: channel}
}

func vacated(channel string) hook.Event {
	return hook.Event{Name: hook.ChannelVacated, Channel: channel}
}

func added(channel, user string) hook.Event {
	return hook.Event{Name: hook.MemberAdded, Channel: channel, UserID: user}
}

func removed(channel, user string) hook.Event {
	return hook.Event{Name: hook.MemberRemoved, Channel: channel, UserID: user}
}

func client(channel, event, data string) hook.Event {
	return hook.Event{Name: hook.ClientEvent, Channel: channel, Event: event, Data: data, SocketID: "1.2"}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func checkSignature(t testing.TB, p post) {
	t.Helper()
	equal(t, "signature", p.header.Get("X-Pusher-Signature"), pusher.Sign(testSecret, p.body))
}

// syncBuffer is a buffer to log into.
type syncBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// lines gives the lines that hold text.
func (b *syncBuffer) lines(text string) (found []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.b.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

func logTo(b *syncBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
