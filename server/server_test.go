package server_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/server"
)

// run runs a server on free ports until the test ends.
func run(t testing.TB, cfg server.Config) *server.Server {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	if cfg.DataDir == "" {
		cfg.DataDir = t.TempDir()
	}
	if cfg.MetricsListen == "" {
		cfg.MetricsListen = "127.0.0.1:0"
	}
	if cfg.DrainWindow == 0 {
		cfg.DrainWindow = -1
	}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop(errors.New("the test is over"))
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run does not end")
		}
	})
	return s
}

func get(t testing.TB, url string, change func(*http.Request)) (status int, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestGeneratedAppIsKept(t *testing.T) {
	taken := run(t, server.Config{})
	dir := t.TempDir()
	fails, err := server.New(server.Config{Listen: taken.Addr().String(), MetricsListen: "off", DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := fails.Listen(); err == nil {
		t.Fatal("listens on a taken port")
	}
	var kept belfry.Credential
	for i := range 2 {
		s, err := server.New(server.Config{Listen: "127.0.0.1:0", MetricsListen: "off", DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Listen(); err != nil {
			t.Fatal(err)
		}
		app, created := s.DefaultApp()
		if created != (i == 0) || i > 0 && app.Keys[0] != kept {
			t.Errorf("start %d: app %+v, created %v", i, app, created)
		}
		kept = app.Keys[0]
		ctx, stop := context.WithCancel(context.Background())
		stop()
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	}
}

func TestTakenPortSaysSo(t *testing.T) {
	s := run(t, server.Config{})
	other, err := server.New(server.Config{Listen: s.Addr().String(), MetricsListen: "off", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	err = other.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), s.Addr().String()) || !strings.Contains(err.Error(), "taken") {
		t.Errorf("error = %v", err)
	}
	if coded, ok := errors.AsType[*belfry.Error](err); !ok || !strings.Contains(coded.Hint, "--listen") {
		t.Errorf("no hint in %v", err)
	}
}

func TestSecretIsShownToLoopbackOnly(t *testing.T) {
	s := run(t, server.Config{})
	app, _ := s.DefaultApp()
	url := s.URL() + "/start.json"
	for name, c := range map[string]struct {
		change func(*http.Request)
		shown  bool
	}{
		"loopback host":       {nil, true},
		"localhost":           {func(r *http.Request) { r.Host = "localhost:1" }, true},
		"IPv6 loopback":       {func(r *http.Request) { r.Host = "[::1]:1" }, true},
		"another host":        {func(r *http.Request) { r.Host = "evil.test" }, false},
		"a rebound name":      {func(r *http.Request) { r.Host = "127.0.0.1.evil.test" }, false},
		"behind a proxy":      {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "1.2.3.4") }, false},
		"behind a proxy, RFC": {func(r *http.Request) { r.Header.Set("Forwarded", "for=1.2.3.4") }, false},
		"from another site":   {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := get(t, url, c.change)
			if status != http.StatusOK || !strings.Contains(body, app.Keys[0].Key) {
				t.Fatalf("%d %s", status, body)
			}
			if shown := strings.Contains(body, app.Keys[0].Secret); shown != c.shown {
				t.Errorf("secret shown: %v, want %v", shown, c.shown)
			}
		})
	}
}

func TestDoorsAnswer(t *testing.T) {
	s := run(t, server.Config{})
	for path, want := range map[string]int{
		"/up": 200, "/live": 200, "/ready": 200, "/health": 200,
		"/apps/1/channels": 404, "/app/x": 426, "/nowhere": 404, "/assets/": 404,
		"/metrics": 404, "/debug/pprof/": 404,
	} {
		if status, body := get(t, s.URL()+path, nil); status != want {
			t.Errorf("%s = %d %s, want %d", path, status, body, want)
		}
	}
	if status, body := get(t, "http://"+s.MetricsAddr().String()+"/metrics", nil); status != 200 || !strings.Contains(body, "belfry_connections{") {
		t.Errorf("metrics = %d %.200s", status, body)
	}
}
