package pushercast_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/broadcast/pushercast"
	"github.com/belfryhq/belfry/server"
	"github.com/belfryhq/belfry/test/pusherclient"
)

// second is another Belfry, with the app of config.
func second(t *testing.T, changes ...func(*belfry.App)) (addr string) {
	t.Helper()
	app := &belfry.App{ID: "1001", Keys: []belfry.Credential{{Key: "app-key", Secret: "secret"}}, Limits: belfry.DefaultLimits()}
	for _, change := range changes {
		change(app)
	}
	s, err := server.New(server.Config{Listen: "127.0.0.1:0", MetricsListen: "off", DataDir: t.TempDir(), Apps: []*belfry.App{app}, DrainWindow: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s.Addr().String()
}

func broadcaster(t *testing.T, cfg pushercast.Config) *broadcast.Broadcaster {
	return broadcast.New(broadcast.Config{Driver: driver(t, cfg), Apps: func(string) *belfry.App { return cfg.App() }})
}

func TestASecondBelfryBringsEventsOut(t *testing.T) {
	addr := second(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, err := pusherclient.Dial(ctx, pusherclient.Target{URL: "http://" + addr, AppID: "1001", Key: "app-key", Secret: "secret"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const channels, each = 12, 10
	for c := range channels {
		if err := client.Join(ctx, fmt.Sprint("private-c", c), "7"); err != nil {
			t.Fatal(err)
		}
	}
	cfg := config(t, addr)
	b := broadcaster(t, cfg)
	if err := b.Check(ctx); err != nil {
		t.Errorf("check: %v", err)
	}
	if out, err := b.Publish(ctx, belfry.Event{Name: "e", Channels: []string{"vacant"}, Condition: "occupied"}); err != nil || out.Skipped == "" {
		t.Errorf("nobody listens: %+v, %v", out, err)
	}
	var wg sync.WaitGroup
	for c := range channels {
		wg.Go(func() {
			for i := range each {
				data, _ := json.Marshal(map[string]any{"n": i, "text": "é\"<"})
				_, err := b.Publish(ctx, belfry.Event{Name: "e", Channels: []string{fmt.Sprint("private-c", c)}, Data: data, Condition: "occupied"})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	next := map[string]int{}
	for range channels * each {
		m, err := client.Read(ctx)
		for err == nil && m.Event != "e" {
			m, err = client.Read(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		var data struct {
			N    int
			Text string
		}
		if err := json.Unmarshal([]byte(m.Text()), &data); err != nil || data.Text != "é\"<" || data.N != next[m.Channel] {
			t.Fatalf("on %s got %s, want number %d", m.Channel, m.Text(), next[m.Channel])
		}
		next[m.Channel]++
	}
	wg.Wait()
	s := b.Stats()
	t.Logf("%d events in %d calls", s.Sent, s.Calls)
}

func TestASecondBelfryRefuses(t *testing.T) {
	addr := second(t, func(a *belfry.App) { a.Limits.EventData = 10 })
	wrong := config(t, addr)
	wrong.Secret = "other"
	_, err := broadcaster(t, wrong).Publish(t.Context(), belfry.Event{Name: "e", Channels: []string{"a"}})
	if belfry.CodeOf(err) != belfry.CodeForbidden {
		t.Errorf("wrong secret: %v", err)
	}
	foreign := config(t, addr)
	foreign.AppID = "1002"
	_, err = broadcaster(t, foreign).Publish(t.Context(), belfry.Event{Name: "e", Channels: []string{"a"}})
	if !broadcast.Permanent(err) {
		t.Errorf("unknown app: %v", err)
	}
	_, err = broadcaster(t, config(t, addr)).Publish(t.Context(), belfry.Event{Name: "e", Channels: []string{"a"}, Data: []byte(`"more than ten"`)})
	if belfry.CodeOf(err) != belfry.CodeTooLarge {
		t.Errorf("too large: %v", err)
	}
}
