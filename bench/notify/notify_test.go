package main

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/bench"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A run in small measures everything, on every database.
func TestSmallRun(t *testing.T) {
	if !bench.MeasuresProcesses {
		t.Skip("it runs on Linux only")
	}
	var out bytes.Buffer
	for _, o := range []options{
		{rounds: 1, users: 4000, drivers: "sqlite,postgres", only: "send"},
		{rounds: 1, users: 4000, drivers: "sqlite", only: "kill"}, // a dead worker counts as gone after 15 s
	} {
		if err := run(t.Context(), o, &out); err != nil {
			t.Fatal(err)
		}
	}
	text := out.String()
	for driver, rows := range map[string]int{"sqlite": 2, "postgres": 1} {
		if n := strings.Count(text, "\n| "+driver+" |"); n != rows {
			t.Errorf("%s has %d rows, want %d:\n%s", driver, n, rows, text)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, "–") {
		t.Errorf("a figure is none:\n%s", text)
	}
}

func TestWrongOptions(t *testing.T) {
	right := options{rounds: 1, users: 5000, drivers: "sqlite", only: "send"}
	for says, change := range map[string]func(o *options){
		`there is no "mysql"; there are sqlite, postgres`: func(o *options) { o.drivers = "sqlite,mysql" },
		`-only: there is no "speed"`:                      func(o *options) { o.only = "speed" },
		"-users between 2000":                             func(o *options) { o.users = 5 },
	} {
		o := right
		change(&o)
		if err := run(t.Context(), o, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}
