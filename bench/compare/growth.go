package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
)

// point is one size of load, and what it cost in each round.
type point struct {
	Connections, Channels int

	CPU    spread // per delivery, without the publish, in µs
	Whole  spread // per delivery, all that the server used
	User   spread // of it in user code
	Floor  spread // likewise of the floor
	Memory spread // resident bytes per connection
}

// growth measures how cost grows with connections and with channels.
func growth(ctx context.Context, m *machine, o options) (any, error) {
	points := []*point{
		{Connections: 100, Channels: 1}, {Connections: 1000, Channels: 1}, {Connections: 10_000, Channels: 1}, {Connections: 19_000, Channels: 1},
		{Connections: 10_000, Channels: 100}, {Connections: 10_000, Channels: 10_000},
	}
	for round := range o.rounds {
		for _, p := range points {
			fmt.Fprintf(os.Stderr, "round %d of %d: %d connections, %d channels\n", round+1, o.rounds, p.Connections, p.Channels)
			if err := p.measure(ctx, m); err != nil {
				return nil, err
			}
		}
	}
	fmt.Printf("`go run ./bench/compare -growth -rounds %d` on %s; one event at a time, 245 bytes; medians, in brackets the least and the greatest.\n", o.rounds, bench.Kernel())
	fmt.Print(`
| connections | channels | µs per delivery | of it user | without the publish | floor | bytes per connection |
| --- | --- | --- | --- | --- | --- | --- |
`)
	for _, p := range points {
		fmt.Printf("| %d | %d | %s | %s | %s | %s | %s |\n", p.Connections, p.Channels,
			p.Whole.Text(2), p.User.Text(2), p.CPU.Text(2), p.Floor.Text(2), p.Memory.Text(0))
	}
	if o.svg == "" {
		return points, nil
	}
	return points, os.WriteFile(o.svg, plot(points), 0o644)
}

func (p *point) measure(ctx context.Context, m *machine) error {
	idle := bench.Shape{Name: "idle", Connections: p.Connections, Channels: p.Channels}
	report, err := m.onBelfry(ctx, idle)
	if err != nil {
		return err
	}
	p.Memory = append(p.Memory, report.Memory.PerConnection)
	shape := bench.Shape{Name: "growth", Connections: p.Connections, Channels: p.Channels, Mode: bench.OneByOne, Duration: 3 * time.Second}
	if report, err = m.onBelfry(ctx, shape); err != nil {
		return err
	}
	p.CPU, p.Whole, p.User = append(p.CPU, net(report)), append(p.Whole, total(report)), append(p.User, user(report))
	if report, err = m.onFloor(ctx, shape); err != nil {
		return err
	}
	p.Floor = append(p.Floor, total(report))
	return nil
}
