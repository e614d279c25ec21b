package appstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
)

// Roster joins the apps of the configuration with those of a Store. Its
// methods may be called concurrently. The zero value is of no use; see
// NewRoster.
//
// While the database is away a roster goes on with what it read last, at first
// with the configuration's apps alone; Stale says so, and Watch catches up.
type Roster struct {
	store *Store
	apply func([]*belfry.App)
	pace  time.Duration
	stale atomic.Pointer[error]
	known atomic.Pointer[[]*belfry.App] // the apps that were applied last

	mu      sync.Mutex // guards what follows, and the order of calls to apply
	fixed   []*belfry.App
	origin  func(id string) string
	kept    []Record // the store's, as they were applied last
	version int64    // of kept; -1 before the first reading
}

// NewRoster makes a roster over store. apply, if not nil, gets all apps after
// each change, one call at a time.
func NewRoster(store *Store, apply func([]*belfry.App)) *Roster {
	return &Roster{store: store, apply: apply, pace: watchPace, version: -1}
}

// SetFixed gives the roster the apps of the configuration, at the start and
// after a reload, and applies. origin says where an app of that id is
// configured ("belfry.yaml:3"); nil means "the configuration". On an error
// nothing is changed; a database that is away is none, see Stale.
func (r *Roster) SetFixed(ctx context.Context, apps []*belfry.App, origin func(id string) string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refresh(ctx, apps, origin)
}

// refresh reads the store, joins and applies; r.mu is held.
func (r *Roster) refresh(ctx context.Context, fixed []*belfry.App, origin func(id string) string) error {
	records, version, err := r.read(ctx)
	if err != nil {
		return err
	}
	all, err := join(fixed, records)
	if err != nil {
		return err
	}
	r.fixed, r.origin = fixed, origin
	r.applied(all, records, version)
	return nil
}

// read gives the store's apps, those of the last reading while the database is
// away; r.mu is held.
func (r *Roster) read(ctx context.Context) ([]Record, int64, error) {
	records, version, err := r.store.load(ctx)
	if err == nil {
		r.stale.Store(nil)
		return records, version, nil
	}
	if belfry.CodeOf(err) != belfry.CodeUnavailable || ctx.Err() != nil {
		return nil, 0, err
	}
	r.stale.Store(&err)
	return r.kept, r.version, nil
}

// Stale says why the apps of the database are not known as they are now, nil
// when they are. It never waits.
func (r *Roster) Stale() error {
	if err := r.stale.Load(); err != nil {
		return *err
	}
	return nil
}

// App gives an app as it was applied last, the default one for "", or nil when
// there is none. It asks no database and never waits; SetFixed and Watch keep
// what it knows.
func (r *Roster) App(id string) *belfry.App {
	all := r.known.Load()
	if all == nil {
		return nil
	}
	for _, app := range *all {
		if id == "" || app.ID == id {
			return app
		}
	}
	return nil
}

// All gives the apps to serve: the configuration's in their order, then the
// store's. Where both have an id, the configuration's is the one. While the
// database is away the store's are those of the last reading; see Stale.
func (r *Roster) All(ctx context.Context) ([]*belfry.App, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	records, _, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	return join(r.fixed, records)
}

// Ensure gives the default app, the first of All. When there is none it makes
// one, which created gives with its secret; else created is nil. While the
// database is away there is none to make: that is CodeUnavailable.
func (r *Roster) Ensure(ctx context.Context) (app *belfry.App, created *Created, err error) {
	all, err := r.All(ctx)
	if err != nil {
		return nil, nil, err
	}
	if len(all) > 0 {
		return all[0], nil, nil
	}
	if err := r.Stale(); err != nil {
		return nil, nil, &belfry.Error{
			Code:    belfry.CodeUnavailable,
			Message: "no app is configured, and the database, where one would be kept, cannot be reached",
			Hint:    "bring the database back, or set PUSHER_APP_ID, PUSHER_APP_KEY and PUSHER_APP_SECRET",
			Err:     err,
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.update(ctx, func(records []Record) ([]Record, error) {
		if len(records) > 0 { // another process was first
			app = records[0].App()
			return records, nil
		}
		record, err := New{Name: "default"}.record(time.Now())
		if err != nil {
			return nil, err
		}
		record.Generated = true
		app, created = record.App(), record.created()
		return append(records, record), nil
	})
	if err != nil {
		return nil, nil, err
	}
	return app, created, nil
}

// update changes the store and applies; r.mu is held.
func (r *Roster) update(ctx context.Context, change func([]Record) ([]Record, error)) error {
	var all []*belfry.App
	var kept []Record
	version, err := r.store.update(ctx, func(records []Record) ([]Record, error) {
		records, err := change(records)
		if err != nil {
			return nil, err
		}
		kept = records
		all, err = join(r.fixed, records)
		return records, err
	})
	if err != nil {
		return err
	}
	r.stale.Store(nil)
	r.applied(all, kept, version)
	return nil
}

func (r *Roster) applied(all []*belfry.App, kept []Record, version int64) {
	r.kept, r.version = kept, version
	r.known.Store(&all)
	if r.apply != nil {
		r.apply(all)
	}
}

// join puts the stored apps behind the fixed ones. A key that two apps have
// would leave open which one a connection is for.
func join(fixed []*belfry.App, records []Record) ([]*belfry.App, error) {
	all := slices.Clone(fixed)
	for _, record := range records {
		app := record.App()
		if slices.ContainsFunc(fixed, func(o *belfry.App) bool { return o.ID == app.ID }) {
			continue
		}
		for _, other := range all {
			for _, k := range app.Keys {
				if len(other.Secrets(k.Key)) > 0 {
					return nil, &belfry.Error{
						Code:    belfry.CodeConflict,
						Message: fmt.Sprintf("key %s belongs to two apps, %s and %s of %s", k.Key, other.ID, app.ID, Kept),
						Hint:    fmt.Sprintf("remove one of them, for instance with: belfry app:remove %s", app.ID),
					}
				}
			}
		}
		all = append(all, app)
	}
	return all, nil
}
