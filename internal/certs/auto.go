package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
)

// auto gets certificates from an authority and renews them, with the TLS-ALPN
// challenge on the listener's own port.
type auto struct {
	cfg   Config
	log   *slog.Logger
	roots *x509.CertPool // nil: the system's
	magic atomic.Pointer[certmagic.Config]
	cache atomic.Pointer[certmagic.Cache]
	ready chan struct{} // closed when the kept certificates are loaded

	mu     sync.Mutex // guards warned
	warned time.Time  // when a handshake without a certificate was last logged
}

const (
	// loading bounds a handshake's wait for the kept certificates at the start.
	loading = 5 * time.Second
	// quiet is the time between two lines about handshakes without a certificate.
	quiet = time.Minute
)

func openAuto(cfg Config) (*auto, error) {
	if cfg.Directory == "" {
		cfg.Directory = certmagic.LetsEncryptProductionCA
	}
	if cfg.retry <= 0 {
		cfg.retry = 10 * time.Second
	}
	a := &auto{cfg: cfg, log: cfg.Logger, ready: make(chan struct{})}
	if cfg.CARoot == "" {
		return a, nil
	}
	text, err := os.ReadFile(cfg.CARoot)
	if err != nil {
		return nil, err
	}
	if a.roots = x509.NewCertPool(); !a.roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no PEM certificate", cfg.CARoot)
	}
	return a, nil
}

func (a *auto) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	wait := time.NewTimer(loading)
	defer wait.Stop()
	select {
	case <-a.ready:
	case <-wait.C:
	case <-hello.Context().Done():
		return nil, hello.Context().Err()
	}
	magic := a.magic.Load()
	if magic == nil {
		return nil, errNotLoaded
	}
	cert, err := magic.GetCertificate(hello)
	if err != nil {
		a.missing(hello.ServerName)
		return nil, err
	}
	return cert, nil
}

// missing logs, now and then, that a handshake failed for want of a
// certificate. Names that are not ours are none of it: strangers try them.
func (a *auto) missing(name string) {
	if name != "" && !slices.Contains(a.cfg.Domains, name) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); now.Sub(a.warned) >= quiet {
		a.warned = now
		a.log.Warn("a TLS handshake failed: there is no certificate yet", "domain", name, "authority", a.cfg.Directory)
	}
}

func (a *auto) check() error {
	cache := a.cache.Load()
	if cache == nil {
		return errNotLoaded
	}
	var faults []error
	for _, domain := range a.cfg.Domains {
		held := cache.AllMatchingCertificates(domain)
		switch {
		case len(held) == 0:
			faults = append(faults, fmt.Errorf("there is no certificate for %s yet", domain))
		case !slices.ContainsFunc(held, func(c certmagic.Certificate) bool { return !c.Expired() }):
			faults = append(faults, fmt.Errorf("the certificate for %s has ended", domain))
		}
	}
	return errors.Join(faults...)
}

// ends looks at the certificate of each domain that is good the longest.
func (a *auto) ends() (first time.Time) {
	cache := a.cache.Load()
	if cache == nil {
		return first
	}
	for _, domain := range a.cfg.Domains {
		var last time.Time
		for _, c := range cache.AllMatchingCertificates(domain) {
			if c.Leaf != nil && c.Leaf.NotAfter.After(last) {
				last = c.Leaf.NotAfter
			}
		}
		if !last.IsZero() && (first.IsZero() || last.Before(first)) {
			first = last
		}
	}
	return first
}

var errNotLoaded = errors.New("the certificates are not loaded yet")

// run begins with the certificates that are kept, gets those that are not, and
// leaves renewals to the cache.
func (a *auto) run(ctx context.Context, listener net.Addr) error {
	magic, first, cache := a.open(listener)
	defer cache.Stop()
	a.magic.Store(magic)
	a.cache.Store(cache)
	var kept, all sync.WaitGroup
	for _, domain := range a.cfg.Domains {
		kept.Add(1)
		all.Go(func() {
			err := load(ctx, magic, domain)
			kept.Done()
			if err == nil {
				return
			}
			a.obtain(ctx, first, domain, err)
		})
	}
	kept.Wait()
	close(a.ready)
	// One that ended while the server was off is due now, not at the next look.
	if err := cache.RenewManagedCertificates(ctx); err != nil {
		a.log.Error("certificates are not renewed", "error", err)
	}
	all.Wait()
	<-ctx.Done()
	return nil
}

