package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/certs/acmetest"
	"github.com/belfryhq/belfry/server"
)

const tlsName = "ws.test"

// certFiles makes a certificate for tlsName that vouches for itself.
func certFiles(t testing.TB) (*server.TLS, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{tlsName}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	dir := t.TempDir()
	return &server.TLS{
		CertFile: writePEM(t, filepath.Join(dir, "tls.crt"), "CERTIFICATE", der),
		KeyFile:  writePEM(t, filepath.Join(dir, "tls.key"), "PRIVATE KEY", private),
	}, roots
}

func writePEM(t testing.TB, path, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tlsHost is a running server that speaks TLS, and can be stopped.
type tlsHost struct {
	host
	cancel context.CancelCauseFunc
	ended  chan error
}

// serveTLS runs a server on a free port. bound hears its address before it
// runs.
func serveTLS(t testing.TB, cfg server.Config, roots *x509.CertPool, bound func(address string)) *tlsHost {
	t.Helper()
	cfg.Listen, cfg.DrainWindow = "127.0.0.1:0", -1
	if cfg.DataDir == "" {
		cfg.DataDir = t.TempDir()
	}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	if bound != nil {
		bound(s.Addr().String())
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	own := &tls.Config{ServerName: tlsName, RootCAs: roots}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: own.Clone(), ForceAttemptHTTP2: true}}
	h := &tlsHost{
		host:   host{t: t, server: s, addr: s.Addr().String(), http: client, tls: own},
		cancel: cancel, ended: make(chan error, 1),
	}
	go func() { h.ended <- s.Run(ctx) }()
	t.Cleanup(h.stop)
	return h
}

// stop may be called twice.
func (h *tlsHost) stop() {
	h.t.Helper()
	h.cancel(errors.New("the test is over"))
	h.http.CloseIdleConnections()
	select {
	case err, first := <-h.ended:
		if err != nil {
			h.t.Errorf("Run: %v", err)
		}
		if first {
			close(h.ended)
		}
	case <-time.After(20 * time.Second):
		h.t.Error("Run does not end")
	}
}

