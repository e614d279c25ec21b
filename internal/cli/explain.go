package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/explain"
)

type explainEvent struct {
	*Program
	q     explain.Question
	since seconds
	json  bool
}

func newExplain(p *Program) *cobra.Command {
	c := &explainEvent{Program: p}
	cmd := newCommand("explain [EVENT_ID]", "say why an event did or did not arrive", cobra.MaximumNArgs(1), c.run)
	cmd.Long = `Say why an event did or did not arrive: for one event by its id, or for the last
event of a name on a channel that a user, or a socket, should have got. It follows
the event link by link and names the first that is broken, in one sentence, with
what shows it and what mends it. The server remembers an hour, and failures seven
days. A server must be running on the data folder. The exit code is 0 when the
event arrived, and 1 when a cause was found why it did not.`
	cmd.Example = `belfry explain 06ee2v3mzm8dwp6g0v9dcz7n40
belfry explain --user ada@example.com --event order.paid --channel private-user.7
belfry explain --socket 123.456 --channel orders --since 300 --json`
	f := cmd.Flags()
	f.StringVar(&c.q.User, "user", "", "`id or email` of the user who should have got it")
	f.StringVar(&c.q.Socket, "socket", "", "`socket id` of the page that should have got it")
	f.StringVar(&c.q.Event, "event", "", "`name` of the event")
	f.StringVar(&c.q.Channel, "channel", "", "`name` of the channel, whole")
	f.StringVar(&c.q.App, "app", "", "`id` or key of the app (default: the default app)")
	f.Var(&c.since, "since", "`seconds` that the event may be old (default: all that is remembered)")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *explainEvent) run(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 1:
		c.q.ID = args[0]
		if c.q.Event != "" || c.since != 0 {
			return &usageError{errors.New("give an event's id, or --event and --since, not both")}
		}
	case c.q.User == "" && c.q.Socket == "":
		return &usageError{errors.New("give an event's id, or --user or --socket with --event and --channel")}
	case c.q.Event == "" && c.q.Channel == "":
		return &usageError{errors.New("name the event, the channel or both: --event, --channel")}
	}
	if c.q.User != "" && c.q.Socket != "" {
		return &usageError{errors.New("give --user or --socket, not both")}
	}
	c.q.Since = time.Duration(c.since)
	link, err := c.dial(cmd.Context())
	if err != nil {
		return err
	}
	defer link.Close()
	v, err := link.Explain(cmd.Context(), c.q)
	if err != nil {
		return err
	}
	if err := c.print(v); err != nil {
		return err
	}
	if !v.Arrived {
		return errSaid
	}
	return nil
}

func (c *explainEvent) print(v explain.Verdict) error {
	if c.json {
		return printJSON(c.Stdout, v)
	}
	fmt.Fprintf(c.Stdout, "%s\n(%s)\n", printable(v.Sentence), v.Code)
	if len(v.Evidence) > 0 {
		fmt.Fprintln(c.Stdout)
	}
	for _, line := range v.Evidence {
		fmt.Fprintf(c.Stdout, "  %s\n", printable(line))
	}
	if v.Fix != "" {
		fmt.Fprintf(c.Stdout, "\nto do: %s\n", printable(v.Fix))
	}
	return nil
}
