package bench

import (
	"context"
	"time"
)

// slow stops reading on some connections and compares the others' latency with
// that before. The stalled ones then read again, and are to find close 4100.
func (r *runner) slow() error {
	if err := r.open(); err != nil {
		return err
	}
	stalled, healthy := r.all[:r.shape.Stalled], r.all[r.shape.Stalled:]
	r.setStage("warming up")
	if err := r.warm(); err != nil {
		return err
	}
	r.setStage("all read")
	r.setGroup(stalled, 1)
	first, err := r.measure(r.shape.Duration/2, r.all, nil)
	if err != nil {
		return err
	}
	before, err := r.usage()
	if err != nil {
		return err
	}
	r.setStage("some do not read")
	r.swarm.pause(stalled)
	if r.report.Load, err = r.measure(r.shape.Duration, healthy, nil); err != nil {
		return err
	}
	after, err := r.usage()
	if err != nil {
		return err
	}
	other := r.look().closed
	r.setStage("all read again")
	r.swarm.resume(stalled)
	report := &Slow{Stalled: len(stalled), Before: first.Latency, ResidentBefore: before.resident, ResidentAfter: after.resident, Closed: map[int]int{}}
	deadline := time.Now().Add(r.patience(15 * time.Second))
	for open := len(stalled); open > 0 && time.Now().Before(deadline); {
		if err := r.pause(50 * time.Millisecond); err != nil {
			return err
		}
		r.swarm.do(func() {
			open = 0
			for _, s := range stalled {
				if s.phase != ended {
					open++
				}
			}
		})
	}
	r.swarm.do(func() {
		for _, s := range stalled {
			report.Closed[s.code]++ // 0: open
			if s.phase == ended {
				r.tally.closed[s.code]-- // as it should be, so no fault
			}
		}
	})
	for _, n := range other {
		report.ClosedOthers += n
	}
	report.ResidentPeak = r.peak.Load()
	if first.Latency.P99 > 0 {
		report.Ratio = r.report.Load.Latency.P99 / first.Latency.P99
	}
	r.report.Slow = report
	return nil
}

// stampede drops most connections at once and brings them back, while
// publishing goes on.
func (r *runner) stampede() error {
	leave, stay := r.shape.Connections, r.shape.Stayers
	r.shape.Connections += stay
	if err := r.open(); err != nil {
		return err
	}
	r.setStage("publishing")
	r.setGroup(r.all[stay:], 1)
	if err := r.warm(); err != nil {
		return err
	}
	published := make(chan error, 1)
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	go func() {
		var err error
		r.report.Load, err = r.measure(r.shape.Duration, r.all[:stay], nil)
		published <- err
	}()
	finish := func(err error) error {
		if err != nil {
			return err
		}
		return <-published
	}
	if err := r.pause(r.shape.Duration / 5); err != nil {
		return finish(nil)
	}
	r.setStage("coming back")
	before, err := r.usage()
	if err != nil {
		cancel()
		<-published
		return err
	}
	begun := r.clock.now()
	r.swarm.drop(r.all[stay:])
	again := r.newSessions(leave, stay, true)
	r.setGroup(again, 1)
	dialing, done := context.WithTimeoutCause(ctx, r.connectWithin(leave), errTooLong)
	defer done()
	r.swarm.dial(dialing, again, r.shape.AtOnce) // what went wrong stands in the tally
	took := time.Duration(r.clock.now() - begun)
	after, err := r.usage()
	t := r.look()
	report := &Stampede{Dropped: leave, Seconds: took.Seconds(), Failed: t.failed}
	if t.failed > 0 {
		report.Why = most(t.failures)
	}
	if r.target.PID != 0 && err == nil {
		report.CPU = after.since(before).per(float64(leave))
	}
	r.report.Stampede = report
	r.setStage("publishing")
	return finish(err)
}

// setGroup says whose latencies the sessions' deliveries join: group 0 is what
// the report shows.
func (r *runner) setGroup(list []*session, group uint8) {
	r.swarm.do(func() {
		for _, s := range list {
			s.group = group
		}
	})
}
