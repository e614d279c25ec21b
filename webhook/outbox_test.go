package webhook_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/webhook"
)

func inOutbox(dir string) func(*webhook.Config) {
	return func(cfg *webhook.Config) { cfg.Outbox = dir }
}

// giveUp closes a sender whose receiver is away.
func giveUp(t *testing.T, s *webhook.Sender) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(ctx); !errors.Is(err, webhook.ErrUnsent) {
		t.Fatalf("Close: %v", err)
	}
}

func TestOutbox_OutlivesTheSender(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	synctest.Test(t, func(t *testing.T) {
		down := &fake{answers: make([]int, 100)}
		s := down.sender(t, inOutbox(dir))
		notify(t, s, "kept")
		giveUp(t, s)

		up := &fake{}
		s = up.sender(t, inOutbox(dir))
		synctest.Wait()
		if calls := up.got(); len(calls) != 1 || calls[0].reason != "kept" || calls[0].at != 0 {
			t.Errorf("calls: %+v", calls)
		}
		finish(t, s)

		again := &fake{}
		s = again.sender(t, inOutbox(dir))
		finish(t, s)
		if calls := again.got(); len(calls) != 0 {
			t.Errorf("sent again: %+v", calls)
		}
	})
}

func TestOutbox_OutlivesAKilledProcess(t *testing.T) {
	// A receiver that never answers, then one that does.
	release, asked := make(chan struct{}), make(chan struct{}, 100)
	hung := receive(t, []string{"s3cret"}, func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-release })
	dir := t.TempDir()
	for range 2 { // the second takes over from the first, and dies as well
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asHelper+"="+dir, "WEBHOOK_TEST_URL="+hung.URL)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || said != "noted: <nil>\n" {
			t.Errorf("%q, %v", said, err)
		}
		<-asked
		cmd.Process.Kill()
		cmd.Wait()
	}
	close(release)

	reasons := make(chan string, 10)
	up := receive(t, []string{"s3cret"}, func(_ http.ResponseWriter, r *http.Request) { reasons <- r.Header.Get("Webhook-Id") })
	s, err := webhook.NewSender(webhook.Config{URL: up.URL, Secrets: []string{"s3cret"}, Outbox: dir})
	if err != nil {
		t.Fatal(err)
	}
	<-reasons
	finish(t, s)
	if len(reasons) != 0 {
		t.Errorf("%d more messages", len(reasons))
	}
}

func TestOutbox_ProcessesShareAFolder(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		down := &fake{answers: make([]int, 100)}
		first, second := down.sender(t, inOutbox(dir)), down.sender(t, inOutbox(dir))
		notify(t, first, "of the first")
		time.Sleep(time.Second)
		notify(t, second, "of the second")

		up := &fake{}
		third := up.sender(t, inOutbox(dir))
		time.Sleep(time.Minute)
		if calls := up.got(); len(calls) != 0 {
			t.Errorf("took what living senders have: %+v", calls)
		}
		giveUp(t, first)
		giveUp(t, second)
		finish(t, third)

		fourth := up.sender(t, inOutbox(dir))
		time.Sleep(time.Minute)
		finish(t, fourth)
		if calls := up.got(); len(calls) != 1 || calls[0].reason != "of the second" {
			t.Errorf("calls: %+v", calls)
		}
	})
}

// Whatever part of the file a crash leaves, the sender starts, and a change of
// which the whole line is there is sent.
func TestOutbox_ReadsWhatACrashLeft(t *testing.T) {
	made := t.TempDir()
	var text []byte
	synctest.Test(t, func(t *testing.T) {
		down := &fake{answers: make([]int, 100)}
		s := down.sender(t, inOutbox(made))
		notify(t, s, "kept")
		giveUp(t, s)
		var err error
		if text, err = os.ReadFile(filepath.Join(made, "outbox-00.log")); err != nil {
			t.Fatal(err)
		}
	})
	whole := len(strings.TrimRight(string(text), "\n"))
	for n := range len(text) + 1 {
		for _, tail := range []string{"", "\x00\x00\x00", `{"n":`} {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "outbox-00.log"), append(slices.Clone(text[:n]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				up := &fake{}
				s := up.sender(t, inOutbox(dir))
				finish(t, s)
				want := 0
				if n > whole || n == whole && tail == "" {
					want = 1
				}
				if calls := up.got(); len(calls) != want {
					t.Errorf("%d bytes and %q: %d calls, want %d", n, tail, len(calls), want)
				}
			})
		}
	}
}

func TestOutbox_StaysSmall(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: time.Millisecond, answers: make([]int, 2000)}
		s := f.sender(t, func(cfg *webhook.Config) {
			cfg.Outbox, cfg.MinBackoff, cfg.MaxBackoff = dir, time.Nanosecond, time.Nanosecond
			cfg.Client = &http.Client{Transport: f}
		})
		for i := range 600 { // each during an attempt
			notify(t, s, strings.Repeat("long ", 90)+string(rune('a'+i%26)))
			time.Sleep(1500 * time.Microsecond)
		}
		info, err := os.Stat(filepath.Join(dir, "outbox-00.log"))
		if err != nil || info.Size() > 65<<10 {
			t.Errorf("%v, %v", info.Size(), err)
		}
		finish(t, s)
		if info, err = os.Stat(filepath.Join(dir, "outbox-00.log")); err != nil || info.Size() != 0 {
			t.Errorf("after the last change was sent: %v, %v", info.Size(), err)
		}
	})
}

func TestOutbox_FileIsOwnerOnlyAndWithoutTheSecret(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: make([]int, 100)}
		s := f.sender(t, inOutbox(dir))
		notify(t, s, "x")
		giveUp(t, s)
	})
	path := filepath.Join(dir, "outbox-00.log")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	text, _ := os.ReadFile(path)
	var r struct{ Reason string }
	if json.Unmarshal(text, &r) != nil || r.Reason != "x" || strings.Contains(string(text), "s3cret") {
		t.Errorf("%s", text)
	}
}

func TestOutbox_ThatCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := webhook.NewSender(webhook.Config{URL: "http://receiver.test", Secrets: []string{"x"}, Outbox: file, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "open the outbox") {
		t.Errorf("%v", err)
	}
}
