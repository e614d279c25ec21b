package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/control"
)

type subscribe struct {
	*Program
	app       string
	count     int
	all, json bool
}

func newSubscribe(p *Program) *cobra.Command {
	c := &subscribe{Program: p}
	cmd := newCommand("subscribe [CHANNEL…]", "show events as they arrive", cobra.ArbitraryArgs, c.run)
	cmd.Long = `Show the events of channels as they arrive: time, channel, event, data. It needs
no key, works for every kind of channel, and counts as no subscriber. A server
must be running on the data folder. When events come faster than they can be
shown, some are left out, and a line says how many. Ctrl-C ends it.`
	cmd.Example = "belfry subscribe my-channel private-orders\nbelfry subscribe --all --json | jq .event"
	cmd.Flags().StringVar(&c.app, "app", "", "`id` of the app (default: the server's default app)")
	cmd.Flags().BoolVar(&c.all, "all", false, "all channels of the app")
	cmd.Flags().IntVar(&c.count, "count", 0, "end after this `number` of events (default: never)")
	jsonFlag(cmd, &c.json)
	return cmd
}

// errEnough ends a subscription after --count events.
var errEnough = errors.New("enough")

func (c *subscribe) run(cmd *cobra.Command, args []string) error {
	switch {
	case c.all && len(args) > 0:
		return &usageError{errors.New("name channels or give --all, not both")}
	case !c.all && len(args) == 0:
		return &usageError{errors.New("name at least one channel, or give --all")}
	case c.count < 0:
		return &usageError{errors.New("--count wants a number of events")}
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	link, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer link.Close()
	what := strings.Join(args, ", ")
	if c.all {
		what = "all channels"
	}
	ready := func() { fmt.Fprintf(c.Stderr, "listening to %s; Ctrl-C ends\n", what) }
	seen := 0
	err = link.Subscribe(ctx, c.app, args, ready, func(m control.Message) error {
		if err := c.print(m); err != nil {
			return err
		}
		if m.Missed == 0 {
			seen++
		}
		if c.count > 0 && seen >= c.count {
			return errEnough
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		return nil
	case errors.Is(err, context.Canceled) && cmd.Context().Err() == nil:
		return nil // Ctrl-C is how it ends
	case err == nil:
		return errors.New("the server has stopped")
	}
	return err
}

func (c *subscribe) print(m control.Message) error {
	if c.json {
		e := json.NewEncoder(c.Stdout)
		e.SetEscapeHTML(false)
		return e.Encode(m)
	}
	at := m.Time.Local().Format("15:04:05.000")
	if m.Missed > 0 {
		_, err := fmt.Fprintf(c.Stdout, "%s  (%d events were left out here)\n", at, m.Missed)
		return err
	}
	who := ""
	if m.UserID != "" {
		who = "  (from " + printable(m.UserID) + ")"
	}
	_, err := fmt.Fprintf(c.Stdout, "%s  %s  %s  %s%s\n", at, m.Channel, printable(m.Event), printable(m.Data), who)
	return err
}
