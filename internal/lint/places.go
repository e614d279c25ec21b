package lint

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry"
)

// apps looks at what an app allows.
func (l *linter) apps() {
	for _, a := range l.Apps {
		if a.PublicClientEvents == belfry.PublicClientEvents("all") {
			l.add(Warning, ClientEventsAll, a.Path+".public_client_events", fmt.Sprintf("in app %q anybody with its key may send client events to public channels without being on them", a.ID),
				"set public_client_events to members or off")
		}
		if len(a.AllowedOrigins) == 0 && !l.local() {
			l.add(Note, OriginsAny, a.Path+".allowed_origins", fmt.Sprintf("pages of any site may connect to app %q", a.ID),
				"list the hosts of your pages, unless apps or programs without an Origin connect too")
		}
		for i, w := range a.Webhooks {
			l.plain(Address{Path: fmt.Sprintf("%s.webhooks[%d].url", a.Path, i), URL: w.URL, Carries: "channel names, user ids and client events"})
		}
	}
	for _, path := range l.TrustedIssuers {
		l.add(Note, RolesTrusted, path, "the tokens of this issuer may name admins and managers of this server", "leave trust_roles off unless you run the issuer yourself")
	}
}

// addresses looks at where we are reached and whom we believe.
func (l *linter) addresses() {
	for _, p := range l.TrustedProxies {
		if p.Bits() == 0 {
			l.add(Error, ProxyTrustsAll, "trusted_proxies", fmt.Sprintf("%s trusts every address: anybody can claim any address and https with a header, which limits, logs and cookies then believe", p),
				"list the addresses of your proxies alone")
		}
	}
	if u, err := url.Parse(l.URL); err == nil && u.Scheme == "http" && !local(u.Hostname()) {
		l.add(Warning, PlainHTTP, "url", fmt.Sprintf("the public address %s is not https: passwords, cookies and events pass in the open", u.Host),
			"end TLS in a proxy or with tls:, and write https:// in BELFRY_URL")
	}
	for _, a := range l.Plain {
		l.plain(a)
	}
	if l.Metrics != "" && !loopback(l.Metrics) {
		l.add(Warning, MetricsPublic, "metrics_listen", fmt.Sprintf("metrics and profiling answer on %s, where others may reach them without signing in", l.Metrics),
			"listen on 127.0.0.1, or keep the port from the public network")
	}
}

// plain tells of an address that is neither https nor on this machine.
func (l *linter) plain(a Address) {
	u, err := url.Parse(a.URL)
	if err != nil || u.Scheme != "http" || local(u.Hostname()) {
		return
	}
	l.add(Warning, PlainHTTP, a.Path, fmt.Sprintf("%s is sent to over http: %s pass in the open", u.Host, a.Carries), "write https://")
}

// delivery looks at how events go out.
func (l *linter) delivery() {
	if l.Queue == "sync" && !l.local() {
		l.add(Warning, QueueSync, "queue_connection", "QUEUE_CONNECTION is sync on a server that others reach: an event that fails is not tried again, and those who send wait for it",
			"set QUEUE_CONNECTION to database or redis")
	}
	if l.Broadcaster == "log" || l.Broadcaster == "null" {
		l.add(Warning, BroadcasterMute, "broadcast_connection", fmt.Sprintf("BROADCAST_CONNECTION is %s: no event of the application reaches anybody", l.Broadcaster),
			"set BROADCAST_CONNECTION to local")
	}
}

// local reports whether only this machine is meant to reach the server.
func (l *linter) local() bool {
	u, err := url.Parse(l.URL)
	return loopback(l.Listen) || err == nil && local(u.Hostname())
}

func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && host != "" && local(host)
}

func local(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
