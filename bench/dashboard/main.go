// Command dashboard measures live dashboards: the time from a check-in's HTTP
// answer to the changed figure at a subscriber, and what the server uses of the
// processor with many dashboards open, with and without check-ins. It starts the
// real programs: belfry serve and examples/checkins.
//
//	go run ./bench/dashboard
//	go run ./bench/dashboard -open 100 -seconds 5 -rounds 1
//
// It needs Linux and Go. Median over the rounds are printed with the least and
// the greatest.
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
	"syscall"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
)

type options struct {
	rounds, open, rate, seconds, samples int
	belfry, checkins                     string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of each figure")
	flag.IntVar(&o.open, "open", 1000, "open dashboards while the processor's use is measured")
	flag.IntVar(&o.rate, "rate", 50, "check-ins a second then")
	flag.IntVar(&o.seconds, "seconds", 20, "how long that is measured")
	flag.IntVar(&o.samples, "samples", 200, "check-ins for the latency, one after another")
	flag.StringVar(&o.belfry, "belfry", "", "the program to measure (default: built from this tree)")
	flag.StringVar(&o.checkins, "checkins", "", "the check-in service (default: built from this tree)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "dashboard: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	switch {
	case o.rounds < 1 || o.rounds > 100 || o.open < 1 || o.rate < 1 || o.rate > 1000 || o.seconds < 1 || o.samples < 1:
		return errors.New("-rounds is between 1 and 100, -rate between 1 and 1000, the others at least 1")
	case !bench.MeasuresProcesses:
		return errors.New("it runs on Linux only")
	}
	m := &machine{options: o}
	if m.dir, err = os.MkdirTemp("", "belfry-dashboard-"); err != nil {
		return err
	}
	defer os.RemoveAll(m.dir)
	for name, program := range map[string]*string{"cmd/belfry": &m.belfry, "examples/checkins": &m.checkins} {
		if *program, err = bench.Build(ctx, m.dir, name, *program); err != nil {
			return err
		}
	}
	all, err := m.measure(ctx)
	if err != nil {
		return err
	}
	all.print(out, o)
	return nil
}

// machine is what all measurements share.
type machine struct {
	options
	dir    string // for everything that is written
	places int
}

// figures are those of all rounds.
type figures struct {
	answer, post          latencies    // from the answer of a check-in, and from its post, to the page
	calm, busy            bench.Spread // percent of a core, without and with check-ins
	alone                 bench.Spread // with check-ins and one open dashboard
	broadcasts, delivered bench.Spread // a second, with check-ins
}

// latencies are those of all rounds, in milliseconds.
type latencies struct{ p50, p99, max bench.Spread }

// add adds those of one round.
func (l *latencies) add(took []float64) {
	slices.Sort(took)
	l.p50, l.p99, l.max = append(l.p50, bench.Quantile(took, 0.5)), append(l.p99, bench.Quantile(took, 0.99)), append(l.max, took[len(took)-1])
}

func (l *latencies) row() string {
	return fmt.Sprintf("%s | %s | %s", l.p50.Text(1), l.p99.Text(1), l.max.Text(1))
}

func (m *machine) measure(ctx context.Context) (all figures, err error) {
	for round := range m.rounds {
		p, err := m.newPlace(ctx)
		if err != nil {
			return all, err
		}
		err = p.round(ctx, &all)
		p.close()
		if err != nil {
			return all, fmt.Errorf("round %d: %w\n%s", round+1, err, p.said())
		}
		fmt.Fprintf(os.Stderr, "round %d/%d: p50 %.1f ms, p99 %.1f ms; processor %.1f%% calm, %.1f%% busy, %.1f%% busy with one page\n", round+1, m.rounds,
			all.answer.p50[round], all.answer.p99[round], all.calm[round], all.busy[round], all.alone[round])
	}
	return all, nil
}

func (f *figures) print(out io.Writer, o options) {
	fmt.Fprintf(out, "\nUntil a check-in shows at a subscriber, %d one after another, in milliseconds; 0 is before its answer was read:\n\n"+
		"| from | p50 | p99 | most |\n| --- | --- | --- | --- |\n| its answer | %s |\n| its post | %s |\n", o.samples, f.answer.row(), f.post.row())
	fmt.Fprintf(out, "\nThe server's processor time, percent of a core, over %s:\n\n| open dashboards | check-ins a second | processor | broadcasts a second | events delivered a second |\n| --- | --- | --- | --- | --- |\n",
		time.Duration(o.seconds)*time.Second)
	fmt.Fprintf(out, "| %d | 0 | %s | – | – |\n| 1 | %d | %s | – | – |\n| %d | %d | %s | %s | %s |\n", o.open, f.calm.Text(1), o.rate, f.alone.Text(1),
		o.open, o.rate, f.busy.Text(1), f.broadcasts.Text(2), f.delivered.Text(0))
}
