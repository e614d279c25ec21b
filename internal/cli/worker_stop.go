package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/worker"
)

type workerStop struct {
	*Program
	json bool
}

func newWorkerStop(p *Program) *cobra.Command {
	c := &workerStop{Program: p}
	cmd := newCommand("stop", "stop the background workers", cobra.NoArgs, c.run)
	cmd.Long = `Stop the workers in the background: they take no more jobs and finish those that
they have; what has not ended within their --grace is killed, and its job is given
to another worker. The command returns when they are gone.`
	cmd.Example = "belfry worker stop"
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *workerStop) run(cmd *cobra.Command, _ []string) error {
	ctx, stop := interruptible(cmd)
	defer stop()
	dir, err := c.absFolder()
	if err != nil {
		return err
	}
	before, err := worker.Stop(ctx, dir)
	if err != nil {
		return err
	}
	now, err := worker.Look(dir)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.Stdout, now)
	}
	if before == nil {
		_, err := fmt.Fprintln(c.Stdout, "no worker is running in the background")
		return err
	}
	killed := 0
	for _, w := range now.Workers {
		if w.LastExit != nil && w.LastExit.Killed {
			killed++
		}
	}
	text := "the workers have stopped"
	if killed > 0 {
		text = fmt.Sprintf("the workers have stopped; killed, since they did not finish in time: %d", killed)
	}
	_, err = fmt.Fprintln(c.Stdout, text)
	return err
}

// newWorkerSupervise makes the command of the supervisor's process, which
// people do not call.
func newWorkerSupervise(p *Program) *cobra.Command {
	cmd := newCommand("supervise", "run workers that were started in the background", cobra.NoArgs, func(cmd *cobra.Command, _ []string) error {
		dir, err := p.absFolder()
		if err != nil {
			return err
		}
		program, err := executable()
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.WithoutCancel(cmd.Context()), os.Interrupt, syscall.SIGTERM)
		defer stop()
		s := worker.Supervisor{Dir: dir, Program: program, Environ: p.Environ, Version: p.Version}
		return s.Run(ctx)
	})
	cmd.Hidden = true
	return cmd
}
