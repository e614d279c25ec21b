package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/control"
)

type channels struct {
	*Program
	app, prefix string
	json        bool
}

func newChannels(p *Program) *cobra.Command {
	c := &channels{Program: p}
	cmd := newCommand("channels [CHANNEL]", "list the occupied channels, or show one", cobra.MaximumNArgs(1), c.run)
	cmd.Long = `List the channels that have subscribers, or show the state of one: subscribers,
members of a presence channel, what a cache channel keeps. A server must be
running on the data folder.`
	cmd.Example = "belfry channels --prefix presence-\nbelfry channels presence-room --app 1001 --json"
	cmd.Flags().StringVar(&c.app, "app", "", "`id` of the app (default: the server's default app)")
	cmd.Flags().StringVar(&c.prefix, "prefix", "", "only channels whose names begin with this `text`")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *channels) run(cmd *cobra.Command, args []string) error {
	link, err := c.dial(cmd.Context())
	if err != nil {
		return err
	}
	defer link.Close()
	if len(args) == 1 {
		ch, err := link.Channel(cmd.Context(), c.app, args[0])
		if err != nil {
			return err
		}
		return c.one(ch)
	}
	list, err := link.Channels(cmd.Context(), c.app, c.prefix)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.Stdout, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(c.Stdout, "no channel is occupied")
		return err
	}
	rows := [][]string{{"CHANNEL", "SUBSCRIBERS", "MEMBERS"}}
	for _, ch := range list {
		users := ""
		if ch.Users != nil {
			users = strconv.Itoa(*ch.Users)
		}
		rows = append(rows, []string{ch.Name, strconv.Itoa(ch.Subscriptions), users})
	}
	return table(c.Stdout, rows)
}

func (c *channels) one(ch control.Channel) error {
	if c.json {
		return printJSON(c.Stdout, ch)
	}
	rows := [][]string{
		{"channel", ch.Name},
		{"occupied", strconv.FormatBool(ch.Occupied)},
		{"subscribers", strconv.Itoa(ch.Subscriptions)},
	}
	if len(ch.Users) > 0 {
		rows = append(rows, []string{"members", printable(strings.Join(ch.Users, ", "))})
	}
	if ch.CachedEvent != "" {
		rows = append(rows, []string{"keeps", fmt.Sprintf("%s, for %.0f s more", printable(ch.CachedEvent), ch.CacheTTL)})
	}
	return table(c.Stdout, rows)
}
