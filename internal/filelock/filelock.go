// Package filelock locks files between processes. The operating system gives a
// lock back when its process ends, however it ends, so no lock outlives a crash.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Lock is a lock that this process holds.
type Lock struct{ file *os.File }

// Try takes the lock on the file at path, which it creates owner-only when it
// is not there. Without waiting it gives nil and no error when somebody else,
// in this process or another, holds the lock.
func Try(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	taken, err := tryLock(f, false)
	if err != nil || !taken {
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return nil, nil
	}
	return &Lock{file: f}, nil
}

// Wait takes the lock as Try does, and waits for its holder until ctx ends. It
// asks again every few milliseconds, so it suits locks that are held briefly.
func Wait(ctx context.Context, path string) (*Lock, error) {
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for {
		l, err := Try(path)
		if l != nil || err != nil {
			return l, err
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Held reports whether somebody holds the lock on the file at path. It holds
// nobody up that asks Held too, and one that calls Try at the same moment for an
// instant: who must not be held up calls Wait. No file is not held.
func Held(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	free, err := tryLock(f, true)
	if err != nil {
		return false, fmt.Errorf("look at lock %s: %w", path, err)
	}
	return !free, nil
}

// Write replaces what the locked file holds, for people and other processes to
// read. It says nothing about the lock itself.
func (l *Lock) Write(text string) error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(text), 0)
	return err
}

// Release gives the lock back. The file stays: removing it would let two
// processes lock two files of one name.
func (l *Lock) Release() error { return l.file.Close() }
