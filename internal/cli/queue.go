package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/queue"
)

func newQueue(p *Program) *cobra.Command {
	return group("queue", "jobs, workers and failed jobs", true,
		newQueueWork(p), newQueueMonitor(p), newQueueFailed(p), newQueueRetry(p), newQueueForget(p), newQueueFlush(p), newQueueClear(p),
		newQueuePruneFailed(p), newQueueRestart(p), newQueuePause(p, true), newQueuePause(p, false))
}

// onQueue makes a command that does one thing with the queue and says so. do
// gives what is printed as a line, and as JSON.
func (p *Program) onQueue(use, short string, args cobra.PositionalArgs,
	do func(ctx context.Context, q control.Jobs, args []string) (line string, answer any, err error)) *cobra.Command {
	asJSON := new(bool)
	cmd := newCommand(use, short, args, func(cmd *cobra.Command, args []string) error {
		ctx, stop := interruptible(cmd)
		defer stop()
		b, err := p.side(ctx)
		if err != nil {
			return err
		}
		defer b.Close()
		line, answer, err := do(ctx, b.Jobs, args)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(p.Stdout, answer)
		}
		_, err = fmt.Fprintln(p.Stdout, line)
		return err
	})
	jsonFlag(cmd, asJSON)
	return cmd
}

// counted is an answer that is a number.
func counted(word string, n int) map[string]int { return map[string]int{word: n} }

func newQueueRetry(p *Program) *cobra.Command {
	only := new(string)
	cmd := p.onQueue("retry all|ID…", "try failed jobs again", cobra.MinimumNArgs(1),
		func(ctx context.Context, q control.Jobs, ids []string) (string, any, error) {
			n, err := len(ids), error(nil)
			if len(ids) == 1 && ids[0] == "all" {
				n, err = q.RetryAll(ctx, *only)
			} else if *only != "" {
				return "", nil, &usageError{errors.New("--queue goes with: queue:retry all")}
			} else {
				err = q.Retry(ctx, ids...)
			}
			return count(n, "job waits", "jobs wait") + " to be tried again", counted("retried", n), err
		})
	cmd.Long = `Put failed jobs back into their queues, with all their tries: those with these ids,
or all. When one of the ids is not that of a failed job, nothing is done.`
	cmd.Example = "belfry queue:retry all\nbelfry queue:retry all --queue notifications\nbelfry queue:retry 01k8x4v1z8q0"
	cmd.Flags().StringVar(only, "queue", "", "with all: only jobs of this `queue`")
	return cmd
}

func newQueueForget(p *Program) *cobra.Command {
	cmd := p.onQueue("forget ID…", "remove failed jobs from the list", cobra.MinimumNArgs(1),
		func(ctx context.Context, q control.Jobs, ids []string) (string, any, error) {
			return count(len(ids), "failed job is", "failed jobs are") + " forgotten", counted("forgotten", len(ids)), q.Forget(ctx, ids...)
		})
	cmd.Long = "Remove failed jobs from the list for good. When one of the ids is not that of a\nfailed job, nothing is done."
	cmd.Example = "belfry queue:forget 01k8x4v1z8q0"
	return cmd
}

func newQueueFlush(p *Program) *cobra.Command {
	older := new(hours)
	cmd := p.onQueue("flush", "remove all failed jobs from the list", cobra.NoArgs,
		func(ctx context.Context, q control.Jobs, _ []string) (string, any, error) {
			n, err := 0, error(nil)
			if *older > 0 {
				n, err = q.PruneFailed(ctx, time.Now().Add(-time.Duration(*older)))
			} else {
				n, err = q.Flush(ctx)
			}
			return count(n, "failed job is", "failed jobs are") + " forgotten", counted("forgotten", n), err
		})
	cmd.Long = "Remove all failed jobs from the list for good, or those that failed so long ago."
	cmd.Example = "belfry queue:flush\nbelfry queue:flush --hours=48"
	cmd.Flags().Var(older, "hours", "only jobs that failed so many `hours` ago, or earlier")
	return cmd
}

func newQueuePruneFailed(p *Program) *cobra.Command {
	older := hours(24 * time.Hour)
	cmd := p.onQueue("prune-failed", "remove old failed jobs from the list", cobra.NoArgs,
		func(ctx context.Context, q control.Jobs, _ []string) (string, any, error) {
			n, err := q.PruneFailed(ctx, time.Now().Add(-time.Duration(older)))
			return count(n, "failed job is", "failed jobs are") + " removed", counted("removed", n), err
		})
	cmd.Long = "Remove the jobs that failed so many hours ago, or earlier, from the list for good."
	cmd.Example = "belfry queue:prune-failed --hours=48"
	cmd.Flags().Var(&older, "hours", "`hours` that a failed job is kept")
	return cmd
}

