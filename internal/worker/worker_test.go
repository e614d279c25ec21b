package worker_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/logs"
	"github.com/belfryhq/belfry/internal/worker"
)

// role is what a process of this test program plays; the test's own has none.
const role = "BELFRY_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "supervisor":
		os.Exit(supervise())
	case "worker":
		os.Exit(work(os.Args[1], os.Args[2]))
	case "":
		goleak.VerifyTestMain(m)
	}
}

func supervise() int {
	s := worker.Supervisor{
		Dir: os.Args[1], Program: os.Args[0], Version: "v-test",
		Environ: append(os.Environ(), role+"=worker"),
		Pauses:  worker.Pauses{First: 50 * time.Millisecond, Longest: 200 * time.Millisecond, Healthy: time.Hour},
	}
	if err := s.Run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// work is a worker process that behaves as told until told to end. Files in dir
// tell it: crash, replace.
func work(how, dir string) int {
	if how == "usage" {
		return worker.ExitUsage
	}
	if how == "crash" {
		fmt.Println("about to crash")
		return 1
	}
	l, err := worker.TakeLeash(context.Background(), os.Environ(), os.Stdin)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, cancel := l.Context(context.Background())
	defer cancel()
	l.Ready()
	fmt.Println("at work")
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	stop := ctx.Done()
	for {
		select {
		case <-stop:
			stop = nil
			for how == "slow" { // a job that takes until the file is there
				fmt.Println("finishing") // the log may be gone
				if told(dir, "finish") {
					break
				}
				<-tick.C
			}
			if how != "stubborn" {
				return 0
			}
		case <-tick.C:
			if told(dir, "replace") {
				l.Farewell("over its memory limit")
				return worker.ExitReplace
			}
			if told(dir, "crash") {
				return 1
			}
		}
	}
}

// told takes a message.
func told(dir, what string) bool { return os.Remove(filepath.Join(dir, what)) == nil }

func tell(t *testing.T, dir, what string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, what), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, dir string, plan *worker.Plan) (*worker.Report, error) {
	t.Helper()
	s := worker.Starter{Dir: dir, Program: os.Args[0], Args: []string{dir}, Environ: append(os.Environ(), role+"=supervisor", "GORACE=atexit_sleep_ms=0")}
	t.Cleanup(func() { worker.Stop(context.Background(), dir) })
	return s.Start(t.Context(), plan)
}

func mustStart(t *testing.T, dir string, plan *worker.Plan) *worker.Report {
	t.Helper()
	r, err := start(t, dir, plan)
	if err != nil {
		t.Fatalf("Start: %v\n%s", err, logOf(dir))
	}
	return r
}

func logOf(dir string) string {
	lines, _ := logs.Tail(worker.LogPath(dir), 50)
	return strings.Join(lines, "\n")
}

// until waits for a report that is as done wants it.
func until(t *testing.T, dir, what string, done func(*worker.Report) bool) *worker.Report {
	t.Helper()
	end := time.NewTimer(20 * time.Second)
	defer end.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		r, err := worker.Look(dir)
		if err != nil {
			t.Fatal(err)
		}
		if done(r) {
			return r
		}
		select {
		case <-again.C:
		case <-end.C:
			t.Fatalf("not %s: %+v\n%s", what, r, logOf(dir))
		}
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

func plan(dir, how string) *worker.Plan {
	return &worker.Plan{Args: []string{how, dir}, Grace: 20 * time.Second}
}

func TestLook_NothingWasEverStarted(t *testing.T) {
	r, err := worker.Look(t.TempDir())
	if err != nil || r.Standing != worker.None || r.Alive() || r.Healthy() || len(r.Workers) != 0 {
		t.Errorf("Look = %+v, %v", r, err)
	}
}

func TestStart_RunsAndStops(t *testing.T) {
	dir := t.TempDir()
	p := plan(dir, "work")
	p.Processes = 2
	r := mustStart(t, dir, p)
	if !r.Healthy() || len(r.Workers) != 2 || r.Version != "v-test" || r.Since.IsZero() {
		t.Fatalf("report = %+v", r)
	}
	if r.Workers[0].PID == r.Workers[1].PID || r.Workers[0].PID == r.PID || r.Workers[0].Restarts != 0 {
		t.Errorf("workers = %+v", r.Workers)
	}
	if _, err := start(t, dir, p); belfry.CodeOf(err) != belfry.CodeConflict {
		t.Errorf("second Start = %v, want CodeConflict", err)
	}
	before, err := worker.Stop(t.Context(), dir)
	if err != nil || before == nil || before.PID != r.PID {
		t.Fatalf("Stop = %+v, %v", before, err)
	}
	r, _ = worker.Look(dir)
	if r.Standing != worker.Stopped || r.Alive() || r.Reason != "stopped by a command" {
		t.Errorf("report after Stop = %+v", r)
	}
	for _, w := range r.Workers {
		if w.Standing != worker.Ended || w.LastExit == nil || w.LastExit.Code != 0 || w.LastExit.Reason != "done" {
			t.Errorf("worker after Stop = %+v %+v", w, w.LastExit)
		}
	}
	if before, err := worker.Stop(t.Context(), dir); before != nil || err != nil {
		t.Errorf("second Stop = %+v, %v", before, err)
	}
	if log := logOf(dir); !strings.Contains(log, "at work") || !strings.Contains(log, "supervisor stopped") {
		t.Errorf("log:\n%s", log)
	}
	if r := mustStart(t, dir, nil); len(r.Workers) != 2 {
		t.Errorf("Start of the last plan = %+v", r)
	}
}

func TestStart_WithoutAPlan(t *testing.T) {
	if _, err := start(t, t.TempDir(), nil); belfry.CodeOf(err) != belfry.CodeNotFound {
		t.Errorf("Start = %v, want CodeNotFound", err)
	}
}

func TestStart_TellsOfAWorkerThatEndsAtOnce(t *testing.T) {
	for _, c := range []struct{ how, says string }{
		{"crash", "worker 1 ended at once: failed, with exit code 1"},
		{"usage", "worker 1 ended at once: failed, with exit code 2"},
	} {
		dir := t.TempDir()
		r, err := start(t, dir, plan(dir, c.how))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: Start = %v, want %q", c.how, err, c.says)
		}
		if r.Log != worker.LogPath(dir) {
			t.Errorf("log = %q", r.Log)
		}
		until(t, dir, "stopped", func(r *worker.Report) bool {
			return r.Standing == worker.Stopped && r.Reason == "no worker is left to run"
		})
	}
}

