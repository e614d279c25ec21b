package certs_test

import (
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

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/certs"
)

// certmagic keeps one limiter of requests for each authority and account, for
// as long as the process lives; it cannot be stopped.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).permit"))
}

const patience = 20 * time.Second

// journal is a log that a test can wait for.
type journal struct {
	mu    sync.Mutex // guards all below
	text  bytes.Buffer
	wrote chan struct{} // closed with the next line
}

func newJournal() (*journal, *slog.Logger) {
	j := &journal{wrote: make(chan struct{})}
	return j, slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Write implements io.Writer.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.wrote)
	j.wrote = make(chan struct{})
	return j.text.Write(p)
}

func (j *journal) count(words string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), words)
}

// await waits until the words stand in the log n times.
func (j *journal) await(t testing.TB, words string, n int) {
	t.Helper()
	late := time.After(patience)
	for {
		j.mu.Lock()
		text, wrote := j.text.String(), j.wrote
		j.mu.Unlock()
		if strings.Count(text, words) >= n {
			return
		}
		select {
		case <-wrote:
		case <-late:
			t.Fatalf("the log does not say %q %d times:\n%s", words, n, text)
		}
	}
}

// pairFiles are a certificate and its key in a folder of the test's.
type pairFiles struct{ cert, key string }

func newFiles(t testing.TB, name string) pairFiles {
	t.Helper()
	dir := t.TempDir()
	f := pairFiles{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
	f.renew(t, name)
	return f
}

// renew writes a new pair for that name, good for ten days of which one has
// gone.
func (f pairFiles) renew(t testing.TB, name string) {
	t.Helper()
	f.write(t, name, time.Now().Add(9*24*time.Hour))
}

func (f pairFiles) write(t testing.TB, name string, end time.Time) {
	t.Helper()
	cert, key := makePair(t, name, end)
	put(t, f.cert, cert)
	put(t, f.key, key)
}

func makePair(t testing.TB, name string, end time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, NotBefore: end.Add(-10 * 24 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func put(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// site serves HTTP over TLS with certificates, until close.
type site struct {
	t       testing.TB
	certs   *certs.Certificates
	address string
	stop    context.CancelFunc
	server  *http.Server
	ended   sync.WaitGroup
}

// bind listens before there is anything to serve, so that an authority can be
// told the address.
func bind(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func serve(t testing.TB, l net.Listener, cfg certs.Config) *site {
	t.Helper()
	c, err := certs.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &site{t: t, certs: c, address: l.Addr().String(), stop: stop, server: &http.Server{
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") }),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}}
	s.ended.Go(func() {
		if err := s.server.Serve(tls.NewListener(l, c.TLS())); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	s.ended.Go(func() {
		if err := c.Run(ctx, l.Addr()); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(s.close)
	return s
}

// close may be called twice.
func (s *site) close() {
	s.stop()
	s.server.Close()
	s.ended.Wait()
}

// meet makes a TLS handshake for that name and gives the certificate.
func (s *site) meet(name string, roots *x509.CertPool) (*x509.Certificate, error) {
	conn, err := tls.Dial("tcp", s.address, &tls.Config{ServerName: name, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

// meetUnnamed is meet for a client that names no server and trusts all.
func (s *site) meetUnnamed() *x509.Certificate {
	s.t.Helper()
	conn, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}
