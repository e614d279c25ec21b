package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
)

// Config says what is run.
type Config struct {
	Target Target
	Shape  Shape
	// Progress, when set, is called about once a second from another goroutine.
	Progress func(Progress)

	portable bool // use the portable swarm wherever this runs
}

// Progress is how far a run has come.
type Progress struct {
	Elapsed   time.Duration
	Stage     string
	Connected int    // subscribed connections
	Published int64  // events, since the beginning
	Delivered uint64 // in the present window
}

// Run puts the shape's load on the target and measures. It ends by itself, at
// the latest a few minutes after the shape's own times, or when ctx does. An
// error means that there is nothing to report; what a run finds wrong with the
// server stands in Report.Faults.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	shape := cfg.Shape.withDefaults()
	if err := shape.check(); err != nil {
		return nil, err
	}
	target, err := cfg.Target.resolve(ctx)
	if err != nil {
		return nil, err
	}
	if err := openFiles(shape.Connections + shape.Stayers + shape.Publishers + 50); err != nil {
		return nil, err
	}
	r, err := newRunner(ctx, shape, target, cfg.portable)
	if err != nil {
		return nil, err
	}
	defer r.swarm.close()
	defer r.closeWorkers()
	stop := r.watch(cfg.Progress)
	err = shape.run(r)
	stop()
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	r.judge()
	return r.report, nil
}

// runner is one run.
type runner struct {
	ctx     context.Context
	shape   Shape
	target  *endpoint
	clock   *clock
	tally   *tally // the swarm's own
	gauge   *gauge
	swarm   swarm
	dialect *dialect
	message message
	workers []*worker
	sent    [][]int64 // by channel and stream: what was published; a stream's own worker writes it
	all     []*session
	report  *Report

	published atomic.Int64
	stage     atomic.Value // string
	peak      atomic.Int64 // resident bytes of the server at most
}

func newRunner(ctx context.Context, shape Shape, target *endpoint, portable bool) (*runner, error) {
	r := &runner{ctx: ctx, shape: shape, target: target, clock: newClock(), tally: newTally(), gauge: newGauge()}
	r.setStage("starting")
	if target.PID != 0 {
		if _, err := r.usage(); err != nil {
			return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: "the server's process cannot be measured", Err: err}
		}
	}
	var id [4]byte
	rand.Read(id[:]) // never fails
	prefix := "bench-" + hex.EncodeToString(id[:]) + "-"
	channel := func(i int) string {
		digits := strconv.Itoa(i)
		return prefix + "000000"[min(len(digits), 6):] + digits
	}
	var err error
	if r.message, err = newMessage(shape.Size, channel); err != nil {
		return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: err.Error()}
	}
	r.dialect = target.dialect(channel)
	r.swarm, err = newSwarm(swarmConfig{
		portable: portable, address: target.address, tally: r.tally, clock: r.clock, gauge: r.gauge, limit: shape.ReadLimit,
		sources: &sources{loopback: target.address.Addr().IsLoopback() && target.address.Addr().Is4()}, tls: target.tls,
	})
	if err != nil {
		return nil, err
	}
	r.makeWorkers()
	r.report = &Report{Shape: shape, Server: target.URL, Client: r.swarm.kind(), At: time.Now().UTC().Truncate(time.Second)}
	if target.PID != 0 {
		r.report.CPUSource = cpuSource
	}
	return r, nil
}

// makeWorkers shares the channels out among the publishers, or the publishers
// among the channels.
func (r *runner) makeWorkers() {
	channels, publishers := r.shape.Channels, r.shape.Publishers
	r.sent = make([][]int64, channels+1)
	r.sent[channels] = make([]int64, publishers) // the channel of nobody
	for i := range channels {
		r.sent[i] = make([]int64, max(1, (publishers-i+channels-1)/channels))
	}
	var pipe sync.Mutex
	for p := range publishers {
		w := &worker{run: r, number: p, refused: map[string]int64{}}
		if r.target.Floor != nil {
			w.to = &floorPublisher{mu: &pipe, to: r.target.Floor, event: r.message}
		} else {
			w.to = &httpPublisher{target: r.target, event: r.message}
		}
		w.nobody = []*outlet{{channels, p, &r.sent[channels][p]}}
		switch {
		case channels == 0:
		case channels >= publishers:
			for i := p; i < channels; i += publishers {
				w.outlets = append(w.outlets, &outlet{i, 0, &r.sent[i][0]})
			}
		default:
			i, stream := p%channels, p/channels
			w.outlets = append(w.outlets, &outlet{i, stream, &r.sent[i][stream]})
		}
		r.workers = append(r.workers, w)
	}
}

