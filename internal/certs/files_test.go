package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/certs"
)

func TestValidateNamesEachFault(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  certs.Config
		says []string // none: no fault
	}{
		{"nothing", certs.Config{}, []string{"give certificate files or domains"}},
		{"certificate alone", certs.Config{CertFile: "a"}, []string{"belong together"}},
		{"key alone", certs.Config{KeyFile: "a"}, []string{"belong together"}},
		{"both kinds", certs.Config{CertFile: "a", KeyFile: "b", Domains: []string{"a.test"}}, []string{"not both"}},
		{"two faults", certs.Config{CertFile: "a", Directory: "http://ca.test"}, []string{"belong together", "https"}},
		{"files", certs.Config{CertFile: "a", KeyFile: "b"}, nil},
		{"domains", certs.Config{Domains: []string{"a.test"}, Directory: "https://ca.test/directory"}, nil},
	} {
		err := c.cfg.Validate()
		if (err == nil) != (c.says == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, words := range c.says {
			if err != nil && !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %q does not say %q", c.name, err, words)
			}
		}
	}
	if _, err := certs.Open(certs.Config{}); err == nil {
		t.Error("Open takes what Validate refuses")
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	good, other := newFiles(t, "a.test"), newFiles(t, "b.test")
	junk := filepath.Join(t.TempDir(), "junk")
	put(t, junk, []byte("not a certificate"))
	for _, c := range []struct{ name, cert, key, says string }{
		{"no certificate", "/nowhere/tls.crt", good.key, "/nowhere/tls.crt"},
		{"no key", good.cert, "/nowhere/tls.key", "/nowhere/tls.key"},
		{"a folder", filepath.Dir(good.cert), good.key, "directory"},
		{"another's key", good.cert, other.key, "private key does not match"},
		{"no PEM", junk, good.key, "PEM"},
		{"mixed up", good.key, good.cert, "switched"},
	} {
		fails(t, c.name, certs.Config{CertFile: c.cert, KeyFile: c.key}, c.says)
	}
	for _, c := range []struct{ name, root, says string }{
		{"no root", "/nowhere/root.pem", "/nowhere/root.pem"},
		{"a root that is none", junk, "no PEM certificate"},
	} {
		fails(t, c.name, certs.Config{Domains: []string{"a.test"}, Dir: t.TempDir(), CARoot: c.root}, c.says)
	}
	if os.Getuid() != 0 { // root reads everything
		if err := os.Chmod(good.key, 0); err != nil {
			t.Fatal(err)
		}
		fails(t, "no right to read", certs.Config{CertFile: good.cert, KeyFile: good.key}, "permission denied")
	}
}

func fails(t *testing.T, name string, cfg certs.Config, says string) {
	t.Helper()
	_, err := certs.Open(cfg)
	var coded *belfry.Error
	if !errors.As(err, &coded) || coded.Code != belfry.CodeInvalid || !strings.Contains(coded.Hint, "PEM") {
		t.Errorf("%s: %#v, want an error with a hint", name, err)
		return
	}
	if text := err.Error(); !strings.Contains(text, says) || strings.Contains(text, "BEGIN") {
		t.Errorf("%s: %q, want %q", name, text, says)
	}
}