func TestCrash_IsRestartedWithGrowingPauses(t *testing.T) {
	dir := t.TempDir()
	p := plan(dir, "crash")
	p.AutoRestart = true
	if _, err := start(t, dir, p); err == nil {
		t.Error("Start of a worker that crashes gave no error")
	}
	until(t, dir, "restarted", func(r *worker.Report) bool { return r.Workers[0].Restarts >= 4 })
	r := until(t, dir, "waiting", func(r *worker.Report) bool { return r.Workers[0].Standing == worker.Waiting })
	w := r.Workers[0]
	if pause := w.NextStart.Sub(w.LastExit.At).Round(10 * time.Millisecond); pause != 200*time.Millisecond || w.PID != 0 || w.LastExit.Code != 1 {
		t.Errorf("pause %s, worker %+v %+v", pause, w, w.LastExit)
	}
	if log := logOf(dir); !strings.Contains(log, `"pause":"50ms"`) || !strings.Contains(log, `"pause":"100ms"`) {
		t.Errorf("log:\n%s", log)
	}
	worker.Stop(t.Context(), dir)
	until(t, dir, "stopped", func(r *worker.Report) bool { return r.Standing == worker.Stopped && !r.Alive() })
}

func TestKill_OfAWorkerIsToldAndMended(t *testing.T) {
	dir := t.TempDir()
	p := plan(dir, "work")
	p.AutoRestart = true
	first := mustStart(t, dir, p).Workers[0].PID
	kill(t, first)
	r := until(t, dir, "back", func(r *worker.Report) bool { return r.Healthy() && r.Workers[0].PID != first })
	w := r.Workers[0]
	if w.Restarts != 1 || w.LastExit == nil || w.LastExit.PID != first || w.LastExit.Reason == "done" {
		t.Errorf("worker = %+v %+v", w, w.LastExit)
	}
}

func TestKill_OfAWorkerWithoutAutoRestart(t *testing.T) {
	dir := t.TempDir()
	kill(t, mustStart(t, dir, plan(dir, "work")).Workers[0].PID)
	r := until(t, dir, "stopped", func(r *worker.Report) bool { return r.Standing == worker.Stopped })
	if w := r.Workers[0]; w.Standing != worker.Ended || w.PID != 0 || w.LastExit == nil || r.Reason != "no worker is left to run" {
		t.Errorf("report = %+v", r)
	}
}

func TestReplace_NeedsNoAutoRestart(t *testing.T) {
	dir := t.TempDir()
	first := mustStart(t, dir, plan(dir, "work")).Workers[0].PID
	tell(t, dir, "replace")
	r := until(t, dir, "replaced", func(r *worker.Report) bool { return r.Healthy() && r.Workers[0].PID != first })
	if w := r.Workers[0]; w.Restarts != 1 || w.LastExit.Code != worker.ExitReplace || w.LastExit.Reason != "over its memory limit" {
		t.Errorf("worker = %+v %+v", w, w.LastExit)
	}
}

