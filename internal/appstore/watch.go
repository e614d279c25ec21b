package appstore

import (
	"context"
	"log/slog"
	"time"
)

// watchPace is how often Watch looks.
const watchPace = 2 * time.Second

// Watch looks every two seconds, with one cheap query, whether a command or
// another server changed the list, and applies it then. It goes on while the
// database is away and until ctx ends, and gives nil. log is told when the list
// cannot be had, and when it can again.
func (r *Roster) Watch(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(r.pace)
	defer tick.Stop()
	last := "" // the fault that was logged
	for {
		err := r.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && err.Error() != last:
			last = err.Error()
			log.Warn("the apps of the database are not taken on; those known before are served", "error", err)
		case err == nil && last != "":
			last = ""
			log.Info("the apps of the database are known again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look applies the store's list if it changed. The error says why what is
// served may be older than the store's list.
func (r *Roster) look(ctx context.Context) error {
	version, err := r.store.peek(ctx)
	if err != nil {
		r.stale.Store(&err)
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if version == r.version && r.Stale() == nil {
		return nil
	}
	if err := r.refresh(ctx, r.fixed, r.origin); err != nil {
		r.stale.Store(&err)
		return err
	}
	return r.Stale()
}
