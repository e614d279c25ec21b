package main

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/bench"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A run in small measures everything, on every driver.
func TestSmallRun(t *testing.T) {
	if !bench.MeasuresProcesses {
		t.Skip("it runs on Linux only")
	}
	o := options{rounds: 1, drivers: "sqlite,postgres,redis,sync", only: "latency,rate,bulk,idle", seconds: 1, events: 100, jobs: 200}
	var out bytes.Buffer
	if err := run(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for driver, rows := range map[string]int{"sqlite": 5, "postgres": 5, "redis": 5, "sync": 3} {
		if n := strings.Count(text, "\n| "+driver+" |"); n != rows {
			t.Errorf("%s has %d rows, want %d:\n%s", driver, n, rows, text)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("a figure is none:\n%s", text)
	}
}

func TestWrongOptions(t *testing.T) {
	right := options{rounds: 1, drivers: "sqlite", only: "rate", seconds: 1, events: 100, jobs: 1}
	for says, change := range map[string]func(o *options){
		`there is no "mysql"; there are sqlite, postgres, redis, sync`: func(o *options) { o.drivers = "sqlite,mysql" },
		`-only: there is no "speed"`:                                   func(o *options) { o.only = "speed" },
		"-rounds is between 1 and 100":                                 func(o *options) { o.rounds = 0 },
	} {
		o := right
		change(&o)
		if err := run(t.Context(), o, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		s    spread
		text string
	}{
		{nil, "–"},
		{spread{2}, "2.0"},
		{spread{5, 1, 3}, "3.0 (1.0–5.0)"},
		{spread{4, 1, 3, 2}, "2.5 (1.0–4.0)"},
	} {
		if got := c.s.Text(1); got != c.text {
			t.Errorf("%v: %q, want %q", c.s, got, c.text)
		}
	}
}
