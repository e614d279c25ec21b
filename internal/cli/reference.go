package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// WriteReference writes the page of the reference that lists the commands.
func WriteReference(w io.Writer) error {
	root := (&Program{}).command()
	var b strings.Builder
	b.WriteString(`# Commands

<!-- Made from the commands themselves by: go test ./internal/cli -update -->

Commands with a colon may be written with a space, and the other way round:
` + "`belfry app:list` and `belfry app list`" + ` are the same. Exit codes: 0 done, 1 failed,
2 wrong use. An error is a line ` + "`belfry: what is wrong`" + `, often followed by
` + "`hint: what to do`" + `. Shell completion: ` + "`belfry completion --help`" + `.

These options go with every command:

` + "```\n" + options(root.PersistentFlags()) + "```\n")
	for _, cmd := range leaves(root) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```\n%s\n```\n", commandName(cmd), about(cmd), useLine(cmd))
		if text := options(cmd.LocalNonPersistentFlags()); text != "" {
			fmt.Fprintf(&b, "\nOptions:\n\n```\n%s```\n", text)
		}
		fmt.Fprintf(&b, "\nExamples:\n\n```sh\n%s\n```\n", strings.TrimSpace(cmd.Example))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// about says what a command does.
func about(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return strings.TrimSpace(cmd.Long)
	}
	return strings.ToUpper(cmd.Short[:1]) + cmd.Short[1:] + "."
}
