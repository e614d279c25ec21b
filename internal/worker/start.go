package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/filelock"
)

// look is how often a start or stop looks at what became of it.
const look = 25 * time.Millisecond

// steady is how long workers must be ready to count as started.
const steady = 200 * time.Millisecond

// Starter starts supervisors.
type Starter struct {
	// Dir is the data folder, as an absolute path; made when it is not there.
	Dir string
	// Program with Args and Environ is a process that calls Supervisor.Run on
	// Dir.
	Program string
	Args    []string
	Environ []string
	// Patience is how long the workers may take to be ready before Start
	// returns without them; default 15 s.
	Patience time.Duration
}

// Start runs a plan in the background. A nil plan is the last one, or
// CodeNotFound. It waits until the workers take jobs, and for workers of a
// supervisor that died to finish. A supervisor that runs is CodeConflict. A
// worker that ends at once is an error, with the report beside it; the
// supervisor goes on as the plan says.
func (s Starter) Start(ctx context.Context, plan *Plan) (*Report, error) {
	if s.Patience <= 0 {
		s.Patience = 15 * time.Second
	}
	turn, err := takeTurn(ctx, s.Dir)
	if err != nil {
		return nil, err
	}
	defer turn.Release()
	r, err := Look(s.Dir)
	if err != nil {
		return nil, err
	}
	if r.PID != 0 && r.Standing != Stopped {
		return r, &belfry.Error{
			Code:    belfry.CodeConflict,
			Message: fmt.Sprintf("workers are already running (supervisor process %d)", r.PID),
			Hint:    "see them with: belfry worker status; start them anew with: belfry worker restart",
		}
	}
	if plan, err = s.plan(plan); err != nil {
		return r, err
	}
	if r.Alive() { // orphans, or a supervisor in its last moment
		if err := s.outwait(ctx, plan.Grace); err != nil {
			return r, err
		}
	}
	if err := writeJSON(planFile(s.Dir), plan); err != nil {
		return r, fmt.Errorf("write what to run: %w", err)
	}
	return s.spawn(ctx)
}

func (s Starter) plan(plan *Plan) (*Plan, error) {
	if plan == nil {
		plan = &Plan{}
		if err := readJSON(planFile(s.Dir), plan); err != nil {
			return nil, fmt.Errorf("read what to run: %w", err)
		}
		if len(plan.Args) == 0 {
			return nil, belfry.Errorf(belfry.CodeNotFound, "no worker was ever started here")
		}
	}
	plan.setDefaults()
	return plan, nil
}

// outwait waits for the workers of a supervisor that died.
func (s Starter) outwait(ctx context.Context, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	r, err := await(ctx, s.Dir, func(r *Report) bool { return !r.Alive() })
	if errors.Is(err, context.DeadlineExceeded) && r != nil {
		return &belfry.Error{
			Code:    belfry.CodeConflict,
			Message: fmt.Sprintf("workers of a supervisor that died do not finish within %s", grace),
			Hint:    "end them with: belfry worker stop",
		}
	}
	return err
}

// spawn starts the supervisor's process and waits until its workers are ready.
func (s Starter) spawn(ctx context.Context) (*Report, error) {
	os.Remove(stopFile(s.Dir))
	stderr, err := os.OpenFile(lastWords(s.Dir), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	cmd := exec.Command(s.Program, s.Args...)
	cmd.Env = s.Environ
	cmd.Stderr = stderr
	cmd.SysProcAttr = detached()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the supervisor: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	var healthy time.Time // since when
	r, err := await(ctx, s.Dir, func(r *Report) bool {
		select {
		case <-ended:
			return true
		default:
		}
		if r.Standing == Starting || r.writer != cmd.Process.Pid {
			return false
		}
		if !r.Healthy() {
			healthy = time.Time{}
		} else if healthy.IsZero() {
			healthy = time.Now()
		}
		return firstExit(r) != nil || !healthy.IsZero() && time.Since(healthy) >= steady
	})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return r, err
	}
	if r.writer != cmd.Process.Pid {
		r.Workers = nil // an earlier one's
	}
	return r, s.verdict(r, ended)
}

// verdict tells what a start came to.
func (s Starter) verdict(r *Report, ended <-chan struct{}) error {
	if w := firstExit(r); w != nil {
		return &belfry.Error{
			Code:    belfry.CodeUnavailable,
			Message: fmt.Sprintf("worker %d ended at once: %s", w.Number, w.LastExit.Reason),
			Hint:    "its log is " + r.Log,
		}
	}
	select {
	case <-ended:
		words, _ := os.ReadFile(lastWords(s.Dir))
		return fmt.Errorf("the supervisor ended at once: %s", strings.TrimSpace(string(words)))
	default:
		return nil
	}
}

// firstExit gives a worker that has ended, or has for the first time.
func firstExit(r *Report) *Worker {
	for i, w := range r.Workers {
		if w.LastExit != nil && w.Standing != Running {
			return &r.Workers[i]
		}
	}
	return nil
}

// Stop stops the workers of a data folder: it lets them finish their jobs, and
// kills what has not ended when the plan's grace is over. It gives what stood
// there before, nil when nothing did.
func Stop(ctx context.Context, dir string) (*Report, error) {
	turn, err := takeTurn(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer turn.Release()
	before, err := Look(dir)
	if err != nil || !before.Alive() {
		return nil, err
	}
	grace := Plan{}
	if before.Plan != nil {
		grace = *before.Plan
	}
	grace.setDefaults()
	if before.PID != 0 {
		if err := writeJSON(stopFile(dir), before.PID); err != nil {
			return before, fmt.Errorf("ask the supervisor to stop: %w", err)
		}
	}
	// The supervisor kills workers itself; it, or orphans, are killed here.
	wait, cancel := context.WithTimeout(ctx, grace.Grace+3*time.Second)
	defer cancel()
	r, err := await(wait, dir, func(r *Report) bool { return !r.Alive() })
	if err == nil || !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return before, err
	}
	if err := killAll(r); err != nil {
		return before, err
	}
	wait, cancel = context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = await(wait, dir, func(r *Report) bool { return !r.Alive() })
	return before, err
}

// killAll ends what a report says is alive. Each process id is that of a lock's
// holder, so it is no other program's.
func killAll(r *Report) error {
	pids := []int{}
	if r.PID != 0 {
		pids = append(pids, r.PID)
	}
	for _, w := range r.Workers {
		if w.PID != 0 {
			pids = append(pids, w.PID)
		}
	}
	var faults []error
	for _, pid := range pids {
		p, err := os.FindProcess(pid)
		if err == nil {
			err = p.Kill()
		}
		if err != nil && !errors.Is(err, os.ErrProcessDone) {
			faults = append(faults, fmt.Errorf("kill process %d: %w", pid, err))
		}
	}
	return errors.Join(faults...)
}

// takeTurn lets one start or stop of a data folder go on at a time.
func takeTurn(ctx context.Context, dir string) (*filelock.Lock, error) {
	if err := os.MkdirAll(filepath.Dir(turnFile(dir)), 0o700); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	wait, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	turn, err := filelock.Wait(wait, turnFile(dir))
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, &belfry.Error{
			Code:    belfry.CodeConflict,
			Message: "another command is starting or stopping the workers",
			Hint:    "wait for it, and see: belfry worker status",
		}
	}
	return turn, err
}

// await looks until done says so, and gives the last report.
func await(ctx context.Context, dir string, done func(*Report) bool) (*Report, error) {
	again := time.NewTicker(look)
	defer again.Stop()
	for {
		r, err := Look(dir)
		if err != nil || done(r) {
			return r, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}
