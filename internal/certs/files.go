package certs

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"
)

// files serves a certificate from files and reads them again when they
// change, so that a renewal needs no restart.
type files struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex // guards all below
	loaded  *tls.Certificate
	stamp   [2]time.Time // of the files as loaded
	checked time.Time
}

// recheck is how often the files are looked at.
const recheck = 10 * time.Second

func (f *files) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.checked) > recheck {
		f.checked = now
		if f.changed() {
			if err := f.read(); err != nil { // the old one serves on
				f.log.Error("TLS: the changed certificate files cannot be used", "error", err)
			}
		}
	}
	return f.loaded, nil
}

func (f *files) load() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checked = time.Now()
	return f.read()
}

func (f *files) read() error {
	stamp, err := f.stamps()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	f.loaded, f.stamp = &pair, stamp
	return nil
}

func (f *files) changed() bool {
	stamp, err := f.stamps()
	return err == nil && stamp != f.stamp
}

func (f *files) stamps() (stamp [2]time.Time, err error) {
	for i, name := range []string{f.cert, f.key} {
		info, statErr := os.Stat(name)
		if statErr != nil {
			err = errors.Join(err, statErr)
			continue
		}
		stamp[i] = info.ModTime()
	}
	return stamp, err
}
