package certs

import (
	"context"
	"fmt"
	"sync"

	"github.com/caddyserver/certmagic"
)

// folder keeps certificates in files that only their owner may read. A data
// folder is one server's at a time, so its locks are kept in memory: as files
// they would outlive a killed process and hold up the next one.
type folder struct {
	certmagic.FileStorage

	mu   sync.Mutex               // guards held
	held map[string]chan struct{} // closed when let go
}

// Lock implements certmagic.Locker.
func (f *folder) Lock(ctx context.Context, name string) error {
	for {
		held := f.take(name)
		if held == nil {
			return nil
		}
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TryLock implements certmagic.TryLocker.
func (f *folder) TryLock(_ context.Context, name string) (bool, error) {
	return f.take(name) == nil, nil
}

// take takes a lock, or gives what is closed when its holder lets go.
func (f *folder) take(name string) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if held, ok := f.held[name]; ok {
		return held
	}
	if f.held == nil {
		f.held = map[string]chan struct{}{}
	}
	f.held[name] = make(chan struct{})
	return nil
}

// Unlock implements certmagic.Locker.
func (f *folder) Unlock(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	held, ok := f.held[name]
	if !ok {
		return fmt.Errorf("the lock %q is not held", name)
	}
	delete(f.held, name)
	close(held)
	return nil
}
