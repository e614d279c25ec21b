// Package certs gets the certificates of a listener: from files, or from an ACME
// authority, and renews both without a restart.
package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/belfryhq/belfry"
)

// Config says where certificates come from: files or, without them, an
// authority.
type Config struct {
	// CertFile and KeyFile are PEM files; they are read again when they change.
	CertFile, KeyFile string
	// Domains get certificates by themselves, kept in the folder Dir. They must
	// lead to this machine, and the listener must be reachable at port 443.
	Domains []string
	Dir     string
	// Email and Directory are the ACME account's and authority's; default no
	// address and Let's Encrypt.
	Email, Directory string
	Logger           *slog.Logger // default: nothing is logged
}

// Validate gives every fault of the configuration.
func (c *Config) Validate() error {
	files := c.CertFile != "" || c.KeyFile != ""
	switch {
	case files && len(c.Domains) > 0:
		return errors.New("TLS: give certificate files or domains, not both")
	case files && (c.CertFile == "" || c.KeyFile == ""):
		return errors.New("TLS: a certificate file and a key file belong together")
	case !files && len(c.Domains) == 0:
		return errors.New("TLS: give certificate files or domains")
	}
	return nil
}

// Certificates are those of one listener.
type Certificates struct {
	get    func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	protos []string
	close  func()
}

// Open reads the files, or begins to get certificates. Close ends what it
// started.
func Open(cfg Config) (*Certificates, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.CertFile == "" {
		return acme(cfg)
	}
	f := &files{cert: cfg.CertFile, key: cfg.KeyFile, log: cfg.Logger}
	if err := f.load(); err != nil {
		return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: "TLS: cannot use the certificate files", Err: err,
			Hint: "give the certificate chain and its private key as PEM files that this user may read"}
	}
	return &Certificates{get: f.get, close: func() {}}, nil
}

// TLS gives the listener's settings. HTTP/2 is not offered, since a WebSocket
// needs its connection for itself.
func (c *Certificates) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: append([]string{"http/1.1"}, c.protos...), GetCertificate: c.get}
}

// Close ends the renewal of certificates.
func (c *Certificates) Close() { c.close() }

// acme gets and renews certificates by itself, with the TLS-ALPN challenge on
// the listener's own port.
func acme(cfg Config) (*Certificates, error) {
	var magic *certmagic.Config
	cache := certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return magic, nil },
		Logger:           zap.NewNop(),
	})
	magic = certmagic.New(cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: filepath.Join(cfg.Dir, "certificates")},
		Logger:  zap.NewNop(),
		OnEvent: report(cfg.Logger),
	})
	authority := cfg.Directory
	if authority == "" {
		authority = certmagic.LetsEncryptProductionCA
	}
	magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(magic, certmagic.ACMEIssuer{
		CA: authority, Email: cfg.Email, Agreed: true, Logger: zap.NewNop(),
	})}
	ctx, cancel := context.WithCancel(context.Background())
	if err := magic.ManageAsync(ctx, cfg.Domains); err != nil {
		cancel()
		cache.Stop()
		return nil, fmt.Errorf("TLS: certificates for %v: %w", cfg.Domains, err)
	}
	return &Certificates{get: magic.GetCertificate, protos: []string{"acme-tls/1"}, close: func() { cancel(); cache.Stop() }}, nil
}

// report logs what becomes of certificates.
func report(log *slog.Logger) func(context.Context, string, map[string]any) error {
	return func(_ context.Context, event string, data map[string]any) error {
		switch event {
		case "cert_obtained":
			log.Info("certificate obtained", "domain", data["identifier"], "renewal", data["renewal"])
		case "cert_failed":
			log.Error("certificate not obtained: it is tried again", "domain", data["identifier"], "error", data["error"])
		}
		return nil
	}
}
