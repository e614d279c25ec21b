package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpText is what --help prints.
func helpText(cmd *cobra.Command) string {
	var b strings.Builder
	section := func(title, text string) {
		if text = strings.TrimRight(text, "\n"); text != "" {
			fmt.Fprintf(&b, "\n%s:\n%s\n", title, text)
		}
	}
	b.WriteString(about(cmd) + "\n")
	section("Usage", indent(useLine(cmd)))
	if other := otherName(cmd); other != "" && !cmd.HasSubCommands() {
		section("The same as", indent("belfry "+other))
	}
	section("Commands", commandList(cmd))
	section("Examples", indent(cmd.Example))
	section("Options", options(cmd.NonInheritedFlags()))
	if cmd.HasParent() {
		section("Options of every command", options(cmd.InheritedFlags()))
	}
	return b.String()
}

// useLine shows how a command is written.
func useLine(cmd *cobra.Command) string {
	if cmd.HasSubCommands() && !cmd.HasParent() {
		return "belfry COMMAND [options]"
	}
	line := "belfry " + commandName(cmd)
	if cmd.HasSubCommands() && cmd.Annotations[colonKey] != "" {
		return line + ":COMMAND [options]"
	}
	if cmd.HasSubCommands() {
		line += " [COMMAND]"
	}
	if _, rest, ok := strings.Cut(cmd.Use, " "); ok {
		line += " " + rest
	}
	return line + " [options]"
}

// commandList lists what is below a command, the whole tree for the program.
func commandList(cmd *cobra.Command) string {
	var b strings.Builder
	for _, c := range leaves(cmd) {
		switch {
		case c.Parent() == cmd && c.Name() == "completion":
			fmt.Fprintf(&b, "  %-18s  %s\n", "completion SHELL", "print the completion script for bash, zsh, fish or powershell")
		case c.Parent().Name() == "completion" && c.Parent() != cmd:
		default:
			fmt.Fprintf(&b, "  %-18s  %s\n", commandName(c), c.Short)
		}
	}
	return b.String()
}

func options(flags *pflag.FlagSet) string { return flags.FlagUsagesWrapped(90) }

func indent(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(text, "\n", "\n  ")
}