func TestOnlyHTTP1IsOffered(t *testing.T) {
	f := newFiles(t, "a.test")
	c, err := certs.Open(certs.Config{CertFile: f.cert, KeyFile: f.key})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.TLS().NextProtos; !slices.Equal(got, []string{"http/1.1"}) {
		t.Errorf("protocols %v", got)
	}
	if c, err = certs.Open(certs.Config{Domains: []string{"a.test"}, Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if got := c.TLS().NextProtos; !slices.Equal(got, []string{"http/1.1", "acme-tls/1"}) {
		t.Errorf("protocols %v", got)
	}
}

// watched is a running source of certificates in a test's bubble.
type watched struct {
	*pairFiles
	t   *testing.T
	c   *certs.Certificates
	log *journal
}

// watch runs f with certificate files, in time that jumps.
func watch(t *testing.T, f func(w watched)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		files := newFiles(t, "first.test")
		log, logger := newJournal()
		c, err := certs.Open(certs.Config{CertFile: files.cert, KeyFile: files.key, Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx, nil) }()
		f(watched{&files, t, c, log})
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// serves checks whose certificate a handshake gets now.
func (w watched) serves(name string) {
	w.t.Helper()
	cert, err := w.c.TLS().GetCertificate(&tls.ClientHelloInfo{ServerName: "any.test"})
	if err != nil {
		w.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil || leaf.DNSNames[0] != name {
		w.t.Fatalf("serves %v (%v), want %s", leaf.DNSNames, err, name)
	}
}

// look lets the files be looked at n times.
func (w watched) look(n int) {
	time.Sleep(time.Duration(n)*10*time.Second + time.Second)
	synctest.Wait()
}

func TestRenewedFilesAreServedWithoutARestart(t *testing.T) {
	watch(t, func(w watched) {
		w.look(5)
		w.serves("first.test")
		if got := w.log.count("level="); got != 0 {
			t.Errorf("%d lines about files that did not change", got)
		}
		w.renew(w.t, "second.test")
		w.look(1)
		w.serves("second.test")
		w.look(5)
		if got := w.log.count("are in use"); got != 1 {
			t.Errorf("said %d times, want once", got)
		}
	})
}

func TestARenewalWithTheSameTimeIsSeen(t *testing.T) {
	watch(t, func(w watched) {
		info, err := os.Stat(w.cert)
		if err != nil {
			t.Fatal(err)
		}
		w.renew(w.t, "second.test")
		for _, path := range []string{w.cert, w.key} {
			if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}
		w.look(1)
		w.serves("second.test")
	})
}

func TestABrokenRenewalKeepsTheOldCertificateAndIsLoggedOnce(t *testing.T) {
	const line = "cannot be used"
	watch(t, func(w watched) {
		cert, key := makePair(t, "second.test", time.Now().Add(9*24*time.Hour))
		put(t, w.cert, cert) // its key comes later
		w.look(1)
		w.serves("first.test")
		if got := w.log.count(line); got != 0 {
			t.Errorf("a renewal under way was logged %d times", got)
		}
		w.look(10)
		w.serves("first.test")
		if got := w.log.count(line); got != 1 {
			t.Errorf("logged %d times, want once", got)
		}
		if err := os.Remove(w.key); err != nil { // another fault
			t.Fatal(err)
		}
		w.look(10)
		w.serves("first.test")
		if got := w.log.count(line); got != 2 {
			t.Errorf("logged %d times, want once for each fault", got)
		}
		put(t, w.key, key)
		w.look(1)
		w.serves("second.test")
		put(t, w.key, nil) // the first fault's successor is told anew
		w.look(3)
		w.serves("second.test")
		if got := w.log.count(line); got != 3 {
			t.Errorf("logged %d times, want 3", got)
		}
		if w.log.count("BEGIN") > 0 {
			t.Error("a key stands in the log")
		}
	})
}

func TestTheEndOfACertificateIsSpokenOfOnceADay(t *testing.T) {
	watch(t, func(w watched) {
		w.write(w.t, "second.test", time.Now().Add(25*time.Hour)) // of ten days
		w.look(1)
		if got := w.log.count("ends soon"); got != 0 {
			t.Errorf("warned %d times with more than a tenth left", got)
		}
		time.Sleep(20 * time.Hour)
		if got := w.log.count("ends soon"); got != 1 {
			t.Errorf("warned %d times on the last day, want once", got)
		}
		time.Sleep(10 * time.Hour)
		if got := w.log.count("has ended"); got != 1 {
			t.Errorf("said %d times on the day after that it has ended, want once", got)
		}
		if err := w.c.Check(); err == nil || !strings.Contains(err.Error(), w.cert) {
			t.Errorf("a check of a certificate that has ended: %v", err)
		}
		if left := time.Until(w.c.Ends()); left >= 0 {
			t.Errorf("%s are left of a certificate that has ended", left)
		}
		w.renew(w.t, "third.test")
		time.Sleep(25 * time.Hour)
		if left := time.Until(w.c.Ends()); left <= 0 {
			t.Errorf("%s are left after the renewal", left)
		}
		if got := w.log.count("level=WARN"); got != 2 {
			t.Errorf("%d warnings, want none after the renewal", got)
		}
		if err := w.c.Check(); err != nil {
			t.Errorf("a check after the renewal: %v", err)
		}
	})
}
