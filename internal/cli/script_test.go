package cli_test

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

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/cli"
	"github.com/belfryhq/belfry/internal/control"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"belfry": func() { os.Exit(cli.Main("v0.0.0-test")) },
	})
}

func TestScripts(t *testing.T) { runScripts(t, "script", nil) }

// runScripts runs the scripts of a folder of testdata. backend, when given, sets
// a script's variables.
func runScripts(t *testing.T, folder string, backend func(env *testscript.Env)) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", folder),
		Setup: func(env *testscript.Env) error {
			// $WORK may be too long for a socket's path.
			dir, err := os.MkdirTemp("", "b")
			if err != nil {
				return err
			}
			env.Defer(func() { os.RemoveAll(dir) })
			env.Values["tail"] = new(*tailer)
			env.Values["target"] = new(*targetServer)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each command takes a second under -race
			env.Setenv("DATA", dir)
			env.Setenv("BELFRY_LISTEN", "127.0.0.1:0")
			env.Setenv("BELFRY_METRICS_LISTEN", "127.0.0.1:0")
			if backend != nil {
				backend(env)
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"running":  waitRunning,
			"gone":     waitGone,
			"tail":     tail,
			"signal":   signal,
			"connect":  connect,
			"drains":   waitDraining,
			"publish":  publish,
			"taken":    takePort,
			"port":     portOf,
			"exits":    exits,
			"mode":     mode,
			"remember": remember,
			"await":    await,
			"defer":    deferCommand,
			"kill9":    kill9,
			"target":   startTarget,
			"asked":    waitAsked,
			"answer":   answerTarget,
			"long":     longData,
			"add":      add,
		},
	})
}

// patience is how long a script waits for what another process does.
const patience = 30 * time.Second

// wait asks until done says so.
func wait(ts *testscript.TestScript, what string, done func(ctx context.Context) bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !done(ctx) {
		select {
		case <-again.C:
		case <-ctx.Done():
			ts.Fatalf("no %s within %s", what, patience)
		}
	}
}

// waitRunning waits until a server answers on a data folder, or, with !, until
// none does.
func waitRunning(ts *testscript.TestScript, neg bool, args []string) {
	wait(ts, "server", func(ctx context.Context) bool {
		c, err := control.Dial(ctx, ts.MkAbs(args[0]))
		if err != nil {
			return neg && control.IsNotRunning(err)
		}
		defer c.Close()
		// The probe turns ready a moment after the link is there.
		st, err := c.Status(ctx)
		if err != nil || neg {
			return false
		}
		ts.Setenv("URL", st.URL)
		ts.Setenv("ADDRESS", st.Listen)
		resp, err := http.Get(st.URL + "/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// waitGone waits until the running server lists an app no more: gone DIR ID.
func waitGone(ts *testscript.TestScript, _ bool, args []string) {
	wait(ts, "end of app "+args[1], func(ctx context.Context) bool {
		c, err := control.Dial(ctx, ts.MkAbs(args[0]))
		ts.Check(err)
		defer c.Close()
		apps, err := c.Apps().List(ctx)
		ts.Check(err)
		return !slices.ContainsFunc(apps, func(e appstore.Entry) bool { return e.ID == args[1] })
	})
}

// tailer runs one belfry subscribe in this process.
type tailer struct {
	file string
	out  lockedBuffer
	code chan int
}

// lockedBuffer says when something was written for the first time.
type lockedBuffer struct {
	mu    sync.Mutex // guards text
	text  bytes.Buffer
	first sync.Once
	wrote chan struct{}
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.first.Do(func() { close(b.wrote) })
	return b.text.Write(p)
}

// tail runs belfry in the background once it listens: tail FILE ARG…. Then
// "tail end" waits for it to end well, "tail fails" to end with 1; what it
// printed is in the file.
func tail(ts *testscript.TestScript, _ bool, args []string) {
	current := ts.Value("tail").(**tailer)
	if len(args) == 1 {
		t := *current
		want := map[string]int{"end": 0, "fails": 1}[args[0]]
		select {
		case code := <-t.code:
			if code != want {
				ts.Fatalf("exit code %d, want %d:\n%s", code, want, t.out.text.String())
			}
		case <-time.After(patience):
			ts.Fatalf("belfry does not end")
		}
		ts.Check(os.WriteFile(t.file, t.out.text.Bytes(), 0o600))
		return
	}
	t := &tailer{file: ts.MkAbs(args[0]), out: lockedBuffer{wrote: make(chan struct{})}, code: make(chan int, 1)}
	*current = t
	p := &cli.Program{
		Stdin: strings.NewReader(""), Stdout: &t.out, Stderr: &t.out,
		Environ: []string{"BELFRY_DATA_DIR=" + ts.Getenv("BELFRY_DATA_DIR")},
	}
	go func() { t.code <- p.Run(context.Background(), args[1:]) }()
	select {
	case <-t.out.wrote: // it says that it listens
	case <-time.After(patience):
		ts.Fatalf("belfry does not listen")
	}
}

// signal sends a signal to the server of a data folder: signal NAME DIR.
func signal(ts *testscript.TestScript, _ bool, args []string) {
	c, err := control.Dial(context.Background(), ts.MkAbs(args[1]))
	ts.Check(err)
	defer c.Close()
	st, err := c.Status(context.Background())
	ts.Check(err)
	process, err := os.FindProcess(st.PID)
	ts.Check(err)
	ts.Check(process.Signal(map[string]os.Signal{
		"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "INT": os.Interrupt, "KILL": os.Kill,
	}[args[0]]))
}

// connect opens a WebSocket to the server that running found, with the key of
// its default app, and never reads from it: connect [CHANNEL], a public one that
// it subscribes to.
func connect(ts *testscript.TestScript, _ bool, args []string) {
	conn, err := net.Dial("tcp", ts.Getenv("ADDRESS"))
	ts.Check(err)
	ts.Defer(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /app/%s?protocol=7 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", ts.Getenv("PUSHER_APP_KEY"))
	var answer [12]byte
	_, err = io.ReadFull(conn, answer[:])
	ts.Check(err)
	if string(answer[:]) != "HTTP/1.1 101" {
		ts.Fatalf("the server answers %q", answer)
	}
	if len(args) == 1 {
		text := `{"event":"pusher:subscribe","data":{"channel":"` + args[0] + `"}}`
		_, err = conn.Write(append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...))
		ts.Check(err)
	}
}

// waitDraining waits until the server of a data folder drains.
func waitDraining(ts *testscript.TestScript, _ bool, args []string) {
	wait(ts, "draining", func(ctx context.Context) bool {
		c, err := control.Dial(ctx, ts.MkAbs(args[0]))
		ts.Check(err)
		defer c.Close()
		st, err := c.Status(ctx)
		return err == nil && st.Draining
	})
}

// publish sends an event over the control link of a data folder: publish DIR BODY.
func publish(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	c, err := control.Dial(ctx, ts.MkAbs(args[0]))
	ts.Check(err)
	defer c.Close()
	_, err = c.Publish(ctx, "", []byte(args[1]))
	ts.Check(err)
}

// takePort listens on a port until the script ends and names it: taken VAR.
func takePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// portOf puts the port of an address into PORT: port ADDRESS.
func portOf(ts *testscript.TestScript, _ bool, args []string) {
	_, port, err := net.SplitHostPort(args[0])
	ts.Check(err)
	ts.Setenv("PORT", port)
}

// exits runs a command that must end with that code: exits CODE belfry ARG….
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// mode checks the mode bits of a file: mode 600 FILE.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