func (r *runner) closeWorkers() {
	for _, w := range r.workers {
		w.to.close()
	}
}

func (r *runner) setStage(s string) { r.stage.Store(s) }

func (r *runner) usage() (usage, error) {
	if r.target.PID == 0 {
		return usage{}, nil
	}
	return readUsage(r.target.PID)
}

// watch tells about progress and looks at the server's memory until stop.
func (r *runner) watch(tell func(Progress)) (stop func()) {
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-tick.C:
			case <-done:
				return
			}
			if u, err := r.usage(); err == nil && u.resident > r.peak.Load() {
				r.peak.Store(u.resident)
			}
			if tell == nil || n%5 != 0 {
				continue
			}
			p := Progress{Elapsed: time.Duration(r.clock.now()), Stage: r.stage.Load().(string),
				Published: r.published.Load(), Delivered: r.gauge.delivered.Load()}
			r.swarm.do(func() { p.Connected = r.tally.ready })
			tell(p)
		}
	})
	return func() { close(done); watcher.Wait() }
}

// newSessions makes sessions that subscribe to the channels in turn, from the
// from-th on. Late ones do not know what was published before them.
func (r *runner) newSessions(n, from int, late bool) []*session {
	list := make([]*session, n)
	for i := range list {
		s := &session{dialect: r.dialect, tally: r.tally, channel: -1}
		if r.shape.Channels > 0 {
			s.channel = (from + i) % r.shape.Channels
			s.streams = make([]stream, len(r.sent[s.channel]))
			for k := range s.streams {
				if !late {
					s.streams[k].next = 1
				}
			}
		}
		list[i] = s
	}
	return list
}

// patience gives the shape's, or otherwise.
func (r *runner) patience(otherwise time.Duration) time.Duration {
	if r.shape.Patience > 0 {
		return r.shape.Patience
	}
	return otherwise
}

// connectWithin is how long so many connections may take.
func (r *runner) connectWithin(n int) time.Duration {
	return r.patience(30*time.Second + time.Duration(n)*2*time.Millisecond)
}

// connect dials sessions and reports an error unless all are ready.
func (r *runner) connect(list []*session) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(r.ctx, r.connectWithin(len(list)), errTooLong)
	defer cancel()
	begun := r.clock.now()
	err := r.swarm.dial(ctx, list, r.shape.AtOnce)
	took := time.Duration(r.clock.now() - begun)
	if r.ctx.Err() != nil {
		return took, context.Cause(r.ctx)
	}
	t := r.look()
	if t.failed > 0 {
		return took, fmt.Errorf("%d of %d connections failed: %s", t.failed, len(list), most(t.failures))
	}
	if err == nil && len(t.closed) > 0 {
		err = fmt.Errorf("the server closed connections while others were made: %v", t.closed)
	}
	return took, err
}

// open connects all sessions of the shape and reports what that cost.
func (r *runner) open() error {
	r.setStage("connecting")
	n := r.shape.Connections
	before, err := r.usage()
	if err != nil {
		return err
	}
	r.all = r.newSessions(n, 0, false)
	took, err := r.connect(r.all)
	if err != nil {
		return err
	}
	after, err := r.usage()
	if err != nil {
		return err
	}
	r.report.Handshake = &Handshake{Count: n, Seconds: took.Seconds(), PerSecond: float64(n) / took.Seconds()}
	if r.target.PID != 0 {
		r.report.Handshake.CPU = after.since(before).per(float64(n))
	}
	return nil
}

// look gives a copy of the tally.
func (r *runner) look() (t *tally) {
	r.swarm.do(func() { t = r.tally.copy() })
	return t
}

// most gives the commonest of some sentences, with its number.
func most(sentences map[string]int) string {
	var first string
	for _, s := range sortedKeys(sentences) {
		if first == "" || sentences[s] > sentences[first] {
			first = s
		}
	}
	return fmt.Sprintf("%s (%d times)", first, sentences[first])
}

// pause waits for d.
func (r *runner) pause(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

var errWorkers = errors.New("a publisher failed")
