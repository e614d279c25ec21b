package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/filelock"
	"github.com/belfryhq/belfry/internal/logs"
)

// stopLook is how often the supervisor looks whether it is to stop.
const stopLook = 100 * time.Millisecond

// Supervisor is the process that runs workers. The fields are set before Run.
type Supervisor struct {
	// Dir is the data folder, as an absolute path.
	Dir string
	// Program and Environ are the workers'.
	Program string
	Environ []string
	// Version is told by status.
	Version string
	// Pauses between the crashes of a worker and its next start.
	Pauses Pauses

	log      *slog.Logger
	plan     Plan
	pid      *filelock.Lock
	out      *logs.File
	gone     chan ended
	children sync.WaitGroup

	state    state
	running  map[int]*child // by number
	crashes  map[int]int    // in a row, by number
	hasty    map[int]bool   // whose last process asked for its replacement at once
	deadline time.Time      // of the stop
}

// Run runs the plan of the data folder until ctx ends, somebody asks for the
// stop, or no worker is left to run. Then it stops the workers, kills those
// that do not finish within the plan's grace, and returns. A supervisor that
// runs already is CodeConflict.
func (s *Supervisor) Run(ctx context.Context) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	defer s.pid.Release()
	defer s.out.Close()
	s.Pauses.setDefaults()
	s.gone = make(chan ended, s.plan.Processes)
	s.running, s.crashes, s.hasty = map[int]*child{}, map[int]int{}, map[int]bool{}
	s.state = state{PID: os.Getpid(), Version: s.Version, Standing: Running, Since: time.Now(), Plan: s.plan}
	s.log.Info("supervisor started", "version", s.Version, "pid", os.Getpid(), "processes", s.plan.Processes, "auto_restart", s.plan.AutoRestart)
	for n := range s.plan.Processes {
		s.state.Workers = append(s.state.Workers, Worker{Number: n + 1, Standing: Waiting, Since: time.Now()})
		s.start(&s.state.Workers[n])
	}
	s.record()
	reason := s.watch(ctx)
	s.state.Standing, s.state.Since, s.state.Reason = Stopped, time.Now(), reason
	s.record()
	s.log.Info("supervisor stopped", "reason", reason)
	return nil
}

// open claims the data folder and opens plan and log.
func (s *Supervisor) open(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(pidFile(s.Dir)), 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := readJSON(planFile(s.Dir), &s.plan); err != nil {
		return fmt.Errorf("read what to run: %w", err)
	}
	if len(s.plan.Args) == 0 {
		return errors.New("nothing to run: start it with belfry worker start")
	}
	s.plan.setDefaults()
	wait, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	lock, err := filelock.Wait(wait, pidFile(s.Dir))
	if errors.Is(err, context.DeadlineExceeded) {
		return belfry.Errorf(belfry.CodeConflict, "a supervisor is already running on the data folder %s", s.Dir)
	}
	if err != nil {
		return err
	}
	if err := stake(lock, ""); err != nil {
		lock.Release()
		return fmt.Errorf("write process id: %w", err)
	}
	if s.out, err = logs.OpenFile(LogPath(s.Dir), logRule); err != nil {
		lock.Release()
		return err
	}
	s.pid = lock
	s.log = slog.New(slog.NewJSONHandler(s.out, nil)).With("part", "supervisor")
	return nil
}

// watch carries the workers until the end, whose reason it gives.
func (s *Supervisor) watch(ctx context.Context) (reason string) {
	look := time.NewTicker(stopLook)
	defer look.Stop()
	stopped := ctx.Done()
	for {
		if s.state.Standing == Running && !s.anyLeft() {
			reason = "no worker is left to run"
			s.stop(reason)
		}
		if s.state.Standing == Stopping && len(s.running) == 0 {
			s.children.Wait()
			return reason
		}
		select {
		case e := <-s.gone:
			s.after(e)
		case now := <-look.C:
			if s.askedToStop() && s.state.Standing == Running {
				reason = "stopped by a command"
				s.stop(reason)
			}
			s.tick(now)
		case <-stopped:
			stopped = nil
			if s.state.Standing == Running {
				reason = "stopped by a signal"
				s.stop(reason)
			}
		}
	}
}

func (s *Supervisor) anyLeft() bool {
	for _, w := range s.state.Workers {
		if w.Standing != Ended {
			return true
		}
	}
	return false
}

