package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/identity"
)

type userRole struct {
	*Program
	remove, only, json bool
}

func newUserRole(p *Program) *cobra.Command {
	c := &userRole{Program: p}
	cmd := newCommand("role WHO [ROLE…]", "give roles to a person, or take them away", cobra.MinimumNArgs(1), c.run)
	cmd.Long = `Give a person roles beside those that they have, or show the roles. ` + whoHelp + `
A role that is taken away takes effect on open connections within a second.`
	cmd.Example = `belfry user:role ann@example.com admin
belfry user:role ann@example.com admin --remove
belfry user:role 7 editor support --only`
	cmd.Flags().BoolVar(&c.remove, "remove", false, "take these roles away")
	cmd.Flags().BoolVar(&c.only, "only", false, "these roles and no other; with none, take all away")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *userRole) run(cmd *cobra.Command, args []string) error {
	roles := args[1:]
	switch {
	case c.remove && c.only:
		return &usageError{errors.New("--remove and --only exclude each other")}
	case c.remove && len(roles) == 0:
		return &usageError{errors.New("name the roles to take away")}
	}
	people, done, err := c.people(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	ctx := cmd.Context()
	user, err := findUser(ctx, people, args[0])
	if err != nil {
		return err
	}
	switch {
	case c.only:
		err = people.SetRoles(ctx, user.ID, roles)
	case c.remove:
		_, err = people.ChangeRoles(ctx, user.ID, nil, roles)
	case len(roles) > 0:
		_, err = people.ChangeRoles(ctx, user.ID, roles, nil)
	}
	if err != nil {
		return err
	}
	return c.show(cmd, people, user.ID, c.json)
}

// show prints a person as they are now.
func (p *Program) show(cmd *cobra.Command, people *identity.Identity, id string, json bool) error {
	now, err := people.Account(cmd.Context(), id)
	if err != nil {
		return err
	}
	if json {
		return printJSON(p.Stdout, now)
	}
	return printUser(p.Stdout, *now, []string{"state", userState(*now)})
}
