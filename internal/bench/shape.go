package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
)

// Mode says when a publisher publishes the next event.
type Mode string

// The modes.
const (
	// OneByOne publishes when the event before has reached every subscriber. It
	// is for one publisher.
	OneByOne Mode = "one-by-one"
	// AtRate publishes at fixed times, whether or not the event before has
	// arrived; latency counts from the time at which an event was due, so that
	// waiting does not hide.
	AtRate Mode = "rate"
	// FlatOut publishes as soon as the server has answered.
	FlatOut Mode = "flat-out"
)

// Shape is a load.
type Shape struct {
	Name  string `json:"name"`
	About string `json:"-"`

	Connections int           `json:"connections"`
	Channels    int           `json:"channels"`        // connection i subscribes to channel i modulo Channels; 0: to none
	Mode        Mode          `json:"mode,omitempty"`  // empty: nothing is published
	Publishers  int           `json:"publishers"`      // at once; default 1
	Rate        float64       `json:"rate,omitempty"`  // events a second of all publishers, for AtRate
	Batch       int           `json:"batch"`           // events in a request; default 1
	Size        int           `json:"size"`            // bytes of a message as subscribers get it; default 245
	Duration    time.Duration `json:"duration_ns"`     // of publishing, or of one idle window
	Warmup      time.Duration `json:"warmup_ns"`       // of publishing that is not counted; default 500 ms
	AtOnce      int           `json:"connect_at_once"` // handshakes under way at most; default 128
	ReadLimit   float64       `json:"read_limit"`      // deliveries a second that are read; 0: all
	Settle      time.Duration `json:"settle_ns"`       // wait before memory is measured; default 3 s
	Windows     int           `json:"windows"`         // how many windows of idle time are measured; default 1
	PingPeriod  time.Duration `json:"ping_period_ns"`  // the server's silence before a ping, for idle windows with pings
	Stalled     int           `json:"stalled"`         // connections that stop reading
	Stayers     int           `json:"stayers"`         // connections that do not take part in a stampede

	// Patience is how long is waited for what should come but does not: handshakes,
	// missing events, close frames. Default: as long as so much may well take.
	Patience time.Duration `json:"-"`

	run func(*runner) error
}

// Presets are the shapes that have a name. Each call gives new ones.
func Presets() []Shape {
	const second = time.Second
	return []Shape{
		{Name: "idle10k", About: "memory of 10,000 idle subscribed connections", run: (*runner).memory,
			Connections: 10_000, Channels: 100},
		{Name: "one-by-one", About: "1 channel of 1,000, one event at a time", run: (*runner).deliver,
			Connections: 1000, Channels: 1, Mode: OneByOne, Duration: 4 * second},
		{Name: "rate200", About: "1 channel of 1,000, 200 events a second", run: (*runner).deliver,
			Connections: 1000, Channels: 1, Mode: AtRate, Rate: 200, Duration: 5 * second},
		{Name: "many-channels", About: "1,000 channels of 10, 8 publishers", run: (*runner).deliver,
			Connections: 10_000, Channels: 1000, Mode: FlatOut, Publishers: 8, Duration: 4 * second},
		{Name: "flat-out", About: "1 channel of 1,000, one publisher flat out", run: (*runner).deliver,
			Connections: 1000, Channels: 1, Mode: FlatOut, Duration: 4 * second},
		{Name: "offered2000", About: "1 channel of 1,000, 8 publishers that offer 2,000 events a second", run: (*runner).deliver,
			Connections: 1000, Channels: 1, Mode: AtRate, Rate: 2000, Publishers: 8, Duration: 5 * second},
		{Name: "publish-none", About: "8 publishers of signed events to a channel that nobody subscribes to", run: (*runner).publishNone,
			Mode: FlatOut, Publishers: 8, Duration: 3 * second},
		{Name: "handshake", About: "connections that are opened and subscribed, 64 at once", run: (*runner).handshakes,
			Connections: 5000, Channels: 100, AtOnce: 64},
		{Name: "idle19k", About: "CPU of 19,000 idle connections, without and with pings", run: (*runner).idleCPU,
			Connections: 19_000, Channels: 100, Duration: 10 * second, PingPeriod: 25 * second},
		{Name: "slow100", About: "100 of 1,000 subscribers stop reading", run: (*runner).slow,
			Connections: 1000, Channels: 1, Stalled: 100, Mode: AtRate, Rate: 200, Size: 2048, Duration: 20 * second},
		{Name: "flood", About: "8 publishers faster than 1,000 subscribers read", run: (*runner).deliver,
			Connections: 1000, Channels: 1, Mode: FlatOut, Publishers: 8, Size: 4096, ReadLimit: 50_000, Duration: 10 * second},
		{Name: "stampede", About: "10,000 connections drop at once and come back while publishing goes on", run: (*runner).stampede,
			Connections: 10_000, Channels: 100, Stayers: 100, Mode: AtRate, Rate: 20, AtOnce: 1000, Duration: 10 * second},
	}
}

