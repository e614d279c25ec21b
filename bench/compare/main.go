// Command compare measures a Belfry server against the floor, a bare loop of
// write(), in alternating rounds of one run, and prints the tables of
// docs/performance.md.
//
//	go run ./bench/compare                       # all rows, five rounds
//	go run ./bench/compare -rows flat-out -rounds 9
//	go run ./bench/compare -growth -svg docs/growth.svg
//
// A shared machine's kernel cost may double from round to round: so each
// round runs both, ratios are taken within a round, and medians over the rounds
// are printed with the least and the greatest. It needs Linux, Go and a C
// compiler.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
)

type options struct {
	rounds int
	rows   string
	belfry string
	json   string
	svg    string
	growth bool
	brief  bool
	uring  bool
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each figure")
	flag.StringVar(&o.rows, "rows", "", "only these rows, by the presets' names, parted by commas")
	flag.StringVar(&o.belfry, "belfry", "", "the program to measure (default: built from this tree)")
	flag.StringVar(&o.json, "json", "", "file for all reports")
	flag.StringVar(&o.svg, "svg", "", "file for the plot of -growth")
	flag.BoolVar(&o.growth, "growth", false, "measure how cost grows with connections and channels instead")
	flag.BoolVar(&o.brief, "brief", false, "tiny shapes, to try the driver itself")
	flag.BoolVar(&o.uring, "uring", false, "a floor that sends by io_uring, as Belfry does, in place of write()")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintf(os.Stderr, "compare: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.rounds < 1 || o.rounds > 100 {
		return errors.New("-rounds is between 1 and 100")
	}
	dir, err := os.MkdirTemp("", "belfry-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m := &machine{dir: dir, belfry: o.belfry, brief: o.brief, uring: o.uring}
	if err := m.build(ctx); err != nil {
		return err
	}
	begun := time.Now()
	var all any
	if o.growth {
		all, err = growth(ctx, m, o)
	} else {
		all, err = table(ctx, m, o)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "took %s\n", time.Since(begun).Round(time.Second))
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(text, '\n'), 0o644)
}

// build makes the two programs.
func (m *machine) build(ctx context.Context) (err error) {
	m.floor = filepath.Join(m.dir, "floor")
	cc := []string{"-O2", "-o", m.floor, filepath.Join("bench", "floor", "floor.c")}
	if m.uring {
		cc = append(cc, "-DURING")
	}
	out, err := exec.CommandContext(ctx, "cc", cc...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the floor (run it at the root of the repository): %w\n%s", err, out)
	}
	m.belfry, err = bench.Build(ctx, m.dir, "cmd/belfry", m.belfry)
	return err
}
