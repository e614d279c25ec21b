package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
)

// row is a row of the tables: a shape, run on Belfry and perhaps on the floor.
type row struct {
	preset string
	label  string // tells rows of the same preset apart; may be empty
	floor  bool
	once   bool // long: one run, which holds its own windows
	limit  string
	change func(*bench.Shape)

	Belfry []*bench.Report
	Floor  []*bench.Report
}

func rows(rounds int) []*row {
	for3 := func(s *bench.Shape) { s.Duration = 3 * time.Second }
	return []*row{
		{preset: "one-by-one", floor: true, limit: "1.15 × floor, 0.4 µs user", change: for3},
		{preset: "rate200", floor: true, limit: "1.15 × floor, 0.4 µs user; p99 10 ms", change: func(s *bench.Shape) { s.Duration = 4 * time.Second }},
		{preset: "many-channels", floor: true, limit: "1.25 × floor", change: for3},
		{preset: "flat-out", floor: true, limit: "0.1 × floor; p99 150 ms", change: for3},
		{preset: "offered2000", limit: "all served; p99 50 ms", change: func(s *bench.Shape) { s.Duration = 4 * time.Second }},
		{preset: "publish-none", limit: "20 µs", change: for3},
		{preset: "publish-none", label: "the same by 1 publisher", limit: "20 µs", change: func(s *bench.Shape) { s.Publishers, s.Duration = 1, 3*time.Second }},
		{preset: "handshake", limit: "40 µs"},
		{preset: "idle10k", limit: "1,000 bytes"},
		{preset: "idle19k", limit: "1 ms per s; with pings 15 ms per s", once: true, change: func(s *bench.Shape) { s.Windows = rounds }},
		{preset: "slow100", limit: "p99 1.5 times; 100 × 4100", once: true},
		{preset: "flood", limit: "nobody cut", once: true},
		{preset: "stampede", limit: "5 s", once: true},
	}
}

// table runs the rows and prints them.
func table(ctx context.Context, m *machine, o options) (any, error) {
	all := rows(o.rounds)
	if o.rows != "" {
		names := strings.Split(o.rows, ",")
		for _, n := range names {
			if _, err := bench.Preset(n); err != nil {
				return nil, err
			}
		}
		all = slices.DeleteFunc(all, func(r *row) bool { return !slices.Contains(names, r.preset) })
	}
	for round := range o.rounds {
		for _, r := range all {
			if r.once && round > 0 {
				continue
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, o.rounds, r.preset)
			if err := r.round(ctx, m, round); err != nil {
				return nil, err
			}
		}
	}
	print(all, o)
	reports := map[string]any{}
	for _, r := range all {
		reports[strings.TrimSpace(r.preset+" "+r.label)] = r
	}
	return reports, nil
}

// round runs the row once on each. The floor has no answer that a publisher
// could wait for, so where a publisher waits for Belfry's, the floor gets the
// rate that came of it; else they take turns in going first.
func (r *row) round(ctx context.Context, m *machine, round int) error {
	shape, err := bench.Preset(r.preset)
	if err != nil {
		return err
	}
	if r.change != nil {
		r.change(&shape)
	}
	follows := shape.Mode == bench.FlatOut && shape.Channels > 1
	belfry := func() error {
		report, err := m.onBelfry(ctx, shape)
		r.Belfry = append(r.Belfry, report)
		return err
	}
	floor := func() error {
		if !r.floor {
			return nil
		}
		same := shape
		if follows {
			same.Mode, same.Rate = bench.AtRate, r.Belfry[len(r.Belfry)-1].Load.EventsPerSecond
		}
		report, err := m.onFloor(ctx, same)
		r.Floor = append(r.Floor, report)
		return err
	}
	first, second := belfry, floor
	if round%2 == 1 && !follows {
		first, second = floor, belfry
	}
	if err := first(); err != nil {
		return err
	}
	return second()
}
