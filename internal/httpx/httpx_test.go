package httpx_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/httpx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func newClient(t testing.TB, cfg httpx.Config) *http.Client {
	c := httpx.NewClient(cfg)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func TestForbidden(t *testing.T) {
	for _, a := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
		"169.254.169.254", "168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
		"192.168.1.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
		"64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1",
		"fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
	} {
		if httpx.Forbidden(netip.MustParseAddr(a)) == "" {
			t.Errorf("%s counts as public", a)
		}
	}
	for _, a := range []string{
		"1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "192.0.1.1", "223.255.255.255",
		"::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::1111", "2a00:1450::1",
	} {
		if reason := httpx.Forbidden(netip.MustParseAddr(a)); reason != "" {
			t.Errorf("%s is refused as %s", a, reason)
		}
	}
	if httpx.Forbidden(netip.Addr{}) == "" {
		t.Error("no address counts as public")
	}
}

func TestClientRefusesPrivateAddressesWhenDialling(t *testing.T) {
	var reached atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())

	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]",
		"169.254.169.254", "10.1.2.3", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]",
	} {
		_, err := newClient(t, httpx.Config{}).Get("http://" + host + ":" + port + "/")
		if _, ok := errors.AsType[*httpx.ForbiddenError](err); !ok {
			t.Errorf("%s: got %v, want a ForbiddenError", host, err)
		}
	}
	// Other spellings of 127.0.0.1: whether a resolver knows them depends on
	// the system, but none may get through.
	for _, host := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1"} {
		if res, err := newClient(t, httpx.Config{}).Get("http://" + host + ":" + port + "/"); err == nil {
			res.Body.Close()
			t.Errorf("%s was reached", host)
		}
	}
	if reached.Load() {
		t.Error("the server on loopback was reached")
	}
}

func TestClientRefusesNameThatResolvesToLoopback(t *testing.T) {
	dns := startDNS(t, [4]byte{127, 0, 0, 1})
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", dns)
	}}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	target := "http://hooks.example.test:" + port + "/"

	_, err := newClient(t, httpx.Config{Resolver: resolver}).Get(target)
	forbidden, ok := errors.AsType[*httpx.ForbiddenError](err)
	if !ok {
		t.Fatalf("got %v, want a ForbiddenError", err)
	}
	if want := "127.0.0.1:" + port; forbidden.Address.String() != want {
		t.Errorf("refused %s, want %s", forbidden.Address, want)
	}
	res, err := newClient(t, httpx.Config{Resolver: resolver, Allow: loopback}).Get(target)
	if err != nil {
		t.Fatalf("allowed name: %v", err)
	}
	res.Body.Close()
}

func TestAllowedRanges(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "[::ffff:127.0.0.1]"} {
		res, err := newClient(t, httpx.Config{Allow: loopback}).Get("http://" + host + ":" + port)
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		res.Body.Close()
	}
	other := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	if _, err := newClient(t, httpx.Config{Allow: other}).Get(server.URL); err == nil {
		t.Error("an allowed range opened another")
	}
}

func TestClientFollowsNoRedirectAndUsesNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	res, err := newClient(t, httpx.Config{Allow: loopback}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusTemporaryRedirect || hits.Load() != 1 {
		t.Errorf("status %d after %d requests, want 307 after 1", res.StatusCode, hits.Load())
	}
}

func TestTimeoutCoversTheAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	res, err := newClient(t, httpx.Config{Allow: loopback, Timeout: 50 * time.Millisecond}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := httpx.ReadBounded(res.Body, 10); err == nil {
		t.Error("reading an endless answer did not end")
	}
}

func TestReadBounded(t *testing.T) {
	if b, err := httpx.ReadBounded(strings.NewReader("12345"), 5); err != nil || string(b) != "12345" {
		t.Errorf("at the limit: %q, %v", b, err)
	}
	if _, err := httpx.ReadBounded(strings.NewReader("123456"), 5); !errors.Is(err, httpx.ErrTooLarge) {
		t.Errorf("above the limit: %v", err)
	}
}

func TestDiscardIsBounded(t *testing.T) {
	r := strings.NewReader("123456789")
	httpx.Discard(io.NopCloser(r), 4)
	if r.Len() != 5 {
		t.Errorf("%d bytes left, want 5", r.Len())
	}
}

func TestSafeURLAndCauseHideSecrets(t *testing.T) {
	const raw = "https://user:hunter2@example.test/hook?token=hunter2#hunter2"
	if got := httpx.SafeURL(raw); got != "https://example.test/hook" {
		t.Errorf("SafeURL: %s", got)
	}
	if got := httpx.SafeURL("http://[hunter2"); strings.Contains(got, "hunter2") {
		t.Errorf("SafeURL: %s", got)
	}
	err := httpx.Cause(&url.Error{Op: "Post", URL: raw, Err: io.ErrUnexpectedEOF})
	if strings.Contains(err.Error(), "hunter2") || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Cause: %v", err)
	}
}
