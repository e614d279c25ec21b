package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/test/pusherclient"
)

// round measures everything once.
func (p *place) round(ctx context.Context, all *figures) error {
	if err := p.latency(ctx, all); err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	alone, err := p.load(ctx, 1, p.m.rate)
	if err != nil {
		return fmt.Errorf("one page: %w", err)
	}
	calm, err := p.load(ctx, p.m.open, 0)
	if err != nil {
		return fmt.Errorf("without check-ins: %w", err)
	}
	busy, err := p.load(ctx, p.m.open, p.m.rate)
	if err != nil {
		return fmt.Errorf("with check-ins: %w", err)
	}
	all.alone, all.calm, all.busy = append(all.alone, alone.cpu), append(all.calm, calm.cpu), append(all.busy, busy.cpu)
	all.broadcasts, all.delivered = append(all.broadcasts, busy.broadcasts), append(all.delivered, busy.delivered)
	return nil
}

// latency makes check-ins one after another and waits for each to show. They are
// further apart than two broadcasts.
func (p *place) latency(ctx context.Context, all *figures) error {
	page, err := p.join(ctx)
	if err != nil {
		return err
	}
	defer page.Cut()
	// One change first: what Belfry computed while the service filled its database
	// is still shown.
	if _, err := p.checkIn(ctx, 0); err != nil {
		return err
	}
	if err := bench.Pause(ctx, 3*time.Second); err != nil {
		return err
	}
	before, err := p.count(ctx)
	if err != nil {
		return err
	}
	// Read beside the check-ins: a figure may show before the answer is read.
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.m.samples)*time.Second+patience)
	came := make(chan arrival, 64)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel()
	reader.Go(func() { read(ctx, page, came) })
	var answers, posts []float64
	for n := range p.m.samples {
		if err := bench.Pause(ctx, 700*time.Millisecond); err != nil {
			return err
		}
		posted := time.Now()
		answered, err := p.checkIn(ctx, n)
		if err != nil {
			return err
		}
		for shown := false; !shown; {
			one, ok := <-came
			if !ok {
				return fmt.Errorf("check-in %d does not show", n+1)
			}
			if shown = one.count >= before+n+1; shown {
				answers = append(answers, max(0, float64(one.at.Sub(answered))/float64(time.Millisecond)))
				posts = append(posts, float64(one.at.Sub(posted))/float64(time.Millisecond))
			}
		}
	}
	all.answer.add(answers)
	all.post.add(posts)
	return nil
}

// arrival is an update that a page got.
type arrival struct {
	count int
	at    time.Time
}

// read hands on what a page gets, until ctx or the connection ends.
func read(ctx context.Context, page *pusherclient.Conn, came chan<- arrival) {
	defer close(came)
	for {
		m, err := page.Await(ctx, dashboard.EventName, "dashboard")
		if err != nil {
			return
		}
		now := time.Now()
		if n, err := countOf(m.Text()); err == nil {
			select {
			case came <- arrival{n, now}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// used is what a load took.
type used struct {
	cpu                   float64 // percent of a core
	broadcasts, delivered float64 // a second
}

// load opens dashboards, makes check-ins at a rate, and measures the server.
func (p *place) load(ctx context.Context, open, rate int) (u used, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	var delivered, first atomic.Int64
	for n := range open {
		page, err := p.join(ctx)
		if err != nil {
			return u, fmt.Errorf("page %d: %w", n+1, err)
		}
		defer page.Cut()
		readers.Go(func() {
			for {
				if _, err := page.Await(ctx, dashboard.EventName, "dashboard"); err != nil {
					return
				}
				delivered.Add(1)
				if n == 0 {
					first.Add(1)
				}
			}
		})
	}
	before, err := p.count(ctx)
	if err != nil {
		return u, err
	}
	if err := bench.Pause(ctx, time.Second); err != nil { // what the opening leaves to do
		return u, err
	}
	cpu, err := p.server.CPU()
	if err != nil {
		return u, err
	}
	began, events, own := time.Now(), delivered.Load(), first.Load()
	made, err := p.checkIns(ctx, rate, time.Duration(p.m.seconds)*time.Second)
	if err != nil {
		return u, err
	}
	after, err := p.server.CPU()
	if err != nil {
		return u, err
	}
	seconds := time.Since(began).Seconds()
	u = used{100 * (after - cpu).Seconds() / seconds, float64(first.Load()-own) / seconds, float64(delivered.Load()-events) / seconds}
	if rate == 0 {
		return u, nil
	}
	last := 0
	err = bench.Await(ctx, patience, func() (bool, error) {
		last, err = p.count(ctx)
		return err == nil && last == before+made, nil
	})
	if err != nil {
		err = fmt.Errorf("%d of %d check-ins are counted: %w", last-before, made, err)
	}
	return u, err
}

// checkIns makes check-ins at a rate for some time and counts them.
func (p *place) checkIns(ctx context.Context, rate int, length time.Duration) (made int, err error) {
	if rate == 0 {
		return 0, bench.Pause(ctx, length)
	}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var all sync.WaitGroup
	var mu sync.Mutex // guards faults
	var faults []error
	places := make(chan struct{}, 32)
	for over := time.Now().Add(length); time.Now().Before(over); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return made, context.Cause(ctx)
		}
		n := made
		made++
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			if _, err := p.checkIn(ctx, n); err != nil {
				mu.Lock()
				faults = append(faults, err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return made, errors.Join(faults[:min(len(faults), 5)]...)
}
