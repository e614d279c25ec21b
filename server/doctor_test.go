package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/doctor"
	"github.com/belfryhq/belfry/server"
)

// doctorTarget is a server at an address with the credentials of the test's app.
func doctorTarget(t *testing.T, address string) doctor.Target {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return doctor.Target{Scheme: "http", Host: host, Port: n, AppID: appID, Key: appKey, Secret: appSecret}
}

// finds examines a target, whose only failure must be this one, and gives the
// failed check. An empty cause wants none to fail.
func finds(t *testing.T, target doctor.Target, check string, cause doctor.Cause) doctor.Check {
	t.Helper()
	steps, done := target.Steps()
	defer done()
	all := doctor.Run(t.Context(), steps)
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), appSecret) || target.Secret != "" && strings.Contains(string(text), target.Secret) {
		t.Errorf("a secret is told: %s", text)
	}
	var failed []doctor.Check
	for _, c := range all {
		if c.Status == doctor.Failed {
			failed = append(failed, c)
			if c.Fix == "" || c.Seen == "" || c.Cause == "" {
				t.Errorf("a failure without a word: %+v", c)
			}
		}
	}
	switch {
	case cause == "" && len(failed) == 0:
		return doctor.Check{}
	case len(failed) == 0 || failed[0].Name != check || failed[0].Cause != cause:
		t.Fatalf("found %s\nwant %s: %s", text, check, cause)
	}
	for _, c := range failed[1:] {
		if c.Cause != cause {
			t.Errorf("found %s: %s too: %s", c.Name, c.Cause, c.Seen)
		}
	}
	return failed[0]
}

func TestDoctorFindsNothingWrong(t *testing.T) {
	h := serve(t, testApp())
	steps, done := doctorTarget(t, h.addr).Steps()
	defer done()
	for _, c := range doctor.Run(t.Context(), steps) {
		want := doctor.Passed
		if c.Name == "tls" || c.Name == "idle limit" {
			want = doctor.Skipped
		}
		if c.Status != want {
			t.Errorf("%+v", c)
		}
	}
}

func TestDoctorNamesWrongCredentials(t *testing.T) {
	off := testApp(func(a *belfry.App) {
		a.ID, a.Disabled = "3", true
		a.Keys = []belfry.Credential{{Key: "off-key", Secret: "off-secret-0123"}}
	})
	h := serve(t, testApp(func(a *belfry.App) { a.AllowedOrigins = []string{"app.example.com"} }), off)
	here := doctorTarget(t, h.addr)
	here.Origin = "https://app.example.com"
	finds(t, here, "", "")

	wrong := here
	wrong.Secret = "some-other-secret"
	finds(t, wrong, "signature", doctor.WrongSecret)

	wrong = here
	wrong.AppID = "4711"
	finds(t, wrong, "signature", doctor.NoSuchApp)

	wrong = here
	wrong.Key = "no-key-of-mine"
	finds(t, wrong, "signature", doctor.NoSuchKey)

	wrong = here
	wrong.AppID, wrong.Key, wrong.Secret = "3", "off-key", "off-secret-0123"
	finds(t, wrong, "signature", doctor.AppDisabled)

	wrong = here
	wrong.Origin = "https://elsewhere.example"
	finds(t, wrong, "websocket", doctor.OriginRefused)

	wrong = here
	wrong.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	finds(t, wrong, "clock", doctor.ClockOff)
}

func TestDoctorNamesAServerThatIsNotReached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	finds(t, doctorTarget(t, l.Addr().String()), "address", doctor.NotReached)
	target := doctorTarget(t, "127.0.0.1:1")
	target.Host = "https://ws.invalid"
	finds(t, target, "address", doctor.HostUnknown)
}

// A proxy between, that breaks what a test wants.
func doctorProxy(t *testing.T, to string, change func(http.ResponseWriter, *http.Request, http.Handler)) string {
	t.Helper()
	u := &url.URL{Scheme: "http", Host: to}
	pass := httputil.NewSingleHostReverseProxy(u)
	pass.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { change(w, r, pass) }))
	t.Cleanup(front.Close)
	return front.Listener.Addr().String()
}

func TestDoctorNamesAProxyThatDoesNotPassTheUpgrade(t *testing.T) {
	h := serve(t, testApp())
	front := doctorProxy(t, h.addr, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		r.Header.Del("Upgrade")
		r.Header.Del("Connection")
		pass.ServeHTTP(w, r)
	})
	finds(t, doctorTarget(t, front), "websocket", doctor.UpgradeNotPassed)
}

func TestDoctorNamesWhatAnswersInsteadOfTheServer(t *testing.T) {
	h := serve(t, testApp())
	page := func(w http.ResponseWriter, status int) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		w.Write([]byte("<html><body><h1>" + http.StatusText(status) + "</h1></body></html>"))
	}
	away := doctorProxy(t, h.addr, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { page(w, http.StatusBadGateway) })
	c := finds(t, doctorTarget(t, away), "signature", doctor.ServerBehindAway)
	if !strings.Contains(c.Seen, "502 Bad Gateway") {
		t.Errorf("seen: %s", c.Seen)
	}
	half := doctorProxy(t, h.addr, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if strings.HasPrefix(r.URL.Path, "/apps/") {
			page(w, http.StatusNotFound)
			return
		}
		pass.ServeHTTP(w, r)
	})
	c = finds(t, doctorTarget(t, half), "signature", doctor.APIRefused)
	if !strings.Contains(c.Fix, "have the proxy pass /apps/ to the server") {
		t.Errorf("to do: %s", c.Fix)
	}
	moved := doctorProxy(t, h.addr, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, "https://ws.shop.test"+r.URL.RequestURI(), http.StatusMovedPermanently)
	})
	c = finds(t, doctorTarget(t, moved), "signature", doctor.Redirected)
	if !strings.Contains(c.Fix, "scheme https, host ws.shop.test, port 443;") || strings.Contains(c.Fix, "auth_signature") {
		t.Errorf("to do: %s", c.Fix)
	}
	keyOnly := doctorTarget(t, moved)
	keyOnly.Secret = ""
	finds(t, keyOnly, "websocket", doctor.Redirected)
	keyOnly = doctorTarget(t, away)
	keyOnly.Secret = ""
	finds(t, keyOnly, "websocket", doctor.ServerBehindAway)
}

