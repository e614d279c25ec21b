package gate

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/identity"
)

// Config is what a Gate is made of. Identity is required.
type Config struct {
	Identity *identity.Identity
	// TrustedProxies are the address ranges whose Forwarded and X-Forwarded-*
	// headers count; default none.
	TrustedProxies []netip.Prefix
	// URL is the server's public address. Its origin counts as this server's own
	// and, when it is https, cookies are Secure. May be empty.
	URL string
	// Origins are those of front ends elsewhere, such as https://app.example.com,
	// that may send requests with cookies and read the answers; default none.
	Origins []string
	Now     func() time.Time // default: time.Now
	Logger  *slog.Logger     // default: nothing is logged
}

// Gate answers who is asking. It may be used concurrently.
type Gate struct {
	identity *identity.Identity
	trusted  []netip.Prefix
	own      string          // origin of URL; may be empty
	listed   map[string]bool // Origins
	now      func() time.Time
	log      *slog.Logger
}

// New makes a Gate, or names what is wrong with the addresses in cfg.
func New(cfg Config) (*Gate, error) {
	if cfg.Identity == nil {
		return nil, errors.New("gate: no identity")
	}
	g := &Gate{identity: cfg.Identity, trusted: cfg.TrustedProxies, listed: map[string]bool{}, now: cfg.Now, log: cfg.Logger}
	if g.now == nil {
		g.now = time.Now
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	var faults []error
	if cfg.URL != "" {
		var ok bool
		if g.own, ok = originOf(cfg.URL); !ok {
			faults = append(faults, fmt.Errorf("the public address %q is no URL: write https://HOST", cfg.URL))
		}
	}
	for _, listed := range cfg.Origins {
		origin, ok := originOf(listed)
		if !ok {
			faults = append(faults, fmt.Errorf("the allowed origin %q is none: write https://HOST", listed))
		}
		g.listed[origin] = true
	}
	return g, errors.Join(faults...)
}

// originOf gives the origin of an http or https address: scheme, host in lower
// case, and port unless it is the scheme's own.
func originOf(address string) (origin string, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	return u.Scheme + "://" + plainHost(u.Scheme, u.Host), true
}

// plainHost gives a host in lower case, without the scheme's own port.
func plainHost(scheme, host string) string {
	port := ":80"
	if scheme == "https" {
		port = ":443"
	}
	return strings.TrimSuffix(strings.ToLower(host), port)
}
