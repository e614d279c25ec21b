package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/control"
)

type configShow struct {
	*Program
	running, set, json bool
}

func newConfig(p *Program) *cobra.Command {
	c := &configShow{Program: p}
	cmd := newCommand("config", "show the settings in force and where each came from", noSuchCommand, c.run)
	cmd.Long = `Show the settings as a server started here and now would have them: each with
its value and where it came from. Secrets are masked.`
	cmd.Example = "belfry config\nbelfry config --set --json\nbelfry config --running    # what the running server has"
	cmd.Flags().BoolVar(&c.running, "running", false, "ask the running server for its settings")
	cmd.Flags().BoolVar(&c.set, "set", false, "leave out what has its default")
	jsonFlag(cmd, &c.json)
	cmd.AddCommand(newConfigCheck(p), newConfigDiff(p), newConfigReload(p))
	return cmd
}

func (c *configShow) run(cmd *cobra.Command, _ []string) error {
	all, err := c.settings(cmd)
	if err != nil {
		return err
	}
	list := []control.Setting{}
	rows := [][]string{{"SETTING", "VALUE", "FROM"}}
	for _, s := range all {
		if c.set && s.Source == "default" {
			continue
		}
		list = append(list, s)
		rows = append(rows, []string{s.Key, printable(s.Value), s.Source})
	}
	if c.json {
		return printJSON(c.Stdout, list)
	}
	return table(c.Stdout, rows)
}

func (c *configShow) settings(cmd *cobra.Command) ([]control.Setting, error) {
	if c.running {
		link, err := c.dial(cmd.Context())
		if err != nil {
			return nil, err
		}
		defer link.Close()
		return link.Effective(cmd.Context())
	}
	cfg, err := c.load(nil)
	if err != nil {
		return nil, err
	}
	return newLive(c.options(nil), cfg).Effective(), nil
}

// printChanges lists what differs.
func (p *Program) printChanges(changes []control.Change, asJSON bool, none string) error {
	if asJSON {
		return printJSON(p.Stdout, changes)
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintln(p.Stdout, none)
		return err
	}
	for _, c := range changes {
		line := c.Key + ": "
		switch {
		case c.Old == "":
			line += "new: " + printable(c.New)
		case c.New == "":
			line += "gone, was " + printable(c.Old)
		default:
			line += printable(c.Old) + " → " + printable(c.New)
		}
		if c.NeedsRestart {
			line += "  (needs a restart)"
		}
		if _, err := fmt.Fprintln(p.Stdout, line); err != nil {
			return err
		}
	}
	return nil
}
