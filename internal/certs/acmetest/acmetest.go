// Package acmetest is an ACME authority in the test's process, small but not
// lenient: it checks signatures and nonces, and issues a certificate only after
// the TLS-ALPN challenge, for which it connects to the applicant (RFC 8555,
// RFC 8737).
package acmetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Authority issues certificates until the test ends. Its methods are safe for
// concurrent use.
type Authority struct {
	find   func(domain string) string
	server *httptest.Server
	key    *ecdsa.PrivateKey
	root   *x509.Certificate

	mu       sync.Mutex // guards all below
	down     bool
	life     [2]time.Duration
	serial   int64
	nonces   map[string]bool
	accounts []account
	orders   []*order
}

// New starts an authority. find gives the address, host and port, at which it
// finds a domain; "" for a name that leads nowhere.
func New(t testing.TB, find func(domain string) (address string)) *Authority {
	t.Helper()
	a := &Authority{find: find, nonces: map[string]bool{}, life: [2]time.Duration{time.Hour, 24 * time.Hour}}
	a.makeRoot(t)
	a.server = httptest.NewUnstartedServer(a.routes())
	a.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	key := newKey(t)
	own, err := a.sign(&x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}, &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	a.server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{own}, PrivateKey: key}}}
	a.server.StartTLS()
	t.Cleanup(a.server.Close)
	return a
}

// Directory is the authority's address for clients.
func (a *Authority) Directory() string { return a.server.URL + "/directory" }

// RootPEM is the certificate that the authority's own and all that it issues
// come from.
func (a *Authority) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}

// Roots is a pool with that certificate alone.
func (a *Authority) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

// SetDown breaks every request off from now on, or no more.
func (a *Authority) SetDown(down bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = down
}

// SetLife says how old certificates are when they are issued from now on, and
// how long they then hold; at first an hour and a day.
func (a *Authority) SetLife(age, left time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.life = [2]time.Duration{age, left}
}

// Orders gives how many certificates were ordered, issued or not, and by how
// many accounts.
func (a *Authority) Orders() (orders, accounts int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.orders), len(a.accounts)
}

func (a *Authority) makeRoot(t testing.TB) {
	t.Helper()
	a.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(240 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err == nil {
		a.root, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.serial = 1
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a server's certificate from the template.
func (a *Authority) sign(template *x509.Certificate, key any) ([]byte, error) {
	a.serial++
	template.SerialNumber = big.NewInt(a.serial)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return x509.CreateCertificate(rand.Reader, template, a.root, key, a.key)
}

// routes locks the authority for each request but during the challenge's
// connection to the applicant.
func (a *Authority) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /directory", a.directory)
	mux.HandleFunc("HEAD /nonce", func(http.ResponseWriter, *http.Request) {})
	for path, serve := range map[string]func(request) answer{
		"/account": a.newAccount, "/order": a.newOrder, "/order/{id}": a.showOrder, "/authz/{id}": a.authorization,
		"/challenge/{id}": a.challenge, "/finalize/{id}": a.finalize, "/certificate/{id}": a.certificate,
	} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { a.reply(w, a.accept(r, serve)) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.down {
			panic(http.ErrAbortHandler)
		}
		nonce := rand.Text()
		a.nonces[nonce] = true
		w.Header().Set("Replay-Nonce", nonce)
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}
