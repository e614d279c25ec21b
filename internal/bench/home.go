package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The app of a server in a Home.
const (
	HomeApp    = "1"
	HomeKey    = "bench-key"
	HomeSecret = "bench-secret"
)

// Home is a folder in which programs run, with a data folder for belfry in it,
// and nothing else of the environment of this process but its PATH.
type Home struct {
	Dir string
	// Env is what programs have besides: what a measurement adds, such as
	// DATABASE_URL.
	Env []string
}

// NewHome makes the folder, which must not be there yet.
func NewHome(dir string) (*Home, error) {
	h := &Home{Dir: dir}
	h.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "BELFRY_DATA_DIR=" + h.Data(),
		"PUSHER_APP_ID=" + HomeApp, "PUSHER_APP_KEY=" + HomeKey, "PUSHER_APP_SECRET=" + HomeSecret}
	return h, os.Mkdir(dir, 0o700)
}

// Data is the data folder.
func (h *Home) Data() string { return filepath.Join(h.Dir, "data") }

// Run runs a program to its end and gives what it prints.
func (h *Home) Run(ctx context.Context, program string, args ...string) ([]byte, error) {
	out, err := h.command(ctx, program, args).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), args[0], err, exit.Stderr)
	}
	return out, err
}

func (h *Home) command(ctx context.Context, program string, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = h.Dir, h.Env
	return cmd
}

// Token adds a user with a role and gives a token of theirs for scopes, parted
// by commas.
func (h *Home) Token(ctx context.Context, belfry, role, scopes string) (string, error) {
	const user = "bench@example.test"
	if _, err := h.Run(ctx, belfry, "user:add", user, "--role", role, "--password", "correct horse battery"); err != nil {
		return "", err
	}
	out, err := h.Run(ctx, belfry, "user:token", user, "--scope", scopes, "--json")
	if err != nil {
		return "", err
	}
	var made struct{ Token string }
	err = json.Unmarshal(out, &made)
	return made.Token, err
}

// Start starts a program that runs until End or until ctx ends. env is for this
// one alone.
func (h *Home) Start(ctx context.Context, env []string, program string, args ...string) (*Process, error) {
	file, err := os.CreateTemp(h.Dir, "log-")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd := h.command(ctx, program, args)
	cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)], env...)
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Process{cmd: cmd, log: file.Name()}, nil
}

// Serve starts a server and waits until it takes connections.
func (h *Home) Serve(ctx context.Context, within time.Duration, belfry string, args ...string) (*Process, error) {
	s, err := h.Start(ctx, nil, belfry, append([]string{"serve", "--listen", "127.0.0.1:0", "--log-format", "text"}, args...)...)
	if err != nil {
		return nil, err
	}
	if s.Address, err = Listening(ctx, h.Data(), within); err != nil {
		err = fmt.Errorf("the server does not start: %w\n%s", err, s.Said())
		s.End()
		return nil, err
	}
	return s, nil
}

// Process is a program that runs.
type Process struct {
	Address string // where a server that Serve started listens
	cmd     *exec.Cmd
	log     string // the file of what it says
}

// Said is what it has written so far.
func (p *Process) Said() string {
	text, _ := os.ReadFile(p.log)
	return string(text)
}

// CPU is what it has used of the processors so far.
func (p *Process) CPU() (time.Duration, error) { return ProcessCPU(p.cmd.Process.Pid) }

// Memory is what it has resident, in bytes.
func (p *Process) Memory() (int64, error) {
	u, err := readUsage(p.cmd.Process.Pid)
	return u.resident, err
}

// PID is its number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// End kills it and waits for it. A process that is nil or has ended is fine.
func (p *Process) End() {
	if p != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}
