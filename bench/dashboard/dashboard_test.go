package main

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/bench"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A run in small measures everything.
func TestSmallRun(t *testing.T) {
	if !bench.MeasuresProcesses {
		t.Skip("it runs on Linux only")
	}
	var out bytes.Buffer
	if err := run(t.Context(), options{rounds: 1, open: 20, rate: 20, seconds: 2, samples: 3}, &out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if strings.Count(text, "\n| ") != 9 || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("it prints\n%s", text)
	}
	if err := run(t.Context(), options{rounds: 0}, &out); err == nil || !strings.Contains(err.Error(), "-rounds is between 1 and 100") {
		t.Errorf("%v", err)
	}
}
