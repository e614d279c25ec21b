package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/explain"
)

type explainAuth struct {
	*Program
	q    explain.AuthQuestion
	json bool
}

func newAuth(p *Program) *cobra.Command {
	c := &explainAuth{Program: p}
	cmd := newCommand("explain", "say which channel rule decides on a user, and why", cobra.NoArgs, c.run)
	cmd.Long = `Say whether a user may listen to a channel, which rule decides, and what each rule
has to say. With a running server the rules are those in force there, else those of
the configuration. The exit code is 0 when the user may listen, else 1.`
	cmd.Example = "belfry auth:explain --user ada@example.com --channel private-role.editor\nbelfry auth:explain --channel private-user.7   # somebody who is not signed in"
	cmd.Flags().StringVar(&c.q.User, "user", "", "`id or email` of the user (default: nobody is signed in)")
	cmd.Flags().StringVar(&c.q.Channel, "channel", "", "`name` of the channel, whole")
	jsonFlag(cmd, &c.json)
	return group("auth", "who may listen to what", true, cmd)
}

func (c *explainAuth) run(cmd *cobra.Command, _ []string) error {
	if c.q.Channel == "" {
		return &usageError{errors.New("name the channel: --channel")}
	}
	v, err := c.ask(cmd.Context())
	if err != nil {
		return err
	}
	if err := c.print(v); err != nil {
		return err
	}
	if !v.Allowed && !v.Forwards {
		return errSaid
	}
	return nil
}

// ask asks the running server, or, where there is none, the configuration.
func (c *explainAuth) ask(ctx context.Context) (explain.AuthVerdict, error) {
	link, err := c.dial(ctx)
	if err == nil {
		defer link.Close()
		return link.ExplainAuth(ctx, c.q)
	}
	if !control.IsNotRunning(err) {
		return explain.AuthVerdict{}, err
	}
	cfg, err := c.load(nil)
	if err != nil {
		return explain.AuthVerdict{}, err
	}
	rules, err := channelRules(cfg)
	if err != nil {
		return explain.AuthVerdict{}, err
	}
	b, err := c.backend(ctx)
	if err != nil {
		return explain.AuthVerdict{}, err
	}
	defer b.Close()
	return b.ExplainRules(ctx, c.q, rules, cfg.Authorization.URL != "")
}

func (c *explainAuth) print(v explain.AuthVerdict) error {
	if c.json {
		return printJSON(c.Stdout, v)
	}
	fmt.Fprintln(c.Stdout, printable(v.Sentence))
	if v.Fix != "" {
		fmt.Fprintln(c.Stdout, "to do:", printable(v.Fix))
	}
	if len(v.Trials) == 0 {
		return nil
	}
	fmt.Fprintln(c.Stdout)
	rows := [][]string{{"RULE", "ALLOW", "SAYS"}}
	for _, t := range v.Trials {
		says := "is not for this channel"
		if t.Matches {
			says = t.Reason
		}
		var with []string
		for name, value := range t.Parameters {
			with = append(with, name+" = "+value)
		}
		if len(with) > 0 {
			says += " (" + strings.Join(with, ", ") + ")"
		}
		rows = append(rows, []string{printable(t.Rule), shorten(t.Allow, 60), printable(says)})
	}
	return table(c.Stdout, rows)
}
