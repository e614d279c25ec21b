package certs_test

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/certs"
	"github.com/belfryhq/belfry/internal/certs/acmetest"
)

// asked counts the names that tests ask certificates for. Each has its own: the
// library keeps the challenges that wait for an authority by name alone, one
// table for the whole process, and tests run side by side.
var asked atomic.Int64

// applicant is what a test of automatic certificates begins with: a listener,
// an authority that finds it, and settings for both.
func applicant(t *testing.T) (net.Listener, *acmetest.Authority, certs.Config, *journal) {
	t.Helper()
	l := bind(t)
	address := l.Addr().String()
	a := acmetest.New(t, func(string) string { return address })
	log, logger := newJournal()
	cfg := certs.Config{
		Domains: []string{fmt.Sprintf("ws%d.test", asked.Add(1))}, Dir: t.TempDir(), Email: "ops@example.com",
		Directory: a.Directory(), CARoot: rootFile(t, a), Logger: logger,
	}
	cfg.Hurry(10*time.Millisecond, 0)
	return l, a, cfg, log
}

func rootFile(t *testing.T, a *acmetest.Authority) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.pem")
	put(t, path, a.RootPEM())
	return path
}

// obtained is the log's line about a domain's first certificate.
const obtained = "certificate obtained"

func TestACertificateIsObtainedAndKept(t *testing.T) {
	t.Parallel()
	l, a, cfg, log := applicant(t)
	s := serve(t, l, cfg)
	log.await(t, obtained, 1)
	first, err := s.meet(cfg.Domains[0], a.Roots())
	if err != nil {
		t.Fatal(err)
	}
	if ends := s.certs.Ends(); !ends.Equal(first.NotAfter) {
		t.Errorf("it ends %s, want %s", ends, first.NotAfter)
	}
	if unnamed := s.meetUnnamed(); unnamed.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Error("a client that names no server gets another certificate than the first domain's")
	}
	if _, err := s.meet("other.test", a.Roots()); err == nil {
		t.Error("there is a certificate for a name that is not ours")
	}
	s.close()
	ownerOnly(t, filepath.Join(cfg.Dir, "certificates"))

	again := bind(t)
	a.SetDown(true) // it is not needed any more
	s = serve(t, again, cfg)
	second, err := s.meet(cfg.Domains[0], a.Roots())
	if err != nil {
		t.Fatal(err)
	}
	if first.SerialNumber.Cmp(second.SerialNumber) != 0 {
		t.Error("a restart serves another certificate")
	}
	if orders, accounts := a.Orders(); orders != 1 || accounts != 1 {
		t.Errorf("%d orders by %d accounts, want one; the log:\n%s", orders, accounts, log.text.String())
	}
}

func ownerOnly(t *testing.T, root string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the rights %s", path, info.Mode())
		}
		if !entry.IsDir() {
			files++
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files in %s: %v", files, root, err)
	}
}

