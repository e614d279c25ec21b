package broadcast

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Keyed events that come at the same time share a transaction: a commit waits
// for the disk, and one wait serves all of them. A lone event waits for nobody.

// entry is one keyed event on its way into the database.
type entry struct {
	request Request
	event   belfry.Event
	job     belfry.Job

	answer Accepted
	err    error
	lead   chan []*entry // gets the entries if this one's caller is to commit them
	done   chan struct{} // closed when answer and err stand
	taken  bool          // guarded by committer.mu
}

// committer has one commit under way at a time, made by one of those who wait.
type committer struct {
	commit func(ctx context.Context, entries []*entry) error

	mu      sync.Mutex // guards what follows
	busy    bool
	waiting []*entry
}

// maxEntries bounds a transaction.
const maxEntries = 200

// keep brings e into the database, perhaps with others, or gives the error.
func (c *committer) keep(ctx context.Context, e *entry) error {
	e.lead, e.done = make(chan []*entry, 1), make(chan struct{})
	c.mu.Lock()
	c.waiting = append(c.waiting, e)
	c.dispatch()
	c.mu.Unlock()
	select {
	case entries := <-e.lead:
		c.run(ctx, entries)
	case <-e.done:
	case <-ctx.Done():
		if c.withdraw(e) {
			return ctx.Err()
		}
		select {
		case entries := <-e.lead:
			c.run(ctx, entries)
		case <-e.done: // whether it is kept must be known
		}
	}
	<-e.done
	return e.err
}

func (c *committer) withdraw(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.taken {
		return false
	}
	c.waiting = slices.DeleteFunc(c.waiting, func(w *entry) bool { return w == e })
	return true
}

// dispatch hands what waits to the first of them. The committer is locked.
func (c *committer) dispatch() {
	if c.busy || len(c.waiting) == 0 {
		return
	}
	c.busy = true
	n := min(len(c.waiting), maxEntries)
	entries := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	for _, e := range entries {
		e.taken = true
	}
	entries[0].lead <- entries
}

// run commits entries. What is permanently wrong with one of several does not
// fail the others.
func (c *committer) run(ctx context.Context, entries []*entry) {
	defer func() {
		c.mu.Lock()
		c.busy = false
		c.dispatch()
		c.mu.Unlock()
		for _, e := range entries {
			close(e.done)
		}
	}()
	if len(entries) > 1 {
		ctx = context.WithoutCancel(ctx) // the others did not give up
	}
	for _, e := range entries {
		e.err = errNotKept // unless what follows says otherwise
	}
	err := c.commit(ctx, entries)
	if err != nil && len(entries) > 1 && Permanent(err) {
		for _, e := range entries {
			if err := c.commit(ctx, []*entry{e}); err != nil {
				e.err = err
			}
		}
		return
	}
	for _, e := range entries {
		if err != nil {
			e.err = err
		}
	}
}

var errNotKept = belfry.Errorf(belfry.CodeInternal, "the event was not kept")

// commit claims the entries' keys and enqueues those that are new, in one
// transaction. An entry whose key is taken for another request has its own err.
func (b *Broadcaster) commit(ctx context.Context, entries []*entry) error {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	// One order of keys for all processes, so that none waits for another that
	// waits for it.
	byKey := slices.SortedFunc(slices.Values(entries), func(x, y *entry) int {
		return cmp.Or(cmp.Compare(x.request.Scope, y.request.Scope), cmp.Compare(x.request.Key, y.request.Key))
	})
	results := make(map[*entry]error, len(entries))
	err := b.db().Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, e := range byKey {
			answer := Accepted{ID: e.event.ID, Status: "queued"}
			held, err := b.claim(ctx, tx, e.request, answer.ID, &answer)
			switch {
			case belfry.CodeOf(err) == belfry.CodeConflict:
				results[e] = err
			case err != nil:
				return err
			case held != nil:
				e.answer = *held
			default:
				e.answer = answer
			}
		}
		return b.enqueueNew(ctx, tx, entries, results)
	})
	if err != nil {
		return wrap("queue the event", err)
	}
	for _, e := range entries {
		e.err = results[e]
	}
	return nil
}

// enqueueNew enqueues the entries whose keys were new, in the order in which
// they came.
func (b *Broadcaster) enqueueNew(ctx context.Context, tx *store.Tx, entries []*entry, refused map[*entry]error) error {
	var fresh []*entry
	var jobs []belfry.Job
	for _, e := range entries {
		if refused[e] == nil && !e.answer.Replayed {
			fresh = append(fresh, e)
			jobs = append(jobs, e.job)
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	if _, err := b.cfg.Queue.Enqueue(ctx, tx, jobs...); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		for _, e := range fresh {
			b.kept(e.event, e.job)
		}
	})
	return nil
}
