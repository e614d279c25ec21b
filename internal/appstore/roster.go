package appstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
)

// Roster joins the apps of the configuration with those of a Store. Its
// methods may be called concurrently. The zero value is of no use; see
// NewRoster.
type Roster struct {
	store *Store
	apply func([]*belfry.App)

	mu     sync.Mutex // guards fixed, origin, and the order of calls to apply
	fixed  []*belfry.App
	origin func(id string) string
}

// NewRoster makes a roster over store. apply, if not nil, gets all apps after
// each change, one call at a time.
func NewRoster(store *Store, apply func([]*belfry.App)) *Roster {
	return &Roster{store: store, apply: apply}
}

// Entry is an app as a list shows it, without its secrets.
type Entry struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Keys    []string `json:"keys"`
	Enabled bool     `json:"enabled"`
	// Source says where the app is kept, FileName or the configuration's name
	// for it; ReadOnly that commands cannot change it.
	Source   string `json:"source"`
	ReadOnly bool   `json:"read_only"`
	// Secrets is how many secrets are valid, two while one is rotated out.
	Secrets int `json:"secrets"`
}

// Created is an app with the credentials that were just made, the only place
// where a secret is shown.
type Created struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Key    string `json:"key"`
	Secret string `json:"secret"`
}

// SetFixed gives the roster the apps of the configuration, at the start and
// after a reload, and applies. origin says where an app of that id is
// configured ("belfry.yaml:3"); nil means "the configuration". On an error
// nothing is changed.
func (r *Roster) SetFixed(apps []*belfry.App, origin func(id string) string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	records, err := r.store.Load()
	if err != nil {
		return err
	}
	all, err := join(apps, records)
	if err != nil {
		return err
	}
	r.fixed, r.origin = apps, origin
	r.applied(all)
	return nil
}

// All gives the apps to serve: the configuration's in their order, then the
// store's. Where both have an id, the configuration's is the one.
func (r *Roster) All() ([]*belfry.App, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	records, err := r.store.Load()
	if err != nil {
		return nil, err
	}
	return join(r.fixed, records)
}

// Ensure gives the default app, the first of All. When there is none it makes
// one, which created gives with its secret; else created is nil.
func (r *Roster) Ensure(ctx context.Context) (app *belfry.App, created *Created, err error) {
	all, err := r.All()
	if err != nil {
		return nil, nil, err
	}
	if len(all) > 0 {
		return all[0], nil, nil
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
	return app, created, err
}

// List gives all apps, in the order of All.
func (r *Roster) List(context.Context) ([]Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	records, err := r.store.Load()
	if err != nil {
		return nil, err
	}
	all, err := join(r.fixed, records)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(all))
	for i, app := range all {
		e := Entry{ID: app.ID, Name: app.Name, Enabled: !app.Disabled, Source: FileName, Secrets: len(app.Keys)}
		for _, k := range app.Keys {
			if !slices.Contains(e.Keys, k.Key) {
				e.Keys = append(e.Keys, k.Key)
			}
		}
		if i < len(r.fixed) {
			e.Source, e.ReadOnly = r.where(app.ID), true
		}
		entries[i] = e
	}
	return entries, nil
}

// Add makes an app and its secret. An id or a key that is taken is
// CodeConflict, a bad one CodeInvalid.
func (r *Roster) Add(ctx context.Context, n New) (*Created, error) {
	record, err := n.record(time.Now())
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, app := range r.fixed {
		if err := taken(record, app, r.where(app.ID)); err != nil {
			return nil, err
		}
	}
	err = r.update(ctx, func(records []Record) ([]Record, error) {
		for _, other := range records {
			if err := taken(record, other.App(), FileName); err != nil {
				return nil, err
			}
		}
		return append(records, record), nil
	})
	if err != nil {
		return nil, err
	}
	return record.created(), nil
}

// Remove takes an app out. One of the configuration is CodeForbidden, an
// unknown one CodeNotFound.
func (r *Roster) Remove(ctx context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(id); err != nil {
		return err
	}
	return r.update(ctx, func(records []Record) ([]Record, error) {
		i := slices.IndexFunc(records, func(o Record) bool { return o.ID == id })
		if i < 0 {
			return nil, unknown(id)
		}
		return slices.Delete(records, i, i+1), nil
	})
}

