//go:build unix

package proxy_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/test/pusherclient"
)

// from gives a transport that dials a proxy on port for every host name, from
// a loopback address of its own, and believes any certificate.
func from(address, port string) *http.Transport {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, "127.0.0.1:"+port)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the test's own certificate
	}
}

// site is one way to the server through a proxy.
type site struct {
	t    *testing.T
	url  string // as clients know it
	port string // of the proxy, on 127.0.0.1
	api  *pusherclient.API
}

func newSite(t *testing.T, url, port string) *site {
	t.Helper()
	s := &site{t: t, url: url, port: port}
	transport := from("127.0.0.1", port)
	t.Cleanup(transport.CloseIdleConnections)
	s.api = &pusherclient.API{Target: s.target(), Client: &http.Client{Transport: transport, Timeout: patience}}
	return s
}

func (s *site) target() pusherclient.Target {
	return pusherclient.Target{URL: s.url, AppID: appID, Key: appKey, Secret: appSecret}
}

func (s *site) dial(address string, header http.Header) (*pusherclient.Conn, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	c, err := pusherclient.Dial(ctx, s.target(), &pusherclient.Options{Transport: from(address, s.port), Header: header})
	if err == nil {
		s.t.Cleanup(c.Close)
	}
	return c, err
}

// connect is dial that must succeed.
func (s *site) connect() *pusherclient.Conn {
	s.t.Helper()
	c, err := s.dial("127.0.0.1", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// join subscribes.
func (s *site) join(c *pusherclient.Conn, channel string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := c.Join(ctx, channel, "u1"); err != nil {
		s.t.Fatalf("join %s: %v", channel, err)
	}
}

// publish publishes through the proxy.
func (s *site) publish(event, data, channel string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := s.api.Publish(ctx, event, data, channel); err != nil {
		s.t.Fatalf("publish: %v", err)
	}
}

// gets waits for an event with that data.
func (s *site) gets(c *pusherclient.Conn, event, data, channel string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	m, err := c.Await(ctx, event, channel)
	if err != nil {
		s.t.Fatalf("waiting for %s: %v", event, err)
	}
	if m.Text() != data {
		s.t.Fatalf("%s has data %q, want %q", event, m.Text(), data)
	}
}

// status asks for a path through the proxy.
func (s *site) status(path string) int {
	s.t.Helper()
	resp, err := s.api.Client.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// wholeRound proves that everything works on this way.
func (s *site) wholeRound() {
	s.t.Helper()
	c := s.connect()
	for _, channel := range []string{"news", "private-orders", "presence-room"} {
		s.join(c, channel)
		s.publish("made", "through "+channel, channel)
		s.gets(c, "made", "through "+channel, channel)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	answer, err := s.api.Do(ctx, http.MethodGet, "/channels/presence-room/users", nil)
	if err != nil || !strings.Contains(string(answer), `"u1"`) {
		s.t.Errorf("users: %s, %v", answer, err)
	}
}

// believesAddresses proves that the server, which must let an address open one
// connection a second, goes by the clients' addresses: neither by the proxy's,
// nor by what a client claims.
func (s *site) believesAddresses() {
	s.t.Helper()
	flood := func(address string, header http.Header) (refused bool) {
		for range 10 {
			if _, err := s.dial(address, header); err != nil {
				if !strings.Contains(err.Error(), "429") {
					s.t.Fatalf("from %s: %v, want 429", address, err)
				}
				return true
			}
		}
		return false
	}
	if !flood("127.0.0.2", nil) {
		s.t.Fatal("an address may open as many connections as it likes")
	}
	if !flood("127.0.0.2", http.Header{"X-Forwarded-For": {"192.0.2.77"}}) {
		s.t.Error("a client chooses its own address with X-Forwarded-For")
	}
	if _, err := s.dial("127.0.0.3", nil); err != nil {
		s.t.Errorf("another client is refused too: %v", err)
	}
}
