package cli_test

import (
	"slices"
	"testing"

	"github.com/belfryhq/belfry/internal/cli"
)

// Of every command it is said whether a server on another machine carries it out.
func TestRemote_EveryCommandIsDecidedOn(t *testing.T) {
	commands, decided := cli.CommandNames(), cli.Decided()
	if !slices.Equal(commands, decided) {
		t.Errorf("there are  %v\ndecided on: %v", commands, decided)
	}
}
