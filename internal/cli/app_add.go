package cli

import (
	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/appstore"
)

type appAdd struct {
	*Program
	app  appstore.New
	json bool
}

func newAppAdd(p *Program) *cobra.Command {
	c := &appAdd{Program: p}
	cmd := newCommand("add", "make an app and print its key and secret", cobra.NoArgs, c.run)
	cmd.Long = `Make an app and print its id, key and secret. The secret is shown this once; it
is kept in the database. A running server has the app at once.`
	cmd.Example = "belfry app:add --name shop --client-events\nbelfry app:add --id 1001 --json"
	f := cmd.Flags()
	f.StringVar(&c.app.ID, "id", "", "the app's `id`; digits suit every SDK (default: made up)")
	f.StringVar(&c.app.Name, "name", "", "a `name` for people (default: the id)")
	f.StringVar(&c.app.Key, "key", "", "the app's `key` (default: made up)")
	f.BoolVar(&c.app.ClientEvents, "client-events", false, "allow client events on private and presence channels")
	f.BoolVar(&c.app.SubscriptionCount, "subscription-count", false, "send subscription_count events")
	f.BoolVar(&c.app.Watchlist, "watchlist", false, "send watchlist events to signed-in users")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *appAdd) run(cmd *cobra.Command, _ []string) error {
	apps, running, done, err := c.apps(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	created, err := apps.Add(cmd.Context(), c.app)
	if err != nil {
		return err
	}
	c.noteNotRunning(running)
	if c.json {
		return printJSON(c.Stdout, created)
	}
	return printCreated(c.Stdout, created)
}
