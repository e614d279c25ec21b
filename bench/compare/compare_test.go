package main

import (
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/bench"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		s      spread
		median float64
		text   string
	}{
		{nil, 0, "–"},
		{spread{2}, 2, "2.0"},
		{spread{5, 1, 3}, 3, "3.0 (1.0–5.0)"},
		{spread{4, 1, 3, 2}, 2.5, "2.5 (1.0–4.0)"},
	} {
		if got := c.s.Median(); got != c.median {
			t.Errorf("%v: median %g, want %g", c.s, got, c.median)
		}
		if got := c.s.Text(1); got != c.text {
			t.Errorf("%v: %q, want %q", c.s, got, c.text)
		}
	}
}

// Every row is a preset, and is told of.
func TestRowsArePresets(t *testing.T) {
	for _, r := range rows(5) {
		if _, err := bench.Preset(r.preset); err != nil {
			t.Error(err)
		}
		report := &bench.Report{Load: &bench.Load{PublishCPU: &bench.CPU{}, CPU: &bench.CPU{}}, Handshake: &bench.Handshake{CPU: &bench.CPU{}},
			Memory: &bench.Memory{}, Idle: make([]bench.Idle, 3), Slow: &bench.Slow{}, Stampede: &bench.Stampede{}}
		r.Belfry = []*bench.Report{report}
		if !r.floor && r.measured() == "" {
			t.Errorf("%s says nothing", r.preset)
		}
	}
}

func TestPlotIsXML(t *testing.T) {
	var points []*point
	for _, n := range []int{100, 10_000, 19_000} {
		s := spread{float64(n) / 1000, 2, 3}
		points = append(points, &point{Connections: n, Channels: 1, CPU: s, Floor: s, Memory: s})
	}
	points = append(points, &point{Connections: 10_000, Channels: 100, CPU: spread{1}, Floor: spread{1}, Memory: spread{1}})
	text := string(plot(points))
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		_, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Error("a point has no place")
	}
}

// The floor and the client understand each other.
func TestFloor(t *testing.T) {
	if !bench.MeasuresProcesses {
		t.Skip("the floor is for Linux")
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no C compiler: run scripts/test-deps.sh")
		}
		t.Skip("no C compiler")
	}
	m := &machine{dir: t.TempDir(), brief: true}
	m.floor = filepath.Join(m.dir, "floor")
	for _, extra := range []string{"-DURING", "-O2"} { // the second stays
		if out, err := exec.CommandContext(t.Context(), cc, "-Wall", "-Wextra", "-Werror", "-O2", extra, "-o", m.floor, "../floor/floor.c").CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", extra, err, out)
		}
	}
	for _, name := range []string{"one-by-one", "rate200", "many-channels", "flat-out"} {
		shape, err := bench.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.onFloor(t.Context(), shape)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Faults) > 0 || r.Load.Deliveries == 0 || r.Load.CPU == nil || r.Load.CPU.Total <= 0 || r.Load.NetCPU != nil {
			t.Errorf("%s: faults %q, load %+v", name, r.Faults, r.Load)
		}
	}
}
