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
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/filelock"
)

// FileName is the name of the file in the data folder.
const FileName = "apps.json"

// lockWait is how long an update waits for another process's.
const lockWait = 5 * time.Second

// Store is the file of apps in one data folder. Its methods may be called
// concurrently, by several processes too.
type Store struct{ dir string }

// Open gives the store of the data folder dir. Nothing is read or made yet.
func Open(dir string) *Store { return &Store{dir: dir} }

// Path is where the file is.
func (s *Store) Path() string { return filepath.Join(s.dir, FileName) }

type contents struct {
	Version int      `json:"version"`
	Apps    []Record `json:"apps"`
}

// Load reads the apps, none when there is no file. A file that does not parse
// is an error that names it, never an empty list.
func (s *Store) Load() ([]Record, error) {
	text, err := os.ReadFile(s.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read apps: %w", err)
	}
	var c contents
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		// The decoder's message may quote a value, which may be a secret.
		return nil, &belfry.Error{
			Code:    belfry.CodeInvalid,
			Message: fmt.Sprintf("%s is not a list of apps (at byte %d)", s.Path(), d.InputOffset()),
			Hint:    "mend the file, or move it away to start with none",
		}
	}
	if c.Version != 1 {
		return nil, &belfry.Error{
			Code:    belfry.CodeInvalid,
			Message: fmt.Sprintf("%s has version %d; this program reads version 1", s.Path(), c.Version),
			Hint:    "use the program that wrote it, or a newer one",
		}
	}
	for i, r := range c.Apps {
		if r.ID == "" || len(r.Keys) == 0 || r.Keys[0].Key == "" || r.Keys[0].Secret == "" {
			return nil, &belfry.Error{
				Code:    belfry.CodeInvalid,
				Message: fmt.Sprintf("%s: apps[%d] lacks an id, a key or a secret", s.Path(), i),
				Hint:    "mend the file, or move it away to start with none",
			}
		}
	}
	return c.Apps, nil
}

// Update changes the list under a lock against other processes: change gets
// what the file holds and gives what it is to hold, or an error that leaves the
// file as it is. The data folder is made owner-only when it is not there.
func (s *Store) Update(ctx context.Context, change func([]Record) ([]Record, error)) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, errors.New("another command holds the list of apps"))
	defer cancel()
	lock, err := filelock.Wait(ctx, filepath.Join(s.dir, ".apps.lock"))
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("lock apps: %w", err)
	}
	defer lock.Release()
	apps, err := s.Load()
	if err != nil {
		return err
	}
	if apps, err = change(apps); err != nil {
		return err
	}
	if err := s.save(apps); err != nil {
		return fmt.Errorf("write apps: %w", err)
	}
	return nil
}

// save replaces the file in one step that a crash cannot cut in two: the new
// contents are on disk before they get the file's name.
func (s *Store) save(apps []Record) error {
	text, err := json.MarshalIndent(contents{Version: 1, Apps: apps}, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(s.dir, ".apps-*") // owner-only
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	if _, err = f.Write(append(text, '\n')); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), s.Path())
	}
	if err == nil {
		syncDir(s.dir)
	}
	return err
}

// syncDir makes a rename last. Not every system can open a folder for that;
// where it cannot, the rename is as safe as the system makes it.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