// Preset gives the shape of that name.
func Preset(name string) (Shape, error) {
	all := Presets()
	if i := slices.IndexFunc(all, func(s Shape) bool { return s.Name == name }); i >= 0 {
		return all[i], nil
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return Shape{}, belfry.Errorf(belfry.CodeInvalid, "there is no preset %q: it is one of %s", name, strings.Join(names, ", "))
}

// withDefaults fills in what was left out.
func (s Shape) withDefaults() Shape {
	def(&s.Publishers, 1)
	def(&s.Batch, 1)
	def(&s.Size, 245)
	def(&s.AtOnce, 128)
	def(&s.Windows, 1)
	def(&s.Settle, 3*time.Second)
	def(&s.Warmup, 500*time.Millisecond)
	def(&s.Duration, 5*time.Second)
	if s.run == nil {
		s.run = (*runner).deliver
		if s.Mode == "" {
			s.run = (*runner).memory
		}
	}
	return s
}

func def[T int | time.Duration](value *T, otherwise T) {
	if *value == 0 {
		*value = otherwise
	}
}

// The most that a shape may ask for, so that every run ends.
const (
	maxConnections = 1_000_000
	maxPublishers  = 1000
	maxRate        = 1_000_000
	maxDuration    = time.Hour
)

func (s Shape) check() error {
	wrong := func(format string, args ...any) error { return belfry.Errorf(belfry.CodeInvalid, format, args...) }
	within := func(what string, n, least, most int) error {
		if n < least || n > most {
			return wrong("%s is %d: it must be between %d and %d", what, n, least, most)
		}
		return nil
	}
	for _, err := range []error{
		within("the number of connections", s.Connections, 0, maxConnections),
		within("the number of channels", s.Channels, 0, maxConnections),
		within("the number of publishers", s.Publishers, 1, maxPublishers),
		within("the batch", s.Batch, 1, 1000),
		within("the size", s.Size, 1, maxFrame),
		within("the number of connections that stop reading", s.Stalled, 0, max(0, s.Connections-1)),
		within("the number of handshakes at once", s.AtOnce, 1, 100_000),
		within("the number of windows", s.Windows, 1, 1000),
	} {
		if err != nil {
			return err
		}
	}
	switch {
	case s.Duration < 0 || s.Duration > maxDuration, s.Settle < 0 || s.Settle > maxDuration, s.Warmup < 0 || s.Warmup > maxDuration:
		return wrong("a time must be between zero and %s", maxDuration)
	case s.Mode != "" && s.Mode != OneByOne && s.Mode != AtRate && s.Mode != FlatOut:
		return wrong("there is no mode %q: it is one-by-one, rate or flat-out", s.Mode)
	case s.Mode == AtRate && (s.Rate <= 0 || s.Rate > maxRate):
		return wrong("the rate is %g events a second: it must be above 0 and at most %d", s.Rate, maxRate)
	case s.Mode == OneByOne && s.Publishers > 1:
		return wrong("one event at a time is for one publisher, not %d", s.Publishers)
	case s.ReadLimit < 0:
		return wrong("the limit of reading is below zero")
	case s.Connections > 0 && s.Channels > s.Connections:
		return wrong("%d channels are more than the %d connections that subscribe to them", s.Channels, s.Connections)
	}
	return nil
}

// enoughFiles says what to do when a process may not open n files.
func enoughFiles(n int, limit uint64) error {
	if uint64(n) <= limit {
		return nil
	}
	return &belfry.Error{
		Code:    belfry.CodeInvalid,
		Message: fmt.Sprintf("%d connections need as many open files, but this process may open only %d", n, limit),
		Hint:    "raise the limit (ulimit -n), for the server too, or take fewer connections",
	}
}

// Fit brings the numbers that hang on Connections into its range, after it was
// changed: no more channels than connections, the same share stalled.
func (s *Shape) Fit() {
	s.Channels = min(s.Channels, s.Connections)
	if s.Stalled > 0 {
		s.Stalled = max(1, min(s.Stalled, s.Connections/10))
	}
	s.Stayers = min(s.Stayers, s.Connections)
}
