package gate

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/belfryhq/belfry/internal/httpx"
)

// Address gives the client's address, found behind the trusted proxies. It is
// not valid when there is none.
func (g *Gate) Address(r *http.Request) netip.Addr { return g.way(r).Address }

// HTTPS reports whether the client uses https: by this connection, by what a
// trusted proxy says, or by the public address.
func (g *Gate) HTTPS(r *http.Request) bool {
	return g.way(r).Scheme == "https" || strings.HasPrefix(g.own, "https:")
}

func (g *Gate) way(r *http.Request) httpx.Way { return httpx.WayOf(r, g.trusted) }

// network groups IPv6 addresses by their /64, which is one customer's.
func network(address netip.Addr) string {
	if !address.IsValid() {
		return "unknown"
	}
	if address.Is6() {
		prefix, _ := address.Prefix(64) // fails for sizes out of range only
		return prefix.String()
	}
	return address.String()
}