func TestSeveralDomains(t *testing.T) {
	t.Parallel()
	l, a, cfg, log := applicant(t)
	cfg.Domains = []string{"a." + cfg.Domains[0], "b." + cfg.Domains[0], "c." + cfg.Domains[0]}
	s := serve(t, l, cfg)
	log.await(t, obtained, 3)
	for _, name := range cfg.Domains {
		if _, err := s.meet(name, a.Roots()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAuthorityThatIsDownIsAskedUntilItIsBack(t *testing.T) {
	t.Parallel()
	l, a, cfg, log := applicant(t)
	a.SetDown(true)
	s := serve(t, l, cfg)
	const line = "certificate not obtained"
	log.await(t, line, 2)
	for range 20 {
		if _, err := s.meet(cfg.Domains[0], a.Roots()); err == nil {
			t.Fatal("a handshake succeeds without a certificate")
		}
	}
	if got := log.count("there is no certificate yet"); got != 1 {
		t.Errorf("20 handshakes are spoken of %d times, want once", got)
	}
	for _, words := range []string{"domain=" + cfg.Domains[0], a.Directory(), "after="} {
		if log.count(words) == 0 {
			t.Errorf("the log does not say %q:\n%s", words, log.text.String())
		}
	}
	if err := s.certs.Check(); err == nil || !strings.Contains(err.Error(), "no certificate for "+cfg.Domains[0]) {
		t.Errorf("a check says %v", err)
	}
	if log.count("hint=") > 0 {
		t.Error("there is a hint about the name while the authority is out of reach")
	}
	a.SetDown(false)
	log.await(t, obtained, 1)
	if _, err := s.meet(cfg.Domains[0], a.Roots()); err != nil {
		t.Fatal(err)
	}
	if err := s.certs.Check(); err != nil {
		t.Errorf("a check says %v", err)
	}
}

func TestAnAuthorityThatDoesNotFindUs(t *testing.T) {
	t.Parallel()
	l, _, cfg, log := applicant(t)
	nowhere := make(chan string, 2)
	nowhere <- ""
	nowhere <- l.Addr().String()
	a := acmetest.New(t, func(string) string { return <-nowhere })
	cfg.Directory, cfg.CARoot = a.Directory(), rootFile(t, a)
	s := serve(t, l, cfg)
	log.await(t, "no address for "+cfg.Domains[0], 1)
	log.await(t, "port 443", 1)
	log.await(t, "after=300ms", 1) // a refusal has the longer wait: authorities count them
	log.await(t, obtained, 1)
	if _, err := s.meet(cfg.Domains[0], a.Roots()); err != nil {
		t.Fatal(err)
	}
}

func TestAnAuthorityWithAnUnknownRoot(t *testing.T) {
	t.Parallel()
	l, a, cfg, log := applicant(t)
	cfg.CARoot = ""
	serve(t, l, cfg)
	log.await(t, "unknown authority", 1)
	if orders, _ := a.Orders(); orders != 0 {
		t.Errorf("%d orders", orders)
	}
}

func TestACertificateIsRenewedWithoutARestart(t *testing.T) {
	t.Parallel()
	l, a, cfg, log := applicant(t)
	cfg.Hurry(10*time.Millisecond, 20*time.Millisecond)
	a.SetLife(90*time.Minute, 10*time.Minute) // due at once
	s := serve(t, l, cfg)
	log.await(t, obtained, 1)
	first, err := s.meet(cfg.Domains[0], a.Roots())
	if err != nil {
		t.Fatal(err)
	}
	a.SetLife(time.Hour, 24*time.Hour)
	log.await(t, "certificate renewed", 1)
	for late := time.Now().Add(patience); ; {
		now, err := s.meet(cfg.Domains[0], a.Roots())
		if err != nil {
			t.Fatal(err)
		}
		if now.NotAfter.After(first.NotAfter) {
			return
		}
		if time.Now().After(late) {
			t.Fatal("the renewed certificate is not served")
		}
	}
}

func TestACertificateThatEndedWhileTheServerWasOff(t *testing.T) {
	t.Parallel()
	l, a, cfg, log := applicant(t)
	a.SetLife(time.Hour, -time.Minute)
	s := serve(t, l, cfg)
	log.await(t, obtained, 1)
	if _, err := s.meet(cfg.Domains[0], a.Roots()); err == nil {
		t.Fatal("a certificate that has ended is good")
	}
	if err := s.certs.Check(); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("a check says %v", err)
	}
	s.close()
	a.SetLife(time.Hour, 24*time.Hour)
	s = serve(t, rebind(t, s.address), cfg) // the next look is ten minutes away
	log.await(t, "certificate renewed", 1)
	s.meetsSoon(cfg.Domains[0], a)
}

func TestAKeptCertificateThatIsBrokenIsReplaced(t *testing.T) {
	t.Parallel()
	l, a, cfg, log := applicant(t)
	s := serve(t, l, cfg)
	log.await(t, obtained, 1)
	s.close()
	found, err := filepath.Glob(filepath.Join(cfg.Dir, "certificates", "certificates", "*", cfg.Domains[0], cfg.Domains[0]+".crt"))
	if err != nil || len(found) != 1 {
		t.Fatalf("kept at %v, %v", found, err)
	}
	put(t, found[0], nil) // as a full disk leaves it
	s = serve(t, rebind(t, s.address), cfg)
	log.await(t, "another one is asked for", 1)
	log.await(t, obtained, 2)
	s.meetsSoon(cfg.Domains[0], a)
}

func TestAFolderThatTakesNoWrites(t *testing.T) {
	t.Parallel()
	l, a, cfg, log := applicant(t)
	blocked := filepath.Join(cfg.Dir, "certificates")
	put(t, blocked, []byte("a file where the folder should be"))
	serve(t, l, cfg)
	log.await(t, "storage is probably misconfigured", 2)
	if orders, _ := a.Orders(); orders != 0 {
		t.Errorf("%d orders for certificates that cannot be kept", orders)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	log.await(t, obtained, 1)
}

// A kill leaves no lock behind that the next start waits for, and Run ends
// amid an order.
func TestStoppingAmidAnOrder(t *testing.T) {
	t.Parallel()
	l, _, cfg, log := applicant(t)
	asked, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	a := acmetest.New(t, func(string) string {
		once.Do(func() { close(asked); <-release })
		return l.Addr().String()
	})
	cfg.Directory, cfg.CARoot = a.Directory(), rootFile(t, a)
	s := serve(t, l, cfg)
	<-asked
	s.close()
	close(release)
	if log.count("level=ERROR") > 0 {
		t.Errorf("a stop is logged as a fault:\n%s", log.text.String())
	}
	s = serve(t, rebind(t, s.address), cfg)
	log.await(t, obtained, 1)
	s.meetsSoon(cfg.Domains[0], a)
}

// rebind listens where a site was.
func rebind(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// meetsSoon shakes hands until a good certificate is served: the log speaks of
// a renewal a moment before.
func (s *site) meetsSoon(name string, a *acmetest.Authority) {
	s.t.Helper()
	for late := time.Now().Add(patience); ; {
		_, err := s.meet(name, a.Roots())
		if err == nil {
			return
		}
		if time.Now().After(late) {
			s.t.Fatal(err)
		}
	}
}
