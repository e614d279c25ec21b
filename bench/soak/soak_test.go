package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain is the server too, in the second process that soak starts.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		exit(serveChild(os.Stdin, os.Stdout))
		return
	}
	os.Exit(m.Run())
}

func TestSoakShort(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	cfg := Config{For: 12 * time.Second, Warm: 5 * time.Second, Workers: 40, Pause: 50 * time.Millisecond, Growth: 2, Seed: 1}
	if err := soak(t.Context(), cfg, t.Output()); err != nil {
		t.Fatal(err)
	}
}

// The comparison must be able to fail.
func TestCompareSeesWhatIsLeft(t *testing.T) {
	before := sample{"go_goroutines": 20, "go_memstats_heap_alloc_bytes": 5 << 20, "belfry_trace_bytes": 1 << 20}
	for _, c := range []struct {
		goroutines, heap, trace float64
		says                    string
	}{
		{20, 5 << 20, 1 << 20, ""},
		{19, 6 << 20, 1 << 20, ""},
		{20, 9 << 20, 5 << 20, ""},
		{21, 5 << 20, 1 << 20, "1 goroutines are left over"},
		{20, 8 << 20, 1 << 20, "the live heap has grown by 3.00 MB"},
	} {
		err := compare(before, sample{"go_goroutines": c.goroutines, "go_memstats_heap_alloc_bytes": c.heap, "belfry_trace_bytes": c.trace}, 2)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v goroutines, %v bytes, %v of the trace: %v, want %q", c.goroutines, c.heap, c.trace, err, c.says)
		}
	}
}
