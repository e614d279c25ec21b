package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/logs"
	"github.com/belfryhq/belfry/internal/worker"
)

type workerMonitor struct {
	*Program
	every seconds
	count int
	json  bool
}

func newWorkerMonitor(p *Program) *cobra.Command {
	c := &workerMonitor{Program: p, every: seconds(time.Second)}
	cmd := newCommand("monitor", "watch the background workers", cobra.NoArgs, c.run)
	cmd.Long = `Watch the workers in the background: their processes and the end of their log, on
a terminal as a view that is drawn anew; elsewhere as a line for each change of a
worker. Ctrl-C ends it.`
	cmd.Example = "belfry worker monitor\nbelfry worker monitor --json | jq .workers"
	cmd.Flags().Var(&c.every, "every", "`seconds` between two looks")
	cmd.Flags().IntVar(&c.count, "count", 0, "end after this `number` of looks (default: never)")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *workerMonitor) run(cmd *cobra.Command, _ []string) error {
	dir, err := c.absFolder()
	if err != nil {
		return err
	}
	view := &view{Program: c.Program, every: time.Duration(c.every), count: c.count}
	if !c.json {
		view.draw = func(w io.Writer) error { return c.draw(w, dir) }
	}
	lines := map[int]string{}
	return view.run(cmd, func(at time.Time) error {
		r, err := worker.Look(dir)
		if err != nil {
			return err
		}
		if c.json {
			return view.changedJSON(r)
		}
		return c.changes(r, at, lines)
	})
}

// draw prints the whole view.
func (c *workerMonitor) draw(w io.Writer, dir string) error {
	r, err := worker.Look(dir)
	if err != nil {
		return err
	}
	if err := printReport(w, r); err != nil {
		return err
	}
	last, err := logs.Tail(r.Log, 12)
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, line := range last {
		fmt.Fprintln(w, printable(line[:min(len(line), 200)]))
	}
	return nil
}

// changes prints a line for the supervisor and for each worker that stands
// otherwise than before; place 0 is the supervisor's.
func (c *workerMonitor) changes(r *worker.Report, at time.Time, before map[int]string) error {
	say := func(n int, line string) error {
		if before[n] == line {
			return nil
		}
		before[n] = line
		_, err := fmt.Fprintf(c.Stdout, "%s  %s\n", at.Local().Format("15:04:05.000"), line)
		return err
	}
	line := "supervisor " + string(r.Standing)
	if r.PID != 0 {
		line += fmt.Sprintf(", process %d", r.PID)
	}
	if r.Reason != "" {
		line += ": " + r.Reason
	}
	if err := say(0, line); err != nil {
		return err
	}
	for _, w := range r.Workers {
		line := fmt.Sprintf("worker %d %s", w.Number, w.Standing)
		if w.PID != 0 {
			line += fmt.Sprintf(", process %d", w.PID)
		}
		line += ", restarts " + fmt.Sprint(w.Restarts)
		if !w.NextStart.IsZero() {
			line += ", starts again at " + w.NextStart.Local().Format("15:04:05")
		}
		if w.LastExit != nil {
			line += "; last exit: " + printable(w.LastExit.Reason)
		}
		if err := say(w.Number, line); err != nil {
			return err
		}
	}
	return nil
}

// view shows something again and again.
type view struct {
	*Program
	every time.Duration
	count int                     // of looks; 0 for no end
	draw  func(w io.Writer) error // on a terminal; nil for never
	last  []byte                  // printed by changedJSON
}

// run draws on a terminal, and looks elsewhere, until Ctrl-C or the count.
func (v *view) run(cmd *cobra.Command, look func(at time.Time) error) error {
	ctx, stop := interruptible(cmd)
	defer stop()
	terminal := v.draw != nil && logs.IsTerminal(v.Stdout)
	v.every = max(v.every, 50*time.Millisecond)
	tick := time.NewTicker(v.every)
	defer tick.Stop()
	for n := 1; ; n++ {
		if terminal {
			if err := v.redraw(); err != nil {
				return err
			}
		} else if err := look(time.Now()); err != nil {
			return err
		}
		if n == v.count {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if cmd.Context().Err() == nil {
				return nil // Ctrl-C is how it ends
			}
			return ctx.Err()
		}
	}
}

// redraw replaces what the terminal shows in one write, so that nothing
// flickers.
func (v *view) redraw() error {
	var page bytes.Buffer
	if err := v.draw(&page); err != nil {
		return err
	}
	text := bytes.ReplaceAll(page.Bytes(), []byte("\n"), []byte("\x1b[K\r\n"))
	_, err := v.Stdout.Write(append(append([]byte("\x1b[H"), text...), "\x1b[J"...))
	return err
}

// changedJSON prints v as one line when it differs from the last one.
func (v *view) changedJSON(what any) error {
	line, err := json.Marshal(what)
	if err != nil || bytes.Equal(line, v.last) {
		return err
	}
	v.last = line
	_, err = fmt.Fprintf(v.Stdout, "%s\n", line)
	return err
}
