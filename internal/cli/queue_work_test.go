package cli_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/cli"
	"github.com/belfryhq/belfry/test/services"
)

// said collects what a command prints, and can be asked meanwhile.
type said struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the command has said something.
func (s *said) await(t *testing.T, what string) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !strings.Contains(s.String(), what) {
		select {
		case <-again.C:
		case <-end.C:
			t.Fatalf("the worker does not say %q:\n%s", what, s)
		}
	}
}

func TestQueueWork_OutlivesItsDatabase(t *testing.T) {
	postgres := services.OwnPostgres(t)
	dir := t.TempDir()
	environ := []string{"BELFRY_DATA_DIR=" + dir, "DATABASE_URL=" + postgres.Database(t), "BROADCAST_CONNECTION=log", "PUSHER_APP_ID=7",
		"PUSHER_APP_KEY=seven", "PUSHER_APP_SECRET=hush-hush-hush"}
	run := func(ctx context.Context, log *said, args ...string) int {
		p := &cli.Program{Stdin: strings.NewReader(""), Stdout: log, Stderr: log, Environ: environ, Dir: dir}
		return p.Run(ctx, args)
	}
	postgres.Stop()
	if out := new(said); run(t.Context(), out, "event:send", "room", "hello", "1") != 1 || !strings.Contains(out.String(), "cannot be reached") {
		t.Errorf("event:send without a database: %s", out)
	}

	ctx, stop := context.WithCancel(t.Context())
	log, code := new(said), make(chan int, 1)
	go func() { code <- run(ctx, log, "queue:work") }()
	log.await(t, "the worker waits")
	postgres.Start()
	log.await(t, `"msg":"worker started"`)
	send := func(name string) {
		t.Helper()
		if out := new(said); run(t.Context(), out, "event:send", "room", name, "1", "--wait", "0") != 0 {
			t.Fatalf("event:send: %s", out)
		}
		log.await(t, `"name":"`+name+`"`)
	}
	send("first")
	postgres.Stop()
	log.await(t, "cannot be")
	postgres.Start()
	send("second")
	stop()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d, want 0:\n%s", got, log)
	}
	if strings.Contains(log.String(), "hush") {
		t.Errorf("the log has a secret:\n%s", log)
	}
}
