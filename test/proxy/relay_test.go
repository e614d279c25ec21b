//go:build unix

package proxy_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// wire stands between the proxy and the server and notes what each connection
// asked for.
type wire struct {
	addr  string
	mu    sync.Mutex // guards conns
	conns []*strings.Builder
}

// listenIn relays to the server at address until the test ends.
func listenIn(t *testing.T, address string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: l.Addr().String()}
	var relays sync.WaitGroup
	relays.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", address)
			if err != nil {
				in.Close()
				continue
			}
			asked := &strings.Builder{}
			w.mu.Lock()
			w.conns = append(w.conns, asked)
			w.mu.Unlock()
			relays.Go(func() {
				io.Copy(in, out)
				in.(*net.TCPConn).CloseWrite()
			})
			relays.Go(func() {
				io.Copy(io.MultiWriter(out, noting{w, asked}), in)
				out.(*net.TCPConn).CloseWrite()
				in.Close()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		relays.Wait()
	})
	return w
}

type noting struct {
	wire *wire
	text *strings.Builder
}

func (n noting) Write(b []byte) (int, error) {
	n.wire.mu.Lock()
	defer n.wire.mu.Unlock()
	return n.text.Write(b)
}

// requests gives the paths that each connection asked for, in order, without
// their queries.
func (w *wire) requests() (all [][]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, asked := range w.conns {
		var paths []string
		for lines := bufio.NewScanner(strings.NewReader(asked.String())); lines.Scan(); {
			words := strings.Fields(lines.Text())
			if len(words) == 3 && words[2] == "HTTP/1.1" {
				path, _, _ := strings.Cut(words[1], "?")
				paths = append(paths, path)
			}
		}
		all = append(all, paths)
	}
	return all
}
