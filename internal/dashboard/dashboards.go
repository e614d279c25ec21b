package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// EventName is the event that pages get.
const EventName = "DashboardUpdated"

// Source is a database that figures are read from; *store.Source is one.
type Source interface {
	Dialect() store.Dialect
	Read(ctx context.Context, q store.Question) (store.Table, error)
	Check(ctx context.Context) error
	String() string
	Close() error
}

// Config is what a Dashboards is made of. Publish is required.
type Config struct {
	// Publish brings an event to the subscribers of a channel.
	Publish func(ctx context.Context, channel, event string, data json.RawMessage, id string) error
	// Set are the dashboards at first; nil means none.
	Set *Set
	// OwnDatabase is the address of Belfry's own database, for dashboards that
	// name it so.
	OwnDatabase string
	// MaxEvent gives the most bytes of an event's data, negative for no limit;
	// default 10 KB.
	MaxEvent func() int
	// Open opens a database; default: store.OpenSource with 4 connections.
	Open func(address string) (Source, error)
	// Pause is the least time between two broadcasts of a dashboard; default
	// 500 ms.
	Pause  time.Duration
	Now    func() time.Time // default: time.Now
	Logger *slog.Logger     // default: nothing is logged
}

// connections is how many figures are read from one database at once.
const connections = 4

// Dashboards computes and broadcasts. Make one with New; Run must run for
// broadcasts. Its methods may be called concurrently.
type Dashboards struct {
	cfg Config
	log *slog.Logger

	ctx  context.Context // of all that is computed; ends with Close
	end  context.CancelCauseFunc
	work sync.WaitGroup

	mu      sync.Mutex // guards all below
	order   []*board   // as in the Set
	sources map[string]*source
	running bool
	closed  bool
}

// source is a database with its places for readers.
type source struct {
	Source
	places chan struct{}
	away   atomic.Bool // since the last use of it
}

// reached notes whether the database could be, and says so when that changes.
func (s *source) reached(log *slog.Logger, err error) {
	switch {
	case err != nil && s.away.CompareAndSwap(false, true):
		log.Warn("a dashboard's database cannot be reached; figures keep their last value", "database", s.String(), "error", err)
	case err == nil && s.away.CompareAndSwap(true, false):
		log.Info("a dashboard's database can be reached again", "database", s.String())
	}
}

var errClosed = &belfry.Error{Code: belfry.CodeUnavailable, Message: "the server is stopping: no figures are computed"}

// New makes a Dashboards. It opens the databases but reaches none. Close, or the
// end of Run, ends it.
func New(cfg Config) (*Dashboards, error) {
	if cfg.Open == nil {
		cfg.Open = func(address string) (Source, error) { return store.OpenSource(address, connections) }
	}
	if cfg.MaxEvent == nil {
		cfg.MaxEvent = func() int { return 10 << 10 }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Pause = cmp.Or(cfg.Pause, 500*time.Millisecond)
	d := &Dashboards{cfg: cfg, log: cfg.Logger, sources: map[string]*source{}}
	d.ctx, d.end = context.WithCancelCause(context.Background())
	if err := d.Replace(cfg.Set); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Replace puts other dashboards in force, nil none. Those that stay as they are
// keep all they have; the pages of those that change are told. On an error
// nothing changes.
func (d *Dashboards) Replace(set *Set) error {
	if set == nil {
		set = &Set{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	sources := map[string]*source{}
	for _, p := range set.list {
		address := d.address(p)
		if sources[address] != nil {
			continue
		}
		if s := d.sources[address]; s != nil {
			sources[address] = s
			continue
		}
		opened, err := d.cfg.Open(address)
		if err != nil {
			for at, s := range sources {
				if d.sources[at] == nil {
					err = errors.Join(err, s.Close())
				}
			}
			return &belfry.Error{Code: belfry.CodeInvalid, Message: "the database of the dashboard " + p.Name + " cannot be opened", Err: err}
		}
		sources[address] = &source{Source: opened, places: make(chan struct{}, connections)}
	}
	var order, gone []*board
	for _, p := range set.list {
		old := d.board(p.Name)
		if old != nil && reflect.DeepEqual(old.plan.Spec, p.Spec) {
			order = append(order, old)
			continue
		}
		next := newBoard(d, p, sources[d.address(p)], old)
		if d.running {
			next.tell(p.Range, "reload")
			next.start()
		}
		order = append(order, next)
	}
	for _, old := range d.order {
		if !slices.Contains(order, old) {
			gone = append(gone, old)
		}
	}
	var closing []*source
	for at, s := range d.sources {
		if sources[at] == nil {
			closing = append(closing, s)
		}
	}
	d.order, d.sources = order, sources
	d.work.Go(func() {
		for _, b := range gone {
			b.stop()
		}
		for _, s := range closing {
			if err := s.Close(); err != nil {
				d.log.Warn("a dashboard's database could not be closed", "database", s.String(), "error", err)
			}
		}
	})
	return nil
}

func (d *Dashboards) address(p *plan) string {
	if p.Database == Own {
		return d.cfg.OwnDatabase
	}
	return p.Database
}

// board finds a dashboard; d.mu is held.
func (d *Dashboards) board(name string) *board {
	for _, b := range d.order {
		if b.plan.Name == name {
			return b
		}
	}
	return nil
}

// find gives a dashboard and the name of a range, where "" is the default one.
func (d *Dashboards) find(name, rangeName string) (*board, string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.board(cmp.Or(name, Default))
	if b == nil {
		hint := "dashboards are made in belfry.yaml, under dashboards"
		if len(d.order) > 0 {
			names := make([]string, len(d.order))
			for i, one := range d.order {
				names[i] = one.plan.Name
			}
			hint = "there are: " + strings.Join(names, ", ")
		}
		return nil, "", &belfry.Error{Code: belfry.CodeNotFound, Message: "there is no dashboard of that name", Hint: hint}
	}
	rangeName = cmp.Or(rangeName, b.plan.Range)
	return b, rangeName, checkRange(rangeName)
}

// Resolve gives the dashboard and the range that are meant, where "" is the
// default one. It fails with CodeNotFound or CodeInvalid, naming those that
// there are. It returns at once.
func (d *Dashboards) Resolve(name, rangeName string) (string, string, error) {
	b, rangeName, err := d.find(name, rangeName)
	if err != nil {
		return "", "", err
	}
	return b.plan.Name, rangeName, nil
}

// Changed has a dashboard computed anew and broadcast, and returns at once: the
// first time the broadcast begins at once, and what comes within half a second
// of it becomes one more. "" is the default dashboard, and its own range. The
// reason is for people. It fails as Resolve does.
func (d *Dashboards) Changed(name, rangeName, reason string) error {
	b, rangeName, err := d.find(name, rangeName)
	if err != nil {
		return err
	}
	b.tell(rangeName, cut(strings.ToValidUTF8(reason, "\uFFFD"), 200))
	return nil
}

// Info says what a dashboard is, without its figures' values.
type Info struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Channel string `json:"channel"`
	Public  bool   `json:"public"`
}

// Names gives all dashboards in the order of the settings. Who may see one is
// the caller's to judge, by its channel.
func (d *Dashboards) Names() []Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]Info, len(d.order))
	for i, b := range d.order {
		all[i] = b.plan.info()
	}
	return all
}

