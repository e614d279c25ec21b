package services

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// patience is how long a server may take to start, on a busy machine.
	patience = 60 * time.Second
	// attempts is how many ports are tried.
	attempts = 5
)

// keeper runs a server and stays beside it. It waits for a line on its standard
// input that names a signal, or for its end, which also comes when this process
// is killed: so no server outlives the tests. It is a group of its own, so that
// Ctrl-C reaches it only this way.
const keeper = `
"$@" </dev/null >>"$DIR/log" 2>&1 &
pid=$!
if read -r signal; then
	kill -s "$signal" $pid
	wait $pid
else
	kill -s "$LAST" $pid
	wait $pid
	cd / && rm -rf "$DIR"
fi
`

// process is one program that can be stopped and started on its port and folder.
type process struct {
	dir      string // holds "log" and the data
	port     int
	command  func(port int) []string
	ready    string // what its log says when it takes connections
	stop     string // the signal of an orderly stop
	kill     string // the signal of an end without notice
	asPerson string // the user to run as when the tests run as root; empty: root

	keeper *exec.Cmd
	orders io.WriteCloser
}

// launch starts the process on a port that is free.
func (p *process) launch() (err error) {
	for range attempts {
		if p.port, err = freePort(); err != nil {
			return err
		}
		if err = p.start(); !errors.Is(err, errGone) {
			return err
		}
		_ = os.Remove(filepath.Join(p.dir, "log"))
	}
	return err
}

// errGone says that the program ended instead of starting.
var errGone = errors.New("the program did not start")

func (p *process) start() error {
	seen := len(p.log())
	words := p.command(p.port)
	cmd := exec.Command("/bin/sh", append([]string{"-c", keeper, "keeper"}, words...)...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "DIR="+p.dir, "LAST="+p.kill, "LC_ALL=C", "TZ=UTC")
	if err := runAs(cmd, p.asPerson); err != nil {
		return err
	}
	stdin, orders, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	cmd.Stdin = stdin
	if err := cmd.Start(); err != nil {
		orders.Close()
		return fmt.Errorf("start %s: %w", words[0], err)
	}
	p.keeper, p.orders = cmd, orders
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		said := p.log()[seen:]
		switch {
		case strings.Contains(said, p.ready):
			return nil
		case failed(said):
			err = fmt.Errorf("%s on port %d: %w:\n%s", words[0], p.port, errGone, said)
		case time.Now().After(deadline):
			err = fmt.Errorf("%s is not ready after %s:\n%s", words[0], patience, said)
		default:
			continue
		}
		_ = p.signal(p.kill)
		return err
	}
}

// failed reports whether a log says that the program cannot start. Who connects
// too early is told of in the log too, and is no such thing.
func failed(log string) bool {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "Failed listening") || strings.Contains(line, "FATAL") && !strings.Contains(line, "the database system is") {
			return true
		}
	}
	return false
}

// signal ends the program, keeps its folder, and returns when it is gone.
func (p *process) signal(name string) error {
	if p.keeper == nil {
		return nil
	}
	_, err := fmt.Fprintln(p.orders, name)
	_ = p.orders.Close()
	_ = p.keeper.Wait() // the program's exit code, which says nothing here
	p.keeper, p.orders = nil, nil
	return err
}

// remove ends the program at once and removes its folder.
func (p *process) remove() error {
	return errors.Join(p.signal(p.kill), os.RemoveAll(p.dir))
}

func (p *process) log() string {
	text, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	return string(text)
}

// freePort finds a port below those that systems give out by themselves, so
// that it is still free when a stopped server comes back to it.
func freePort() (int, error) {
	var err error
	for range 50 {
		port := 18000 + rand.IntN(14000)
		var listener net.Listener
		if listener, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}

// folder makes a folder for one server. It is not below the user's own
// temporary folder when another user must reach it.
func folder(asPerson string) (string, error) {
	parent := ""
	if asPerson != "" {
		parent = "/tmp"
	}
	return os.MkdirTemp(parent, "belfry-services-")
}
