//go:build unix

package proxy_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	appID     = "1001"
	appKey    = "proxy-key"
	appSecret = "proxy-secret"
	// patience is how long a test waits for what must come.
	patience = 20 * time.Second
)

// serve runs a server that trusts proxies on 127.0.0.1 until the test ends, and
// gives its address.
func serve(t *testing.T, change func(*server.Config, *belfry.App)) string {
	t.Helper()
	app := &belfry.App{
		ID: appID, Keys: []belfry.Credential{{Key: appKey, Secret: appSecret}},
		ClientEvents: true, Limits: belfry.DefaultLimits(),
	}
	cfg := server.Config{
		Listen: "127.0.0.1:0", MetricsListen: "off", DataDir: t.TempDir(), DrainWindow: -1,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Apps:           []*belfry.App{app},
		Logger:         slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if change != nil {
		change(&cfg, app)
	}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop(errors.New("the test is over"))
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s.Addr().String()
}

// program finds a program of Debian's. Without it the test is skipped, but
// fails in CI.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if path, err = exec.LookPath("/usr/sbin/" + name); err == nil {
		return path
	}
	const what = "%s is not installed: run scripts/test-deps.sh, or apt-get install %[1]s"
	if os.Getenv("CI") != "" {
		t.Fatalf(what, name)
	}
	t.Skipf(what, name)
	return ""
}

// freePort gives a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// replace puts the test's own values into a file of deploy/. What is to be
// replaced must be there.
func replace(t *testing.T, file string, pairs ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../deploy", file))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("deploy/%s does not say %q any more: change the test too", file, pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// nobody is whom a proxy runs as when the tests run as root.
const nobody = 65534

// unprivileged gives a folder for a proxy, and the attributes to start it with:
// never as root.
func unprivileged(t *testing.T) (dir string, attr *syscall.SysProcAttr) {
	t.Helper()
	dir, err := os.MkdirTemp("", "belfry-proxy-") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	attr = &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return dir, attr
}

// start runs a proxy until the test ends, with its output in the test's, and
// waits until it accepts connections on the port.
func start(t *testing.T, cmd *exec.Cmd, port string) {
	t.Helper()
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait() // an end that the test did not want shows in its requests
		close(ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			cmd.Process.Kill()
			<-ended
		}
	})
	within(t, func() bool {
		select {
		case <-ended:
			t.Fatalf("%s ended", cmd.Path)
		default:
		}
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, cmd.Path+" does not accept connections")
}

// within asks again and again until it holds.
func within(t *testing.T, holds func() bool, otherwise string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(10 * time.Millisecond); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal(otherwise)
		}
	}
}

// ownCertificate writes a self-signed certificate for names.
func ownCertificate(t *testing.T, dir string, names ...string) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem")
	out, err := exec.CommandContext(t.Context(), program(t, "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
		"-nodes", "-days", "1", "-subj", "/CN="+names[0], "-addext", "subjectAltName=DNS:"+strings.Join(names, ",DNS:"),
		"-keyout", key, "-out", cert).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl: %v\n%s", err, out)
	}
	if err := os.Chmod(key, 0o644); err != nil { // the proxy runs as another user
		t.Fatal(err)
	}
	return cert, key
}
