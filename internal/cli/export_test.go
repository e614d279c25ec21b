package cli

import (
	"maps"
	"slices"
	"strings"
)

// CommandNames gives the commands that do something, but for shells' completion.
func CommandNames() (all []string) {
	for _, c := range leaves((&Program{}).command()) {
		if name := commandName(c); !strings.HasPrefix(name, "completion") && name != "help" {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// Decided gives the commands of which it is said whether a server on another
// machine carries them out.
func Decided() []string { return slices.Sorted(maps.Keys(carriedOut)) }