func newQueueClear(p *Program) *cobra.Command {
	option := new(string)
	cmd := p.onQueue("clear [QUEUE]", "remove the waiting jobs of a queue", cobra.MaximumNArgs(1),
		func(ctx context.Context, q control.Jobs, args []string) (string, any, error) {
			name, err := oneQueue(args, *option)
			if err != nil {
				return "", nil, err
			}
			if err := knownQueue(ctx, q, name); err != nil {
				return "", nil, err
			}
			n, err := q.Clear(ctx, name)
			return fmt.Sprintf("%s removed from the queue %s", count(n, "job is", "jobs are"), name), counted("removed", n), err
		})
	cmd.Long = `Remove the jobs of a queue that no worker runs, delayed ones too. They are lost.
Failed jobs stay; see queue:flush. Without a name it is the queue default.`
	cmd.Example = "belfry queue:clear\nbelfry queue:clear notifications"
	cmd.Flags().StringVar(option, "queue", "", "the `queue`")
	return cmd
}

// oneQueue gives the queue that a command names in one way or the other.
func oneQueue(args []string, option string) (string, error) {
	switch {
	case len(args) == 1 && option != "" && option != args[0]:
		return "", &usageError{fmt.Errorf("name one queue: %s or %s", args[0], option)}
	case len(args) == 1:
		return args[0], nil
	case option != "":
		return option, nil
	}
	return belfry.DefaultQueue, nil
}

// knownQueue refuses a queue that is not configured and has never had anything:
// most likely its name is misspelt.
func knownQueue(ctx context.Context, q control.Jobs, name string) error {
	if err := queue.CheckName(name); err != nil {
		return err
	}
	sizes, err := q.Sizes(ctx)
	if _, known := sizes[name]; known || err != nil {
		return err
	}
	return &belfry.Error{Code: belfry.CodeNotFound, Message: fmt.Sprintf("there is no queue %q", name),
		Hint: "there are: " + strings.Join(slices.Sorted(maps.Keys(sizes)), ", ") + "; name others under queues in belfry.yaml"}
}

func newQueueRestart(p *Program) *cobra.Command {
	cmd := p.onQueue("restart", "have all workers finish their jobs and start anew", cobra.NoArgs,
		func(ctx context.Context, q control.Jobs, _ []string) (string, any, error) {
			return "the workers of all processes finish their jobs and are replaced", map[string]bool{"restarting": true}, q.Restart(ctx)
		})
	cmd.Long = `Have the workers of all processes, on all machines, finish the jobs that they have
and start anew, within about a second when they are idle. The workers inside the
server do so without the server.`
	cmd.Example = "belfry queue:restart"
	return cmd
}

func newQueuePause(p *Program, paused bool) *cobra.Command {
	use, short, said := "pause [QUEUE…]", "keep workers from starting jobs of a queue", "paused"
	long := `Keep all workers from starting jobs of these queues. Jobs under way finish; new
ones are taken in and wait. Without a name it is the queue default.`
	example := "belfry queue:pause\nbelfry queue:pause notifications reports"
	if !paused {
		use, short, said = "continue [QUEUE…]", "let workers start the jobs of a paused queue again", "running"
		long, example = "Let workers start the jobs of paused queues again. Without a name it is the queue\ndefault.", "belfry queue:continue notifications"
	}
	cmd := p.onQueue(use, short, cobra.ArbitraryArgs, func(ctx context.Context, q control.Jobs, names []string) (string, any, error) {
		if len(names) == 0 {
			names = []string{belfry.DefaultQueue}
		}
		// All are looked at before any is changed.
		for _, name := range names {
			if err := knownQueue(ctx, q, name); err != nil {
				return "", nil, err
			}
		}
		for _, name := range names {
			var err error
			if paused {
				err = q.Pause(ctx, name)
			} else {
				err = q.Continue(ctx, name)
			}
			if err != nil {
				return "", nil, err
			}
		}
		return said + ": " + strings.Join(names, ", "), map[string][]string{said: names}, nil
	})
	cmd.Long, cmd.Example = long, example
	return cmd
}
