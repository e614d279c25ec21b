package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// colonKey annotates a group whose commands are written with a colon.
const colonKey = "colon"

// groupKey annotates a command that only holds others.
const groupKey = "group"

// unifySpelling makes "app list" of "app:list" wherever that names a command,
// so that both spellings are the same for every command. Only the command's
// own place is looked at: arguments may hold colons.
func unifySpelling(root *cobra.Command, args []string) []string {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return args
		case strings.HasPrefix(arg, "-"):
			name := strings.TrimLeft(arg, "-")
			if f := root.PersistentFlags().Lookup(name); f != nil && f.NoOptDefVal == "" {
				i++ // its value
			}
		case arg == "help", arg == cobra.ShellCompRequestCmd, arg == cobra.ShellCompNoDescRequestCmd:
			// The command's name comes next. What is being completed stays.
			if arg != "help" && i+2 >= len(args) {
				return args
			}
		default:
			parts := strings.Split(arg, ":")
			if len(parts) > 1 && finds(root, parts) {
				return slices.Concat(args[:i], parts, args[i+1:])
			}
			return args
		}
	}
	return args
}

// finds reports whether parts lead to a command.
func finds(root *cobra.Command, parts []string) bool {
	cmd, rest, err := root.Find(parts)
	return err == nil && cmd != root && len(rest) == 0
}

// nameParts gives a command's name without the program's.
func nameParts(cmd *cobra.Command) []string {
	var parts []string
	for ; cmd.HasParent(); cmd = cmd.Parent() {
		parts = append(parts, cmd.Name())
	}
	slices.Reverse(parts)
	return parts
}

// commandName gives a command's name as it is usually written, "app:list".
func commandName(cmd *cobra.Command) string {
	return strings.Join(nameParts(cmd), separator(cmd))
}

// otherName gives its other spelling, or "".
func otherName(cmd *cobra.Command) string {
	parts := nameParts(cmd)
	if len(parts) < 2 {
		return ""
	}
	if separator(cmd) == ":" {
		return strings.Join(parts, " ")
	}
	return strings.Join(parts, ":")
}

func separator(cmd *cobra.Command) string {
	for ; cmd.HasParent(); cmd = cmd.Parent() {
		if cmd.Annotations[colonKey] != "" {
			return ":"
		}
	}
	return " "
}

// colonNames completes "app:l" to "app:list".
func colonNames(root *cobra.Command) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, c := range leaves(root) {
			if name := commandName(c); len(args) == 0 && strings.Contains(name, ":") && strings.HasPrefix(name, toComplete) {
				names = append(names, name+"\t"+c.Short)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// leaves lists the commands that do something, in the order of the help.
func leaves(cmd *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		if c.Annotations[groupKey] == "" {
			all = append(all, c)
		}
		all = append(all, leaves(c)...)
	}
	return all
}
