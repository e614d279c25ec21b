package cli

import (
	"github.com/spf13/cobra"
)

type userDisable struct {
	*Program
	enable, json bool
}

func newUserDisable(p *Program) *cobra.Command {
	c := &userDisable{Program: p}
	cmd := newCommand("disable WHO", "keep a person out, or let them in again", cobra.ExactArgs(1), c.run)
	cmd.Long = `Keep a person out: their sessions end, their connections are closed within a
second, and their tokens count no more. ` + whoHelp + ` --enable undoes it; they
sign in anew then.`
	cmd.Example = "belfry user:disable ann@example.com\nbelfry user:disable ann@example.com --enable"
	cmd.Flags().BoolVar(&c.enable, "enable", false, "let the person in again")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *userDisable) run(cmd *cobra.Command, args []string) error {
	people, done, err := c.people(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	user, err := findUser(cmd.Context(), people, args[0])
	if err != nil {
		return err
	}
	if err := people.SetDisabled(cmd.Context(), user.ID, !c.enable); err != nil {
		return err
	}
	return c.show(cmd, people, user.ID, c.json)
}
