package bench_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/server"
)

func limits() belfry.Limits { return belfry.DefaultLimits() }

// target runs a server in this process until the test ends.
func target(t testing.TB, change func(*server.Config)) bench.Target {
	t.Helper()
	cfg := server.Config{Listen: "127.0.0.1:0", MetricsListen: "off", DataDir: t.TempDir(), DrainWindow: -1}
	if change != nil {
		change(&cfg)
	}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop(errors.New("the test is over"))
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	app, _ := s.DefaultApp()
	out := bench.Target{URL: "ws://" + s.Addr().String() + cfg.PathPrefix, AppID: app.ID, Key: app.Keys[0].Key, Secret: app.Keys[0].Secret}
	if bench.MeasuresProcesses {
		out.PID = os.Getpid()
	}
	return out
}

// small makes a shape that is over in a moment.
func small(s bench.Shape) bench.Shape {
	s.Connections = min(s.Connections, 50)
	s.Rate = min(s.Rate, 100)
	s.ReadLimit = 0
	s.Duration, s.Warmup, s.Settle, s.PingPeriod = 100*time.Millisecond, 20*time.Millisecond, 10*time.Millisecond, min(s.PingPeriod, 50*time.Millisecond)
	s.Fit()
	return s
}

func TestEveryPreset(t *testing.T) {
	to := target(t, nil)
	for _, portable := range []bool{false, true} {
		for _, shape := range bench.Presets() {
			name := shape.Name
			if portable {
				name += " portable"
			}
			t.Run(name, func(t *testing.T) {
				shape = small(shape)
				if shape.Stalled > 0 {
					return // TestSlow
				}
				run := bench.Run
				if portable {
					run = bench.RunPortable
				}
				r, err := run(t.Context(), bench.Config{Target: to, Shape: shape, Progress: func(bench.Progress) {}})
				if err != nil {
					t.Fatal(err)
				}
				check(t, r)
			})
		}
	}
}

// check holds what must be true of every run.
func check(t *testing.T, r *bench.Report) {
	t.Helper()
	if len(r.Faults) > 0 {
		t.Errorf("faults: %q", r.Faults)
	}
	if h := r.Handshake; r.Shape.Connections > 0 && (h == nil || h.Count < r.Shape.Connections || h.PerSecond <= 0) {
		t.Errorf("handshakes: %+v", h)
	}
	if l := r.Load; r.Shape.Mode != "" {
		if l == nil || l.Events == 0 || l.Answer.Count == 0 {
			t.Fatalf("load: %+v", l)
		}
		if r.Shape.Connections > 0 && (l.Deliveries == 0 || l.Latency.Count == 0 || l.Latency.Max <= 0) {
			t.Errorf("nothing was delivered: %+v", l)
		}
		if r.Shape.Connections > 0 && r.Stampede == nil && l.Deliveries != uint64(l.Events)*uint64(r.Shape.Connections/r.Shape.Channels) {
			t.Errorf("%d events became %d deliveries", l.Events, l.Deliveries)
		}
	}
	if r.Shape.Name == "idle10k" && bench.MeasuresProcesses && r.Memory == nil {
		t.Error("no memory")
	}
	if r.Shape.Name == "idle19k" && (len(r.Idle) != 3 || r.Idle[0].Connections != 0 || r.Idle[1].Connections == 0) {
		t.Errorf("idle: %+v", r.Idle)
	}
	var text []string
	for _, row := range r.Rows() {
		text = append(text, strings.Join(row, ": "))
	}
	if table := strings.Join(text, "\n"); !strings.Contains(table, "faults: none") || strings.Contains(table, "%!") {
		t.Errorf("the table is wrong:\n%s", table)
	}
}

