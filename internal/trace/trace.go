package trace

import (
	"cmp"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/store"
)

// Config is a Trace's settings. The zero value keeps an hour in 64 MiB and no
// failures.
type Config struct {
	// Bytes is what all records may take in memory; default 64 MiB, a quarter of
	// it for connections. At least 4 MiB.
	Bytes int
	// For is how long records are kept; default one hour.
	For time.Duration
	// Rate is how many events a second are traced whole; default 1000. When more
	// come, one in 2, 4, 8 … is traced, failures always. Negative: all are.
	Rate int
	// DB keeps failures; nil keeps none. FailuresFor is for how long; default
	// seven days.
	DB          *store.DB
	FailuresFor time.Duration
	// Hidden reports whether an app is left out; default: none is. It must not
	// block.
	Hidden func(app string) bool
	Now    func() time.Time // default: time.Now
	Logger *slog.Logger     // default: nothing is logged
}

// Trace remembers. Its methods may be called concurrently; those that tell it
// something do not block. Run writes failures to the database.
type Trace struct {
	cfg      Config
	seed     maphash.Seed
	events   book
	links    book // connections
	gate     gate
	seen     atomic.Uint64 // events told of
	failures failures

	mu   sync.Mutex // guards tail
	tail map[*tap]struct{}
	taps atomic.Int32
}

// New makes a Trace.
func New(cfg Config) *Trace {
	cfg.Bytes = max(cmp.Or(cfg.Bytes, 64<<20), 4<<20)
	cfg.For = cmp.Or(cfg.For, time.Hour)
	if cfg.Rate = cmp.Or(cfg.Rate, 1000); cfg.Rate < 0 {
		cfg.Rate = 1 << 40
	}
	cfg.FailuresFor = cmp.Or(cfg.FailuresFor, 7*24*time.Hour)
	if cfg.Hidden == nil {
		cfg.Hidden = func(string) bool { return false }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	t := &Trace{cfg: cfg, seed: maphash.MakeSeed(), tail: map[*tap]struct{}{}}
	quarter := cfg.Bytes / 4
	t.events.init(t.seed, 3*quarter, cfg.For)
	t.links.init(t.seed, quarter, cfg.For)
	t.gate.rate = int64(cfg.Rate)
	t.failures.init(cfg)
	return t
}

// Stats are a Trace's figures.
type Stats struct {
	Seen    uint64 // steps of events that it was told of
	Records uint64 // kept of them, and of connections, since the start
	Dropped uint64 // let go before their time, because the memory was full
	// OneIn is 1 while every event is traced, else one in so many is.
	OneIn           int
	Bytes, MaxBytes int64
	// Oldest and OldestConnection are the times of the oldest records kept; zero
	// when there are none.
	Oldest, OldestConnection time.Time
	FailuresWritten          uint64
	FailuresDropped          uint64 // not written: too many, or the database was away
}

// Stats gives the figures.
func (t *Trace) Stats() Stats {
	e, l := t.events.stats(), t.links.stats()
	return Stats{
		Seen: t.seen.Load(), Records: e.records + l.records, Dropped: e.dropped + l.dropped, OneIn: t.OneIn(t.cfg.Now()),
		Bytes: e.bytes + l.bytes, MaxBytes: int64(t.cfg.Bytes), Oldest: e.oldest, OldestConnection: l.oldest,
		FailuresWritten: t.failures.written.Load(), FailuresDropped: t.failures.dropped.Load(),
	}
}

// Since is from when on the records are complete: For ago, or later where memory
// ran out or the process began; events and connections apart.
func (t *Trace) Since() (events, connections time.Time) {
	return t.events.since(t.cfg.Now()), t.links.since(t.cfg.Now())
}

// OneIn says at which rate events were sampled at a time: 1 means that all were
// traced.
func (t *Trace) OneIn(at time.Time) int { return t.gate.oneIn(at, at) }

// OneInAtMost is OneIn at the moment between two times at which the fewest were
// traced.
func (t *Trace) OneInAtMost(from, to time.Time) int { return t.gate.oneIn(from, to) }

// clip bounds what a record keeps of a text from outside.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xC0 == 0x80 {
		most--
	}
	return s[:most]
}
