package services

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// Server is a server that a test may take away and bring back. Its methods are
// for one goroutine at a time and fail the test when they cannot do their work.
type Server struct {
	// Addr is where it listens, "127.0.0.1:PORT"; it stays the same.
	Addr string

	t testing.TB
	p *process
}

// Redis gives the address of an empty Redis of its own that lives until the end
// of the test. It keeps nothing on disk.
func Redis(t testing.TB) (addr string) {
	t.Helper()
	return OwnRedis(t, "--save", "", "--appendonly", "no").Addr
}

// OwnRedis gives an empty Redis that lives until the end of the test, with the
// given arguments to redis-server. Without arguments it writes every change to
// its file before it answers, so that what it has answered outlives Kill.
func OwnRedis(t testing.TB, args ...string) *Server {
	t.Helper()
	if len(args) == 0 {
		args = []string{"--save", "", "--appendonly", "yes", "--appendfsync", "always"}
	}
	p, err := newRedis(args)
	if err != nil {
		t.Fatal(err)
	}
	return own(t, p)
}

// newRedis prepares a server in a folder of its own.
func newRedis(args []string) (*process, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("there is no redis-server: run scripts/test-deps.sh")
	}
	dir, err := folder("")
	if err != nil {
		return nil, err
	}
	p := &process{dir: dir, ready: "Ready to accept connections", stop: "TERM", kill: "KILL"}
	p.command = func(port int) []string {
		return append([]string{program, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--daemonize", "no"}, args...)
	}
	return p, nil
}

// own launches the process and ties it to the test.
func own(t testing.TB, p *process) *Server {
	t.Helper()
	t.Cleanup(func() {
		if err := p.remove(); err != nil {
			t.Errorf("remove the server in %s: %v", filepath.Base(p.dir), err)
		}
	})
	if err := p.launch(); err != nil {
		t.Fatal(err)
	}
	return &Server{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), t: t, p: p}
}

// Stop ends the server in good order and returns when it is gone. What it has
// stored stays, as far as it keeps it on disk. Stopping twice does nothing.
func (s *Server) Stop() {
	s.t.Helper()
	if err := s.p.signal(s.p.stop); err != nil {
		s.t.Fatal(err)
	}
}

// Kill ends the server without notice and returns when it is gone.
func (s *Server) Kill() {
	s.t.Helper()
	if err := s.p.signal(s.p.kill); err != nil {
		s.t.Fatal(err)
	}
}

// Start brings a stopped server back on its address and waits until it takes
// connections.
func (s *Server) Start() {
	s.t.Helper()
	if s.p.keeper != nil {
		return
	}
	if err := s.p.start(); err != nil {
		s.t.Fatal(err)
	}
}

// Log gives what the server wrote to its log.
func (s *Server) Log() string { return s.p.log() }
