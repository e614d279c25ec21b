//go:build unix

package process_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/test/pusherclient"
)

// binary is the program under test. BELFRY_BIN names a built one.
var binary = os.Getenv("BELFRY_BIN")

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	if binary == "" {
		dir, err := os.MkdirTemp("", "belfry-process-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "belfry")
		if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/belfry").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

const (
	appID     = "1001"
	appKey    = "process-key"
	appSecret = "process-secret"
	// patience is how long a test waits for what must come.
	patience = 30 * time.Second
)

// configuration has one app; tests add to it.
const configuration = `
apps:
  - id: "1001"
    key: process-key
    secret: process-secret
    limits: {presence_members: unlimited}
`

// host is a folder with a configuration, and the server that runs on it, if one
// does. Ports stay the same over restarts.
type host struct {
	t             testing.TB
	dir           string
	addr, metrics string
	http          *http.Client
	env           []string // further settings
	serve         []string // further arguments of serve
	through       []string // words that the program is started through, such as a shell's

	cmd    *exec.Cmd
	stdout *output
	log    *output
	ended  chan struct{} // closed when the process is gone
}

func newHost(t testing.TB, config string) *host {
	t.Helper()
	addrs := freeAddresses(t, 2)
	transport := &http.Transport{}
	h := &host{t: t, dir: t.TempDir(), addr: addrs[0], metrics: addrs[1], http: &http.Client{Transport: transport, Timeout: patience}}
	t.Cleanup(transport.CloseIdleConnections)
	h.configure(config)
	t.Cleanup(func() {
		if h.cmd != nil {
			h.kill()
		}
		if t.Failed() && h.log != nil {
			t.Logf("the server's last log:\n%s", h.log)
		}
	})
	return h
}

// freeAddresses gives addresses that were free a moment ago.
func freeAddresses(t testing.TB, n int) (addrs []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // when all are chosen, so that they differ
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

func (h *host) configure(config string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, "belfry.yaml"), []byte(config), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// command makes a call of the program in the host's folder.
func (h *host) command(args ...string) *exec.Cmd {
	words := append(append(slices.Clone(h.through), binary), args...)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = h.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "BELFRY_LISTEN=" + h.addr, "BELFRY_METRICS_LISTEN=" + h.metrics}
	cmd.Env = append(cmd.Env, h.env...)
	return cmd
}

// run calls a command to its end.
func (h *host) run(args ...string) (out string, exit int) {
	h.t.Helper()
	b, err := h.command(args...).CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		h.t.Fatal(err)
	}
	if err != nil {
		exit = err.(*exec.ExitError).ExitCode()
	}
	return string(b), exit
}

// begin starts the server without waiting for it.
func (h *host) begin() {
	h.t.Helper()
	h.cmd, h.stdout, h.log, h.ended = h.command(append([]string{"serve"}, h.serve...)...), newOutput(), newOutput(), make(chan struct{})
	h.cmd.Stdout, h.cmd.Stderr = h.stdout, h.log
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	cmd, ended := h.cmd, h.ended
	go func() {
		cmd.Wait() // the state says how it ended
		close(ended)
	}()
}

// start starts the server and waits until it is ready.
func (h *host) start() {
	h.t.Helper()
	h.begin()
	h.logged(`"msg":"serving"`)
	if status := h.ready(); status != http.StatusOK {
		h.t.Fatalf("/ready = %d", status)
	}
}

// ready asks on the metrics address, which answers to the end.
func (h *host) ready() int {
	h.t.Helper()
	resp, err := h.http.Get("http://" + h.metrics + "/ready")
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (h *host) signal(s os.Signal) {
	h.t.Helper()
	if err := h.cmd.Process.Signal(s); err != nil {
		h.t.Fatalf("signal %s: %v", s, err)
	}
}

// wait waits until the process has ended and gives its exit status, -1 after a
// signal.
func (h *host) wait() int {
	h.t.Helper()
	select {
	case <-h.ended:
		return h.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		h.t.Fatal("the server does not end")
		return 0
	}
}

// kill ends the server as a power cut does.
func (h *host) kill() {
	h.cmd.Process.Signal(syscall.SIGKILL) // fails when it is gone already
	<-h.ended
}

// logged waits until the log of this start has a text.
func (h *host) logged(text string) {
	h.t.Helper()
	deadline := time.After(patience)
	for {
		changed := h.log.watch()
		if strings.Contains(h.log.String(), text) {
			return
		}
		select {
		case <-changed:
		case <-h.ended:
			if !strings.Contains(h.log.String(), text) {
				h.t.Fatalf("the server ended without saying %s:\n%s", text, h.log)
			}
			return
		case <-deadline:
			h.t.Fatalf("the server does not say %s", text)
		}
	}
}

// target is the app of the configuration.
func (h *host) target() pusherclient.Target {
	return pusherclient.Target{URL: "http://" + h.addr, AppID: appID, Key: appKey, Secret: appSecret}
}

func (h *host) api(target pusherclient.Target) *pusherclient.API {
	return &pusherclient.API{Target: target, Client: h.http}
}

// connect dials and joins channels.
func (h *host) connect(target pusherclient.Target, channels ...string) *pusherclient.Conn {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := pusherclient.Dial(ctx, target, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(c.Cut)
	for _, channel := range channels {
		if err := c.Join(ctx, channel, c.ID); err != nil {
			h.t.Fatalf("join %s: %v", channel, err)
		}
	}
	return c
}

// delivers proves that a publish reaches a client.
func (h *host) delivers(target pusherclient.Target, c *pusherclient.Conn, channel string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.api(target).Publish(ctx, "proof", "it works", channel); err != nil {
		h.t.Fatalf("publish: %v", err)
	}
	if _, err := c.Await(ctx, "proof", channel); err != nil {
		h.t.Fatalf("a published event does not arrive: %v", err)
	}
}

// output collects what a process writes.
type output struct {
	mu      sync.Mutex // guards all below
	text    bytes.Buffer
	changed chan struct{} // closed at the next write
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) watch() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
}
