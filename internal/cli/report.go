package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/config"
)

// usageError is wrong use. Without a cause everything is said already.
type usageError struct{ err error }

func (e *usageError) Error() string {
	if e.err == nil {
		return "wrong use"
	}
	return e.err.Error()
}

func (e *usageError) Unwrap() error { return e.err }

// errSaid ends a command with code 1 when what is wrong stands in its output.
var errSaid = errors.New("failed")

// report prints an error as "belfry: what" and "hint: what to do", and gives
// the exit code.
func (p *Program) report(cmd *cobra.Command, err error) int {
	if err == nil {
		return exitDone
	}
	if u, ok := errors.AsType[*usageError](err); ok {
		if u.err != nil {
			p.complain(u.Error(), "see: "+strings.TrimSpace("belfry "+commandName(cmd))+" --help")
		}
		return exitUsage
	}
	if e, ok := errors.AsType[*errExit](err); ok {
		return e.code
	}
	switch {
	case errors.Is(err, errSaid):
	case errors.Is(err, context.Canceled):
		// Ctrl-C: whoever pressed it knows.
	default:
		p.complain(describe(err))
	}
	return exitFailed
}

func (p *Program) complain(message, hint string) {
	fmt.Fprintf(p.Stderr, "belfry: %s\n", message)
	if hint != "" {
		fmt.Fprintf(p.Stderr, "hint: %s\n", hint)
	}
}

// describe gives an error's text and the hint of the first coded error in it.
func describe(err error) (message, hint string) {
	if faults, ok := errors.AsType[*config.Error](err); ok {
		if len(faults.Faults) == 1 {
			return "the configuration has a fault: " + faults.Error(), "mend it, and try with: belfry config check"
		}
		return fmt.Sprintf("the configuration has %d faults:\n%s", len(faults.Faults), indent(faults.Error())),
			"mend them, and try with: belfry config check"
	}
	message = err.Error()
	if e, ok := errors.AsType[*belfry.Error](err); ok {
		hint = e.Hint
	}
	return message, hint
}
