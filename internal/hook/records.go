package hook

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Keep says where calls are kept, so that one that failed is found, and sent
// again, after a restart. The zero values of the bounds are the defaults.
type Keep struct {
	// DB is the database; required. It may be out of reach.
	DB *store.DB
	// App gives the settings that an app has now, nil for none; required. A call
	// that is sent again goes to the endpoint as it is then set.
	App func(id string) *belfry.App
	// For is how long calls are kept; default seven days, which is also the
	// longest that a body is.
	For time.Duration
	// Failed is how many that failed are kept, the last ones; default 10,000.
	Failed int
	// Recent is how many of the others are, without their bodies; default 500.
	Recent int
	// Bytes is about how much all bodies may take; default 256 MiB. The oldest go.
	Bytes int64
}

// Bounds of what waits to be written.
const (
	bodyFor      = 7 * 24 * time.Hour
	bodyMax      = 512 << 10        // a larger body is not kept
	recordsMost  = 10_000           // calls that wait
	recordsBytes = 32 << 20         // and their bytes
	recordsBatch = 200              // in one transaction
	recordsWait  = 2 * time.Second  // that a sender waits for its call to be kept
	recordsEvery = 2 * time.Second  // between two batches of those that nobody waits for
	recentBatch  = 20               // delivered ones in a batch: of more, the last
	recordsLast  = 3 * time.Second  // for what is left at the end
	recordsAgain = time.Second      // after an error, doubling up to
	recordsLater = 30 * time.Second // this
	pruneEvery   = time.Hour
	pruneAfter   = 500 // calls written
)

// records writes calls to the database. A nil one does nothing. Those that failed
// are written at once, whoever waits for them together; of those that were
// delivered the last few every two seconds, so that a busy endpoint costs no more
// writes than an idle one.
type records struct {
	keep Keep
	wake chan struct{}

	logger *slog.Logger

	mu      sync.Mutex // guards all below
	running bool
	healthy bool // the last batch was written
	waiting []*record
	bytes   int
	recent  []*record
	lost    int
}

// record is a call on its way to the database.
type record struct {
	call Call
	sent *request      // with the body; nil: none is kept
	done chan struct{} // closed when its writing was tried; nil: nobody waits
}

// Keep has calls kept in a database. It is called before Run, which writes them.
func (h *Hooks) Keep(k Keep) {
	k.For = cmp.Or(k.For, bodyFor)
	k.Failed, k.Recent = cmp.Or(k.Failed, 10_000), cmp.Or(k.Recent, 500)
	k.Bytes = cmp.Or(k.Bytes, 256<<20)
	h.records = &records{keep: k, wake: make(chan struct{}, 1), logger: h.cfg.Logger, healthy: true}
}

func (k *records) say(lost int, err error) {
	k.logger.Warn("failed webhooks could not be kept in the database", "lost", lost, "error", err)
}

// failed has a call kept that got its last attempt, and waits until it is, for
// two seconds at most and not while the database is away.
func (k *records) failed(r *request, a *Attempt) {
	if k == nil {
		return
	}
	c := a.call()
	c.At, c.Outcome = time.Now(), Dropped
	done := make(chan struct{})
	if !k.add(&record{call: c, sent: r, done: done}) {
		return
	}
	timer := time.NewTimer(recordsWait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// given has a call kept that was given up before its next attempt.
func (k *records) given(r *request, url, why string, now time.Time) {
	if k == nil {
		return
	}
	if r.id == "" {
		r.id = belfry.NewID(now)
	}
	k.add(&record{sent: r, call: Call{ID: r.id, App: r.app.ID, URL: url, Events: r.names, Channels: r.channels, Count: r.count,
		Accepted: r.first, At: now, Outcome: Dropped, Error: why, Tries: r.tries}})
}

// add queues a call and reports whether it is of use to wait for it.
func (k *records) add(one *record) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.waiting) >= recordsMost || k.bytes+one.sent.size > recordsBytes {
		k.lost++
		return false
	}
	k.waiting = append(k.waiting, one)
	k.bytes += one.sent.size
	if one.done != nil {
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
	return k.running && k.healthy
}

// delivered has a call kept, if it is among the last few.
func (k *records) delivered(r *request, a *Attempt) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.recent) == recentBatch {
		k.recent = append(k.recent[:0], k.recent[1:]...)
	}
	k.recent = append(k.recent, &record{call: a.call()})
}