// get gives the answer to a GET, read in full.
func (h *tlsHost) get(path string) (*http.Response, string) {
	h.t.Helper()
	answer, err := h.http.Get(h.url() + path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer, string(body)
}

func TestTLSFromFiles(t *testing.T) {
	t.Parallel()
	app := testApp(func(a *belfry.App) { a.RequireTLS = true })
	settings, roots := certFiles(t)
	h := serveTLS(t, server.Config{MetricsListen: "127.0.0.1:0", Apps: []*belfry.App{app}, TLS: settings}, roots, nil)
	if want := "https://" + h.addr; h.server.URL() != want {
		t.Errorf("URL %s, want %s", h.server.URL(), want)
	}
	w := h.connect(app) // the app takes TLS alone
	w.subscribe("orders")
	h.publish(app, "orders", "shipped", "by our client")
	w.expect("shipped", "orders")
	sdk := pusher.Client{AppID: appID, Key: appKey, Secret: appSecret, Host: h.addr, Secure: true, HTTPClient: h.http}
	if err := sdk.Trigger("orders", "shipped", strings.Repeat("by the SDK ", 800)); err != nil {
		t.Errorf("pusher-http-go over https: %v", err)
	}
	w.expect("shipped", "orders")
	for _, path := range []string{"/up", "/ready", "/"} {
		if answer, body := h.get(path); answer.StatusCode != http.StatusOK || answer.Proto != "HTTP/1.1" {
			t.Errorf("%s answers %s over %s: %.200s", path, answer.Status, answer.Proto, body)
		}
	}
	if status, body := get(t, "http://"+h.server.MetricsAddr().String()+"/metrics", nil); status != http.StatusOK || !strings.Contains(body, "belfry_") {
		t.Errorf("the metrics address, which stays plain, answers %d", status)
	}
	w.close()
}

func TestTLSOffersHTTP1Only(t *testing.T) {
	t.Parallel()
	settings, roots := certFiles(t)
	h := serveTLS(t, server.Config{MetricsListen: "off", Apps: []*belfry.App{testApp()}, TLS: settings}, roots, nil)
	for _, c := range []struct {
		offer   []string
		version uint16
		want    string // "": the handshake fails
	}{
		{[]string{"h2", "http/1.1"}, tls.VersionTLS13, "http/1.1"},
		{[]string{"http/1.1"}, tls.VersionTLS12, "http/1.1"},
		{[]string{"h2"}, tls.VersionTLS13, ""},
		{[]string{"http/1.1"}, tls.VersionTLS11, ""},
	} {
		conn, err := tls.Dial("tcp", h.addr, &tls.Config{ServerName: tlsName, RootCAs: roots, NextProtos: c.offer, MinVersion: c.version, MaxVersion: c.version})
		if err != nil {
			if c.want != "" {
				t.Errorf("%v with TLS %x: %v", c.offer, c.version, err)
			}
			continue
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != c.want {
			t.Errorf("%v with TLS %x: agreed on %q", c.offer, c.version, got)
		}
		conn.Close()
	}
}

func TestPlainHTTPOnTheTLSPortIsTold(t *testing.T) {
	t.Parallel()
	settings, roots := certFiles(t)
	h := serveTLS(t, server.Config{MetricsListen: "off", Apps: []*belfry.App{testApp()}, TLS: settings}, roots, nil)
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, "GET /app/app-key?protocol=7 HTTP/1.1\r\nHost: "+h.addr+"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "HTTPS") {
		t.Errorf("answers %s %q, %v", answer.Status, body, err)
	}
}

func TestTLSShutdownClosesWith4200(t *testing.T) {
	t.Parallel()
	settings, roots := certFiles(t)
	h := serveTLS(t, server.Config{MetricsListen: "off", Apps: []*belfry.App{testApp()}, TLS: settings}, roots, nil)
	var wires []*wire
	for range 20 {
		w := h.connect(testApp())
		w.subscribe("x")
		wires = append(wires, w)
	}
	h.cancel(errors.New("a stop"))
	for _, w := range wires {
		w.expectClose(4200)
		w.frame(0x88, []byte{0x10, 0x68})
		if _, _, err := w.read(); !errors.Is(err, io.EOF) { // and no cut connection: TLS is closed too
			t.Errorf("after the close: %v", err)
		}
	}
	h.stop()
	if conn, err := net.Dial("tcp", h.addr); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

func TestTLSFaultsStopTheStart(t *testing.T) {
	t.Parallel()
	settings, _ := certFiles(t)
	other, _ := certFiles(t)
	settings.KeyFile = other.KeyFile
	_, err := server.New(server.Config{DataDir: t.TempDir(), TLS: settings})
	var coded *belfry.Error
	if !errors.As(err, &coded) || coded.Hint == "" || !strings.Contains(err.Error(), "does not match") {
		t.Errorf("another's key: %v", err)
	}
	if _, err := server.New(server.Config{DataDir: t.TempDir(), TLS: &server.TLS{}}); err == nil || !strings.Contains(err.Error(), "files or domains") {
		t.Errorf("nothing: %v", err)
	}
}

// lines is a log whose lines can be waited for.
type lines struct {
	mu    sync.Mutex // guards all below
	text  bytes.Buffer
	wrote chan struct{} // closed with the next line
}

func newLines() (*lines, *slog.Logger) {
	l := &lines{wrote: make(chan struct{})}
	return l, slog.New(slog.NewTextHandler(l, nil))
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.wrote)
	l.wrote = make(chan struct{})
	return l.text.Write(p)
}

// await waits until the words stand in the log and gives all of it.
func (l *lines) await(t testing.TB, words string) string {
	t.Helper()
	late := time.After(2 * patience)
	for {
		l.mu.Lock()
		text, wrote := l.text.String(), l.wrote
		l.mu.Unlock()
		if strings.Contains(text, words) {
			return text
		}
		select {
		case <-wrote:
		case <-late:
			t.Fatalf("the log does not say %q:\n%s", words, text)
		}
	}
}

// automatic gives settings for certificates from an authority, which finds
// whoever is told to it last.
func automatic(t testing.TB) (a *acmetest.Authority, cfg server.Config, log *lines, bound func(address string)) {
	t.Helper()
	var mu sync.Mutex
	var found string
	a = acmetest.New(t, func(string) string {
		mu.Lock()
		defer mu.Unlock()
		return found
	})
	root := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, a.RootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	log, logger := newLines()
	cfg = server.Config{
		MetricsListen: "127.0.0.1:0", DataDir: t.TempDir(), Apps: []*belfry.App{testApp()}, Logger: logger,
		TLS: &server.TLS{Domains: []string{tlsName}, Directory: a.Directory(), CARoot: root},
	}
	return a, cfg, log, func(address string) {
		mu.Lock()
		defer mu.Unlock()
		found = address
	}
}

func TestTLSByItself(t *testing.T) {
	t.Parallel()
	a, cfg, log, bound := automatic(t)
	h := serveTLS(t, cfg, a.Roots(), bound)
	log.await(t, "certificate obtained")
	w := h.connect(testApp())
	w.subscribe("orders")
	h.publish(testApp(), "orders", "shipped", "1")
	w.expect("shipped", "orders")
	w.close()
	h.stop()
	if err := filepath.WalkDir(cfg.DataDir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && path != cfg.DataDir {
			t.Errorf("%s may be read by others: %s", path, info.Mode())
		}
		return err
	}); err != nil {
		t.Error(err)
	}

	a.SetDown(true) // a restart needs it no more
	h = serveTLS(t, cfg, a.Roots(), bound)
	h.connect(testApp()).subscribe("orders")
	if orders, accounts := a.Orders(); orders != 1 || accounts != 1 {
		t.Errorf("%d orders by %d accounts, want one", orders, accounts)
	}
}

