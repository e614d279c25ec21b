package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
)

// postersOf is how many posters the rate is measured with.
var postersOf = []int{1, 16, 64}

// latency is what one measurement at 50 events a second found, in milliseconds.
type latency struct{ p50, p99, max float64 }

// latencies are those of all rounds.
type latencies struct{ p50, p99, max spread }

func (l *latencies) add(one latency) {
	l.p50, l.p99, l.max = append(l.p50, one.p50), append(l.p99, one.p99), append(l.max, one.max)
}

// figures are what was found for one driver.
type figures struct {
	latency             map[bool]*latencies // by whether the worker is a process of its own
	accepted, delivered map[int]spread      // events a second, by posters
	enqueued, worked    spread              // jobs a second
	full, bare          spread              // percent of a core: the server with and without workers
	extra, lone         spread              // the difference; a worker process
}

func newFigures() *figures {
	return &figures{latency: map[bool]*latencies{false: {}, true: {}}, accepted: map[int]spread{}, delivered: map[int]spread{}}
}

type spread = bench.Spread

// print prints the machine and the tables.
func print(out io.Writer, m *machine, all map[string]*figures) {
	fmt.Fprintf(out, "%s; rounds: %d\n", m.about(), m.rounds)
	has := func(part string) bool { return slices.Contains(m.parts, part) }
	if has("latency") {
		fmt.Fprintf(out, "\n| 50 events a second | worker | p50 ms | p99 ms | longest ms |\n| --- | --- | --- | --- | --- |\n")
		for _, driver := range m.drivers {
			for _, apart := range []bool{false, true} {
				l, where := all[driver].latency[apart], "in the server"
				if apart {
					where = "a process of its own"
				}
				if driver == "sync" {
					where = "none"
				}
				if len(l.p50) > 0 {
					fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", driver, where, l.p50.Text(2), l.p99.Text(2), l.max.Text(1))
				}
			}
		}
	}
	if has("rate") {
		fmt.Fprintf(out, "\n| events a second, accepted / delivered |")
		for _, n := range postersOf {
			fmt.Fprintf(out, " posters: %d |", n)
		}
		fmt.Fprintf(out, "\n| ---%s |\n", strings.Repeat(" | ---", len(postersOf)))
		for _, driver := range m.drivers {
			fmt.Fprintf(out, "| %s |", driver)
			for _, n := range postersOf {
				fmt.Fprintf(out, " %s / %s |", all[driver].accepted[n].Text(0), all[driver].delivered[n].Text(0))
			}
			fmt.Fprintln(out)
		}
	}
	if has("bulk") {
		fmt.Fprintf(out, "\n| jobs a second, %d in slices of 1,000 | enqueued | worked |\n| --- | --- | --- |\n", m.jobs)
		for _, driver := range m.drivers {
			if f := all[driver]; len(f.worked) > 0 {
				fmt.Fprintf(out, "| %s | %s | %s |\n", driver, f.enqueued.Text(0), f.worked.Text(0))
			}
		}
	}
	if has("idle") {
		fmt.Fprintf(out, "\n| idle, %% of a core | server | server without workers | difference | worker process |\n| --- | --- | --- | --- | --- |\n")
		for _, driver := range m.drivers {
			f := all[driver]
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", driver, f.full.Text(2), f.bare.Text(2), f.extra.Text(2), f.lone.Text(2))
		}
	}
}

// about tells what machine and programs these are.
func (m *machine) about() string {
	about := bench.About()
	if m.postgres != nil {
		about += ", PostgreSQL " + version("postgres", "/usr/lib/postgresql/*/bin/postgres")
	}
	if slices.Contains(m.drivers, "redis") {
		about += ", Redis " + version("redis-server", "")
	}
	if wait, err := m.syncTime(); err == nil {
		about += fmt.Sprintf("; write and sync of 4 KB to the disk: %.2f ms", wait)
	}
	return about
}

// version gives the number in what a program says of itself.
func version(program, elsewhere string) string {
	path, err := exec.LookPath(program)
	if found, _ := filepath.Glob(elsewhere); err != nil && len(found) > 0 {
		path = slices.Max(found)
	}
	out, _ := exec.Command(path, "--version").Output()
	return string(regexp.MustCompile(`\d+(\.\d+)+`).Find(out))
}

// syncTime is the median time in ms that a small write takes to be on the disk,
// the least that a commit costs.
func (m *machine) syncTime() (float64, error) {
	f, err := os.CreateTemp(m.dir, "sync-")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var took spread
	for range 200 {
		began := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began).Seconds()*1000)
	}
	return took.Median(), nil
}