// take gives the next batch: those that somebody waits for and, if all may go, the
// others too.
func (k *records) take(all bool) (batch []*record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, one := range k.waiting {
		if (all || one.done != nil) && len(batch) < recordsBatch {
			batch = append(batch, one)
		}
	}
	if all {
		batch = append(batch, k.recent...)
		k.recent = nil
	}
	return batch
}

// settle takes a batch off what waits, unless it could not be written; nobody
// waits for it any more.
func (k *records) settle(batch []*record, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.healthy = err == nil
	written := make(map[*record]bool, len(batch))
	for _, one := range batch {
		if written[one] = true; one.done != nil {
			close(one.done)
			one.done = nil
		}
	}
	if err != nil {
		return
	}
	k.waiting = slices.DeleteFunc(k.waiting, func(one *record) bool {
		if !written[one] {
			return false
		}
		k.bytes -= one.sent.size
		return true
	})
}

// start runs in a goroutine of its own until ctx ends, when nothing more may
// come; then it writes what is left. ended is closed when it is done.
func (k *records) start(ctx context.Context) (ended chan struct{}) {
	ended = make(chan struct{})
	if k == nil {
		close(ended)
		return ended
	}
	go func() {
		defer close(ended)
		k.run(ctx)
		k.finish()
	}()
	return ended
}

// run writes until ctx ends.
func (k *records) run(ctx context.Context) {
	k.setRunning(true)
	defer k.setRunning(false)
	every, hour := time.NewTicker(recordsEvery), time.NewTicker(pruneEvery)
	defer every.Stop()
	defer hour.Stop()
	state := writer{records: k}
	state.prune(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hour.C:
			state.prune(ctx)
		case <-every.C:
			state.write(ctx, true)
		case <-k.wake:
			for state.write(ctx, false) {
			}
		}
	}
}

// finish writes what is left, when nothing more can come.
func (k *records) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), recordsLast)
	defer cancel()
	state := writer{records: k}
	for ctx.Err() == nil && state.write(ctx, true) {
	}
	k.mu.Lock()
	lost := k.lost + len(k.waiting)
	k.mu.Unlock()
	if lost > 0 {
		k.say(lost, cmp.Or(state.err, context.Cause(ctx)))
	}
}

func (k *records) setRunning(running bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running = running
}

// writer is what the goroutine that writes knows.
type writer struct {
	*records
	wait    time.Duration // after an error; 0: none
	again   time.Time     // not before
	err     error         // the last
	said    time.Time
	written int // since the last pruning
}

// write writes a batch of what waits and reports whether it did.
func (w *writer) write(ctx context.Context, all bool) bool {
	if w.wait > 0 && time.Now().Before(w.again) {
		return false
	}
	batch := w.take(all)
	if len(batch) == 0 {
		return false
	}
	w.err = w.insertInTime(ctx, batch)
	w.settle(batch, w.err)
	w.tell()
	if w.err != nil {
		w.wait = min(max(recordsAgain, 2*w.wait), recordsLater)
		w.again = time.Now().Add(w.wait)
		return false
	}
	w.wait = 0
	if w.written += len(batch); w.written >= pruneAfter {
		w.prune(ctx)
	}
	return true
}

// tell logs what was lost, once a minute at most.
func (w *writer) tell() {
	w.mu.Lock()
	lost := w.lost
	if w.err == nil && lost == 0 || time.Since(w.said) < sayEvery {
		w.mu.Unlock()
		return
	}
	w.lost = 0
	w.mu.Unlock()
	w.said = time.Now()
	w.say(lost, w.err)
}

// insertInTime makes one try, which the end of ctx does not cut short.
func (w *writer) insertInTime(ctx context.Context, batch []*record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordsLast)
	defer cancel()
	return w.insert(ctx, batch)
}

func (w *writer) prune(ctx context.Context) {
	w.written = 0
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := w.remove(ctx, time.Now()); err != nil {
		w.logger.Warn("old webhooks could not be removed from the database; it is tried again in an hour", "error", err)
	}
}
