package bench

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Report is what a run has found. Times are in the unit that the JSON names
// say; a part that was not measured is nil.
type Report struct {
	Shape     Shape     `json:"shape"`
	Server    string    `json:"server"`
	Client    string    `json:"client"` // how this side served its connections
	CPUSource string    `json:"cpu_source,omitempty"`
	At        time.Time `json:"at"`

	Handshake *Handshake `json:"handshake,omitempty"`
	Memory    *Memory    `json:"memory,omitempty"`
	Idle      []Idle     `json:"idle,omitempty"`
	Load      *Load      `json:"load,omitempty"`
	Slow      *Slow      `json:"slow,omitempty"`
	Stampede  *Stampede  `json:"stampede,omitempty"`

	Closed     map[int]int    `json:"closed"`     // connections that the server closed, by code; 1006 without a close frame
	Complaints map[string]int `json:"complaints"` // what the server said in errors
	// Faults says what went wrong: loss, duplicates, disorder, closed
	// connections, refused publishes.
	Faults []string `json:"faults"`
}

// Handshake is about connections from the TCP connection to the confirmed
// subscription.
type Handshake struct {
	Count     int     `json:"count"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	CPU       *CPU    `json:"cpu_each,omitempty"`
}

// Memory is the server's resident memory, in bytes, before and after all
// connections were made.
type Memory struct {
	Before                 int64   `json:"before_bytes"`
	After                  int64   `json:"after_bytes"`
	PerConnection          float64 `json:"bytes_per_connection"`
	AnonymousPerConnection float64 `json:"anonymous_bytes_per_connection"` // without files mapped into memory
}

// Idle is one window in which nothing was published.
type Idle struct {
	Connections int     `json:"connections"` // 0 in the first windows: what the server does anyway
	Seconds     float64 `json:"seconds"`
	Pings       uint64  `json:"pings"`
	CPU         float64 `json:"cpu_ms_per_s"`
	User        float64 `json:"user_ms_per_s"`
}

// Load is one window of publishing.
type Load struct {
	Events              int64   `json:"events"`
	Deliveries          uint64  `json:"deliveries"`
	Seconds             float64 `json:"seconds"` // to the last delivery
	EventsPerSecond     float64 `json:"events_per_second"`
	DeliveriesPerSecond float64 `json:"deliveries_per_second"`
	// CPU is all that the server used, for each delivery; NetCPU the same
	// without PublishCPU for each event, which is what a publish costs that
	// reaches nobody. CPUShare is the part of one core that was used.
	CPU        *CPU    `json:"cpu_per_delivery,omitempty"`
	NetCPU     *CPU    `json:"cpu_per_delivery_without_publish,omitempty"`
	PublishCPU *CPU    `json:"cpu_per_publish,omitempty"`
	CPUShare   float64 `json:"cpu_cores,omitempty"`
	// ClientShare is the part of one core that this side used meanwhile.
	ClientShare float64 `json:"client_cores,omitempty"`

	Latency Latency `json:"latency"`        // from when an event was due to each delivery
	Answer  Latency `json:"publish_answer"` // from request to answer
	Late    Latency `json:"publish_late"`   // of requests at a fixed rate behind their time

	Lost       int64            `json:"lost"`
	Duplicated uint64           `json:"duplicated"`
	Reordered  uint64           `json:"reordered"`
	Refused    map[string]int64 `json:"refused,omitempty"` // publishes, by the answer
	Unsent     int64            `json:"unsent,omitempty"`  // due, but the server was too slow to send them
}

// Slow is about connections that stopped reading. The others' latency while
// they did is in Load.
type Slow struct {
	Stalled        int         `json:"stalled"`
	Before         Latency     `json:"latency_before"`
	Ratio          float64     `json:"p99_ratio"`
	Closed         map[int]int `json:"closed"` // of the stalled, when they read again; 0: still open
	ClosedOthers   int         `json:"closed_others"`
	ResidentBefore int64       `json:"resident_before_bytes"`
	ResidentPeak   int64       `json:"resident_peak_bytes"`
	ResidentAfter  int64       `json:"resident_after_bytes"`
}

// Stampede is about connections that dropped and came back.
type Stampede struct {
	Dropped int     `json:"dropped"`
	Seconds float64 `json:"seconds"` // until all were subscribed again
	Failed  int     `json:"failed"`
	Why     string  `json:"why,omitempty"`
	CPU     *CPU    `json:"cpu_each,omitempty"`
}

// less gives c without times of what cost says; nil when either is unknown.
func (c *CPU) less(cost *CPU, times float64) *CPU {
	if c == nil || cost == nil {
		return nil
	}
	return &CPU{c.Total - cost.Total*times, c.User - cost.User*times, c.System - cost.System*times}
}

// judge writes down what went wrong.
func (r *runner) judge() {
	t, report := r.look(), r.report
	report.Closed, report.Complaints = t.closed, t.complaints
	maps.DeleteFunc(report.Closed, func(_, n int) bool { return n == 0 })
	report.Faults = []string{}
	fault := func(format string, args ...any) { report.Faults = append(report.Faults, fmt.Sprintf(format, args...)) }
	for _, code := range sortedKeys(t.closed) {
		fault("%d connections were closed with %d", t.closed[code], code)
	}
	for _, text := range sortedKeys(t.complaints) {
		fault("%d times: %s", t.complaints[text], text)
	}
	if l := report.Load; l != nil {
		if l.Lost > 0 {
			fault("%d deliveries are missing", l.Lost)
		}
		if l.Duplicated > 0 {
			fault("%d deliveries came twice", l.Duplicated)
		}
		if l.Reordered > 0 {
			fault("%d deliveries came out of order", l.Reordered)
		}
		for _, why := range sortedKeys(l.Refused) {
			fault("%d publishes were refused: %s", l.Refused[why], why)
		}
		if l.Unsent > 0 {
			fault("%d events could not be sent: the server was too slow for that rate", l.Unsent)
		}
	}
	if s := report.Slow; s != nil {
		if n := s.Closed[4100]; n < s.Stalled {
			fault("of %d connections that stopped reading %d found close 4100: %v", s.Stalled, n, s.Closed)
		}
	}
	if s := report.Stampede; s != nil && s.Failed > 0 {
		fault("%d of %d connections did not come back: %s", s.Failed, s.Dropped, s.Why)
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
