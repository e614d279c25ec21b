package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/config"
)

type appAdd struct {
	*Program
	app      appstore.New
	webhooks []string
	json     bool
}

func newAppAdd(p *Program) *cobra.Command {
	c := &appAdd{Program: p}
	cmd := newCommand("add", "make an app and print its key and secret", cobra.NoArgs, c.run)
	cmd.Long = `Make an app and print its id, key and secret. The secret is shown this once; it
is kept in the database. A running server has the app at once.`
	cmd.Example = `belfry app:add --name shop --client-events
belfry app:add --limit connections=500 --limit event_data=20KB --origin app.example.com
belfry app:add --id 1001 --webhook https://example.com/hooks --json`
	f := cmd.Flags()
	f.StringVar(&c.app.ID, "id", "", "the app's `id`; digits suit every SDK (default: made up)")
	f.StringVar(&c.app.Name, "name", "", "a `name` for people (default: the id)")
	f.StringVar(&c.app.Key, "key", "", "the app's `key` (default: made up)")
	f.BoolVar(&c.app.ClientEvents, "client-events", false, "allow client events on private and presence channels")
	f.BoolVar(&c.app.SubscriptionCount, "subscription-count", false, "send subscription_count events")
	f.BoolVar(&c.app.Watchlist, "watchlist", false, "send watchlist events to signed-in users")
	f.Var((*limits)(&c.app.Limits), "limit", "one of the app's limits as the configuration names it, `NAME=VALUE`; may be repeated")
	f.Var(checked{&c.app.AllowedOrigins, config.CheckOrigin}, "origin", "`origin` that browsers may connect from, such as app.example.com; may be repeated (default: any)")
	f.Var(checked{&c.webhooks, config.CheckWebhook}, "webhook", "`address` that the app's events are posted to; may be repeated")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *appAdd) run(cmd *cobra.Command, _ []string) error {
	apps, running, done, err := c.apps(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	for _, address := range c.webhooks {
		c.app.Webhooks = append(c.app.Webhooks, appstore.Webhook{URL: address})
	}
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

// limits is an option that takes NAME=VALUE, again and again.
type limits map[string]int64

func (l *limits) Type() string { return "NAME=VALUE" }

func (l *limits) String() string {
	var all []string
	for name, n := range *l {
		all = append(all, name+"="+strconv.FormatInt(n, 10))
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

func (l *limits) Set(text string) error {
	name, n, err := config.Limit(text)
	if err != nil {
		return err
	}
	if *l == nil {
		*l = limits{}
	}
	(*l)[name] = n
	return nil
}

// checked is an option that may be repeated, each value of which is checked.
type checked struct {
	list  *[]string
	check func(string) error
}

func (c checked) Type() string { return "text" }

func (c checked) String() string {
	if c.list == nil {
		return ""
	}
	return strings.Join(*c.list, ",")
}

func (c checked) Set(text string) error {
	if err := c.check(text); err != nil {
		return err
	}
	*c.list = append(*c.list, text)
	return nil
}
