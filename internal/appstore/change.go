package appstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/belfryhq/belfry"
)

// Entry is an app as a list shows it, without its secrets.
type Entry struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Keys    []string `json:"keys"`
	Enabled bool     `json:"enabled"`
	// Source says where the app is kept, Kept or the configuration's name for
	// it; ReadOnly that commands cannot change it.
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

// List gives all apps, in the order of All, as the database has them now: it
// is no list while the database is away.
func (r *Roster) List(ctx context.Context) ([]Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	records, err := r.store.Load(ctx)
	if err != nil {
		return nil, err
	}
	all, err := join(r.fixed, records)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(all))
	for i, app := range all {
		e := Entry{ID: app.ID, Name: app.Name, Enabled: !app.Disabled, Source: Kept, Secrets: len(app.Keys)}
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
			if err := taken(record, other.App(), Kept); err != nil {
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
	if err != nil {
		return nil, err
	}
	return created, nil
}

func (r Record) created() *Created {
	return &Created{ID: r.ID, Name: r.App().Name, Key: r.Keys[0].Key, Secret: r.Keys[0].Secret}
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
