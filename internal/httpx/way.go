package httpx

import (
	"net/http"
	"net/netip"
	"strings"
)

// Way is what is known of the way of a request: from its connection and, if that
// comes from a trusted proxy, from its forwarding headers.
type Way struct {
	Address netip.Addr // the client's; not valid over a Unix socket
	Host    string     // that the client asked for
	Scheme  string     // that the client used, in lower case; "" when it is not known
	// Proxied says that the request came from a trusted proxy.
	Proxied bool
}

// WayOf finds the client behind the trusted proxies. Forwarding headers count
// only from those; X-Forwarded-* go before Forwarded, which many proxies pass
// through unseen.
func WayOf(r *http.Request, trusted []netip.Prefix) Way {
	remote := parseAddress(r.RemoteAddr)
	w := Way{Address: remote, Host: r.Host}
	if r.TLS != nil {
		w.Scheme = "https"
	}
	if !within(remote, trusted) {
		return w
	}
	w.Proxied = true
	hops, scheme, host := xForwarded(r.Header)
	if len(hops) == 0 && scheme == "" && host == "" {
		hops, scheme, host = forwarded(r.Header)
	}
	for i := len(hops) - 1; i >= 0; i-- {
		hop := parseAddress(hops[i])
		if !hop.IsValid() {
			break
		}
		w.Address = hop
		if !within(hop, trusted) {
			break
		}
	}
	if scheme != "" {
		w.Scheme = strings.ToLower(scheme)
	}
	if host != "" {
		w.Host = host
	}
	return w
}

func within(address netip.Addr, ranges []netip.Prefix) bool {
	for _, prefix := range ranges {
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
