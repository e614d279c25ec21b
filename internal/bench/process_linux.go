package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// MeasuresProcesses says whether CPU and memory of another process can be read
// on this system.
const MeasuresProcesses = true

// cpuSource says where the figures come from, for the report.
const cpuSource = "the process's CPU clock; user and system by the ratio of the ticks in /proc/PID/stat"

// readUsage asks the kernel about a process.
func readUsage(pid int) (u usage, err error) {
	var ts unix.Timespec
	// The clock of another process: what clock_getcpuclockid(3) gives. It counts
	// threads that have ended, too.
	if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil {
		return u, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	u.cpu = time.Duration(ts.Nano())
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, fmt.Errorf("read process %d: %w", pid, err)
	}
	// The name stands in brackets and may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return u, fmt.Errorf("read process %d: /proc/%d/stat has an unknown form", pid, pid)
	}
	// Ticks are hundredths of a second on every Linux that Go runs on; only
	// their ratio counts here.
	u.user, u.system = ticks(fields[11]), ticks(fields[12])
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, fmt.Errorf("read process %d: %w", pid, err)
	}
	u.resident, u.anonymous = kilobytes(status, "VmRSS:"), kilobytes(status, "RssAnon:")
	return u, nil
}

func ticks(field []byte) time.Duration {
	n, _ := strconv.ParseInt(string(field), 10, 64)
	return time.Duration(n) * 10 * time.Millisecond
}

func kilobytes(status []byte, name string) int64 {
	_, rest, ok := bytes.Cut(status, []byte("\n"+name))
	if !ok {
		return 0
	}
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return n << 10
}

// sleepUntil sleeps until the clock shows at. Go's timers may be a millisecond
// late, so the end of the wait is the kernel's.
func sleepUntil(c *clock, at int64) {
	const coarse = int64(2 * time.Millisecond)
	if left := at - c.now(); left > coarse {
		time.Sleep(time.Duration(left - coarse))
	}
	for left := at - c.now(); left > 0; left = at - c.now() {
		ts := unix.NsecToTimespec(left)
		unix.Nanosleep(&ts, nil)
	}
}

// openFiles raises the limit of open files as far as it goes and checks that
// n are possible.
func openFiles(n int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil
	}
	if limit.Cur < limit.Max {
		limit.Cur = limit.Max
		unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
		unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	}
	return enoughFiles(n, limit.Cur)
}
