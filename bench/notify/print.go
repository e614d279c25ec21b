package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/bench"
)

// figures are what was found for one driver, in each round.
type figures struct {
	rows, told    bench.Spread // seconds
	rate          bench.Spread // users a second
	idle, above   bench.Spread // MB
	read, write   bench.Spread // p99 in ms
	killed, again bench.Spread // users; seconds
}

// print prints the machine and the tables.
func (m *machine) print(out io.Writer) {
	fmt.Fprintf(out, "%s; users: %d; rounds: %d\n", bench.About(), m.users, m.rounds)
	if slices.Contains(m.parts, "send") {
		fmt.Fprintf(out, "\n| sending | s until all have it | users a second | s until the last page is told | MB idle | MB above that | p99 of a read, ms | p99 of a write, ms |\n| ---%s |\n", strings.Repeat(" | ---", 7))
		for _, driver := range m.drivers {
			f := m.figures[driver]
			fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", driver, f.rows.Text(1), f.rate.Text(0), f.told.Text(1), f.idle.Text(0), f.above.Text(0), f.read.Text(1), f.write.Text(1))
		}
	}
	if slices.Contains(m.parts, "kill") {
		fmt.Fprintf(out, "\n| kill -9 halfway | killed at | s until all have one row |\n| --- | --- | --- |\n")
		for _, driver := range m.drivers {
			f := m.figures[driver]
			fmt.Fprintf(out, "| %s | %s | %s |\n", driver, f.killed.Text(0), f.again.Text(1))
		}
	}
}
