package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/internal/control"
)

// machine starts the programs, each anew for each run.
type machine struct {
	dir    string // for everything that is written
	floor  string
	belfry string
	brief  bool
	runs   int
}

// longest is how long one run may take.
const longest = 8 * time.Minute

// onBelfry runs a shape against a fresh server.
func (m *machine) onBelfry(ctx context.Context, shape bench.Shape) (*bench.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	m.runs++
	dir := filepath.Join(m.dir, fmt.Sprint(m.runs))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	const app, key, secret = "1", "bench-key", "bench-secret"
	data := filepath.Join(dir, "data")
	cmd := exec.CommandContext(ctx, m.belfry, "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off", "--data-dir", data, "--log-level", "warn", "--log-format", "text")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "PUSHER_APP_ID=" + app, "PUSHER_APP_KEY=" + key, "PUSHER_APP_SECRET=" + secret}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer end(cmd)
	address, err := listening(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("the server does not start: %w\n%s", err, said.String())
	}
	report, err := m.run(ctx, bench.Target{URL: "ws://" + address, AppID: app, Key: key, Secret: secret, PID: cmd.Process.Pid}, shape)
	if err != nil {
		err = fmt.Errorf("%s: %w", shape.Name, err)
	}
	return report, err
}

// listening waits until a server answers on its data folder.
func listening(ctx context.Context, data string) (address string, err error) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for range 1000 {
		link, err := control.Dial(ctx, data)
		if err == nil {
			st, err := link.Status(ctx)
			link.Close()
			return st.Listen, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
	return "", errors.New("ten seconds have passed")
}

// onFloor runs a shape against the floor.
func (m *machine) onFloor(ctx context.Context, shape bench.Shape) (*bench.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.floor)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer end(cmd)
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil && err != io.EOF {
		return nil, err
	}
	report, err := m.run(ctx, bench.Target{URL: "ws://127.0.0.1:" + strings.TrimSpace(port), PID: cmd.Process.Pid, Floor: events}, shape)
	if err != nil {
		err = fmt.Errorf("floor, %s: %w", shape.Name, err)
	}
	return report, err
}

// end kills a program and waits for it.
func end(cmd *exec.Cmd) {
	cmd.Process.Kill()
	cmd.Wait()
}

func (m *machine) run(ctx context.Context, target bench.Target, shape bench.Shape) (*bench.Report, error) {
	if m.brief {
		shape.Connections = min(shape.Connections, 50)
		shape.Rate = min(shape.Rate, 50)
		shape.Duration, shape.PingPeriod, shape.Settle, shape.Windows = 200*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond, 1
		shape.Fit()
	}
	report, err := bench.Run(ctx, bench.Config{Target: target, Shape: shape})
	if err != nil {
		return nil, err
	}
	for _, f := range report.Faults {
		fmt.Fprintf(os.Stderr, "  fault: %s\n", f)
	}
	return report, nil
}
