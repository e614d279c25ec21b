package httpx

import (
	"fmt"
	"net/netip"
)

// ForbiddenError says that a destination is not on the public internet and in
// none of the allowed ranges.
type ForbiddenError struct {
	Address netip.AddrPort
	Reason  string // what kind of address it is, as in "a loopback address"
}

// Error names the address and what to do.
func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("will not connect to %s: %s is %s; use a public address or allow its range",
		e.Address, e.Address.Addr(), e.Reason)
}

type special struct {
	prefix netip.Prefix
	reason string
}

// The ranges that are not for the public: the special-purpose registries of
// IPv4 and IPv6, and one cloud's metadata service that sits on a public
// address. The other clouds' (169.254.169.254, 100.100.100.200, 192.0.0.192,
// fd00:ec2::254) are in ranges that are refused anyway.
var specialRanges = []special{
	{netip.MustParsePrefix("0.0.0.0/8"), "an unspecified address"},
	{netip.MustParsePrefix("10.0.0.0/8"), "a private address"},
	{netip.MustParsePrefix("100.64.0.0/10"), "a shared (carrier-grade NAT) address"},
	{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address"},
	{netip.MustParsePrefix("168.63.129.16/32"), "a metadata service's address"},
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local or metadata address"},
	{netip.MustParsePrefix("172.16.0.0/12"), "a private address"},
	{netip.MustParsePrefix("192.0.0.0/24"), "a reserved address"},
	{netip.MustParsePrefix("192.0.2.0/24"), "a documentation address"},
	{netip.MustParsePrefix("192.88.99.0/24"), "a 6to4 relay address"},
	{netip.MustParsePrefix("192.168.0.0/16"), "a private address"},
	{netip.MustParsePrefix("198.18.0.0/15"), "a benchmarking address"},
	{netip.MustParsePrefix("198.51.100.0/24"), "a documentation address"},
	{netip.MustParsePrefix("203.0.113.0/24"), "a documentation address"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("240.0.0.0/4"), "a reserved or broadcast address"},

	{netip.MustParsePrefix("::/128"), "an unspecified address"},
	{netip.MustParsePrefix("::1/128"), "a loopback address"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "a local NAT64 address"},
	{netip.MustParsePrefix("2001::/23"), "a protocol assignment (Teredo among them)"},
	{netip.MustParsePrefix("2001:db8::/32"), "a documentation address"},
	{netip.MustParsePrefix("2002::/16"), "a 6to4 address"},
	{netip.MustParsePrefix("3fff::/20"), "a documentation address"},
	{netip.MustParsePrefix("fc00::/7"), "a private (unique local) address"},
	{netip.MustParsePrefix("fe80::/10"), "a link-local address"},
	{netip.MustParsePrefix("ff00::/8"), "a multicast address"},
}

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	globalIPv6 = netip.MustParsePrefix("2000::/3")
)

// Forbidden says what keeps addr from being a public destination, as in "a
// loopback address", or gives the empty string for one that is public.
// IPv4-mapped and NAT64 addresses are judged by the IPv4 address inside.
func Forbidden(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return "no address"
	}
	if nat64.Contains(addr) {
		return Forbidden(embedded(addr))
	}
	for _, s := range specialRanges {
		if s.prefix.Contains(addr) {
			return s.reason
		}
	}
	if addr.Is6() && !globalIPv6.Contains(addr) {
		return "a reserved address"
	}
	return ""
}

// embedded gives the IPv4 address in the last four bytes of a NAT64 address.
func embedded(addr netip.Addr) netip.Addr {
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

// check gives a *ForbiddenError unless to is public or in one of the ranges.
func check(to netip.AddrPort, allow []netip.Prefix) error {
	addr := to.Addr().WithZone("")
	plain := addr.Unmap()
	if nat64.Contains(plain) {
		plain = embedded(plain)
	}
	for _, p := range allow {
		if p.Contains(addr) || p.Contains(plain) {
			return nil
		}
	}
	if reason := Forbidden(addr); reason != "" {
		return &ForbiddenError{Address: to, Reason: reason}
	}
	return nil
}
