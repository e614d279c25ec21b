package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

type appRemove struct{ *Program }

func newAppRemove(p *Program) *cobra.Command {
	c := &appRemove{Program: p}
	cmd := newCommand("remove ID", "remove an app", cobra.ExactArgs(1), c.run)
	cmd.Long = `Remove an app. A running server closes its connections and answers no more
requests for it. Apps of the configuration are removed there.`
	cmd.Example = "belfry app:remove 1001"
	return cmd
}

func (c *appRemove) run(cmd *cobra.Command, args []string) error {
	apps, running, done, err := c.apps(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	if err := apps.Remove(cmd.Context(), args[0]); err != nil {
		return err
	}
	c.noteNotRunning(running)
	_, err = fmt.Fprintf(c.Stdout, "app %s is removed\n", args[0])
	return err
}
