package gate

import (
	"net/http"
	"net/netip"
	"strings"
)

// forward is what is known of the way of a request, from its connection and, if
// that comes from a trusted proxy, from the headers.
type forward struct {
	address netip.Addr // the client's; not valid over a Unix socket
	host    string     // that the client asked for
	scheme  string     // that the client used, "" when it is not known
}

// Address gives the client's address, found behind the trusted proxies. It is
// not valid when there is none.
func (g *Gate) Address(r *http.Request) netip.Addr { return g.forward(r).address }

// HTTPS reports whether the client uses https: by this connection, by what a
// trusted proxy says, or by the public address.
func (g *Gate) HTTPS(r *http.Request) bool {
	return g.forward(r).scheme == "https" || strings.HasPrefix(g.own, "https:")
}

// forward finds the client. X-Forwarded-* go before Forwarded, which many
// proxies pass through unseen.
func (g *Gate) forward(r *http.Request) forward {
	remote := parseAddress(r.RemoteAddr)
	f := forward{address: remote, host: r.Host}
	if r.TLS != nil {
		f.scheme = "https"
	}
	if !g.trusts(remote) {
		return f
	}
	hops, scheme, host := xForwarded(r.Header)
	if len(hops) == 0 && scheme == "" && host == "" {
		hops, scheme, host = forwarded(r.Header)
	}
	for i := len(hops) - 1; i >= 0; i-- {
		hop := parseAddress(hops[i])
		if !hop.IsValid() {
			break
		}
		f.address = hop
		if !g.trusts(hop) {
			break
		}
	}
	if scheme = strings.ToLower(scheme); scheme == "https" || scheme == "http" {
		f.scheme = scheme
	}
	if host != "" {
		f.host = host
	}
	return f
}

func (g *Gate) trusts(address netip.Addr) bool {
	for _, prefix := range g.trusted {
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
// scheme and host that the client used.
func xForwarded(h http.Header) (hops []string, scheme, host string) {
	for _, line := range h.Values("X-Forwarded-For") {
		hops = append(hops, strings.Split(line, ",")...)
	}
	scheme, _, _ = strings.Cut(h.Get("X-Forwarded-Proto"), ",")
	host, _, _ = strings.Cut(h.Get("X-Forwarded-Host"), ",")
	return hops, strings.TrimSpace(scheme), strings.TrimSpace(host)
}

// forwarded gives the same from the Forwarded header of RFC 7239.
func forwarded(h http.Header) (hops []string, scheme, host string) {
	for _, line := range h.Values("Forwarded") {
		for element := range strings.SplitSeq(line, ",") {
			for pair := range strings.SplitSeq(element, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
				value = strings.Trim(value, `"`)
				switch name = strings.ToLower(name); {
				case name == "for":
					hops = append(hops, value)
				case name == "proto" && scheme == "":
					scheme = value
				case name == "host" && host == "":
					host = value
				}
			}
		}
	}
	return hops, scheme, host
}

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
