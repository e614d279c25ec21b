package httpx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Config is a client's settings; the zero value has the defaults.
type Config struct {
	// Allow are the ranges that may be dialled although they are not public.
	// Default: none.
	Allow []netip.Prefix
	// Timeout bounds a whole exchange, the reading of the answer included.
	// Default: 10 s.
	Timeout time.Duration
	// DialTimeout bounds finding and reaching the host. Default: 5 s.
	DialTimeout time.Duration
	// IdlePerHost is how many unused connections to a host are kept, for 90 s.
	// Default: 4.
	IdlePerHost int
	// Resolver finds hosts. Default: the system's.
	Resolver *net.Resolver
	// TLS are the settings for https. Default: Go's, from version 1.2.
	TLS *tls.Config
}

// maxHead bounds the head of an answer, in bytes.
const maxHead = 64 << 10

// NewClient makes a client whose dialer looks at the address that it is about
// to connect to, after names are resolved, and refuses with a *ForbiddenError
// what is not public and not in cfg.Allow: neither a name that resolves to a
// private address nor one that changes between look-ups gets through. It
// follows no redirect (the 3xx itself is the answer), keeps no cookie and
// takes no proxy from the environment. It is safe for concurrent use; its
// owner calls CloseIdleConnections in the end.
func NewClient(cfg Config) *http.Client {
	cfg = cfg.withDefaults()
	dialer := &net.Dialer{
		Timeout:  cfg.DialTimeout,
		Resolver: cfg.Resolver,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("read address %q: %w", address, err)
			}
			return check(to, cfg.Allow)
		},
	}
	return &http.Client{
		Timeout: cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        cfg.TLS,
			TLSHandshakeTimeout:    cfg.DialTimeout,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    cfg.IdlePerHost,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: maxHead,
		},
	}
}

func (cfg Config) withDefaults() Config {
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = 5 * time.Second
	}
	if cfg.IdlePerHost == 0 {
		cfg.IdlePerHost = 4
	}
	return cfg
}

// ErrTooLarge is given for an answer above the limit.
var ErrTooLarge = errors.New("the answer is too large")

// ReadBounded reads r to its end, or gives ErrTooLarge after max bytes.
func ReadBounded(r io.Reader, max int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > max {
		return nil, ErrTooLarge
	}
	return b, nil
}

// Discard reads at most max bytes of an answer that nobody needs, so that a
// short one leaves its connection fit for the next request, and closes it.
func Discard(body io.ReadCloser, max int64) {
	_, _ = io.CopyN(io.Discard, body, max) // best effort: the status is what counts
	_ = body.Close()
}

// SafeURL is raw without what may be secret in it (user, password, query,
// fragment), for logs and pages. What is not a URL becomes "(unreadable URL)".
func SafeURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable URL)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// Cause is err without the URL that http.Client puts into its errors, which
// may hold a secret in its query.
func Cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
