package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// outlet is one stream that a worker publishes: a channel and its place there.
type outlet struct {
	channel, stream int
	sent            *int64
}

// worker is one publisher.
type worker struct {
	run     *runner
	number  int
	to      publisher
	outlets []*outlet
	nobody  []*outlet // a channel without subscribers
	turn    int

	// Of the present window.
	events  int64
	answer  Histogram // from a request to its answer
	late    Histogram // from the time when a request was due to its start
	refused map[string]int64
	unsent  int64 // events that were due and not sent, since the server was too slow
}

// window is what was published in one.
type window struct {
	events  int64
	seconds float64
	answer  Histogram
	late    Histogram
	refused map[string]int64
	unsent  int64
}

// publish has all workers publish for d, to nobody or to the shape's channels,
// and returns when each is done.
func (r *runner) publish(mode Mode, d time.Duration, nobody bool) (*window, error) {
	ctx, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	var working sync.WaitGroup
	start := r.clock.now() + int64(time.Millisecond)
	for _, w := range r.workers {
		w.events, w.unsent, w.answer, w.late = 0, 0, Histogram{}, Histogram{}
		clear(w.refused)
		working.Go(func() {
			outlets := w.outlets
			if nobody {
				outlets = w.nobody
			}
			if err := w.work(ctx, mode, outlets, start, start+int64(d)); err != nil {
				cancel(fmt.Errorf("%w: %w", errWorkers, err))
			}
		})
	}
	working.Wait()
	sum := &window{refused: map[string]int64{}, seconds: float64(r.clock.now()-start) / 1e9}
	for _, w := range r.workers {
		sum.events += w.events
		sum.unsent += w.unsent
		sum.answer.Merge(&w.answer)
		sum.late.Merge(&w.late)
		for why, n := range w.refused {
			sum.refused[why] += n
		}
	}
	if ctx.Err() != nil {
		return sum, context.Cause(ctx)
	}
	return sum, nil
}

// overtime is how long a worker may go on with what was due in its window.
const overtime = 10 * time.Second

func (w *worker) work(ctx context.Context, mode Mode, outlets []*outlet, start, end int64) error {
	c, batch := w.run.clock, w.run.shape.Batch
	switch mode {
	case FlatOut:
		sleepUntil(c, start)
		for now := c.now(); now < end && ctx.Err() == nil; now = c.now() {
			if err := w.send(ctx, outlets, batch, now); err != nil {
				return err
			}
		}
	case OneByOne:
		sleepUntil(c, start)
		awaited := uint64(0)
		for now := c.now(); now < end && ctx.Err() == nil; now = c.now() {
			before := w.events
			for i := range batch {
				awaited += w.run.subscribers(outlets[(w.turn+i)%len(outlets)].channel)
			}
			if err := w.send(ctx, outlets, batch, now); err != nil {
				return err
			}
			if w.events == before {
				return errors.New("an event was refused, so the next has nothing to wait for")
			}
			if err := w.run.gauge.wait(ctx, awaited, overtime); err != nil {
				return err
			}
		}
	case AtRate:
		step := int64(float64(len(w.run.workers)*batch) / w.run.shape.Rate * 1e9)
		for due := start + step*int64(w.number)/int64(len(w.run.workers)); due < end && ctx.Err() == nil; due += step {
			now := c.now()
			if now < due {
				sleepUntil(c, due)
				now = c.now()
			}
			if now > end+int64(overtime) {
				w.unsent += (end - due + step - 1) / step * int64(batch)
				break
			}
			w.late.Add(time.Duration(now - due))
			if err := w.send(ctx, outlets, batch, due); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// send makes one request. What the server refuses with a 5xx is counted, and
// its numbers are used again.
func (w *worker) send(ctx context.Context, outlets []*outlet, batch int, due int64) error {
	c := w.run.clock
	events := make([]event, batch)
	var ahead map[*outlet]int64
	if batch > 1 {
		ahead = map[*outlet]int64{}
	}
	for i := range events {
		o := outlets[(w.turn+i)%len(outlets)]
		number := *o.sent + 1
		if batch > 1 {
			number += ahead[o]
			ahead[o]++
		}
		events[i] = event{o.channel, mark{o.stream, number, due}}
	}
	begun := c.now()
	err := w.to.publish(ctx, events)
	if no, ok := errors.AsType[*refused](err); ok && no.status >= 500 {
		w.refused[no.Error()]++
		return nil
	}
	if err != nil {
		return err
	}
	w.answer.Add(time.Duration(c.now() - begun))
	for i := range events {
		*outlets[(w.turn+i)%len(outlets)].sent++
	}
	w.turn = (w.turn + batch) % len(outlets)
	w.events += int64(batch)
	w.run.published.Add(int64(batch))
	return nil
}

// subscribers gives how many of the shape's connections a channel has.
func (r *runner) subscribers(channel int) uint64 {
	n, channels := r.shape.Connections, r.shape.Channels
	if channel >= channels {
		return 0
	}
	return uint64((n - channel + channels - 1) / channels)
}

// reset begins a new window.
func (r *runner) reset() {
	r.swarm.do(func() {
		r.tally.counts = counts{}
		r.gauge.delivered.Store(0)
	})
}

// drain waits until every connection that reads has all that was published, or
// nothing came for a while, and gives how many events are missing.
func (r *runner) drain(reading []*session) (missing int64, err error) {
	const longest = 2 * time.Minute
	patience := r.patience(3 * time.Second)
	begun, moved := time.Now(), time.Now()
	before := int64(-1)
	for {
		r.swarm.do(func() {
			missing = 0
			for _, s := range reading {
				if s.phase == ready && s.channel >= 0 {
					missing += s.missing(r.sent[s.channel])
				}
			}
		})
		if missing != before {
			before, moved = missing, time.Now()
		}
		if missing == 0 || time.Since(moved) > patience || time.Since(begun) > longest {
			return missing, nil
		}
		if err := r.pause(10 * time.Millisecond); err != nil {
			return missing, err
		}
	}
}
