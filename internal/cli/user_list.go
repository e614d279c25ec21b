package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/identity"
)

type userList struct {
	*Program
	query identity.Query
	json  bool
}

func newUserList(p *Program) *cobra.Command {
	c := &userList{Program: p}
	cmd := newCommand("list", "list people", cobra.NoArgs, c.run)
	cmd.Long = "List people by id, with their roles and their last sign-in."
	cmd.Example = "belfry user:list\nbelfry user:list --role admin --json"
	cmd.Flags().StringVar(&c.query.Role, "role", "", "only people with this `role`")
	cmd.Flags().StringVar(&c.query.After, "after", "", "only ids above this `id`, to go on from there")
	cmd.Flags().IntVar(&c.query.Limit, "limit", 100, "at most this `number`, up to 10,000")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *userList) run(cmd *cobra.Command, _ []string) error {
	people, done, err := c.people(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	list, err := people.Users(cmd.Context(), c.query)
	if err != nil {
		return err
	}
	if c.json {
		if list == nil {
			list = []identity.Account{}
		}
		return printJSON(c.Stdout, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(c.Stdout, "there is nobody; add somebody with: belfry user:add EMAIL")
		return err
	}
	rows := [][]string{{"ID", "EMAIL", "NAME", "ROLES", "STATE", "LAST SIGN-IN"}}
	for _, a := range list {
		last := clock(a.LastLogin)
		if last == "" {
			last = "never"
		}
		rows = append(rows, []string{a.ID, printable(a.Email), printable(a.Name), strings.Join(a.Roles, ", "), userState(a), last})
	}
	if err := table(c.Stdout, rows); err != nil {
		return err
	}
	if len(list) == c.query.Limit {
		_, err = fmt.Fprintf(c.Stderr, "there may be more: belfry user:list --after %s\n", list[len(list)-1].ID)
	}
	return err
}
