// Package worker runs worker processes in the background on any operating
// system. A supervisor, a process of its own that no terminal holds, starts
// them, keeps their log, brings back those that crash, and replaces those that
// ask for it. Whoever looks is told the truth, whatever was killed: each process
// holds a lock while it lives, which a process id alone, recycled as it may be,
// cannot tell.
//
// Supervisor and worker are tied by the worker's standard input. It ends when
// the supervisor wants the worker to stop, and when the supervisor dies; the
// worker then finishes the job that it has and ends. That works alike with and
// without signals, and leaves no worker that nobody watches.
package worker

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/belfryhq/belfry/internal/logs"
)

// Exit codes of a worker process that a supervisor understands. Any other but
// 0, which means that there is nothing more to do, is a crash.
const (
	ExitUsage   = 2  // wrong use: trying again would not help
	ExitReplace = 12 // over a limit, or told to restart: start another now
	ExitSignal  = 13 // a signal from elsewhere ended it
)

// Plan is what to run. It is kept, for a restart.
type Plan struct {
	// Args are the arguments of the program for one worker process. They hold no
	// secret: anybody on the machine sees them.
	Args []string `json:"args"`
	// Processes is how many run side by side; default 1.
	Processes int `json:"processes"`
	// AutoRestart brings a worker back that crashed. One that asks to be
	// replaced is so without it.
	AutoRestart bool `json:"auto_restart"`
	// Grace is how long a worker may take to finish its job when it is stopped;
	// then it is killed. Default 65 s.
	Grace time.Duration `json:"grace_ns"`
}

func (p *Plan) setDefaults() {
	if p.Processes <= 0 {
		p.Processes = 1
	}
	if p.Grace <= 0 {
		p.Grace = 65 * time.Second
	}
}

// Pauses say how long a crashed worker waits before it is started again: First,
// then twice as long each time, up to Longest; First again once it lived for
// Healthy.
type Pauses struct {
	First   time.Duration // default 1 s
	Longest time.Duration // default 60 s
	Healthy time.Duration // default 60 s
}

func (p *Pauses) setDefaults() {
	if p.First <= 0 {
		p.First = time.Second
	}
	if p.Longest <= 0 {
		p.Longest = time.Minute
	}
	if p.Healthy <= 0 {
		p.Healthy = time.Minute
	}
}

// After gives the pause after so many crashes in a row.
func (p Pauses) After(crashes int) time.Duration {
	pause := p.First
	for range crashes - 1 {
		if pause *= 2; pause >= p.Longest {
			return p.Longest
		}
	}
	return min(pause, p.Longest)
}

// LogPath is the log of the workers of a data folder.
func LogPath(dir string) string { return filepath.Join(dir, "logs", "broadcast-worker.log") }

// logRule bounds it to 60 MB.
var logRule = logs.Rotation{MaxSize: 10 << 20, Keep: 5}

// The files of a data folder, all in its folder run.
func file(dir, name string) string { return filepath.Join(dir, "run", name) }
func planFile(dir string) string   { return file(dir, "worker.plan") }
func stateFile(dir string) string  { return file(dir, "worker.json") }
func pidFile(dir string) string    { return file(dir, "worker.pid") }    // locked by the supervisor
func turnFile(dir string) string   { return file(dir, "worker.turn") }   // locked by a start or stop
func stopFile(dir string) string   { return file(dir, "worker.stop") }   // asks the supervisor to stop
func lastWords(dir string) string  { return file(dir, "worker.stderr") } // of the supervisor
func slotFile(dir string, n int) string { // locked by the worker
	return file(dir, fmt.Sprintf("worker-%d.pid", n))
}
