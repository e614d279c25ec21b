// Command events measures the way of an event from POST /api/events through the
// queue to a subscriber, on each technology that keeps jobs, and prints the tables
// of docs/performance.md.
//
//	go run ./bench/events                                 # everything, three rounds
//	go run ./bench/events -drivers sqlite -only rate -rounds 1
//	go run ./bench/events -drivers postgres -only rate -profile /tmp/profiles
//
// Each round takes every driver in turn, so that a busy moment of a shared
// machine hits all; medians over the rounds are printed with the least and the
// greatest. It needs Linux, Go, and Debian's packages of PostgreSQL and Redis
// (scripts/test-deps.sh).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/test/services"
)

type options struct {
	rounds  int
	drivers string
	only    string
	belfry  string
	profile string
	seconds int
	events  int
	jobs    int
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of each figure")
	flag.StringVar(&o.drivers, "drivers", strings.Join(allDrivers, ","), "what keeps the jobs, parted by commas")
	flag.StringVar(&o.only, "only", strings.Join(allParts, ","), "what is measured, parted by commas")
	flag.StringVar(&o.belfry, "belfry", "", "the program to measure (default: built from this tree)")
	flag.StringVar(&o.profile, "profile", "", "folder for CPU profiles of the server under -only rate")
	flag.IntVar(&o.seconds, "seconds", 10, "how long events are posted at 50 a second, and how long the idle cost is measured")
	flag.IntVar(&o.events, "events", 5000, "events for the rate of several posters; one poster posts a fifth")
	flag.IntVar(&o.jobs, "jobs", 10_000, "jobs for the rate in bulk")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "events: %v\n", err)
		os.Exit(1)
	}
}

// The drivers and the parts that there are.
var (
	allDrivers = []string{"sqlite", "postgres", "redis", "sync"}
	allParts   = []string{"latency", "rate", "bulk", "idle"}
)

func run(ctx context.Context, o options, out io.Writer) error {
	drivers, err := bench.Choose("drivers", o.drivers, allDrivers)
	if err != nil {
		return err
	}
	parts, err := bench.Choose("only", o.only, allParts)
	if err != nil {
		return err
	}
	switch {
	case o.rounds < 1 || o.rounds > 100 || o.seconds < 1 || o.events < 2*len(channels) || o.jobs < 1:
		return errors.New("-rounds is between 1 and 100, -seconds and -jobs at least 1, -events at least 100")
	case !bench.MeasuresProcesses:
		return errors.New("it runs on Linux only")
	}
	m := &machine{options: o, drivers: drivers, parts: parts}
	if m.dir, err = os.MkdirTemp("", "belfry-events-"); err != nil {
		return err
	}
	defer os.RemoveAll(m.dir)
	if m.belfry, err = bench.Build(ctx, m.dir, "cmd/belfry", o.belfry); err != nil {
		return err
	}
	if slices.Contains(drivers, "postgres") {
		if m.postgres, err = services.StartPostgres(); err != nil {
			return err
		}
		defer m.postgres.Close()
	}
	begun := time.Now()
	all, err := m.measure(ctx)
	if err != nil {
		return err
	}
	print(out, m, all)
	fmt.Fprintf(os.Stderr, "took %s\n", time.Since(begun).Round(time.Second))
	return nil
}

// machine is what all measurements share.
type machine struct {
	options
	drivers, parts []string
	dir            string // for everything that is written
	postgres       *services.Instance
	places         int
}

// measure measures everything that was asked for.
func (m *machine) measure(ctx context.Context) (map[string]*figures, error) {
	all := map[string]*figures{}
	for _, driver := range m.drivers {
		all[driver] = newFigures()
	}
	for round := range m.rounds {
		for _, driver := range m.drivers {
			p, err := m.newPlace(ctx, driver)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", driver, err)
			}
			err = p.round(ctx, all[driver], fmt.Sprintf("%s %d/%d", driver, round+1, m.rounds))
			p.close()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", driver, err)
			}
		}
	}
	if slices.Contains(m.parts, "idle") {
		if err := m.idle(ctx, all); err != nil {
			return nil, fmt.Errorf("idle: %w", err)
		}
	}
	return all, nil
}

// round measures all but the idle cost once.
func (p *place) round(ctx context.Context, f *figures, title string) error {
	tell := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%s  %s\n", title, fmt.Sprintf(format, args...))
	}
	if slices.Contains(p.m.parts, "latency") {
		for _, apart := range []bool{false, true} {
			if apart && p.driver == "sync" {
				continue // there is no worker
			}
			l, err := p.latency(ctx, apart)
			if err != nil {
				return err
			}
			f.latency[apart].add(l)
			tell("latency, worker apart %t: p50 %.2f ms, p99 %.2f ms, max %.1f ms", apart, l.p50, l.p99, l.max)
		}
	}
	if slices.Contains(p.m.parts, "rate") {
		if err := p.rates(ctx, f, tell); err != nil {
			return err
		}
	}
	if slices.Contains(p.m.parts, "bulk") && p.driver != "sync" {
		enqueued, worked, err := p.bulk(ctx)
		if err != nil {
			return err
		}
		f.enqueued, f.worked = append(f.enqueued, enqueued), append(f.worked, worked)
		tell("bulk: %.0f jobs/s enqueued, %.0f worked", enqueued, worked)
	}
	return nil
}
