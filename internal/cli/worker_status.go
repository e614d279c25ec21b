package cli

import (
	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/worker"
)

type workerStatus struct {
	*Program
	json bool
}

func newWorkerStatus(p *Program) *cobra.Command {
	c := &workerStatus{Program: p}
	cmd := newCommand("status", "tell how the background workers stand", cobra.NoArgs, c.run)
	cmd.Long = `Tell how the workers in the background stand: each process, since when it runs, how
often it was replaced, how it last ended and, while it waits after a crash, when
it starts again. Exits with 1 unless all of them run.`
	cmd.Example = "belfry worker status\nbelfry worker status --json"
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *workerStatus) run(*cobra.Command, []string) error {
	dir, err := c.absFolder()
	if err != nil {
		return err
	}
	r, err := worker.Look(dir)
	if err != nil {
		return err
	}
	if c.json {
		err = printJSON(c.Stdout, r)
	} else {
		err = printReport(c.Stdout, r)
	}
	if err == nil && !r.Healthy() {
		return errSaid
	}
	return err
}
