package cli

import "github.com/spf13/cobra"

type configReload struct {
	*Program
	json bool
}

func newConfigReload(p *Program) *cobra.Command {
	c := &configReload{Program: p}
	cmd := newCommand("reload", "make the running server read its settings anew", cobra.NoArgs, c.run)
	cmd.Long = `Make the running server read its settings anew and take on what needs no
restart; no connection is dropped. Settings that do not hold change nothing.
SIGHUP does the same.`
	cmd.Example = "belfry config reload"
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *configReload) run(cmd *cobra.Command, _ []string) error {
	link, err := c.dial(cmd.Context())
	if err != nil {
		return err
	}
	defer link.Close()
	changes, err := link.Reload(cmd.Context())
	if err != nil {
		return err
	}
	return c.printChanges(changes, c.json, "reloaded; nothing has changed")
}
