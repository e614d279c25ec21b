package bench

import (
	"fmt"
	"strings"
	"time"
)

// Rows gives the report as lines of a name and a value, for people.
func (r *Report) Rows() [][]string {
	var rows [][]string
	add := func(name, format string, args ...any) {
		rows = append(rows, []string{name, fmt.Sprintf(format, args...)})
	}
	about := r.Shape.About
	if about == "" {
		about = r.Shape.summary()
	}
	add("shape", "%s", strings.TrimPrefix(r.Shape.Name+": "+about, ": "))
	add("server", "%s", r.Server)
	add("client", "%s", r.Client)
	if h := r.Handshake; h != nil {
		add("connections", "%d in %d channels, made in %.2f s (%.0f/s)", h.Count, r.Shape.Channels, h.Seconds, h.PerSecond)
		addCPU(add, "CPU per handshake with subscribe", h.CPU)
	}
	if m := r.Memory; m != nil {
		add("memory per connection", "%.0f bytes resident (%.0f without files): %s before, %s after", m.PerConnection, m.AnonymousPerConnection, megabytes(m.Before), megabytes(m.After))
	}
	for _, w := range r.Idle {
		add("idle CPU", "%.2f ms per s (%.2f user) over %.1f s with %d connections and %d pings", w.CPU, w.User, w.Seconds, w.Connections, w.Pings)
	}
	r.Load.rows(add)
	if s := r.Slow; s != nil {
		add("p99 while all read", "%s", s.Before)
		add("p99 against that", "%.2f times", s.Ratio)
		add("stopped reading", "%d, then found %s", s.Stalled, codes(s.Closed))
		add("server's memory", "%s before, %s at most, %s after", megabytes(s.ResidentBefore), megabytes(s.ResidentPeak), megabytes(s.ResidentAfter))
	}
	if s := r.Stampede; s != nil {
		add("back after a drop", "%d of %d in %.2f s", s.Dropped-s.Failed, s.Dropped, s.Seconds)
		addCPU(add, "CPU per return", s.CPU)
	}
	if len(r.Closed) > 0 {
		add("closed by the server", "%s", codes(r.Closed))
	}
	if r.CPUSource != "" {
		add("CPU is from", "%s", r.CPUSource)
	}
	if len(r.Faults) == 0 {
		add("faults", "none")
	}
	for _, f := range r.Faults {
		add("FAULT", "%s", f)
	}
	return rows
}

func (l *Load) rows(add func(name, format string, args ...any)) {
	if l == nil {
		return
	}
	add("published", "%d events in %.2f s (%.0f/s)", l.Events, l.Seconds, l.EventsPerSecond)
	if l.Deliveries > 0 {
		add("delivered", "%d (%.0f/s), %d lost, %d twice, %d out of order", l.Deliveries, l.DeliveriesPerSecond, l.Lost, l.Duplicated, l.Reordered)
		add("publish to receive", "%s", l.Latency)
	}
	add("publish to answer", "%s", l.Answer)
	if l.Late.Count > 0 {
		add("sent behind time", "%s", l.Late)
	}
	addCPU(add, "CPU per delivery", l.CPU)
	addCPU(add, "  without the publish", l.NetCPU)
	addCPU(add, "CPU per publish to nobody", l.PublishCPU)
	if l.CPUShare > 0 {
		add("CPU in use", "%.2f cores by the server, %.2f by this side", l.CPUShare, l.ClientShare)
	}
}

func addCPU(add func(name, format string, args ...any), name string, c *CPU) {
	if c != nil {
		add(name, "%.3f µs (%.3f user, %.3f system)", c.Total, c.User, c.System)
	}
}

// String gives the three figures.
func (l Latency) String() string {
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms, max %.2f ms", l.P50, l.P99, l.Max)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// codes lists close codes with their number.
func codes(closed map[int]int) string {
	var parts []string
	for _, code := range sortedKeys(closed) {
		name := fmt.Sprint(code)
		if code == 0 {
			name = "still open"
		}
		parts = append(parts, fmt.Sprintf("%d × %s", closed[code], name))
	}
	return strings.Join(parts, ", ")
}

// summary describes a shape that has no name.
func (s Shape) summary() string {
	text := fmt.Sprintf("%d connections, %d channels", s.Connections, s.Channels)
	if s.Mode == "" {
		return text + ", idle"
	}
	text += fmt.Sprintf(", %d publishers, %s", s.Publishers, s.Mode)
	if s.Mode == AtRate {
		text += fmt.Sprintf(" %g/s", s.Rate)
	}
	return text + fmt.Sprintf(" for %s", s.Duration.Round(time.Millisecond))
}
