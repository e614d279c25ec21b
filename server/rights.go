package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/identity"
)

const (
	// rightsEvery is how often the log of changes is read: a change made by
	// another process takes effect within it and the time of a few queries.
	rightsEvery = 300 * time.Millisecond
	// rightsRemember is how long a change makes answers given before it doubtful.
	// A page subscribes within seconds of its answer.
	rightsRemember = 10 * time.Minute
	// clockSkew is how far the clocks of servers of one database may differ.
	clockSkew = 5 * time.Second
)

// rights makes a changed role, a removed or disabled user and a session's end
// take effect on what is subscribed already. It reads the database's log of
// changes, so it does not matter which process made them.
type rights struct {
	log    *slog.Logger
	hub    *hub.Hub
	people interface {
		LastChange(ctx context.Context) (int64, error)
		Changes(ctx context.Context, after int64, limit int) ([]identity.Change, error)
		User(ctx context.Context, id string) (*belfry.User, error)
	}
	// allows decides as the door does.
	allows func(user *belfry.User, channel string) bool

	// changed is told of each user with an entry in the log.
	changed func(user string)

	nudge  chan struct{} // has a value when a change was made in this process
	doubts chan string   // users to ask about again; "" for all

	mu     sync.Mutex // guards recent
	recent map[string]time.Time
}

func (r *rights) init() *rights {
	r.nudge, r.doubts, r.recent = make(chan struct{}, 1), make(chan string, 256), make(map[string]time.Time)
	return r
}

// Nudge says that this process made a change. It never blocks.
func (r *rights) Nudge() {
	select {
	case r.nudge <- struct{}{}:
	default:
	}
}

// Doubt has the rights of a user, or, with "", of everybody, looked at again.
// It never blocks.
func (r *rights) Doubt(user string) {
	select {
	case r.doubts <- user:
	default: // so many that all are looked at anyway
		r.mu.Lock()
		r.recent[""] = time.Now()
		r.mu.Unlock()
		r.Nudge()
	}
}

// doubtful reports whether a user's rights may have changed since an answer was
// given.
func (r *rights) doubtful(user string, issued time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed, known := r.recent[user]
	return known && !issued.After(changed.Add(clockSkew))
}

// Run follows the log of changes until ctx ends.
func (r *rights) Run(ctx context.Context) error {
	after, known, silent := int64(0), false, false
	tick := time.NewTicker(rightsEvery)
	defer tick.Stop()
	for {
		err := r.step(ctx, &after, &known)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !silent:
			r.log.Warn("changes of rights cannot be read and take effect once they can", "error", err)
			silent = true
		case err == nil && silent:
			r.log.Info("changes of rights are read again")
			silent = false
		}
		select {
		case <-tick.C:
		case <-r.nudge:
		case user := <-r.doubts:
			r.again(ctx, user)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// step carries out what was changed since after. Where nothing is known yet
// everybody who is subscribed is asked about.
func (r *rights) step(ctx context.Context, after *int64, known *bool) error {
	if !*known {
		last, err := r.people.LastChange(ctx)
		if err != nil {
			return err
		}
		*after, *known = last, true
		r.again(ctx, "")
		return nil
	}
	r.mu.Lock()
	_, everybody := r.recent[""]
	delete(r.recent, "")
	r.mu.Unlock()
	if everybody {
		r.again(ctx, "")
	}
	for {
		changes, err := r.people.Changes(ctx, *after, 500)
		if err != nil {
			return err
		}
		r.remember(changes)
		for _, c := range changes {
			r.changed(c.UserID)
			r.carryOut(ctx, c)
			*after = c.Seq
		}
		if len(changes) < 500 {
			return nil
		}
	}
}

func (r *rights) remember(changes []identity.Change) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		r.recent[c.UserID] = now
	}
	for user, changed := range r.recent {
		if now.Sub(changed) > rightsRemember {
			delete(r.recent, user)
		}
	}
}

func (r *rights) carryOut(ctx context.Context, c identity.Change) {
	switch c.Kind {
	case identity.ChangeSession:
		r.told(c.UserID, "their session has ended", r.hub.Revoke(c.UserID, func(h hub.Holding) bool { return h.Session == c.SessionID }))
	case identity.ChangePassword:
		// Their sessions have ended, but for the one that made the change: pages
		// ask again and are refused where they are signed out.
		r.told(c.UserID, "their password was changed", r.hub.Revoke(c.UserID, func(h hub.Holding) bool { return h.Session != "" }))
	case identity.ChangeRemoved:
		r.told(c.UserID, "they were removed", r.hub.Expel(c.UserID))
	default:
		r.again(ctx, c.UserID)
	}
}

// again decides anew about everything that stands for a user, or for anybody.
func (r *rights) again(ctx context.Context, user string) {
	if user == "" {
		for _, one := range r.hub.Holders() {
			if ctx.Err() == nil {
				r.again(ctx, one)
			}
		}
		return
	}
	if len(r.hub.Holdings(user)) == 0 {
		return
	}
	u, err := r.people.User(ctx, user)
	switch {
	case belfry.CodeOf(err) == belfry.CodeForbidden:
		r.told(user, "they are disabled", r.hub.Expel(user))
	case belfry.CodeOf(err) == belfry.CodeNotFound:
		// Another issuer's user, of whom only their own token knows more: they ask
		// again with it. Or one who is gone, and will be refused.
		r.told(user, "they are not known here", r.hub.Revoke(user, func(hub.Holding) bool { return true }))
	case err != nil:
		r.log.Warn("a user's rights could not be looked at; it is tried again", "user", user, "error", err)
		time.AfterFunc(time.Second, func() { r.Doubt(user) })
	default:
		r.told(user, "their rights have changed", r.hub.Revoke(user, func(h hub.Holding) bool {
			return h.Channel != "" && !r.allows(u, h.Channel)
		}))
	}
}

func (r *rights) told(user, why string, n int) {
	if n > 0 {
		r.log.Info("connections closed", "user", user, "why", why, "connections", n)
	}
}