// askedToStop reports whether this supervisor, and no earlier one, is to stop.
func (s *Supervisor) askedToStop() bool {
	var pid int
	if err := readJSON(stopFile(s.Dir), &pid); err != nil || pid == 0 {
		return false
	}
	os.Remove(stopFile(s.Dir))
	return pid == os.Getpid()
}

// tick starts workers whose pause is over, and kills those whose grace is.
func (s *Supervisor) tick(now time.Time) {
	changed := false
	for i := range s.state.Workers {
		w := &s.state.Workers[i]
		if s.state.Standing == Running && w.Standing == Waiting && !now.Before(w.NextStart) {
			w.Restarts++
			s.start(w)
			changed = true
		}
	}
	if s.state.Standing == Stopping && now.After(s.deadline) {
		for _, c := range s.running {
			if !c.killed {
				c.killed = true
				s.log.Warn("worker killed", "worker", c.number, "pid", c.cmd.Process.Pid, "grace", s.plan.Grace.String())
				c.cmd.Process.Kill()
			}
		}
	}
	if changed {
		s.record()
	}
}

func (s *Supervisor) start(w *Worker) {
	w.NextStart = time.Time{}
	c, err := s.launch(w.Number, s.plan.Args, s.out, s.gone)
	if err != nil {
		w.LastExit = &Exit{At: time.Now(), Code: -1, Reason: "could not be started: " + err.Error()}
		s.again(w, 0)
		return
	}
	s.running[w.Number] = c
	w.PID, w.Standing, w.Since = c.cmd.Process.Pid, Running, c.started
	s.log.Info("worker started", "worker", w.Number, "pid", w.PID, "restarts", w.Restarts)
}

// after decides what follows the end of a worker.
func (s *Supervisor) after(e ended) {
	delete(s.running, e.number)
	e.leash.Close()
	w := &s.state.Workers[e.number-1]
	says := ""
	if c, err := readClaim(slotFile(s.Dir, e.number)); err == nil && c.pid == w.PID {
		says = c.says
	}
	x := e.exit(says)
	w.LastExit = &x
	s.log.Info("worker ended", "worker", w.Number, "pid", w.PID, "code", x.Code, "reason", x.Reason)
	w.PID, w.Since = 0, x.At
	switch {
	case s.state.Standing != Running, x.Code == 0, x.Code == ExitUsage:
		w.Standing = Ended
	default:
		s.again(w, x.At.Sub(e.started))
	}
	s.record()
}

// again arranges the next start of a worker that lived for so long.
func (s *Supervisor) again(w *Worker, lived time.Duration) {
	n, replace := w.Number, w.LastExit.Code == ExitReplace
	if lived >= s.Pauses.Healthy {
		s.crashes[n] = 0
	}
	hasty := replace && lived < s.Pauses.First
	again := hasty && s.hasty[n] // and so it would go on
	s.hasty[n] = hasty
	switch {
	case replace && !again:
		w.Restarts++
		s.start(w)
	case !replace && !s.plan.AutoRestart:
		w.Standing = Ended
		s.log.Error("worker crashed and stays so: it was started without --auto-restart", "worker", n)
	default:
		pause := s.Pauses.First
		if !replace {
			s.crashes[n]++
			pause = s.Pauses.After(s.crashes[n])
		}
		w.Standing, w.NextStart = Waiting, time.Now().Add(pause)
		s.log.Warn("worker starts again after a pause", "worker", n, "pause", pause.String(), "in_a_row", s.crashes[n])
	}
}

// stop tells all workers to finish.
func (s *Supervisor) stop(reason string) {
	s.log.Info("supervisor stopping", "reason", reason)
	s.state.Standing, s.state.Since, s.state.Reason = Stopping, time.Now(), reason
	s.deadline = time.Now().Add(s.plan.Grace)
	for i := range s.state.Workers {
		w := &s.state.Workers[i]
		w.NextStart = time.Time{}
		if c := s.running[w.Number]; c != nil {
			w.Standing = Stopping
			c.leash.Close()
		} else {
			w.Standing = Ended
		}
	}
	s.record()
}

// record writes the state down. When that fails, status tells an older truth,
// and the workers go on.
func (s *Supervisor) record() {
	if err := writeJSON(stateFile(s.Dir), s.state); err != nil {
		s.log.Error("state not written", "error", err)
	}
}
