package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// files serves a certificate from files and reads them again when they
// change, so that a renewal needs no restart.
type files struct {
	cert, key string
	log       *slog.Logger
	loaded    atomic.Pointer[pair]

	// Of run alone, after openFiles:

	fault  string    // why the files cannot be used, when last looked at
	told   bool      // that fault was logged
	warned time.Time // when the end of the certificate was last spoken of
}

// pair is a certificate with the texts that it was made from.
type pair struct {
	cert, key []byte
	tls       tls.Certificate
}

// recheck is how often the files are looked at.
const recheck = 10 * time.Second

func openFiles(cert, key string, log *slog.Logger) (*files, error) {
	f := &files{cert: cert, key: key, log: log}
	p, err := f.read()
	if err != nil {
		return nil, err
	}
	f.loaded.Store(p)
	f.expiry(p.tls.Leaf)
	return f, nil
}

func (f *files) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &f.loaded.Load().tls, nil }

func (f *files) check() error {
	if end := f.loaded.Load().tls.Leaf.NotAfter; time.Now().After(end) {
		return fmt.Errorf("the certificate in %s ended on %s", f.cert, end.UTC().Format(time.DateTime))
	}
	return nil
}

func (f *files) ends() time.Time { return f.loaded.Load().tls.Leaf.NotAfter }

func (f *files) run(ctx context.Context, _ net.Addr) error {
	ticker := time.NewTicker(recheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			f.look()
		}
	}
}

// look takes up files that have changed. The texts are compared, since a
// renewal may keep a file's time.
func (f *files) look() {
	p, err := f.read()
	if err != nil { // the old one serves on
		f.failed(err.Error())
		return
	}
	f.fault = ""
	if f.loaded.Swap(p) != p {
		f.warned = time.Time{}
		f.log.Info("the changed certificate files are in use", "file", f.cert, "until", p.tls.Leaf.NotAfter)
	}
	f.expiry(p.tls.Leaf)
}

// failed logs a fault once, when it is there for the second time: between the
// writing of a certificate and of its key the two never fit.
func (f *files) failed(fault string) {
	if fault != f.fault {
		f.fault, f.told = fault, false
		return
	}
	if !f.told {
		f.told = true
		f.log.Error("the changed certificate files cannot be used: the certificate read before serves on", "error", fault)
	}
}

// expiry warns, once a day, in the last tenth of a certificate's life.
func (f *files) expiry(leaf *x509.Certificate) {
	now := time.Now()
	left := leaf.NotAfter.Sub(now)
	if left > leaf.NotAfter.Sub(leaf.NotBefore)/10 || now.Sub(f.warned) < 24*time.Hour {
		return
	}
	f.warned = now
	message := "the certificate ends soon: renew its files"
	if left <= 0 {
		message = "the certificate has ended and clients refuse it: renew its files"
	}
	f.log.Warn(message, "file", f.cert, "until", leaf.NotAfter)
}

// read gives the pair in use when the files still hold it.
func (f *files) read() (*pair, error) {
	cert, err := os.ReadFile(f.cert)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(f.key)
	if err != nil {
		return nil, err
	}
	if old := f.loaded.Load(); old != nil && bytes.Equal(cert, old.cert) && bytes.Equal(key, old.key) {
		return old, nil
	}
	made, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	return &pair{cert: cert, key: key, tls: made}, nil
}
