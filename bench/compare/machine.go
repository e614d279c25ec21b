package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
)

// machine starts the programs, each anew for each run.
type machine struct {
	dir    string // for everything that is written
	floor  string
	belfry string
	brief  bool
	uring  bool
	runs   int
}

// longest is how long one run may take.
const longest = 8 * time.Minute

// onBelfry runs a shape against a fresh server.
func (m *machine) onBelfry(ctx context.Context, shape bench.Shape) (*bench.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	m.runs++
	home, err := bench.NewHome(filepath.Join(m.dir, fmt.Sprint(m.runs)))
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(home.Dir)
	belfry, err := home.Serve(ctx, 10*time.Second, m.belfry, "--metrics-listen", "off", "--log-level", "warn")
	if err != nil {
		return nil, err
	}
	defer belfry.End()
	report, err := m.run(ctx, bench.Target{URL: "ws://" + belfry.Address, AppID: bench.HomeApp, Key: bench.HomeKey, Secret: bench.HomeSecret, PID: belfry.PID()}, shape)
	if err != nil {
		err = fmt.Errorf("%s: %w", shape.Name, err)
	}
	return report, err
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
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
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
