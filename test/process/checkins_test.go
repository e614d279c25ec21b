//go:build unix

package process_test

import (
	"net"
	"strings"
	"syscall"
	"testing"
)

// The check-in service as a program: what it says to wrong use, to a taken port,
// and without the variables that the webhook needs.
func TestCheckInsProgram(t *testing.T) {
	program := buildCheckIns(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		args string
		exit int
		says string
	}{
		{"--help", 0, "SERVICES_WEBHOOK_SHARED_SECRET"},
		{"--nonsense", 2, "-nonsense"},
		{"serve", 2, `"serve" is no option`},
		{"--listen " + taken.Addr().String(), 1, "address already in use"},
		{"--listen 127.0.0.1:0 --database mysql://127.0.0.1/x", 1, "postgres://"},
		{"--listen 127.0.0.1:0 --database postgres://me:hidden@127.0.0.1:1/x?sslmode=disable", 1, "connection refused"},
	} {
		n := launch(t, t.TempDir(), nil, program, strings.Fields(c.args)...)
		n.says(`(?s).+`)
		<-n.ended
		if said := n.out.String(); n.cmd.ProcessState.ExitCode() != c.exit || !strings.Contains(said, c.says) || strings.Contains(said, "hidden") {
			t.Errorf("checkins %s ended with %d and %s", c.args, n.cmd.ProcessState.ExitCode(), said)
		}
	}
	n := launch(t, t.TempDir(), nil, program, "--listen", "127.0.0.1:0")
	n.says(`Check-ins on (http://\S+)`)
	n.says(`level=ERROR.*LARAVEL_WEBHOOK_URL.*SERVICES_WEBHOOK_SHARED_SECRET`)
	if exit := n.end(syscall.SIGTERM); exit != 0 || strings.Count(n.out.String(), "LARAVEL_WEBHOOK_URL") != 1 {
		t.Errorf("without variables it ended with %d and said %s", exit, n.out)
	}
}
