package bench

import (
	"context"
	"time"
)

// deliver publishes to subscribed connections.
func (r *runner) deliver() error {
	if err := r.open(); err != nil {
		return err
	}
	cost, err := r.publishCost()
	if err != nil {
		return err
	}
	r.setStage("warming up")
	if err := r.warm(); err != nil {
		return err
	}
	r.setStage("publishing")
	r.report.Load, err = r.measure(r.shape.Duration, r.all, cost)
	return err
}

// warm publishes what is not counted.
func (r *runner) warm() error {
	r.reset()
	if _, err := r.publish(r.shape.Mode, r.shape.Warmup, false); err != nil {
		return err
	}
	_, err := r.drain(r.all)
	return err
}

// publishCost gives the server's CPU for a publish that reaches nobody, as
// these publishers make it; nil when it is not known.
func (r *runner) publishCost() (*CPU, error) {
	if r.target.PID == 0 || r.target.Floor != nil {
		return nil, nil
	}
	r.setStage("publishing to nobody")
	if _, err := r.publish(FlatOut, min(200*time.Millisecond, r.shape.Duration), true); err != nil {
		return nil, err
	}
	before, err := r.usage()
	if err != nil {
		return nil, err
	}
	w, err := r.publish(FlatOut, min(time.Second, r.shape.Duration), true)
	if err != nil {
		return nil, err
	}
	after, err := r.usage()
	return after.since(before).per(float64(w.events)), err
}

// measure publishes for d and reports, for the connections that read. cost is
// that of a publish, if it is known.
func (r *runner) measure(d time.Duration, reading []*session, cost *CPU) (*Load, error) {
	r.reset()
	before, err := r.usage()
	if err != nil {
		return nil, err
	}
	start := r.clock.now()
	w, err := r.publish(r.shape.Mode, d, false)
	if err != nil {
		return nil, err
	}
	missing, err := r.drain(reading)
	if err != nil {
		return nil, err
	}
	after, err := r.usage()
	if err != nil {
		return nil, err
	}
	t, ended := r.look(), r.clock.now()
	seconds := max(float64(t.last-start)/1e9, w.seconds)
	l := &Load{
		Events: w.events, Deliveries: t.delivered, Seconds: seconds,
		EventsPerSecond: float64(w.events) / w.seconds, DeliveriesPerSecond: float64(t.delivered) / seconds,
		Latency: t.latency[0].summary(), Answer: w.answer.summary(), Late: w.late.summary(),
		Lost: missing, Duplicated: t.duplicated, Reordered: t.reordered, Refused: w.refused, Unsent: w.unsent,
	}
	if r.target.PID != 0 {
		used := after.since(before)
		l.CPU = used.per(float64(t.delivered))
		l.CPUShare = float64(used.cpu) / float64(ended-start)
		l.PublishCPU = cost
		l.NetCPU = l.CPU.less(cost, float64(w.events)/float64(max(t.delivered, 1)))
	}
	return l, nil
}

// publishNone publishes to a channel that nobody subscribes to.
func (r *runner) publishNone() error {
	if r.shape.Connections > 0 {
		if err := r.open(); err != nil {
			return err
		}
	}
	r.setStage("warming up")
	if _, err := r.publish(FlatOut, r.shape.Warmup, true); err != nil {
		return err
	}
	r.setStage("publishing")
	before, err := r.usage()
	if err != nil {
		return err
	}
	w, err := r.publish(r.shape.Mode, r.shape.Duration, true)
	if err != nil {
		return err
	}
	after, err := r.usage()
	if err != nil {
		return err
	}
	r.report.Load = &Load{Events: w.events, Seconds: w.seconds, EventsPerSecond: float64(w.events) / w.seconds,
		Answer: w.answer.summary(), Late: w.late.summary(), Refused: w.refused, Unsent: w.unsent}
	if r.target.PID != 0 {
		used := after.since(before)
		r.report.Load.PublishCPU = used.per(float64(w.events))
		r.report.Load.CPUShare = used.cpu.Seconds() / w.seconds
	}
	return nil
}

// wake has the server do once what it does later, so that the code and pools
// that this needs do not count as the memory of connections.
func (r *runner) wake() error {
	r.setStage("waking the server")
	n := min(200, r.shape.Connections)
	list := r.newSessions(n, 0, true)
	if _, err := r.connect(list); err != nil {
		return err
	}
	r.swarm.drop(list)
	return r.pause(500 * time.Millisecond)
}

// handshakes opens all connections, after a few that are not counted.
func (r *runner) handshakes() error {
	if err := r.wake(); err != nil {
		return err
	}
	return r.open()
}

// memory opens all connections and leaves them alone.
func (r *runner) memory() error {
	if err := r.wake(); err != nil {
		return err
	}
	before, err := r.usage()
	if err != nil {
		return err
	}
	if err := r.open(); err != nil {
		return err
	}
	r.setStage("settling")
	if err := r.pause(r.shape.Settle); err != nil {
		return err
	}
	after, err := r.usage()
	if err != nil || r.target.PID == 0 {
		return err
	}
	n := float64(max(1, r.shape.Connections))
	r.report.Memory = &Memory{
		Before: before.resident, After: after.resident, PerConnection: float64(after.resident-before.resident) / n,
		AnonymousPerConnection: float64(after.anonymous-before.anonymous) / n,
	}
	return nil
}

// idleCPU measures what connections cost on which nothing happens: first before
// the server sends pings, then over whole rounds of pings.
func (r *runner) idleCPU() error {
	if err := r.open(); err != nil {
		return err
	}
	r.setStage("settling")
	if err := r.pause(min(r.shape.Settle, 2*time.Second)); err != nil {
		return err
	}
	r.setStage("idle")
	for range r.shape.Windows {
		if err := r.idleWindow(r.shape.Duration / time.Duration(r.shape.Windows)); err != nil {
			return err
		}
	}
	if r.shape.PingPeriod <= 0 {
		return nil
	}
	r.setStage("idle, with pings")
	for range r.shape.Windows {
		if err := r.idleWindow(r.shape.PingPeriod); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) idleWindow(d time.Duration) error {
	before, err := r.usage()
	if err != nil {
		return err
	}
	start, pings := r.clock.now(), r.look().pings
	if err := r.pause(d); err != nil {
		return err
	}
	after, err := r.usage()
	seconds := float64(r.clock.now()-start) / 1e9
	w := Idle{Seconds: seconds, Pings: r.look().pings - pings}
	if r.target.PID != 0 {
		used := after.since(before)
		w.CPU = milliseconds(used.cpu) / seconds
		w.User = milliseconds(used.user) / seconds
	}
	r.report.Idle = append(r.report.Idle, w)
	return err
}

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
