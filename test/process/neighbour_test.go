//go:build unix

package process_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// neighbour is another program beside the server.
type neighbour struct {
	t     testing.TB
	cmd   *exec.Cmd
	out   *output // both streams
	ended chan struct{}
}

// launch starts a program in a folder and kills it at the end of the test.
func launch(t testing.TB, dir string, env []string, name string, args ...string) *neighbour {
	t.Helper()
	n := &neighbour{t: t, cmd: exec.Command(name, args...), out: newOutput(), ended: make(chan struct{})}
	n.cmd.Dir = dir
	n.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...)
	n.cmd.Stdout, n.cmd.Stderr = n.out, n.out
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		n.cmd.Wait() // the state says how it ended
		close(n.ended)
	}()
	t.Cleanup(func() {
		n.cmd.Process.Signal(syscall.SIGKILL) // fails when it is gone already
		<-n.ended
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), n.out)
		}
	})
	return n
}

// says waits until the program has said something of a form, and gives the
// first group of it.
func (n *neighbour) says(form string) string {
	n.t.Helper()
	wanted, deadline := regexp.MustCompile(form), time.After(patience)
	for {
		changed := n.out.watch()
		if m := wanted.FindStringSubmatch(n.out.String()); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-changed:
		case <-n.ended:
			if !wanted.MatchString(n.out.String()) {
				n.t.Fatalf("the program ended without saying %s", form)
			}
		case <-deadline:
			n.t.Fatalf("the program does not say %s", form)
		}
	}
}

// end sends a signal and gives the exit status.
func (n *neighbour) end(s os.Signal) int {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Fatal(err)
	}
	select {
	case <-n.ended:
		return n.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		n.t.Fatal("the program does not end")
		return 0
	}
}

// relay passes HTTP on to a server while it is open.
type relay struct {
	t    testing.TB
	addr string
	next *httputil.ReverseProxy

	mu     sync.Mutex // guards server
	server *http.Server
}

func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, addr: freeAddresses(t, 1)[0], next: httputil.NewSingleHostReverseProxy(target)}
	transport := &http.Transport{}
	r.next.Transport = transport
	r.next.ErrorLog = log.New(io.Discard, "", 0) // the server may not be up yet
	t.Cleanup(func() {
		r.shut()
		transport.CloseIdleConnections()
	})
	return r
}

func (r *relay) open() {
	r.t.Helper()
	l, err := net.Listen("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	server := &http.Server{Handler: r.next}
	r.mu.Lock()
	r.server = server
	r.mu.Unlock()
	go server.Serve(l) // ends with shut
}

func (r *relay) shut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server != nil {
		r.server.Close()
		r.server = nil
	}
}
