package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/belfryhq/belfry/internal/worker"
)

// plan collects what workers in the background are to run.
type plan struct {
	work        workOptions
	processes   int
	autoRestart bool
	grace       seconds
}

func (p *plan) register(cmd *cobra.Command) {
	p.work.register(cmd, true)
	f := cmd.Flags()
	f.IntVar(&p.processes, "processes", 1, "`number` of worker processes")
	f.BoolVar(&p.autoRestart, "auto-restart", false, "bring back a worker that crashed or was killed, after 1 s, then 2, 4 … up to 60")
	f.Var(&p.grace, "grace", "`seconds` that a worker may take to finish when it is stopped (default: its --timeout and 5)")
}

func (p *plan) make(program *Program, dir string) (*worker.Plan, error) {
	if err := p.work.check(); err != nil {
		return nil, err
	}
	if p.processes < 1 || p.processes > 256 {
		return nil, &usageError{errors.New("--processes wants 1 to 256")}
	}
	grace := time.Duration(p.grace)
	if grace == 0 {
		grace = 65 * time.Second
		if t := time.Duration(p.work.timeout); t > 0 {
			grace = t + 5*time.Second
		}
	}
	args := append(program.common(dir), "broadcast:start")
	return &worker.Plan{
		Args: append(args, p.work.args()...), Processes: p.processes, AutoRestart: p.autoRestart, Grace: grace,
	}, nil
}

type workerStart struct {
	*Program
	plan plan
	json bool
}

func newWorkerStart(p *Program) *cobra.Command {
	c := &workerStart{Program: p}
	cmd := newCommand("start", "start workers in the background", cobra.NoArgs, c.run)
	cmd.Long = `Start worker processes in the background, under a supervisor that keeps their log
(logs/broadcast-worker.log in the data folder, rotated at 10 MB, five old files)
and replaces a worker that is over its memory limit. With --auto-restart it also
brings back one that crashed or was killed. The command returns when the workers
take jobs; with 1 when one ended at once.`
	cmd.Example = `belfry worker start --auto-restart
belfry worker start --queue=high,default --processes 2 --memory=256`
	c.plan.register(cmd)
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *workerStart) run(cmd *cobra.Command, _ []string) error {
	ctx, stop := interruptible(cmd)
	defer stop()
	dir, err := c.absFolder()
	if err != nil {
		return err
	}
	plan, err := c.plan.make(c.Program, dir)
	if err != nil {
		return err
	}
	// What a worker would stumble over is said here, not in its log.
	if _, err := c.load(nil); err != nil {
		return err
	}
	s, err := c.starter(dir)
	if err != nil {
		return err
	}
	r, err := s.Start(ctx, plan)
	if err != nil {
		return err
	}
	return c.started(r, c.json)
}

// starter makes supervisors of the data folder.
func (p *Program) starter(dir string) (worker.Starter, error) {
	program, err := executable()
	return worker.Starter{
		Dir: dir, Program: program, Args: append(p.common(dir), "worker", "supervise"), Environ: p.Environ,
	}, err
}

// started prints what a start came to.
func (p *Program) started(r *worker.Report, json bool) error {
	if json {
		return printJSON(p.Stdout, r)
	}
	if err := printReport(p.Stdout, r); err != nil {
		return err
	}
	if !r.Healthy() {
		fmt.Fprintln(p.Stderr, "not all workers are ready yet; see: belfry worker status")
	}
	return nil
}

type workerRestart struct {
	*Program
	plan plan
	json bool
}

func newWorkerRestart(p *Program) *cobra.Command {
	c := &workerRestart{Program: p}
	cmd := newCommand("restart", "stop the background workers and start them anew", cobra.NoArgs, c.run)
	cmd.Long = `Stop the workers in the background, once they have finished their jobs, and start
them anew with this program, so that an upgrade takes effect. Without options
they run as before; with any, as these say.`
	cmd.Example = "belfry worker restart\nbelfry worker restart --auto-restart --memory=256"
	c.plan.register(cmd)
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *workerRestart) run(cmd *cobra.Command, _ []string) error {
	ctx, stop := interruptible(cmd)
	defer stop()
	dir, err := c.absFolder()
	if err != nil {
		return err
	}
	var plan *worker.Plan
	if planGiven(cmd) {
		if plan, err = c.plan.make(c.Program, dir); err != nil {
			return err
		}
	}
	if _, err := c.load(nil); err != nil {
		return err
	}
	s, err := c.starter(dir)
	if err != nil {
		return err
	}
	if _, err := worker.Stop(ctx, dir); err != nil {
		return err
	}
	r, err := s.Start(ctx, plan)
	if err != nil {
		return err
	}
	return c.started(r, c.json)
}

// planGiven reports whether an option that says what to run was given.
func planGiven(cmd *cobra.Command) (given bool) {
	known := &cobra.Command{}
	new(plan).register(known)
	known.Flags().VisitAll(func(f *pflag.Flag) { given = given || cmd.Flags().Changed(f.Name) })
	return given
}
