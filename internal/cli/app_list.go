package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/appstore"
)

type appList struct {
	*Program
	json bool
}

func newAppList(p *Program) *cobra.Command {
	c := &appList{Program: p}
	cmd := newCommand("list", "list the apps, without their secrets", cobra.NoArgs, c.run)
	cmd.Example = "belfry app:list\nbelfry app:list --json"
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *appList) run(cmd *cobra.Command, _ []string) error {
	apps, _, done, err := c.apps(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	entries, err := apps.List(cmd.Context())
	if err != nil {
		return err
	}
	if c.json {
		if entries == nil {
			entries = []appstore.Entry{}
		}
		return printJSON(c.Stdout, entries)
	}
	rows := [][]string{{"ID", "NAME", "KEY", "STATE", "KEPT IN"}}
	for _, e := range entries {
		state := "enabled"
		if !e.Enabled {
			state = "disabled"
		}
		if e.Secrets > len(e.Keys) {
			state += ", rotating"
		}
		rows = append(rows, []string{e.ID, printable(e.Name), strings.Join(e.Keys, ","), state, e.Source})
	}
	return table(c.Stdout, rows)
}