func TestBatches(t *testing.T) {
	r, err := bench.Run(t.Context(), bench.Config{Target: target(t, nil), Shape: bench.Shape{
		Connections: 20, Channels: 4, Mode: bench.FlatOut, Publishers: 3, Batch: 10, Duration: 50 * time.Millisecond, Warmup: 10 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	check(t, r)
}

// Several publishers on one channel each keep their own order.
func TestPublishersShareAChannel(t *testing.T) {
	r, err := bench.Run(t.Context(), bench.Config{Target: target(t, func(c *server.Config) { c.PathPrefix = "/realtime" }), Shape: bench.Shape{
		Connections: 6, Channels: 3, Mode: bench.AtRate, Rate: 500, Publishers: 8, Duration: 100 * time.Millisecond, Warmup: 10 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	check(t, r)
	if r.Load.Events != 48 && r.Load.Events < 40 || r.Load.Events > 60 {
		t.Errorf("%d events in 100 ms at 500 a second", r.Load.Events)
	}
}

func TestRefusals(t *testing.T) {
	to := target(t, nil)
	if _, err := bench.Preset("nope"); err == nil || !strings.Contains(err.Error(), "flat-out") {
		t.Errorf("an unknown preset: %v", err)
	}
	for says, cfg := range map[string]bench.Config{
		"another machine":       {Target: bench.Target{URL: "ws://192.0.2.1:80", AppID: "1", Key: "k", Secret: "s"}},
		"ws://HOST:PORT":        {Target: bench.Target{URL: "nonsense", AppID: "1", Key: "k", Secret: "s"}},
		"no scheme":             {Target: bench.Target{URL: "ftp://127.0.0.1", AppID: "1", Key: "k", Secret: "s"}},
		"all three":             {Target: bench.Target{URL: "ws://127.0.0.1:1"}},
		"above 0":               {Target: to, Shape: bench.Shape{Mode: bench.AtRate}},
		"for one publisher":     {Target: to, Shape: bench.Shape{Mode: bench.OneByOne, Publishers: 2}},
		`no mode "x"`:           {Target: to, Shape: bench.Shape{Mode: "x"}},
		"more than the 1 conn":  {Target: to, Shape: bench.Shape{Connections: 1, Channels: 2}},
		"between 0 and 1000000": {Target: to, Shape: bench.Shape{Connections: 2_000_000}},
		"too small":             {Target: to, Shape: bench.Shape{Size: 10}},
		"between zero and":      {Target: to, Shape: bench.Shape{Duration: 2 * time.Hour}},
	} {
		if _, err := bench.Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want an error that says %q, got %v", says, err)
		}
	}
	if err := bench.EnoughFiles(100, 99); err == nil {
		t.Error("100 files of 99")
	}
}

func TestAServerThatRefuses(t *testing.T) {
	to := target(t, nil)
	wrong := to
	wrong.Key = "wrong"
	if _, err := bench.Run(t.Context(), bench.Config{Target: wrong, Shape: bench.Shape{Connections: 3, Channels: 1}}); err == nil || !strings.Contains(err.Error(), "4001") {
		t.Errorf("a wrong key: %v", err)
	}
	wrong = to
	wrong.Secret = "wrong"
	if _, err := bench.Run(t.Context(), bench.Config{Target: wrong, Shape: bench.Shape{Connections: 3, Channels: 1, Mode: bench.FlatOut}}); err == nil || !strings.Contains(err.Error(), "HTTP 401") {
		t.Errorf("a wrong secret: %v", err)
	}
	wrong = to
	wrong.URL = "ws://127.0.0.1:1"
	if _, err := bench.Run(t.Context(), bench.Config{Target: wrong, Shape: bench.Shape{Connections: 3, Channels: 1}}); err == nil || !strings.Contains(err.Error(), "connect") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestItEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	_, err := bench.Run(ctx, bench.Config{Target: target(t, nil),
		Shape:    bench.Shape{Connections: 10, Channels: 1, Mode: bench.AtRate, Rate: 10, Duration: time.Hour},
		Progress: func(bench.Progress) { cancel(enough) }})
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}