func TestKill_OfTheSupervisorLetsWorkersFinish(t *testing.T) {
	dir := t.TempDir()
	r := mustStart(t, dir, plan(dir, "slow"))
	first := r.Workers[0].PID
	kill(t, r.PID)
	r = until(t, dir, "died", func(r *worker.Report) bool { return r.Standing == worker.Died })
	if w := r.Workers[0]; w.Standing != worker.Orphaned || w.PID != first || !r.Alive() || r.Healthy() || r.PID != 0 {
		t.Errorf("report = %+v", r)
	}
	tell(t, dir, "finish")
	r = until(t, dir, "finished", func(r *worker.Report) bool { return !r.Alive() })
	if w := r.Workers[0]; r.Standing != worker.Died || w.Standing != worker.Died || w.PID != 0 {
		t.Errorf("report = %+v", r)
	}
	if r := mustStart(t, dir, nil); r.Workers[0].PID == first {
		t.Errorf("report of the next start = %+v", r)
	}
	tell(t, dir, "finish")
}

func TestKill_OfBoth(t *testing.T) {
	dir := t.TempDir()
	r := mustStart(t, dir, plan(dir, "slow"))
	kill(t, r.PID)
	kill(t, r.Workers[0].PID)
	r = until(t, dir, "gone", func(r *worker.Report) bool { return !r.Alive() })
	if r.Standing != worker.Died || r.Workers[0].Standing != worker.Died || !strings.Contains(r.Reason, "ended without a word") {
		t.Errorf("report = %+v", r)
	}
	if before, err := worker.Stop(t.Context(), dir); before != nil || err != nil {
		t.Errorf("Stop of nothing = %+v, %v", before, err)
	}
}

func TestStop_KillsWhatDoesNotEnd(t *testing.T) {
	dir := t.TempDir()
	p := plan(dir, "stubborn")
	p.Grace = 100 * time.Millisecond
	mustStart(t, dir, p)
	if _, err := worker.Stop(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	r, _ := worker.Look(dir)
	if w := r.Workers[0]; r.Standing != worker.Stopped || w.LastExit == nil || !strings.HasPrefix(w.LastExit.Reason, "killed:") {
		t.Errorf("report = %+v %+v", r, w.LastExit)
	}
}

func TestStop_EndsOrphans(t *testing.T) {
	dir := t.TempDir()
	p := plan(dir, "stubborn")
	p.Grace = 100 * time.Millisecond
	r := mustStart(t, dir, p)
	kill(t, r.PID)
	until(t, dir, "orphaned", func(r *worker.Report) bool { return r.Workers[0].Standing == worker.Orphaned })
	if before, err := worker.Stop(t.Context(), dir); err != nil || before == nil {
		t.Fatalf("Stop = %+v, %v", before, err)
	}
	if r, _ := worker.Look(dir); r.Alive() {
		t.Errorf("report = %+v", r)
	}
}

func TestLook_TrustsNoRecycledProcessID(t *testing.T) {
	dir := t.TempDir()
	r := mustStart(t, dir, plan(dir, "work"))
	worker.Stop(t.Context(), dir)
	// The id of a process that lives stands where a killed supervisor left its own.
	state := filepath.Join(dir, "run", "worker.json")
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	me := fmt.Sprint(os.Getpid())
	changed := strings.ReplaceAll(string(text), fmt.Sprint(r.PID), me)
	changed = strings.Replace(changed, `"state": "stopped"`, `"state": "running"`, 1)
	os.WriteFile(state, []byte(changed), 0o600)
	os.WriteFile(filepath.Join(dir, "run", "worker.pid"), []byte(me+"\n"), 0o600)
	if r, _ := worker.Look(dir); r.Standing != worker.Died || r.Alive() {
		t.Errorf("report = %+v", r)
	}
}

func TestPauses(t *testing.T) {
	p := worker.Pauses{First: time.Second, Longest: 10 * time.Second}
	for crashes, want := range map[int]time.Duration{1: 1, 2: 2, 3: 4, 4: 8, 5: 10, 1000: 10} {
		if got := p.After(crashes); got != want*time.Second {
			t.Errorf("After(%d) = %s, want %s", crashes, got, want*time.Second)
		}
	}
}

func TestTakeLeash_WithoutASupervisor(t *testing.T) {
	if l, err := worker.TakeLeash(t.Context(), []string{"PATH=/bin"}, strings.NewReader("")); l != nil || err != nil {
		t.Errorf("TakeLeash = %v, %v", l, err)
	}
}
