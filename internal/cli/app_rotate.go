package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/appstore"
)

type appRotate struct {
	*Program
	now, finish, json bool
}

func newAppRotate(p *Program) *cobra.Command {
	c := &appRotate{Program: p}
	cmd := newCommand("rotate-secret ID", "make a new secret for an app's key", cobra.ExactArgs(1), c.run)
	cmd.Long = `Make a new secret for an app's key and print it. The one before it stays valid,
so that nothing breaks while the application gets the new one; --finish then
ends the old one. --now ends it at once, for a secret that has leaked. Webhooks
are signed with the new secret from now on.`
	cmd.Example = `belfry app:rotate-secret 1001            # print a new secret, keep the old one valid
belfry app:rotate-secret 1001 --finish   # once the application has the new one
belfry app:rotate-secret 1001 --now      # the old one has leaked`
	cmd.Flags().BoolVar(&c.now, "now", false, "end the old secret at once")
	cmd.Flags().BoolVar(&c.finish, "finish", false, "make no new secret, end the old one")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *appRotate) run(cmd *cobra.Command, args []string) error {
	how := appstore.RotateKeep
	switch {
	case c.now && c.finish:
		return &usageError{errors.New("--now and --finish exclude each other")}
	case c.now:
		how = appstore.RotateNow
	case c.finish:
		how = appstore.RotateFinish
	}
	apps, running, done, err := c.apps(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	created, err := apps.Rotate(cmd.Context(), args[0], how)
	if err != nil {
		return err
	}
	c.noteNotRunning(running)
	switch {
	case c.json:
		return printJSON(c.Stdout, created)
	case how == appstore.RotateFinish:
		_, err = fmt.Fprintf(c.Stdout, "only the newest secret of app %s is valid now\n", created.ID)
	default:
		err = printCreated(c.Stdout, created)
	}
	return err
}
