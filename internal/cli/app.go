package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/appstore"
)

func newApp(p *Program) *cobra.Command {
	return group("app", "apps and their credentials", true, newAppList(p), newAppAdd(p), newAppRemove(p), newAppRotate(p))
}

// printCreated shows credentials that were just made.
func printCreated(w io.Writer, c *appstore.Created) error {
	_, err := fmt.Fprintf(w, "app id  %s\nkey     %s\nsecret  %s\n", c.ID, c.Key, c.Secret)
	return err
}

// noteNotRunning says why a change shows nowhere yet.
func (p *Program) noteNotRunning(running bool) {
	if !running {
		fmt.Fprintln(p.Stderr, "No server is running on this data folder; one that starts there will have the change.")
	}
}