// Rotation says what Rotate does with the secrets.
type Rotation string

// The ways to rotate.
const (
	// RotateKeep makes a new secret; the one before it stays valid, older ones
	// do not.
	RotateKeep Rotation = "keep"
	// RotateNow makes a new secret; no other stays valid.
	RotateNow Rotation = "now"
	// RotateFinish makes none, and only the newest stays valid.
	RotateFinish Rotation = "finish"
)

// Rotate changes the secrets of an app's key. Its answer has no secret for
// RotateFinish. Errors are those of Remove.
func (r *Roster) Rotate(ctx context.Context, id string, how Rotation) (*Created, error) {
	switch how {
	case RotateKeep, RotateNow, RotateFinish:
	default:
		return nil, belfry.Errorf(belfry.CodeInvalid, "%q is no way to rotate a secret: it must be keep, now or finish", how)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.writable(id); err != nil {
		return nil, err
	}
	var created *Created
	err := r.update(ctx, func(records []Record) ([]Record, error) {
		i := slices.IndexFunc(records, func(o Record) bool { return o.ID == id })
		if i < 0 {
			return nil, unknown(id)
		}
		record := &records[i]
		newest := record.Keys[0]
		fresh := Key{Key: newest.Key, Secret: newSecret()}
		switch how {
		case RotateKeep:
			record.Keys = []Key{fresh, newest}
		case RotateNow:
			record.Keys = []Key{fresh}
		case RotateFinish:
			record.Keys = []Key{newest}
		}
		created = record.created()
		if how == RotateFinish {
			created.Secret = ""
		}
		return records, nil
	})
	return created, err
}

func (r Record) created() *Created {
	return &Created{ID: r.ID, Name: r.App().Name, Key: r.Keys[0].Key, Secret: r.Keys[0].Secret}
}

// update changes the store and applies; r.mu is held.
func (r *Roster) update(ctx context.Context, change func([]Record) ([]Record, error)) error {
	var all []*belfry.App
	err := r.store.Update(ctx, func(records []Record) ([]Record, error) {
		records, err := change(records)
		if err != nil {
			return nil, err
		}
		all, err = join(r.fixed, records)
		return records, err
	})
	if err == nil {
		r.applied(all)
	}
	return err
}

func (r *Roster) applied(all []*belfry.App) {
	if r.apply != nil {
		r.apply(all)
	}
}

func (r *Roster) where(id string) string {
	if r.origin != nil {
		if text := r.origin(id); text != "" {
			return text
		}
	}
	return "the configuration"
}

func (r *Roster) writable(id string) error {
	for _, app := range r.fixed {
		if app.ID == id {
			return &belfry.Error{
				Code:    belfry.CodeForbidden,
				Message: fmt.Sprintf("app %s is set in %s, which commands do not change", id, r.where(id)),
				Hint:    "change it there, then run: belfry config reload",
			}
		}
	}
	return nil
}

func unknown(id string) error {
	return &belfry.Error{
		Code:    belfry.CodeNotFound,
		Message: fmt.Sprintf("there is no app %q", id),
		Hint:    "see them with: belfry app:list",
	}
}

func taken(record Record, app *belfry.App, where string) error {
	if app.ID == record.ID {
		return belfry.Errorf(belfry.CodeConflict, "app id %s is taken (by an app of %s)", record.ID, where)
	}
	if len(app.Secrets(record.Keys[0].Key)) > 0 {
		return belfry.Errorf(belfry.CodeConflict, "key %s is taken (by app %s of %s)", record.Keys[0].Key, app.ID, where)
	}
	return nil
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
						Message: fmt.Sprintf("key %s belongs to two apps, %s and %s of %s", k.Key, other.ID, app.ID, FileName),
						Hint:    fmt.Sprintf("remove one of them, for instance with: belfry app:remove %s", app.ID),
					}
				}
			}
		}
		all = append(all, app)
	}
	return all, nil
}
