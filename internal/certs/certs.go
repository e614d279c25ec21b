// Package certs gets the certificates of a listener: from files, or from an ACME
// authority, and renews both without a restart.
package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
)

// Config says where certificates come from: files or, without them, an
// authority.
type Config struct {
	// CertFile and KeyFile are PEM files; they are read again when they change.
	CertFile, KeyFile string
	// Domains get certificates by themselves, kept in the folder Dir. The
	// authority looks for this listener at port 443 of each.
	Domains []string
	Dir     string
	// Email and Directory are the ACME account's and authority's; default no
	// address and Let's Encrypt.
	Email, Directory string
	// CARoot is a PEM file with the root of a private authority, by which its
	// directory is known; default the system's roots.
	CARoot string
	Logger *slog.Logger // default: nothing is logged

	retry time.Duration // the first wait for an authority that is out of reach; default 10 s
	check time.Duration // how often certificates are looked at for renewal; default 10 min
}

// Validate gives every fault of the configuration.
func (c *Config) Validate() error {
	files := c.CertFile != "" || c.KeyFile != ""
	var faults []error
	switch {
	case files && len(c.Domains) > 0:
		faults = append(faults, errors.New("TLS: give certificate files or domains, not both"))
	case files && (c.CertFile == "" || c.KeyFile == ""):
		faults = append(faults, errors.New("TLS: a certificate file and a key file belong together"))
	case !files && len(c.Domains) == 0:
		faults = append(faults, errors.New("TLS: give certificate files or domains"))
	}
	if c.Directory != "" && !strings.HasPrefix(c.Directory, "https://") {
		faults = append(faults, errors.New("TLS: the authority's directory must be an https address"))
	}
	return errors.Join(faults...)
}

// Certificates are those of one listener. Open makes them; Run keeps them.
type Certificates struct {
	source source
	protos []string
}

// source gives a certificate to each handshake and keeps it good until ctx ends.
type source interface {
	get(*tls.ClientHelloInfo) (*tls.Certificate, error)
	run(ctx context.Context, listener net.Addr) error
	check() error
	ends() time.Time
}

// Open reads the files. It asks no authority yet; Run does.
func Open(cfg Config) (*Certificates, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.CertFile == "" {
		a, err := openAuto(cfg)
		if err != nil {
			return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: "TLS: cannot use the authority's root", Err: err,
				Hint: "give the authority's root certificate as a PEM file that this user may read"}
		}
		return &Certificates{source: a, protos: []string{"acme-tls/1"}}, nil
	}
	f, err := openFiles(cfg.CertFile, cfg.KeyFile, cfg.Logger)
	if err != nil {
		return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: "TLS: cannot use the certificate files", Err: err,
			Hint: "give the certificate chain and its private key as PEM files that this user may read"}
	}
	return &Certificates{source: f}, nil
}

// TLS gives the listener's settings. HTTP/2 is not offered, since a WebSocket
// needs its connection for itself.
func (c *Certificates) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: append([]string{"http/1.1"}, c.protos...), GetCertificate: c.source.get}
}

// Run gets and renews certificates until ctx ends. The listener at the given
// address must be open and served with TLS already: an authority connects to
// it. A certificate that cannot be had is logged and tried again, so that Run
// gives no error of its own.
func (c *Certificates) Run(ctx context.Context, listener net.Addr) error {
	return c.source.run(ctx, listener)
}

// Check says which certificate is missing or has ended, nil when all are good.
// It only looks, and may be called at any time.
func (c *Certificates) Check() error { return c.source.check() }

// Ends is when the first of the certificates ends, or did; the zero time when
// there is none yet. It may be called at any time.
func (c *Certificates) Ends() time.Time { return c.source.ends() }
