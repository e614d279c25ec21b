package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
)

// idlers are the processes of one driver that have nothing to do.
type idlers struct {
	full, bare, lone *bench.Process // with workers; without; a worker beside bare
}

func (i *idlers) each() []*bench.Process { return []*bench.Process{i.full, i.bare, i.lone} }

// idle measures what processes use while nothing is to be done: all drivers at
// once, since each uses little, in as many windows as there are rounds.
func (m *machine) idle(ctx context.Context, all map[string]*figures) error {
	idle := map[string]*idlers{}
	for _, driver := range m.drivers {
		one := &idlers{}
		idle[driver] = one
		defer func() {
			for _, s := range one.each() {
				s.End()
			}
		}()
		full, err := m.newPlace(ctx, driver)
		if err != nil {
			return err
		}
		defer full.close()
		if one.full, err = full.serve(ctx); err != nil {
			return err
		}
		bare, err := m.newPlace(ctx, driver)
		if err != nil {
			return err
		}
		defer bare.close()
		if one.bare, err = bare.serve(ctx, "--no-workers"); err != nil {
			return err
		}
		if driver == "sync" {
			continue // there is nothing for a worker to do
		}
		if one.lone, err = bare.worker(ctx); err != nil {
			return err
		}
	}
	window := time.Duration(m.seconds) * time.Second
	if err := bench.Pause(ctx, min(window, 5*time.Second)); err != nil { // what a start leaves to do
		return err
	}
	for round := range m.rounds {
		before, err := readAll(idle)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := bench.Pause(ctx, window); err != nil {
			return err
		}
		after, err := readAll(idle)
		if err != nil {
			return err
		}
		took := time.Since(began)
		for driver := range idle {
			share := func(i int) float64 { return 100 * (after[driver][i] - before[driver][i]).Seconds() / took.Seconds() }
			f := all[driver]
			f.full, f.bare, f.extra = append(f.full, share(0)), append(f.bare, share(1)), append(f.extra, share(0)-share(1))
			if idle[driver].lone != nil {
				f.lone = append(f.lone, share(2))
			}
			fmt.Fprintf(os.Stderr, "idle %d/%d  %s: server %.2f%%, without workers %.2f%%, worker alone %.2f%%\n", round+1, m.rounds, driver, share(0), share(1), share(2))
		}
	}
	return nil
}

// readAll reads what all have used.
func readAll(idle map[string]*idlers) (map[string][3]time.Duration, error) {
	all := map[string][3]time.Duration{}
	for driver, one := range idle {
		var used [3]time.Duration
		for i, s := range one.each() {
			if s == nil {
				continue
			}
			cpu, err := s.CPU()
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", driver, err, s.Said())
			}
			used[i] = cpu
		}
		all[driver] = used
	}
	return all, nil
}
