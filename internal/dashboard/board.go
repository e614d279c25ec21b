package dashboard

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
)

// board is a dashboard that is in force.
type board struct {
	d      *Dashboards
	plan   *plan
	source *source
	count  counts

	ctx     context.Context // of its computations
	end     context.CancelFunc
	work    sync.WaitGroup // computations, and the loop
	wake    chan struct{}  // has room for one
	started bool           // d.mu guards it

	mu      sync.Mutex // guards all below
	change  uint64     // raised when a computation begins that must not be shared with those before
	reason  string     // of the last change
	results map[string]*result
	flights map[string]*flight
	kept    map[keptKey]*kept
	waiting *pending
	sending bool
	idle    []chan struct{} // closed when nothing waits for its first try
}

// pending is a broadcast that waits.
type pending struct {
	rangeName, reason string
	due               time.Time // not before
	tries             int       // that failed
	// failed is set for a try to compute figures again that had failed: it is
	// broadcast only when fewer do.
	failed int
}

// newBoard makes a dashboard. From the one that it takes the place of it has the
// last values of the figures that stayed the same.
func newBoard(d *Dashboards, p *plan, s *source, old *board) *board {
	b := &board{d: d, plan: p, source: s, wake: make(chan struct{}, 1),
		results: map[string]*result{}, flights: map[string]*flight{}, kept: map[keptKey]*kept{}}
	b.ctx, b.end = context.WithCancel(d.ctx)
	if old == nil || old.plan.Database != p.Database || old.plan.Timezone != p.Timezone || old.plan.WeekStarts != p.WeekStarts {
		return b
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	for key, k := range old.kept {
		same := func(f figure) bool {
			return f.Name == key.figure && slices.ContainsFunc(old.plan.figures, func(o figure) bool { return o.FigureSpec == f.FigureSpec })
		}
		if slices.ContainsFunc(p.figures, same) {
			copied := *k
			b.kept[key] = &copied
		}
	}
	return b
}

// start begins to broadcast; d.mu is held.
func (b *board) start() {
	if !b.started {
		b.started = true
		b.work.Go(b.run)
	}
}

// stop ends everything and waits for it.
func (b *board) stop() {
	b.mu.Lock() // whoever begins something holds it and looks first
	b.end()
	b.mu.Unlock()
	b.work.Wait()
}

// tell has the dashboard broadcast. What waits already is joined.
func (b *board) tell(rangeName, reason string) {
	b.count.changes.Add(1)
	b.mu.Lock()
	b.waiting = &pending{rangeName: rangeName, reason: reason}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// flush waits until nothing waits for its first try.
func (b *board) flush(ctx context.Context) error {
	b.mu.Lock()
	if !b.busy() {
		b.mu.Unlock()
		return nil
	}
	done := make(chan struct{})
	b.idle = append(b.idle, done)
	b.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-b.ctx.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// busy reports whether there is a change that was not even tried; b.mu is held.
func (b *board) busy() bool {
	return b.sending || b.waiting != nil && b.waiting.tries == 0 && b.waiting.failed == 0
}

// longest bounds a sleep of run: a clock may be set, and a machine may sleep.
const longest = time.Minute

// run broadcasts what was told, not too often, and the new figures when a day
// begins.
func (b *board) run() {
	var sent pace
	day := b.today()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-b.wake:
		case <-timer.C:
		case <-b.ctx.Done():
			return
		}
		if now := b.today(); !now.Equal(day) {
			day = now
			b.nextDay()
		}
		now := b.d.cfg.Now()
		b.mu.Lock()
		p := b.waiting
		if p != nil && !now.Before(p.due) && (now.Sub(sent.last) >= b.d.cfg.Pause || now.Before(sent.last)) {
			b.waiting, b.sending = nil, true
			b.change++
			b.reason = p.reason
			b.mu.Unlock()
			again := b.send(p, &sent)
			b.mu.Lock()
			b.sending = false
			if b.waiting == nil {
				b.waiting = again
			}
			p = b.waiting
			if !b.busy() {
				for _, done := range b.idle {
					close(done)
				}
				b.idle = nil
			}
		}
		b.mu.Unlock()
		timer.Reset(b.sleep(p, sent.last))
	}
}

// sleep says how long nothing is to be done.
func (b *board) sleep(p *pending, last time.Time) time.Duration {
	now := b.d.cfg.Now()
	wait := min(longest, b.tomorrow().Sub(now))
	if p != nil {
		due := p.due
		if next := last.Add(b.d.cfg.Pause); next.After(due) {
			due = next
		}
		wait = min(wait, due.Sub(now))
	}
	return max(0, wait)
}

func (b *board) today() time.Time {
	w, _ := WindowOf("today", b.d.cfg.Now(), b.plan.zone, b.plan.week)
	return w.Start
}

func (b *board) tomorrow() time.Time {
	w, _ := WindowOf("today", b.d.cfg.Now(), b.plan.zone, b.plan.week)
	return w.End
}

// nextDay has all ranges computed anew, since all have moved. A change that
// waits says the same.
func (b *board) nextDay() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil || b.waiting.failed > 0 {
		b.waiting = &pending{rangeName: b.plan.Range, reason: "range"}
	}
}

