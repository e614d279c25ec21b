package bench

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/control"
)

// Choose parses a list of names, parted by commas, that must all be known. flag
// is the option that they were given with.
func Choose(flag, list string, known []string) ([]string, error) {
	chosen := strings.Split(list, ",")
	for i, name := range chosen {
		if chosen[i] = strings.TrimSpace(name); !slices.Contains(known, chosen[i]) {
			return nil, fmt.Errorf("-%s: there is no %q; there are %s", flag, chosen[i], strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// Build makes the program in a folder of this module, such as cmd/belfry, and
// gives its path in dir. Where another program is given, it makes none and gives
// that one's path.
func Build(ctx context.Context, dir, folder, given string) (program string, err error) {
	if given != "" {
		return filepath.Abs(given)
	}
	program = filepath.Join(dir, filepath.Base(folder))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, "github.com/belfryhq/belfry/"+folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", folder, err, out)
	}
	return program, nil
}

// About tells what this machine is: "2 cores, Linux 6.12.1, Go 1.26".
func About() string {
	return fmt.Sprintf("%d cores, %s, %s", runtime.NumCPU(), Kernel(), strings.Replace(runtime.Version(), "go", "Go ", 1))
}

// Kernel gives the name of the operating system, on Linux with its version.
func Kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	release, _, _ := strings.Cut(strings.TrimSpace(string(text)), "-")
	return "Linux " + release
}

// Pause waits for d, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Await asks every five milliseconds until something is so, fails, or has not
// become so within a time.
func Await(ctx context.Context, within time.Duration, so func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("not within %s", within))
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		if is, err := so(); is || err != nil {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Listening waits until the server of a data folder takes connections, and
// gives its address.
func Listening(ctx context.Context, dataDir string, within time.Duration) (address string, err error) {
	err = Await(ctx, within, func() (bool, error) {
		link, err := control.Dial(ctx, dataDir)
		if err != nil {
			return false, nil // not yet
		}
		defer link.Close()
		st, err := link.Status(ctx)
		address = st.Listen
		return err == nil && address != "", nil
	})
	return address, err
}

// Quantile gives the least of the sorted ones that a share q of them does not
// pass, 0 of none.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(at, 0), len(sorted)-1)]
}