// open makes the keeper of certificates, and a second one with the same cache
// and folder for those that there never were.
func (a *auto) open(listener net.Addr) (magic, first *certmagic.Config, cache *certmagic.Cache) {
	cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return magic, nil },
		RenewCheckInterval: a.cfg.check,
		Logger:             zap.NewNop(),
	})
	settings := certmagic.Config{
		Storage: &folder{FileStorage: certmagic.FileStorage{Path: filepath.Join(a.cfg.Dir, "certificates")}},
		Logger:  zap.NewNop(),
		OnEvent: a.event,
		// Balancers' probes and clients by address name no server.
		DefaultServerName: a.cfg.Domains[0],
	}
	magic = certmagic.New(cache, settings)
	host, port, _ := net.SplitHostPort(listener.String())
	number, _ := strconv.Atoi(port) // a bound TCP address has one
	authority := certmagic.NewACMEIssuer(magic, certmagic.ACMEIssuer{
		CA: a.cfg.Directory, Email: a.cfg.Email, Agreed: true, TrustedRoots: a.roots, Logger: zap.NewNop(),
		// The listener itself answers; no other port is opened.
		DisableHTTPChallenge: true, ListenHost: host, AltTLSALPNPort: number,
	})
	magic.Issuers = []certmagic.Issuer{authority}
	settings.Issuers = []certmagic.Issuer{silent{authority}}
	return magic, certmagic.New(cache, settings), cache
}

// silent is an authority that asks nobody at the terminal for an address.
type silent struct{ *certmagic.ACMEIssuer }

// PreCheck implements certmagic.PreChecker.
func (s silent) PreCheck(ctx context.Context, names []string, _ bool) error {
	return s.ACMEIssuer.PreCheck(ctx, names, false)
}

// load puts a kept certificate into the cache.
func load(ctx context.Context, magic *certmagic.Config, domain string) error {
	_, err := magic.CacheManagedCertificate(ctx, domain)
	return err
}

// obtain gets a domain's first certificate, however long that takes, or another
// one when the kept one is broken. why says what is wrong with the kept one.
func (a *auto) obtain(ctx context.Context, first *certmagic.Config, domain string, why error) {
	attempt := first.ObtainCertSync
	if !errors.Is(why, fs.ErrNotExist) {
		a.log.Error("the kept certificate cannot be used: another one is asked for", "domain", domain, "error", why)
		attempt = func(ctx context.Context, domain string) error { return first.RenewCertSync(ctx, domain, true) }
	}
	for pause := time.Duration(0); ; {
		// One attempt; certmagic's own series would end in waits of six hours.
		err := attempt(ctx, domain)
		if err == nil {
			err = load(ctx, first, domain)
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			a.log.Info("certificate obtained", "domain", domain, "authority", a.cfg.Directory)
			return
		}
		var attrs []any
		pause, attrs = a.next(pause, err)
		a.log.Error("certificate not obtained: it is tried again", append([]any{"domain", domain, "error", err, "after", pause}, attrs...)...)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// next gives the wait before another attempt: from ten seconds to five minutes
// when the authority is out of reach, from five minutes to an hour when it
// refused, since authorities count refusals (Let's Encrypt five an hour).
func (a *auto) next(before time.Duration, err error) (pause time.Duration, hint []any) {
	least, most := a.cfg.retry, 30*a.cfg.retry
	var problem acme.Problem
	if errors.As(err, &problem) && problem.Status < http.StatusInternalServerError {
		least, most = 30*a.cfg.retry, 360*a.cfg.retry
	}
	if slices.Contains(unproven, problem.Type) {
		hint = []any{"hint", "the name must lead to this machine, and port 443 there to this listener"}
	}
	return min(max(least, 2*before), most), hint
}

// unproven are the problems of an authority that did not find this listener
// under the name.
var unproven = []string{acme.ProblemTypeConnection, acme.ProblemTypeDNS, acme.ProblemTypeIncorrectResponse, acme.ProblemTypeTLS, acme.ProblemTypeUnauthorized}

// event logs what becomes of renewals.
func (a *auto) event(_ context.Context, event string, data map[string]any) error {
	if data["renewal"] != true {
		return nil
	}
	switch event {
	case "cert_obtained":
		a.log.Info("certificate renewed", "domain", data["identifier"])
	case "cert_failed":
		a.log.Error("certificate not renewed: it is tried again", "domain", data["identifier"], "error", data["error"])
	}
	return nil
}
