package hook

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

// Config is the settings of Hooks; the zero value has the defaults.
type Config struct {
	// Logger gets a line when an endpoint begins to fail, answers again, or
	// events are dropped, at most one a minute of each. Default: none.
	Logger *slog.Logger
	// Client sends the requests. It must follow no redirect, and its own
	// timeout must not be shorter than Timeout. Default: one of httpx that
	// refuses private addresses, which Run closes.
	Client *http.Client
	// Observe is told about every attempt when it ends. It may be called
	// concurrently and should be quick: it holds up a sender. Default: none.
	Observe func(Attempt)
	// Delay is how long channel_vacated and member_removed wait for a return.
	// Default: 3 s; negative: no delay.
	Delay time.Duration
	// BatchWindow is how long an app with WebhookBatch collects events for one
	// request, and BatchMax how many at most (HOOK-04). Defaults: 50 ms, 100.
	BatchWindow time.Duration
	BatchMax    int
	// RetryFor is how long an event is tried, counted from when it was accepted;
	// then it is dropped (HOOK-05). Default: 5 min.
	RetryFor time.Duration
	// RetryFirst is the wait after the first failure; it doubles with each
	// further one up to RetryMax, and up to a quarter of it is taken off at
	// random. Defaults: 1 s, 60 s.
	RetryFirst, RetryMax time.Duration
	// HoldFor is how long an event that fails may keep back later events of its
	// channel, counted from when it was accepted. Default: 30 s.
	HoldFor time.Duration
	// Timeout bounds one attempt. Default: 10 s.
	Timeout time.Duration
	// InFlight is how many requests to one endpoint are under way at once.
	// Default: 4.
	InFlight int
	// QueueMax is how many events may wait for one endpoint, those that are
	// being retried included, and QueueBytes about how many bytes all that waits
	// may take. What comes when full is dropped and counted. Defaults: 100,000,
	// 64 MiB.
	QueueMax, QueueBytes int
	// DelayedMax is how many leaves may wait for a return; above it the oldest
	// go out early. Default: 100,000.
	DelayedMax int
	// Rand gives numbers in [0,1) for the jitter; it may be called concurrently.
	// Default: math/rand/v2.
	Rand func() float64
}

const (
	idleFor   = 15 * time.Minute // an endpoint unused for so long is forgotten
	sayEvery  = time.Minute      // between two log lines of a kind
	answerMax = 16 << 10         // bytes of an answer that are read
)

func orDefault[T int | time.Duration](value *T, def T) {
	if *value == 0 {
		*value = def
	}
}

func (cfg Config) withDefaults() Config {
	orDefault(&cfg.Delay, 3*time.Second)
	orDefault(&cfg.BatchWindow, 50*time.Millisecond)
	orDefault(&cfg.BatchMax, 100)
	orDefault(&cfg.RetryFor, 5*time.Minute)
	orDefault(&cfg.RetryFirst, time.Second)
	orDefault(&cfg.RetryMax, time.Minute)
	orDefault(&cfg.HoldFor, 30*time.Second)
	orDefault(&cfg.Timeout, 10*time.Second)
	orDefault(&cfg.InFlight, 4)
	orDefault(&cfg.QueueMax, 100_000)
	orDefault(&cfg.QueueBytes, 64<<20)
	orDefault(&cfg.DelayedMax, 100_000)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	return cfg
}
