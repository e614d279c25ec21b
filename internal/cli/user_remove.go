package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

type userRemove struct {
	*Program
	export, json bool
}

func newUserRemove(p *Program) *cobra.Command {
	c := &userRemove{Program: p}
	cmd := newCommand("remove WHO", "remove a person and all that is theirs", cobra.ExactArgs(1), c.run)
	cmd.Long = `Remove a person with their sessions and tokens; their connections are closed within
a second. ` + whoHelp + ` --export prints what was kept about them, as JSON, before
it is gone; when that cannot be printed, nothing is removed.`
	cmd.Example = "belfry user:remove ann@example.com\nbelfry user:remove 7 --export > ann.json"
	cmd.Flags().BoolVar(&c.export, "export", false, "print what was kept about the person, as JSON")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *userRemove) run(cmd *cobra.Command, args []string) error {
	people, done, err := c.people(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	user, err := findUser(cmd.Context(), people, args[0])
	if err != nil {
		return err
	}
	if c.export {
		data, err := people.Export(cmd.Context(), user.ID)
		if err != nil {
			return err
		}
		if err := printJSON(c.Stdout, data); err != nil {
			return err
		}
	}
	if err := people.Remove(cmd.Context(), user.ID); err != nil {
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