func TestTLSByItselfWhileTheAuthorityIsDown(t *testing.T) {
	t.Parallel()
	a, cfg, log, bound := automatic(t)
	a.SetDown(true)
	cfg.ProbeEvery = 50 * time.Millisecond
	h := serveTLS(t, cfg, a.Roots(), bound)
	log.await(t, "certificate not obtained: it is tried again")
	log.await(t, "the probe's event did not come back")
	metrics := "http://" + h.server.MetricsAddr().String()
	if status, _ := get(t, metrics+"/ready", nil); status != http.StatusOK {
		t.Errorf("the server does not run: /ready answers %d", status)
	}
	if status, body := get(t, metrics+"/health", nil); status != http.StatusServiceUnavailable || !strings.Contains(body, "no certificate for "+tlsName) {
		t.Errorf("/health answers %d %s", status, body)
	}
	for range 10 {
		if conn, err := tls.Dial("tcp", h.addr, h.tls); err == nil {
			conn.Close()
			t.Fatal("a handshake succeeds without a certificate")
		}
	}
	text := log.await(t, "a TLS handshake failed: there is no certificate yet")
	if n := strings.Count(text, "a TLS handshake failed"); n != 1 {
		t.Errorf("ten handshakes are spoken of %d times", n)
	}
	a.SetDown(false)
	log.await(t, "certificate obtained")                  // at the next attempt, ten seconds after the first
	for deadline := time.Now().Add(20 * time.Second); ; { // the probe and the report come by themselves
		status, body := get(t, metrics+"/health", nil)
		if status == http.StatusOK && strings.Contains(body, "whole way in") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("/health answers %d %s", status, body)
		}
	}
	h.connect(testApp()).subscribe("orders")
}
