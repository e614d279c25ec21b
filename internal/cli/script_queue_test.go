package cli_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/belfryhq/belfry/internal/worker"
	"github.com/belfryhq/belfry/test/services"
)

// TestQueueScripts runs the commands of queues on each database and each queue.
func TestQueueScripts(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { runScripts(t, "queue", nil) })
	t.Run("postgres", func(t *testing.T) {
		runScripts(t, "queue", func(env *testscript.Env) { env.Setenv("DATABASE_URL", services.Postgres(t)) })
	})
	t.Run("redis", func(t *testing.T) {
		runScripts(t, "queue", func(env *testscript.Env) {
			host, port, err := net.SplitHostPort(services.Redis(t))
			if err != nil {
				t.Error(err)
			}
			env.Setenv("QUEUE_CONNECTION", "redis")
			env.Setenv("REDIS_HOST", host)
			env.Setenv("REDIS_PORT", port)
		})
	})
}

// remember keeps what the brackets of a pattern hold in the last output:
// remember VARIABLE PATTERN.
func remember(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(`(?m)` + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("no match for %q", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// await runs a command, which may fail, until its output matches, or, with !, no
// longer does: await PATTERN COMMAND ARG….
func await(ts *testscript.TestScript, neg bool, args []string) {
	pattern := regexp.MustCompile(`(?m)` + args[0])
	wait(ts, "match of "+args[0], func(context.Context) bool {
		_ = ts.Exec(args[1], args[2:]...)
		return pattern.MatchString(ts.ReadFile("stdout")) != neg
	})
}

// longData writes a JSON text of so many bytes: long FILE BYTES.
func longData(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(`"`+strings.Repeat("x", n-2)+`"`), 0o600))
}

// add adds to a number: add VARIABLE NUMBER.
func add(ts *testscript.TestScript, _ bool, args []string) {
	a, err := strconv.Atoi(ts.Getenv(args[0]))
	ts.Check(err)
	b, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(a+b))
}

// deferCommand runs a command when the script has ended, well or not.
func deferCommand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Defer(func() { _ = ts.Exec(args[0], args[1:]...) })
}

// kill9 kills the background supervisor, the first worker, or both, as one: kill9
// supervisor worker.
func kill9(ts *testscript.TestScript, _ bool, args []string) {
	r, err := worker.Look(ts.MkAbs(ts.Getenv("BELFRY_DATA_DIR")))
	ts.Check(err)
	for _, who := range args {
		pid := r.PID
		if who == "worker" {
			pid = r.Workers[0].PID
		}
		p, err := os.FindProcess(pid)
		ts.Check(err)
		ts.Check(p.Kill())
	}
}

// targetServer takes events and answers when it is told to.
type targetServer struct{ asked, answers chan struct{} }

// startTarget starts a Pusher-compatible target: target PORT_VARIABLE.
func startTarget(ts *testscript.TestScript, _ bool, args []string) {
	target := &targetServer{make(chan struct{}, 100), make(chan struct{}, 100)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			target.asked <- struct{}{}
			<-target.answers
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte("{}"))
	})}
	go s.Serve(l)
	ts.Defer(func() {
		close(target.answers)
		s.Close()
	})
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
	*ts.Value("target").(**targetServer) = target
}

func waitAsked(ts *testscript.TestScript, _ bool, _ []string) {
	target := *ts.Value("target").(**targetServer)
	wait(ts, "request", func(context.Context) bool {
		select {
		case <-target.asked:
			return true
		default:
			return false
		}
	})
}

func answerTarget(ts *testscript.TestScript, _ bool, _ []string) {
	(*ts.Value("target").(**targetServer)).answers <- struct{}{}
}
