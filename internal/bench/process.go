package bench

import (
	"os"
	"time"
)

// usage is what a process has used so far.
type usage struct {
	cpu       time.Duration // in all, exactly
	user      time.Duration // of it in user code, by the share that the kernel's ticks found
	system    time.Duration
	resident  int64 // bytes of memory now
	anonymous int64 // of it not backed by files
}

// since gives what was used from an earlier reading to this one. Memory stays
// that of now.
func (u usage) since(before usage) usage {
	u.cpu -= before.cpu
	user, system := u.user-before.user, u.system-before.system
	// The kernel counts user and system time in ticks, which are too coarse to be
	// summed; their ratio over a window divides the exact sum.
	u.user, u.system = 0, 0
	if ticks := user + system; ticks > 0 {
		u.user = time.Duration(float64(u.cpu) * float64(user) / float64(ticks))
		u.system = u.cpu - u.user
	}
	return u
}

// CPU is the server's CPU time for one of something, in microseconds.
type CPU struct {
	Total  float64 `json:"total_us"`
	User   float64 `json:"user_us"`
	System float64 `json:"system_us"`
}

func (u usage) per(n float64) *CPU {
	if n <= 0 {
		return nil
	}
	each := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / n }
	return &CPU{each(u.cpu), each(u.user), each(u.system)}
}

// ownCPU is what this process has used so far, 0 where that is not known.
func ownCPU() time.Duration {
	u, err := readUsage(os.Getpid())
	if err != nil {
		return 0
	}
	return u.cpu
}

// ProcessCPU is what a process has used of the processors since its start, from
// its CPU clock. It is known where MeasuresProcesses says so.
func ProcessCPU(pid int) (time.Duration, error) {
	u, err := readUsage(pid)
	return u.cpu, err
}
