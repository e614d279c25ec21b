package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/notify"
)

type userRemove struct {
	*Program
	export, json bool
}

func newUserRemove(p *Program) *cobra.Command {
	c := &userRemove{Program: p}
	cmd := newCommand("remove WHO", "remove a person and all that is theirs", cobra.ExactArgs(1), c.run)
	cmd.Long = `Remove a person with their sessions, tokens and notifications; their connections are
closed within a second. ` + whoHelp + ` --export prints what was kept about them, as JSON, before
it is gone; when that cannot be printed, nothing is removed.`
	cmd.Example = "belfry user:remove ann@example.com\nbelfry user:remove 7 --export > ann.json"
	cmd.Flags().BoolVar(&c.export, "export", false, "print what was kept about the person, as JSON")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *userRemove) run(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	people, db, err := c.peopleIn(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	inbox := notify.New(notify.Config{DB: db})
	user, err := findUser(ctx, people, args[0])
	if err != nil {
		return err
	}
	if c.export {
		if err := c.printExport(ctx, people, inbox, user.ID); err != nil {
			return err
		}
	}
	if err := people.Remove(ctx, user.ID); err != nil {
		return err
	}
	if err := inbox.Forget(ctx, user.ID); err != nil {
		return err
	}
	switch {
	case c.export:
		return nil
	case c.json:
		return printJSON(c.Stdout, map[string]string{"removed": user.ID})
	}
	_, err = fmt.Fprintf(c.Stdout, "user %s (%s) is removed\n", user.ID, printable(user.Email))
	return err
}

// printExport prints what is kept about a person.
func (c *userRemove) printExport(ctx context.Context, people *identity.Identity, inbox *notify.Notify, id string) error {
	data, err := people.Export(ctx, id)
	if err != nil {
		return err
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	if all["notifications"], err = inbox.Everything(ctx, id); err != nil {
		return err
	}
	if all["push_subscriptions"], err = inbox.Subscriptions(ctx, id); err != nil {
		return err
	}
	return printJSON(c.Stdout, all)
}