// pace is what run knows of its broadcasts.
type pace struct {
	last   time.Time // when one went out; zero: never
	unsent bool      // the last one did not
}

// send computes and broadcasts, and gives what is to be tried again later, if
// anything.
func (b *board) send(p *pending, sent *pace) (again *pending) {
	r, err := b.get(b.ctx, p.rangeName)
	if err != nil {
		return nil // stopped
	}
	failed := r.failed()
	// 1 s, 2 s, 4 s … up to Refresh.
	wait := min(time.Second<<min(p.tries, 20), b.plan.Refresh)
	again = &pending{rangeName: p.rangeName, reason: p.reason, tries: p.tries + 1, failed: failed, due: b.d.cfg.Now().Add(wait)}
	if failed == len(r.figures) || p.failed > 0 && failed >= p.failed {
		return again // there is nothing new to show
	}
	if err := b.publish(r); err != nil {
		b.count.unsent.Add(1)
		if !sent.unsent && b.ctx.Err() == nil {
			b.d.log.Warn("a dashboard cannot be broadcast; it is tried again", "dashboard", b.plan.Name, "error", err)
		}
		sent.unsent = true
		again.failed = 0 // to be broadcast in any case
		return again
	}
	if sent.unsent {
		b.d.log.Info("a dashboard is broadcast again", "dashboard", b.plan.Name)
	}
	sent.unsent, sent.last = false, b.d.cfg.Now()
	if failed > 0 {
		return again
	}
	return nil
}

// publish broadcasts a result, or that there is one, when it is too large.
func (b *board) publish(r *result) error {
	u := b.update(r)
	data, err := json.Marshal(u)
	if err != nil {
		return err
	}
	changed := false
	if most := b.d.cfg.MaxEvent(); most >= 0 && len(data) > most {
		changed = true
	} else {
		err = b.d.cfg.Publish(b.ctx, b.plan.channel(), EventName, data, r.id)
		changed = belfry.CodeOf(err) == belfry.CodeTooLarge
	}
	if changed {
		u.Type, u.Stats, u.Previous, u.Meta = TypeChanged, nil, nil, nil
		if data, err = json.Marshal(changedUpdate(u)); err != nil {
			return err
		}
		err = b.d.cfg.Publish(b.ctx, b.plan.channel(), EventName, data, r.id)
	}
	if err == nil {
		b.count.broadcast(changed)
	}
	return err
}

// changedUpdate is an Update without what was too large.
func changedUpdate(u Update) any {
	return struct {
		Type      string    `json:"type"`
		Dashboard string    `json:"dashboard"`
		Stats     *struct{} `json:"stats"`
		Reason    string    `json:"reason"`
		Range     string    `json:"range"`
		Timestamp time.Time `json:"timestamp"`
		ID        string    `json:"id"`
	}{u.Type, u.Dashboard, nil, u.Reason, u.Range, u.Timestamp, u.ID}
}

// failing names the figures that fail, each once.
func (b *board) failing() (names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, k := range b.kept {
		if k.failure != nil && !slices.Contains(names, key.figure) {
			names = append(names, key.figure)
		}
	}
	slices.Sort(names)
	return names
}
