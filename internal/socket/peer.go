package socket

import (
	"net/http"
	"net/netip"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/belfryhq/belfry/internal/httpx"
)

// peer is who is at the other end, as far as it is known.
type peer struct {
	address netip.Addr
	plain   bool // known not to have come over TLS (WS-37)
}

// String gives the address, the empty string when it is not known.
func (p peer) String() string {
	if !p.address.IsValid() {
		return ""
	}
	return p.address.String()
}

// peer finds the client behind the trusted proxies. Without TLS a connection is
// known to be plain, but from a trusted proxy that does not say what the client
// used.
func (c *Config) peer(r *http.Request) peer {
	way := httpx.WayOf(r, c.TrustedProxies)
	plain := r.TLS == nil && (!way.Proxied || way.Scheme == "http" || way.Scheme == "ws")
	return peer{address: way.Address, plain: plain}
}

// maxAddresses bounds how many addresses a throttle remembers; the one heard of
// longest ago goes first.
const maxAddresses = 10_000

// throttle limits how many connections an address may open a second. A nil
// throttle lets everyone in. It is safe for concurrent use.
type throttle struct {
	mu     sync.Mutex // guards recent, for look-up and addition in one
	recent *lru.Cache[netip.Prefix, *rate.Limiter]
	limit  int
}

// newThrottle makes a throttle; nil without a limit.
func newThrottle(limit int) *throttle {
	if limit <= 0 {
		return nil
	}
	recent, _ := lru.New[netip.Prefix, *rate.Limiter](maxAddresses) // fails for sizes below one only
	return &throttle{recent: recent, limit: limit}
}

// admits reports whether address may open one more connection now.
func (t *throttle) admits(address netip.Addr) bool {
	if t == nil {
		return true
	}
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	group, err := address.Prefix(bits)
	if err != nil {
		return true // an address that is not known, as of a Unix socket
	}
	t.mu.Lock()
	limiter, ok := t.recent.Get(group)
	if !ok {
		limiter = rate.NewLimiter(rate.Limit(t.limit), 2*t.limit)
		t.recent.Add(group, limiter)
	}
	t.mu.Unlock()
	return limiter.Allow()
}
