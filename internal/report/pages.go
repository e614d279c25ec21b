package report

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how much is kept. The zero value is the default.
type Config struct {
	// Bytes is what all reports take at most; default 8 MiB. The page that
	// reported longest ago goes first.
	Bytes int
	// For is how long a page's report is kept once its connection has ended;
	// default one hour.
	For time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Pages keeps what pages reported. Its methods may be called concurrently; nobody
// reports to a nil one.
type Pages struct {
	cfg  Config
	kept atomic.Int64 // pages, so that most ends of connections cost no lock

	mu    sync.Mutex // guards all below
	pages map[string]*page
	bytes int
	swept time.Time
}

// page is what one connection's page reported, the last of it at the end.
type page struct {
	said     []said
	failures []failed
	failed   int // handlers that failed, in all
	last     time.Time
	gone     time.Time // when the connection ended; zero: it has not
	bytes    int
}

type said struct {
	at       time.Time
	handlers map[string][]string
	more     bool
}

type failed struct {
	at time.Time
	Failure
}

const (
	// maxSaid is how many reports of one page are kept: what it bound when an
	// event came is not what it has bound since.
	maxSaid = 4
	// reportTime is how long after a handler was bound a page may tell of it.
	reportTime = 10 * time.Second
	// failureTime is how long after an event its handler may fail and be told of.
	failureTime = time.Minute
	// sweepEvery is how often pages are let go whose connections ended long ago.
	sweepEvery = time.Minute
	// fixed is about what a page, a report or a failure takes beside its text.
	fixed = 300
)

// New makes one.
func New(cfg Config) *Pages {
	cfg.Bytes, cfg.For = cmp.Or(cfg.Bytes, 8<<20), cmp.Or(cfg.For, time.Hour)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Pages{cfg: cfg, pages: map[string]*page{}}
}

// Take keeps a report that Read gave.
func (p *Pages) Take(r Report) {
	now := p.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.pages[r.Socket]
	if one == nil {
		one = &page{}
		p.pages[r.Socket] = one
	}
	one.last = now
	if n := len(one.said); n == 0 || one.said[n-1].more != r.More || !maps.EqualFunc(one.said[n-1].handlers, r.Handlers, slices.Equal) {
		one.said = append(one.said, said{now, r.Handlers, r.More})
		one.said = slices.Clone(one.said[max(0, len(one.said)-maxSaid):])
	}
	one.failed += len(r.Failures)
	for _, f := range r.Failures {
		one.failures = append(one.failures, failed{now, f})
	}
	one.failures = slices.Clone(one.failures[max(0, len(one.failures)-maxFailures):])
	p.bytes -= one.bytes
	one.bytes = one.size()
	p.bytes += one.bytes
	p.sweep(now)
}

func (o *page) size() int {
	n := fixed
	for _, s := range o.said {
		n += fixed
		for channel, names := range s.handlers {
			n += 64 + len(channel)
			for _, name := range names {
				n += 16 + len(name)
			}
		}
	}
	for _, f := range o.failures {
		n += fixed + len(f.Channel) + len(f.Event) + len(f.Error)
	}
	return n
}

// sweep lets go what is too old, now and then, and what is too much.
func (p *Pages) sweep(now time.Time) {
	if now.Sub(p.swept) >= sweepEvery {
		p.swept = now
		for socket, one := range p.pages {
			if !one.gone.IsZero() && now.Sub(one.gone) >= p.cfg.For {
				p.drop(socket)
			}
		}
	}
	if p.bytes > p.cfg.Bytes {
		// A tenth at once, so that a full memory is not sorted for each report.
		oldest := slices.SortedFunc(maps.Keys(p.pages), func(a, b string) int { return p.pages[a].last.Compare(p.pages[b].last) })
		for _, socket := range oldest {
			if p.bytes <= p.cfg.Bytes-p.cfg.Bytes/10 {
				break
			}
			p.drop(socket)
		}
	}
	p.kept.Store(int64(len(p.pages)))
}

func (p *Pages) drop(socket string) {
	p.bytes -= p.pages[socket].bytes
	delete(p.pages, socket)
}

// Gone says that a connection ended. It is cheap for one that did not report.
func (p *Pages) Gone(socket string) {
	if p == nil || p.kept.Load() == 0 {
		return
	}
	now := p.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.pages[socket]; one != nil {
		one.gone = now
	}
}

// Len is how many pages' reports are kept, and how many bytes they take, about.
func (p *Pages) Len() (pages, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.pages), p.bytes
}

