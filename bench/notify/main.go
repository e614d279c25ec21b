// Command notify measures what it costs to notify many users: the time until all
// have their rows, and until the last one's open page is told; the memory
// meanwhile; how long other requests take; and what is left of it after a
// kill -9 halfway. It prints the tables of docs/performance.md.
//
//	go run ./bench/notify                                       # 100,000 users, three rounds
//	go run ./bench/notify -users 10000 -drivers sqlite -rounds 1
//
// Each round takes every driver in turn, on a fresh database and process; medians
// over the rounds are printed with the least and the greatest. It needs Linux, Go,
// and Debian's package of PostgreSQL (scripts/test-deps.sh).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/test/services"
)

type options struct {
	rounds, users         int
	drivers, only, belfry string
}

var (
	allDrivers = []string{"sqlite", "postgres"}
	allParts   = []string{"send", "kill"}
)

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of each figure")
	flag.IntVar(&o.users, "users", 100_000, "users that are notified")
	flag.StringVar(&o.drivers, "drivers", strings.Join(allDrivers, ","), "databases, parted by commas")
	flag.StringVar(&o.only, "only", strings.Join(allParts, ","), "what is measured, parted by commas")
	flag.StringVar(&o.belfry, "belfry", "", "the program to measure (default: built from this tree)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "notify: %v\n", err)
		os.Exit(1)
	}
}

// choose parses a list of names that must all be known.
func choose(flag, list string, known []string) ([]string, error) {
	chosen := strings.Split(list, ",")
	for i, name := range chosen {
		if chosen[i] = strings.TrimSpace(name); !slices.Contains(known, chosen[i]) {
			return nil, fmt.Errorf("-%s: there is no %q; there are %s", flag, chosen[i], strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	m := &machine{options: o, figures: map[string]*figures{}}
	if m.drivers, err = choose("drivers", o.drivers, allDrivers); err != nil {
		return err
	}
	if m.parts, err = choose("only", o.only, allParts); err != nil {
		return err
	}
	switch {
	case o.rounds < 1 || o.rounds > 100 || o.users < 2000 || o.users > 10_000_000:
		return errors.New("-rounds is between 1 and 100, -users between 2000 and 10000000")
	case !bench.MeasuresProcesses:
		return errors.New("it runs on Linux only")
	}
	if m.dir, err = os.MkdirTemp("", "belfry-notify-"); err != nil {
		return err
	}
	defer os.RemoveAll(m.dir)
	if err := m.build(ctx); err != nil {
		return err
	}
	if slices.Contains(m.drivers, "postgres") {
		if m.postgres, err = services.StartPostgres(); err != nil {
			return err
		}
		defer m.postgres.Close()
	}
	begun := time.Now()
	if err := m.measure(ctx); err != nil {
		return err
	}
	m.print(out)
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
	figures        map[string]*figures
}

// build makes the program that is measured.
func (m *machine) build(ctx context.Context) (err error) {
	if m.belfry != "" {
		m.belfry, err = filepath.Abs(m.belfry)
		return err
	}
	m.belfry = filepath.Join(m.dir, "belfry")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", m.belfry, "github.com/belfryhq/belfry/cmd/belfry")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build belfry: %w\n%s", err, out)
	}
	return nil
}

// measure measures everything that was asked for.
func (m *machine) measure(ctx context.Context) error {
	for _, driver := range m.drivers {
		m.figures[driver] = &figures{}
	}
	for round := range m.rounds {
		for _, driver := range m.drivers {
			for _, part := range m.parts {
				title := fmt.Sprintf("%s %s %d/%d", driver, part, round+1, m.rounds)
				p, err := m.newPlace(ctx, driver)
				if err != nil {
					return fmt.Errorf("%s: %w", title, err)
				}
				if part == "send" {
					err = p.send(ctx, m.figures[driver], title)
				} else {
					err = p.kill(ctx, m.figures[driver], title)
				}
				p.close()
				if err != nil {
					return fmt.Errorf("%s: %w", title, err)
				}
			}
		}
	}
	return nil
}
