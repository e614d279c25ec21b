package appstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Earlier versions kept the list in the data folder, in the file OldFile. Once
// it is taken over it has the name OldFile + TakenOver, and is of use only to
// go back to such a version.
const (
	OldFile   = "apps.json"
	TakenOver = ".imported"
)

// takeOver puts the apps of the old file into the database, if there is one. A
// crash before the file has its new name has them put there again, which
// changes nothing.
func (s *Store) takeOver(ctx context.Context) error {
	if s.dir == "" {
		return nil
	}
	path := filepath.Join(s.dir, OldFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := s.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := s.change(ctx, tx, func(records []Record) ([]Record, error) {
			// Read only now, when no other process can be taking it over.
			old, err := readOld(path)
			if err != nil {
				return nil, err
			}
			return merge(records, old, path)
		})
		return err
	})
	if err != nil {
		return err
	}
	if err := os.Rename(path, path+TakenOver); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &belfry.Error{
			Code:    belfry.CodeInternal,
			Message: fmt.Sprintf("the apps of %s are in the database now, but the file cannot be renamed", path),
			Hint:    "rename or delete it yourself; else apps that are removed come back",
			Err:     err,
		}
	}
	return nil
}

// merge puts the old file's apps behind those of the database. One that is
// there already, and as it is there, is left out.
func merge(records, old []Record, path string) ([]Record, error) {
	clash := func(what, id string) error {
		return &belfry.Error{
			Code:    belfry.CodeConflict,
			Message: fmt.Sprintf("%s of app %s in %s belongs to another app of the database already", what, id, path),
			Hint:    "take the app out of that file, or move the file away",
		}
	}
next:
	for _, r := range old {
		for _, other := range records {
			if other.ID == r.ID && reflect.DeepEqual(other, r.clone()) {
				continue next
			}
			if other.ID == r.ID {
				return nil, clash("the id", r.ID)
			}
			for _, k := range r.Keys {
				if slices.ContainsFunc(other.Keys, func(o Key) bool { return o.Key == k.Key }) {
					return nil, clash("the key "+k.Key, r.ID)
				}
			}
		}
		records = append(records, r)
	}
	return records, nil
}

// readOld reads the old file, none when it is gone. A file that does not parse
// is an error that names it, never an empty list.
func readOld(path string) ([]Record, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read apps: %w", err)
	}
	var c struct {
		Version int      `json:"version"`
		Apps    []Record `json:"apps"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		// The decoder's message may quote a value, which may be a secret.
		return nil, brokenFile("%s is not a list of apps (at byte %d)", path, d.InputOffset())
	}
	if c.Version != 1 {
		return nil, brokenFile("%s has version %d; this program reads version 1", path, c.Version)
	}
	for i, r := range c.Apps {
		if !r.whole() {
			return nil, brokenFile("%s: apps[%d] lacks an id, a key or a secret", path, i)
		}
	}
	return c.Apps, nil
}

func brokenFile(format string, args ...any) error {
	return &belfry.Error{
		Code:    belfry.CodeInvalid,
		Message: fmt.Sprintf(format, args...),
		Hint:    "mend the file, or move it away to go on without its apps",
	}
}