func (p *plan) info() Info { return Info{p.Name, p.Title, p.channel(), p.Public} }

// Find gives one dashboard; ok is false when there is none of that name, where
// "" is the default one.
func (d *Dashboards) Find(name string) (info Info, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b := d.board(cmp.Or(name, Default)); b != nil {
		return b.plan.info(), true
	}
	return Info{}, false
}

// Current gives a dashboard's figures, computed anew if something changed. It
// waits for that, at most as long as the figures' time limits allow. It fails as
// Resolve does, with the error of ctx, and with CodeUnavailable after the end; a
// figure that fails is no error.
func (d *Dashboards) Current(ctx context.Context, name, rangeName string) (View, error) {
	b, rangeName, err := d.find(name, rangeName)
	if err != nil {
		return View{}, err
	}
	r, err := b.get(ctx, rangeName)
	if err != nil {
		return View{}, err
	}
	return b.view(r), nil
}

// Run broadcasts until ctx ends; what waits then goes out first, within a few
// seconds. A Dashboards runs once.
func (d *Dashboards) Run(ctx context.Context) error {
	d.mu.Lock()
	d.running = !d.closed
	for _, b := range d.order {
		if d.running {
			b.start()
		}
	}
	d.mu.Unlock()
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushWait)
	defer cancel()
	if err := d.Flush(last); err != nil {
		d.log.Warn("the last change of a dashboard could not be broadcast before the end", "error", err)
	}
	return errors.Join(context.Cause(ctx), d.Close())
}

// flushWait bounds the last broadcasts of Run.
const flushWait = 5 * time.Second

// Flush waits until everything that was told before has been broadcast, or tried
// once.
func (d *Dashboards) Flush(ctx context.Context) error {
	d.mu.Lock()
	boards, running := slices.Clone(d.order), d.running
	d.mu.Unlock()
	for _, b := range boards {
		if !running {
			break
		}
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close ends everything at once and waits for it. It may be called again.
func (d *Dashboards) Close() error {
	d.mu.Lock()
	d.closed, d.running = true, false
	boards, sources := d.order, d.sources
	d.order, d.sources = nil, nil
	d.mu.Unlock()
	d.end(errClosed)
	for _, b := range boards {
		b.stop()
	}
	d.work.Wait()
	var err error
	for _, s := range sources {
		err = errors.Join(err, s.Close())
	}
	return err
}

// Check reaches every database that dashboards name. It fails when one cannot be
// reached, and notes the figures that fail.
func (d *Dashboards) Check(ctx context.Context) (note string, err error) {
	d.mu.Lock()
	sources := make([]*source, 0, len(d.sources))
	for _, s := range d.sources {
		sources = append(sources, s)
	}
	boards := slices.Clone(d.order)
	d.mu.Unlock()
	faults := make([]error, len(sources))
	var all sync.WaitGroup
	for i, s := range sources {
		all.Go(func() {
			select {
			case s.places <- struct{}{}:
				defer func() { <-s.places }()
			default:
				return // it is being read, and the figures tell how that goes
			}
			err := s.Check(ctx)
			if ctx.Err() == nil {
				s.reached(d.log, err)
			}
			if err != nil {
				faults[i] = errors.New(s.String() + ": " + err.Error())
			}
		})
	}
	all.Wait()
	var notes []string
	for _, b := range boards {
		if failing := b.failing(); len(failing) > 0 {
			notes = append(notes, b.plan.Name+": "+strings.Join(failing, ", "))
		}
	}
	if len(notes) > 0 {
		note = "figures that fail, the log says why: " + strings.Join(notes, "; ")
	}
	return cut(note, 1000), errors.Join(faults...)
}
