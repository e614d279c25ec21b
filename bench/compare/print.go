package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/belfryhq/belfry/internal/bench"
)

type spread = bench.Spread

// each collects a figure of the reports.
func each(reports []*bench.Report, figure func(*bench.Report) float64) spread {
	var s spread
	for _, r := range reports {
		s = append(s, figure(r))
	}
	return s
}

// ratio collects a figure over the floor's total, round by round.
func (r *row) ratio(figure func(*bench.Report) float64) spread {
	var s spread
	for i := range min(len(r.Floor), len(r.Belfry)) {
		s = append(s, figure(r.Belfry[i])/r.Floor[i].Load.CPU.Total)
	}
	return s
}

func total(r *bench.Report) float64 { return r.Load.CPU.Total }
func user(r *bench.Report) float64  { return r.Load.CPU.User }
func net(r *bench.Report) float64 {
	if r.Load.NetCPU == nil {
		return total(r)
	}
	return r.Load.NetCPU.Total
}
func p99(r *bench.Report) float64 { return r.Load.Latency.P99 }

// print prints the tables.
func print(all []*row, o options) {
	command := "go run ./bench/compare"
	if o.rounds != 5 {
		command += fmt.Sprint(" -rounds ", o.rounds)
	}
	if o.rows != "" {
		command += " -rows " + o.rows
	}
	fmt.Printf("`%s` on %s, %d cores; medians of %d rounds, in brackets the least and the greatest.\n", command, bench.Kernel(), runtime.NumCPU(), o.rounds)
	printDeliveries(all)
	printOthers(all)
}

func printDeliveries(all []*row) {
	fmt.Print(`
Server CPU per delivery, in µs. The ratio is to the floor of the same round;
"without the publish" leaves out what the publish request costs that reaches
nobody, measured just before.

| shape | floor | Belfry | of it user | ratio | without the publish | ratio | p99 ms | p99 of the floor | cores: server, load | at most |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
`)
	for _, r := range all {
		if !r.floor {
			continue
		}
		fmt.Printf("| %s | %s | %s | %s | %s | %s | %s | %s | %s | %.2f, %.2f | %s |\n", r.about(),
			each(r.Floor, total).Text(2), each(r.Belfry, total).Text(2), each(r.Belfry, user).Text(2), r.ratio(total).Text(2),
			each(r.Belfry, net).Text(2), r.ratio(net).Text(2), each(r.Belfry, p99).Text(1), each(r.Floor, p99).Text(1),
			each(r.Belfry, func(r *bench.Report) float64 { return r.Load.CPUShare }).Median(),
			each(r.Belfry, func(r *bench.Report) float64 { return r.Load.ClientShare }).Median(), r.limit)
	}
}

func printOthers(all []*row) {
	fmt.Print(`
| shape | measured | at most |
| --- | --- | --- |
`)
	for _, r := range all {
		if !r.floor {
			fmt.Printf("| %s | %s | %s |\n", r.about(), r.measured(), r.limit)
		}
		var faults []string
		for _, report := range r.Belfry {
			faults = append(faults, report.Faults...)
		}
		if len(faults) > 0 {
			fmt.Printf("| %s: faults in %d runs | %s | none |\n", r.preset, len(r.Belfry), strings.Join(faults, "; "))
		}
	}
}

func (r *row) about() string {
	if r.label != "" {
		return r.label
	}
	return r.Belfry[0].Shape.About
}

// measured says what a row without a floor has found.
func (r *row) measured() string {
	b := r.Belfry
	switch r.preset {
	case "offered2000":
		return fmt.Sprintf("%s events/s; p99 %s ms; %s µs per delivery",
			each(b, func(r *bench.Report) float64 { return r.Load.EventsPerSecond }).Text(0), each(b, p99).Text(1), each(b, total).Text(2))
	case "publish-none":
		return fmt.Sprintf("%s µs, %s of it user", each(b, func(r *bench.Report) float64 { return r.Load.PublishCPU.Total }).Text(1),
			each(b, func(r *bench.Report) float64 { return r.Load.PublishCPU.User }).Text(1))
	case "handshake":
		return fmt.Sprintf("%s µs, %s of it user; %s a second", each(b, func(r *bench.Report) float64 { return r.Handshake.CPU.Total }).Text(1),
			each(b, func(r *bench.Report) float64 { return r.Handshake.CPU.User }).Text(1),
			each(b, func(r *bench.Report) float64 { return r.Handshake.PerSecond }).Text(0))
	case "idle10k":
		return fmt.Sprintf("%s bytes", each(b, func(r *bench.Report) float64 { return r.Memory.PerConnection }).Text(0))
	case "idle19k":
		return r.idle()
	case "slow100":
		s := b[0].Slow
		return fmt.Sprintf("p99 %.1f ms, before %.1f ms: %.2f times; %d of %d found 4100; memory %.0f MB, at most %.0f MB", b[0].Load.Latency.P99, s.Before.P99, s.Ratio,
			s.Closed[4100], s.Stalled, float64(s.ResidentBefore)/1e6, float64(s.ResidentPeak)/1e6)
	case "flood":
		l := b[0].Load
		return fmt.Sprintf("%d connections closed; %d of %d deliveries lost; the slowest publish took %.0f ms", sum(b[0].Closed), l.Lost, l.Deliveries, l.Answer.Max)
	case "stampede":
		s := b[0].Stampede
		return fmt.Sprintf("%d of %d back in %.2f s; p99 of those that stayed %.1f ms", s.Dropped-s.Failed, s.Dropped, s.Seconds, b[0].Load.Latency.P99)
	}
	return ""
}

// idle tells the windows without connections, those without pings and those with
// them apart. Pings come in waves, about one a window, so theirs are taken together.
func (r *row) idle() string {
	var alone, quiet spread
	var used, seconds float64
	var pings uint64
	third := len(r.Belfry[0].Idle) / 3
	for i, w := range r.Belfry[0].Idle {
		switch {
		case w.Connections == 0:
			alone = append(alone, w.CPU)
			continue
		case i < 2*third:
			quiet = append(quiet, w.CPU)
			continue
		}
		used += w.CPU * w.Seconds
		seconds += w.Seconds
		pings += w.Pings
	}
	return fmt.Sprintf("%s ms per s, without any connection %s; with pings %.2f ms per s (%d pings in %.0f s)",
		quiet.Text(2), alone.Text(2), used/max(seconds, 1), pings, seconds)
}

func sum(m map[int]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}
