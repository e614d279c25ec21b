package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
)

// sample is what the server's metrics say; a metric with labels is the sum.
type sample map[string]float64

// The metrics that count, in the order of the table.
var watched = []struct{ metric, what string }{
	{"go_goroutines", "goroutines"},
	{"go_memstats_heap_alloc_bytes", "heap, live"},
	{"belfry_trace_bytes", "of it the trace"},
	{"go_memstats_heap_inuse_bytes", "heap, in use"},
	{"go_memstats_stack_inuse_bytes", "stacks"},
	{"process_resident_memory_bytes", "resident memory"},
	{"process_open_fds", "open files"},
	{"belfry_connections", "connections"},
	{"belfry_channels", "occupied channels"},
	{"belfry_users", "signed-in users"},
}

// busy are the metrics that must be zero for the server to be at rest.
var busy = []string{
	"belfry_connections", "belfry_sockets", "belfry_channels", "belfry_users", "belfry_subscriptions",
	"belfry_socket_pending_bytes", "belfry_webhook_pending",
}

// meter reads the server's metrics.
type meter struct {
	url    string
	after  time.Duration // for which the server remembers caches
	client *http.Client
}

func newMeter(cfg Config) *meter {
	return &meter{
		url: strings.TrimSuffix(cfg.Metrics, "/"), after: cfg.CacheTTL + time.Second,
		// Compression would take a megabyte of the heap that is measured.
		client: &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: 30 * time.Second},
	}
}

func (m *meter) close() { m.client.CloseIdleConnections() }

// settle is how long the server may take to come to rest beyond the caches'
// time: connections that were cut wait for a ping's answer at the worst.
const settle = 90 * time.Second

// quiet waits until the server is at rest and, after the soak, has as few
// goroutines as before, and measures it after a collection of garbage. When the
// goroutines never come back the measurement is given all the same.
//
// Reading the metrics starts goroutines too, which end a moment later, so what
// counts is the least of several readings.
func (m *meter) quiet(ctx context.Context, before sample) (sample, error) {
	if err := bench.Pause(ctx, m.after); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(settle)
	for {
		least, left, err := m.least(ctx)
		late := time.Now().After(deadline)
		switch {
		case err != nil:
			return nil, err
		case left != "" && late:
			return nil, fmt.Errorf("all clients are gone, but the server still says %s", left)
		case left == "" && (late || before == nil || least["go_goroutines"] <= before["go_goroutines"]):
			return least, nil
		}
	}
}

// least reads the metrics several times and gives the reading with the fewest
// goroutines, and what was not at rest in any of them.
func (m *meter) least(ctx context.Context) (least sample, left string, err error) {
	for range 10 {
		s, err := m.sample(ctx)
		if err != nil {
			return nil, "", err
		}
		if least == nil || s["go_goroutines"] < least["go_goroutines"] {
			least = s
		}
		left = cmp.Or(left, s.busy())
		if err := bench.Pause(ctx, 200*time.Millisecond); err != nil {
			return nil, "", err
		}
	}
	return least, left, nil
}

// busy says what is not at rest.
func (s sample) busy() string {
	var left []string
	for _, metric := range busy {
		if s[metric] != 0 {
			left = append(left, fmt.Sprintf("%s %g", metric, s[metric]))
		}
	}
	return strings.Join(left, ", ")
}

// sample collects the server's garbage and reads its metrics.
func (m *meter) sample(ctx context.Context) (sample, error) {
	for range 3 { // what pools hold goes with the second collection
		if err := m.get(ctx, "/debug/pprof/heap?gc=1", func(string) {}); err != nil {
			return nil, err
		}
	}
	s := sample{}
	err := m.get(ctx, "/metrics", func(line string) {
		name, value, ok := strings.Cut(line, " ")
		if i := strings.LastIndexByte(line, '}'); i >= 0 {
			name, value, ok = line[:strings.IndexByte(line, '{')], strings.TrimSpace(line[i+1:]), true
		}
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && !strings.HasPrefix(line, "#") {
			s[name] += v
		}
	})
	if err == nil && s["go_goroutines"] == 0 {
		err = fmt.Errorf("%s/metrics has no go_goroutines", m.url)
	}
	return s, err
}

func (m *meter) get(ctx context.Context, path string, line func(string)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", m.url+path, resp.Status)
	}
	if strings.HasPrefix(path, "/debug/") {
		_, err := io.Copy(io.Discard, resp.Body)
		return err
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line(lines.Text())
	}
	return lines.Err()
}

func writeTable(out io.Writer, before, after sample) {
	fmt.Fprint(out, "\n| | before | after | change |\n| --- | ---: | ---: | ---: |\n")
	for _, w := range watched {
		b, a := before[w.metric], after[w.metric]
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", w.what, show(w.metric, b), show(w.metric, a), change(w.metric, a-b))
	}
}

func show(metric string, v float64) string {
	if strings.HasSuffix(metric, "_bytes") {
		return fmt.Sprintf("%.2f MB", v/(1<<20))
	}
	return fmt.Sprintf("%.0f", v)
}

func change(metric string, v float64) string {
	if v < 0 {
		return "−" + show(metric, -v)
	}
	return "+" + show(metric, v)
}

// compare says what the server holds that it did not hold before.
func compare(before, after sample, growth float64) error {
	if b, a := before["go_goroutines"], after["go_goroutines"]; a > b {
		return fmt.Errorf("%.0f goroutines are left over: %.0f before, %.0f after; see /debug/pprof/goroutine?debug=1", a-b, b, a)
	}
	if grown := (held(after) - held(before)) / (1 << 20); grown > growth {
		return fmt.Errorf("the live heap has grown by %.2f MB beside the trace, more than %g MB; see /debug/pprof/heap", grown, growth)
	}
	return nil
}

// held gives the live heap without the trace, which fills for an hour and is
// bounded by a setting.
func held(s sample) float64 { return s["go_memstats_heap_alloc_bytes"] - s["belfry_trace_bytes"] }
