package cli

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/worker"
)

func newWorker(p *Program) *cobra.Command {
	return group("worker", "worker processes in the background", false,
		newWorkerStart(p), newWorkerStop(p), newWorkerRestart(p), newWorkerStatus(p), newWorkerMonitor(p), newWorkerSupervise(p))
}

// absFolder gives the data folder as a path that holds in other processes.
func (p *Program) absFolder() (string, error) {
	dir, err := p.folder()
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(dir) && p.Dir != "" {
		dir = filepath.Join(p.Dir, dir)
	}
	return filepath.Abs(dir)
}

// executable gives this program's file. The name that it was called by comes
// first, since it still holds when the file was replaced by a newer one.
func executable() (string, error) {
	if path, err := exec.LookPath(os.Args[0]); err == nil {
		return filepath.Abs(path)
	}
	return os.Executable()
}

// common gives the options of every command, for another process.
func (p *Program) common(dir string) []string {
	args := []string{"--data-dir=" + dir}
	if p.config != "" {
		args = append(args, "--config="+p.config)
	}
	return args
}

// printReport prints how the workers stand.
func printReport(w io.Writer, r *worker.Report) error {
	now := time.Now()
	line := "workers: " + headline(r, now)
	if r.PID != 0 {
		line += fmt.Sprintf("; supervisor process %d", r.PID)
	}
	if r.Plan != nil && r.PID != 0 {
		line += "; auto-restart " + map[bool]string{true: "on", false: "off"}[r.Plan.AutoRestart]
	}
	if _, err := fmt.Fprintf(w, "%s\nlog:     %s\n", line, r.Log); err != nil || len(r.Workers) == 0 {
		return err
	}
	rows := [][]string{{"WORKER", "STATE", "PROCESS", "SINCE", "RESTARTS", "LAST EXIT"}}
	for _, one := range r.Workers {
		rows = append(rows, workerRow(one, now))
	}
	return table(w, rows)
}

func headline(r *worker.Report, now time.Time) string {
	switch r.Standing {
	case worker.None:
		return "none was ever started here"
	case worker.Starting:
		return "starting"
	case worker.Died:
		return "the supervisor died (" + r.Reason + ")"
	case worker.Stopped:
		return fmt.Sprintf("stopped %s ago (%s)", ago(r.Since, now), r.Reason)
	case worker.Stopping:
		return fmt.Sprintf("stopping for %s (%s)", ago(r.Since, now), r.Reason)
	}
	return fmt.Sprintf("running since %s (%s)", clock(r.Since), ago(r.Since, now))
}

func workerRow(w worker.Worker, now time.Time) []string {
	state, pid, exit := string(w.Standing), "", ""
	if !w.NextStart.IsZero() {
		state += ", starts in " + max(w.NextStart.Sub(now), 0).Round(time.Second).String()
	}
	if w.Standing == worker.Orphaned {
		state = "finishing (its supervisor died)"
	}
	if w.PID != 0 {
		pid = strconv.Itoa(w.PID)
	}
	if x := w.LastExit; x != nil {
		exit = fmt.Sprintf("%s ago: %s", ago(x.At, now), printable(x.Reason))
	}
	return []string{strconv.Itoa(w.Number), state, pid, clock(w.Since), strconv.Itoa(w.Restarts), exit}
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// ago gives the time between t and now as 5s, 12m or 3h20m.
func ago(t, now time.Time) string {
	d := max(now.Sub(t), 0)
	switch {
	case t.IsZero():
		return "an unknown time"
	case d >= 48*time.Hour:
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	case d >= time.Hour:
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	case d >= time.Minute:
		return d.Truncate(time.Second).String()
	}
	return d.Truncate(time.Second).String()
}
