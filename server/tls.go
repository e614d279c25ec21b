package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/belfryhq/belfry"
)

// newTLS makes the listener's TLS settings; nil for plain TCP. HTTP/2 is not
// offered, since a WebSocket needs its connection for itself.
func newTLS(cfg *TLS, dir string, log *slog.Logger) (*tls.Config, error) {
	if cfg == nil {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if len(cfg.Domains) == 0 {
		files := &certFiles{cert: cfg.CertFile, key: cfg.KeyFile, log: log}
		if _, err := files.load(); err != nil {
			return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: "TLS: cannot use the certificate files", Err: err,
				Hint: "give the certificate chain and its private key as PEM files that this user may read"}
		}
		conf.GetCertificate = files.get
		return conf, nil
	}
	issued, err := acme(cfg, dir)
	if err != nil {
		return nil, err
	}
	conf.GetCertificate = issued.GetCertificate
	conf.NextProtos = append(conf.NextProtos, "acme-tls/1")
	return conf, nil
}

// acme gets and renews certificates by itself, with the TLS-ALPN challenge on
// the listener's own port.
func acme(cfg *TLS, dir string) (*certmagic.Config, error) {
	var magic *certmagic.Config
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return magic, nil },
		Logger:           zap.NewNop(),
	})
	magic = certmagic.New(cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: filepath.Join(dir, "certificates")},
		Logger:  zap.NewNop(),
	})
	authority := cfg.Directory
	if authority == "" {
		authority = certmagic.LetsEncryptProductionCA
	}
	magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(magic, certmagic.ACMEIssuer{
		CA: authority, Email: cfg.Email, Agreed: true, Logger: zap.NewNop(),
	})}
	if err := magic.ManageAsync(context.Background(), cfg.Domains); err != nil {
		return nil, fmt.Errorf("TLS: certificates for %v: %w", cfg.Domains, err)
	}
	return magic, nil
}

// certFiles serves a certificate from files and reads them again when they
// change, so that a renewal needs no restart.
type certFiles struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex // guards all below
	loaded  *tls.Certificate
	stamp   [2]time.Time // of the files as loaded
	checked time.Time
}

// recheck is how often the files are looked at.
const recheck = 10 * time.Second

func (f *certFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.checked) > recheck {
		f.checked = now
		if f.changed() {
			if _, err := f.read(); err != nil { // the old one serves on
				f.log.Error("TLS: the changed certificate files cannot be used", "error", err)
			}
		}
	}
	return f.loaded, nil
}

func (f *certFiles) load() (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checked = time.Now()
	return f.read()
}

func (f *certFiles) read() (*tls.Certificate, error) {
	stamp, err := f.stamps()
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, err
	}
	f.loaded, f.stamp = &pair, stamp
	return f.loaded, nil
}

func (f *certFiles) changed() bool {
	stamp, err := f.stamps()
	return err == nil && stamp != f.stamp
}

func (f *certFiles) stamps() (stamp [2]time.Time, err error) {
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
