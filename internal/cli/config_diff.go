package cli

import "github.com/spf13/cobra"

type configDiff struct {
	*Program
	json bool
}

func newConfigDiff(p *Program) *cobra.Command {
	c := &configDiff{Program: p}
	cmd := newCommand("diff", "show what a reload would change", cobra.NoArgs, c.run)
	cmd.Long = `Show how the settings as they are written now differ from those that the running
server has, and which of the differences need a restart.`
	cmd.Example = "belfry config diff && belfry config reload"
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *configDiff) run(cmd *cobra.Command, _ []string) error {
	link, err := c.dial(cmd.Context())
	if err != nil {
		return err
	}
	defer link.Close()
	changes, err := link.Diff(cmd.Context())
	if err != nil {
		return err
	}
	return c.printChanges(changes, c.json, "nothing differs")
}
