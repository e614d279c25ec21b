//go:build !linux

package bench

import (
	"errors"
	"time"
)

// MeasuresProcesses says whether CPU and memory of another process can be read
// on this system.
const MeasuresProcesses = false

const cpuSource = ""

func readUsage(int) (usage, error) {
	return usage{}, errors.New("CPU and memory of another process are read on Linux only: leave --pid out")
}

// sleepUntil sleeps until the clock shows at.
func sleepUntil(c *clock, at int64) { time.Sleep(time.Duration(at - c.now())) }

// openFiles has nothing to do: Go raises the limit by itself where there is one.
func openFiles(int) error { return nil }