func TestDoctorNamesWhereEventsAreLost(t *testing.T) {
	pages, others := serve(t, testApp()), serve(t, testApp())
	front := doctorProxy(t, pages.addr, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if r.Method == http.MethodPost { // as a balancer before servers that share nothing
			pass = httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: others.addr})
		}
		pass.ServeHTTP(w, r)
	})
	steps, done := doctorTarget(t, front).Steps()
	defer done()
	for i := range steps {
		if steps[i].Name == "event" {
			steps[i].Limit = 2 * time.Second // it is awaited that long
		}
	}
	for _, c := range doctor.Run(t.Context(), steps) {
		if c.Name == "event" && c.Cause != doctor.EventLost || c.Name != "event" && c.Status == doctor.Failed {
			t.Errorf("%+v", c)
		}
	}
}

func TestDoctorMeasuresTheIdleLimitOfAProxy(t *testing.T) {
	h := serve(t, testApp())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		idleProxy(ctx, l, h.addr)
	}()
	t.Cleanup(func() { cancel(); l.Close(); <-ended })
	target := doctorTarget(t, l.Addr().String())
	target.Idle = 20 * time.Second
	c := finds(t, target, "idle limit", doctor.IdleClosed)
	if !strings.Contains(c.Seen, "the connection was cut after ") {
		t.Errorf("seen: %s", c.Seen)
	}
	target = doctorTarget(t, h.addr)
	target.Idle = time.Second
	finds(t, target, "", "")
}

// idleProxy passes bytes on and ends a connection on which nothing came from the
// server for three seconds.
func idleProxy(ctx context.Context, l net.Listener, to string) {
	for {
		page, err := l.Accept()
		if err != nil {
			return
		}
		behind, err := net.Dial("tcp", to)
		if err != nil {
			page.Close()
			continue
		}
		stop := context.AfterFunc(ctx, func() { page.Close(); behind.Close() })
		go func() {
			buf := make([]byte, 4096)
			for {
				n, err := page.Read(buf)
				if err != nil {
					behind.Close()
					return
				}
				behind.Write(buf[:n])
			}
		}()
		go func() {
			defer stop()
			buf := make([]byte, 4096)
			for {
				behind.SetReadDeadline(time.Now().Add(3 * time.Second))
				n, err := behind.Read(buf)
				if err != nil {
					page.Close()
					behind.Close()
					return
				}
				page.Write(buf[:n])
			}
		}()
	}
}

// doctorCertificate makes a certificate for 127.0.0.1 that ends then.
func doctorCertificate(t *testing.T, end time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour * 24 * 100), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func TestDoctorJudgesTLS(t *testing.T) {
	h := serve(t, testApp())
	behind := func(end time.Time) (doctor.Target, *x509.CertPool) {
		cert, roots := doctorCertificate(t, end)
		front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: h.addr}))
		front.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		front.StartTLS()
		t.Cleanup(front.Close)
		target := doctorTarget(t, front.Listener.Addr().String())
		target.Scheme = "https"
		return target, roots
	}
	target, roots := behind(time.Now().Add(90 * 24 * time.Hour))
	finds(t, target, "tls", doctor.TLSUntrusted) // whatever follows from it is no finding of its own
	target.Roots = roots
	finds(t, target, "", "")

	target, roots = behind(time.Now().Add(5 * 24 * time.Hour))
	target.Roots = roots
	if c := finds(t, target, "tls", doctor.TLSExpires); !strings.Contains(c.Seen, "in 5 days") {
		t.Errorf("seen: %s", c.Seen)
	}
	target, roots = behind(time.Now().Add(-time.Hour))
	target.Roots = roots
	finds(t, target, "tls", doctor.TLSExpires)

	plain := doctorTarget(t, h.addr)
	plain.Scheme = "https"
	finds(t, plain, "tls", doctor.TLSNotSpoken)
}

func TestDoctorNamesLimitsOfTheApp(t *testing.T) {
	limited := func(change func(*belfry.Limits)) doctor.Target {
		return doctorTarget(t, serve(t, testApp(func(a *belfry.App) { change(&a.Limits) })).addr)
	}
	finds(t, limited(func(l *belfry.Limits) { l.EventData = 5 }), "event", doctor.APIRefused)
	finds(t, limited(func(l *belfry.Limits) { l.ChannelsPerConnection = 0 }), "private channel", doctor.ChannelRefused)
	finds(t, limited(func(l *belfry.Limits) { l.Connections = 0 }), "websocket", doctor.SocketRefused)
}

func TestDoctorNamesAnApplicationThatDoesNotDecide(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) { c.Authorization.ChannelURL = away.URL })
	l := doctor.Local{DataDir: a.dir, Running: &doctor.Running{PID: 1, Address: a.addr, URL: a.url()}}
	for _, c := range doctor.Run(t.Context(), l.Steps()) {
		if c.Name == "authorization" && c.Cause != doctor.AuthNotAnswered {
			t.Errorf("%+v", c)
		}
	}
}
