package docs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/pusher/pusher-http-go/v5"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/cli"
	"github.com/belfryhq/belfry/server"
	"github.com/belfryhq/belfry/test/pusherclient"
)

// TestMain runs the tests, or, under the name belfry, the program that the
// snippets call.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "belfry" {
		os.Exit(cli.Main("v0.0.0-test"))
	}
	goleak.VerifyTestMain(m)
}

const (
	// patience is how long a test waits for what must come.
	patience = time.Minute
	// longest is how long a command may run: go run compiles first.
	longest = 5 * time.Minute
)

// The app of the documents' snippets, and the addresses that they name.
const (
	appID, appKey, appSecret = "1001", "demo-key", "demo-secret"
	documentedPort           = "6001"
)

// site is a running server with the documents' app.
type site struct {
	t    *testing.T
	port string
	dir  string // the data folder
	sdk  sdk.Client
}

// serve runs a server until the test ends.
func serve(t *testing.T, change func(*belfry.App)) *site {
	t.Helper()
	return serveWith(t, change, nil)
}

// serveWith is serve with settings of the server.
func serveWith(t *testing.T, change func(*belfry.App), settings func(*server.Config)) *site {
	t.Helper()
	app := &belfry.App{
		ID: appID, Keys: []belfry.Credential{{Key: appKey, Secret: appSecret}},
		ClientEvents: true, Limits: belfry.DefaultLimits(),
	}
	if change != nil {
		change(app)
	}
	dir, err := os.MkdirTemp("", "b") // t.TempDir may be too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cfg := server.Config{
		Listen: "127.0.0.1:0", MetricsListen: "off", DataDir: dir, DrainWindow: -1,
		Apps:         []*belfry.App{app},
		WebhookAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Logger:       slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if settings != nil {
		settings(&cfg)
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
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	_, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &site{t: t, port: port, dir: dir, sdk: sdk.Client{
		AppID: appID, Key: appKey, Secret: appSecret, Host: "127.0.0.1:" + port,
		HTTPClient: &http.Client{Transport: transport, Timeout: patience},
	}}
}

// connect gives a bare connection that has joined a channel.
func (s *site) connect(t *testing.T, channel string) *pusherclient.Conn {
	t.Helper()
	target := pusherclient.Target{URL: "http://127.0.0.1:" + s.port, AppID: appID, Key: appKey, Secret: appSecret}
	ctx := limited(t)
	c, err := pusherclient.Dial(ctx, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Join(ctx, channel, ""); err != nil {
		t.Fatal(err)
	}
	return c
}

// limited gives a context for one thing that a test waits for.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// root is the repository.
const root = "../.."

// snippet gives the block of a document that stands under <!-- run: name -->,
// with this server's port for the one that the document names.
func (s *site) snippet(document, name string) string {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, document))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(raw), "<!-- run: "+name+" -->\n```")
	_, rest, opened := strings.Cut(rest, "\n")
	text, _, closed := strings.Cut(rest, "\n```\n")
	if !found || !opened || !closed {
		s.t.Fatalf("%s has no block marked <!-- run: %s -->", document, name)
	}
	return strings.ReplaceAll(text, documentedPort, s.port)
}

// occupied waits until a channel has so many subscribers.
func (s *site) occupied(t *testing.T, channel string, subscribers int) {
	t.Helper()
	info := "subscription_count"
	within(t, func() bool {
		state, err := s.sdk.Channel(channel, sdk.ChannelParams{Info: &info})
		if err != nil {
			t.Fatal(err)
		}
		return state.SubscriptionCount == subscribers
	}, "nobody subscribes to "+channel)
}

// within asks again and again until it holds.
func within(t *testing.T, holds func() bool, otherwise string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ; !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal(otherwise)
		}
	}
}

// node gives a command that runs JavaScript where the SDKs are installed.
func node(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	dir := filepath.Join(root, "test/clients")
	if _, err := os.Stat(filepath.Join(dir, "node_modules/pusher")); err != nil {
		lacks(t, "test/clients has no node_modules")
	}
	cmd := command(t, program(t, "node"), "--input-type=module", "-e", script)
	cmd.Dir = dir
	return cmd
}

// command gives a command that is killed after longest, or with the test. What it
// started itself may live on and hold its output: that is not waited for.
func command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// program finds a program. Without it the test is skipped, but fails in CI.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		lacks(t, name+" is not installed")
	}
	return path
}

func lacks(t *testing.T, what string) {
	t.Helper()
	what += ": run scripts/test-deps.sh"
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// finish runs a command to its end and gives what it wrote.
func finish(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), faults.String())
	}
	return out.String()
}

// running is a command that lives until the test ends.
type running struct {
	mu  sync.Mutex // guards out
	out bytes.Buffer
}

// Write implements io.Writer.
func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(p)
}

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

// start starts a command and ends it with the test.
func start(t *testing.T, cmd *exec.Cmd) *running {
	t.Helper()
	r := &running{}
	cmd.Stdout, cmd.Stderr = r, r
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() // killed: its end is no news
		if t.Failed() {
			t.Logf("the command wrote:\n%s", r.text())
		}
	})
	return r
}

// says waits until the command has written what matches pattern.
func (r *running) says(t *testing.T, pattern string) {
	t.Helper()
	matches := regexp.MustCompile(pattern)
	within(t, func() bool { return matches.MatchString(r.text()) }, "nothing written matches "+pattern)
}
