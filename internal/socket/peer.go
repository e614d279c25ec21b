package socket

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
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

// peer finds the client behind the trusted proxies. Forwarding headers count
// only from those; X-Forwarded-* go before Forwarded, which many proxies pass
// through unseen. Without TLS a connection is known to be plain, but from a
// trusted proxy that does not say what the client used.
func (c *Config) peer(r *http.Request) peer {
	remote := parseAddress(r.RemoteAddr)
	p := peer{address: remote, plain: r.TLS == nil}
	if !c.trusts(remote) {
		return p
	}
	hops, scheme := xForwarded(r.Header)
	if len(hops) == 0 && scheme == "" {
		hops, scheme = forwarded(r.Header)
	}
	for i := len(hops) - 1; i >= 0; i-- {
		hop := parseAddress(hops[i])
		if !hop.IsValid() {
			break
		}
		p.address = hop
		if !c.trusts(hop) {
			break
		}
	}
	p.plain = p.plain && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "ws"))
	return p
}

func (c *Config) trusts(address netip.Addr) bool {
	for _, prefix := range c.TrustedProxies {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// parseAddress reads an address with or without a port, in brackets or not.
func parseAddress(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// xForwarded gives the hops of X-Forwarded-For, the client's first, and the
// scheme that the client used.
func xForwarded(h http.Header) (hops []string, scheme string) {
	for _, line := range h.Values("X-Forwarded-For") {
		hops = append(hops, strings.Split(line, ",")...)
	}
	scheme, _, _ = strings.Cut(h.Get("X-Forwarded-Proto"), ",")
	return hops, strings.TrimSpace(scheme)
}

// forwarded gives the same from the Forwarded header of RFC 7239.
func forwarded(h http.Header) (hops []string, scheme string) {
	for _, line := range h.Values("Forwarded") {
		for element := range strings.SplitSeq(line, ",") {
			for pair := range strings.SplitSeq(element, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
				value = strings.Trim(value, `"`)
				switch strings.ToLower(name) {
				case "for":
					hops = append(hops, value)
				case "proto":
					if scheme == "" {
						scheme = value
					}
				}
			}
		}
	}
	return hops, scheme
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
