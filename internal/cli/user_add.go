package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
)

type userAdd struct {
	*Program
	user identity.NewUser
	json bool
}

func newUserAdd(p *Program) *cobra.Command {
	c := &userAdd{Program: p}
	cmd := newCommand("add EMAIL", "add a person", cobra.ExactArgs(1), c.run)
	cmd.Long = `Add a person and print the new id, and a password when none is given. The role
admin opens the console, manager the management of notifications; any other name
is an application's own.`
	cmd.Example = `belfry user:add ann@example.com --role admin
belfry user:add ben@example.com --name "Ben" --role editor --role support --json`
	f := cmd.Flags()
	f.StringVar(&c.user.Name, "name", "", "a `name` for people (default: what stands before the @)")
	f.StringSliceVar(&c.user.Roles, "role", nil, "a `role`; may be given several times, or with commas")
	f.StringVar(&c.user.Password, "password", "", "the `password` (default: one is made up; others on this machine can see options while the command runs)")
	jsonFlag(cmd, &c.json)
	return cmd
}

// added is the answer in JSON.
type added struct {
	belfry.User
	Password string `json:"password,omitempty"`
}

func (c *userAdd) run(cmd *cobra.Command, args []string) error {
	people, done, err := c.people(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	c.user.Email = args[0]
	user, generated, err := people.Add(cmd.Context(), c.user)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.Stdout, added{*user, generated})
	}
	var more [][]string
	if generated != "" {
		more = append(more, []string{"password", generated})
	}
	if err := printUser(c.Stdout, identity.Account{User: *user}, more...); err != nil || generated == "" {
		return err
	}
	_, err = fmt.Fprintln(c.Stderr, "The password is shown only this once; change it with: belfry user:passwd "+user.Email)
	return err
}
