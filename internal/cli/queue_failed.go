package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/queue"
)

type queueFailed struct {
	*Program
	queue string
	limit int
	json  bool
}

func newQueueFailed(p *Program) *cobra.Command {
	c := &queueFailed{Program: p}
	cmd := newCommand("failed", "list failed jobs", cobra.NoArgs, c.run)
	cmd.Long = `List the jobs that were given up, the last first, with the error of their last try.
With --json the error is whole and the payload is there, for seven days.`
	cmd.Example = "belfry queue:failed\nbelfry queue:failed --queue notifications --json"
	cmd.Flags().StringVar(&c.queue, "queue", "", "only jobs of this `queue`")
	cmd.Flags().IntVar(&c.limit, "limit", 100, "at most this `number`")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *queueFailed) run(cmd *cobra.Command, _ []string) error {
	b, err := c.side(cmd.Context())
	if err != nil {
		return err
	}
	defer b.Close()
	list, err := b.Jobs.Failed(cmd.Context(), c.queue, c.limit)
	if err != nil {
		return err
	}
	if c.json {
		if list == nil {
			list = []queue.FailedJob{}
		}
		return printJSON(c.Stdout, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(c.Stdout, "no job has failed")
		return err
	}
	rows := [][]string{{"ID", "QUEUE", "KIND", "TRIES", "FAILED", "ERROR"}}
	for _, f := range list {
		rows = append(rows, []string{f.ID, f.Queue, f.Kind, strconv.Itoa(f.Tries), clock(f.Failed), shorten(f.Error, 100)})
	}
	if err := table(c.Stdout, rows); err != nil {
		return err
	}
	if len(list) == c.limit {
		_, err = fmt.Fprintln(c.Stderr, "there may be more: belfry queue:failed --limit", c.limit*10)
	}
	return err
}

// shorten gives the beginning of a text's first line.
func shorten(text string, most int) string {
	line, _, more := strings.Cut(text, "\n")
	line = printable(line)
	if utf8.RuneCountInString(line) > most {
		line, more = string([]rune(line)[:most]), true
	}
	if more {
		line += " …"
	}
	return line
}