// Said is all that a page said that is kept, for people.
type Said struct {
	// Handlers are what it has handlers for, by channel, those of "" for all
	// channels; since Since. More says that there are more channels. It must not be
	// changed.
	Handlers map[string][]string
	More     bool
	Since    time.Time
	// Last is when it last said anything.
	Last time.Time
	// Failed is how many handlers failed; Failures are the last ten, in order, with
	// when that was told.
	Failed   int
	Failures []FailedAt
}

// FailedAt is a handler that failed, and when that was told.
type FailedAt struct {
	At time.Time
	Failure
}

// Said gives all that the page of a connection said that is kept; ok is false
// when it said nothing.
func (p *Pages) Said(socket string) (all Said, ok bool) {
	if p == nil {
		return Said{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.pages[socket]
	if one == nil {
		return Said{}, false
	}
	now := one.said[len(one.said)-1]
	all = Said{Handlers: now.handlers, More: now.more, Since: now.at, Last: one.last, Failed: one.failed}
	for _, f := range one.failures {
		all.Failures = append(all.Failures, FailedAt{f.at, f.Failure})
	}
	return all, true
}

// Page is what a page said of one channel at one time.
type Page struct {
	// Names are the events that it had handlers for there, sorted; Every that a
	// handler took all of them.
	Names []string
	Every bool
	// Elsewhere are the events that it had handlers for on other channels, with
	// one of these channels.
	Elsewhere map[string]string
	// Failures are its handlers that failed there within a minute after that time.
	Failures []Failure
}

// Has reports whether a handler was there for an event.
func (p Page) Has(event string) bool { return p.Every || slices.Contains(p.Names, event) }

// Page gives what the page of a connection said of a channel at a time; known is
// false when it said nothing of it. What it told of within ten seconds after that
// time counts too.
func (p *Pages) Page(socket, channel string, at time.Time) (about Page, known bool) {
	if p == nil {
		return Page{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.pages[socket]
	if one == nil {
		return Page{}, false
	}
	for _, s := range one.at(at) {
		if _, named := s.handlers[channel]; named || !s.more {
			known = true
		}
		about.add(s, channel)
	}
	slices.Sort(about.Names)
	about.Names = slices.Compact(about.Names)
	for _, f := range one.failures {
		if (f.Channel == channel || f.Channel == "") && !f.at.Before(at) && f.at.Before(at.Add(failureTime)) {
			about.Failures = append(about.Failures, f.Failure)
		}
	}
	return about, known
}

// at gives the reports that tell of a time: the last one before it, those soon
// after it, and else the first one.
func (o *page) at(at time.Time) []said {
	from, to := 0, 0
	for i, s := range o.said {
		if !s.at.After(at) {
			from = i
		}
		if !s.at.After(at.Add(reportTime)) {
			to = i
		}
	}
	return o.said[from : to+1]
}

func (p *Page) add(s said, channel string) {
	for where, names := range s.handlers {
		here := where == channel || where == ""
		for _, name := range names {
			switch {
			case here && name == Every:
				p.Every = true
			case here:
				p.Names = append(p.Names, name)
			case name != Every && (p.Elsewhere[name] == "" || where < p.Elsewhere[name]):
				if p.Elsewhere == nil {
					p.Elsewhere = map[string]string{}
				}
				p.Elsewhere[name] = where
			}
		}
	}
}
