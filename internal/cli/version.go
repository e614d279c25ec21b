package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

type version struct {
	*Program
	json bool
}

func newVersion(p *Program) *cobra.Command {
	c := &version{Program: p}
	cmd := newCommand("version", "say which version this is", cobra.NoArgs, c.run)
	cmd.Example = "belfry version --json"
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *version) run(*cobra.Command, []string) error {
	if c.json {
		return printJSON(c.Stdout, map[string]string{"version": c.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
	}
	_, err := fmt.Fprintf(c.Stdout, "belfry %s %s/%s %s\n", c.Version, runtime.GOOS, runtime.GOARCH, runtime.Version())
	return err
}
