package bench

import "time"

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
	start, own := r.clock.now(), ownCPU()
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
	own = ownCPU() - own
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
		l.ClientShare = float64(own) / float64(ended-start)
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
	own := ownCPU()
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
		r.report.Load.ClientShare = (ownCPU() - own).Seconds() / w.seconds
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
	r.setStage("idle, without connections")
	for range r.shape.Windows {
		if err := r.idleWindow(0, r.shape.Duration/time.Duration(r.shape.Windows)); err != nil {
			return err
		}
	}
	if err := r.open(); err != nil {
		return err
	}
	r.setStage("settling")
	if err := r.pause(min(r.shape.Settle, 2*time.Second)); err != nil {
		return err
	}
	r.setStage("idle")
	for range r.shape.Windows {
		if err := r.idleWindow(r.shape.Connections, r.shape.Duration/time.Duration(r.shape.Windows)); err != nil {
			return err
		}
	}
	if r.shape.PingPeriod <= 0 {
		return nil
	}
	r.setStage("idle, with pings")
	for range r.shape.Windows {
		if err := r.idleWindow(r.shape.Connections, r.shape.PingPeriod); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) idleWindow(connections int, d time.Duration) error {
	before, err := r.usage()
	if err != nil {
		return err
	}
	start, pings := r.clock.now(), r.look().pinged()
	if err := r.pause(d); err != nil {
		return err
	}
	after, err := r.usage()
	seconds := float64(r.clock.now()-start) / 1e9
	w := Idle{Connections: connections, Seconds: seconds, Pings: r.look().pinged() - pings}
	if r.target.PID != 0 {
		used := after.since(before)
		w.CPU = milliseconds(used.cpu) / seconds
		w.User = milliseconds(used.user) / seconds
	}
	r.report.Idle = append(r.report.Idle, w)
	return err
}
