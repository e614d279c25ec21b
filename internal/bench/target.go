package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/socket/wsframe"
	"github.com/belfryhq/belfry/pusher"
)

// Target is the server that gets the load.
type Target struct {
	// URL is where it is: ws, wss, http or https, a host, perhaps a port and a
	// path that stands before /app and /apps.
	URL string
	// AppID, Key and Secret are an app's credentials.
	AppID, Key, Secret string
	// PID is the server's process on this machine, for its CPU and memory; 0
	// leaves these out. Only Linux gives them.
	PID int
	// AllowRemote lets the target be another machine. Without it only loopback
	// addresses are allowed.
	AllowRemote bool
	// Insecure accepts any certificate.
	Insecure bool
	// Floor, when set, says that the target is bench/floor's loop: it is where
	// frames are written to, each behind its channel's number and its length.
	Floor io.Writer
}

// endpoint is a Target that was looked up.
type endpoint struct {
	Target
	address netip.AddrPort
	host    string // for the Host header
	prefix  string
	tls     *tlsNames // nil: plain TCP
}

// tlsNames says how to speak TLS.
type tlsNames struct {
	name     string
	insecure bool
}

func (n *tlsNames) config() *tls.Config {
	return &tls.Config{ServerName: n.name, InsecureSkipVerify: n.insecure, NextProtos: []string{"http/1.1"}}
}

// resolve checks the target and looks up its address. All connections go to
// the one that was checked.
func (t Target) resolve(ctx context.Context) (*endpoint, error) {
	u, err := url.Parse(t.URL)
	if err != nil || u.Hostname() == "" {
		return nil, belfry.Errorf(belfry.CodeInvalid, "%q is not a server's address: write it as ws://HOST:PORT", t.URL)
	}
	e := &endpoint{Target: t, host: u.Host, prefix: strings.TrimSuffix(u.EscapedPath(), "/")}
	port := "80"
	switch u.Scheme {
	case "ws", "http":
	case "wss", "https":
		port = "443"
		e.tls = &tlsNames{u.Hostname(), t.Insecure}
	default:
		return nil, belfry.Errorf(belfry.CodeInvalid, "%q begins with no scheme that is known: ws, wss, http or https", t.URL)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if t.Floor == nil && (t.AppID == "" || t.Key == "" || t.Secret == "") {
		return nil, belfry.Errorf(belfry.CodeInvalid, "the app's id, key and secret are needed, all three")
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, belfry.Errorf(belfry.CodeInvalid, "%q has no port that is a number below 65536", t.URL)
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", u.Hostname(), err)
	}
	for _, a := range addresses {
		if !a.Unmap().IsLoopback() && !t.AllowRemote {
			return nil, &belfry.Error{
				Code:    belfry.CodeForbidden,
				Message: fmt.Sprintf("%s is on another machine: this is a load that may take a server down", u.Hostname()),
				Hint:    "when that server is yours to load, say so with --allow-remote",
			}
		}
	}
	e.address = netip.AddrPortFrom(preferred(addresses).Unmap(), uint16(number))
	return e, nil
}

// preferred gives the first IPv4 address, else the first.
func preferred(addresses []netip.Addr) netip.Addr {
	for _, a := range addresses {
		if a.Unmap().Is4() {
			return a
		}
	}
	return addresses[0]
}

// dialect says how sessions speak to it.
func (e *endpoint) dialect(channel func(int) string) *dialect {
	request := "GET " + e.prefix + "/app/" + url.PathEscape(e.Key) + "?protocol=7&client=belfry-bench&version=1.0 HTTP/1.1\r\n" +
		"Host: " + e.host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YmVsZnJ5LWJlbmNoLWtleQ==\r\n\r\n"
	return &dialect{
		raw:     e.Floor != nil,
		request: []byte(request),
		subscribe: func(dst []byte, i int) []byte {
			text := pusher.AppendString([]byte(`{"event":"pusher:subscribe","data":{"auth":"","channel":`), channel(i))
			return appendFrame(dst, wsframe.Text, append(text, "}}"...))
		},
	}
}
