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
	"os/signal"
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

func run(ctx context.Context, o options, out io.Writer) (err error) {
	m := &machine{options: o, figures: map[string]*figures{}}
	if m.drivers, err = bench.Choose("drivers", o.drivers, allDrivers); err != nil {
		return err
	}
	if m.parts, err = bench.Choose("only", o.only, allParts); err != nil {
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
	if m.belfry, err = bench.Build(ctx, m.dir, "cmd/belfry", o.belfry); err != nil {
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
