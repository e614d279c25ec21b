package cli

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/belfryhq/belfry"
)

// workOptions are those of a worker process, under Laravel's names.
type workOptions struct {
	queues      string
	timeout     seconds
	memory      megabytes
	tries       int
	backoff     pauses
	sleep       seconds
	rest        seconds
	maxJobs     int
	maxTime     seconds
	concurrency int
	once        bool
	empty       bool

	flags *pflag.FlagSet
}

// register adds the options to a command. broadcast says that they are those of
// broadcast:start, where the pause before a retry is called --delay.
func (o *workOptions) register(cmd *cobra.Command, broadcast bool) {
	o.timeout, o.memory, o.backoff, o.sleep = seconds(time.Minute), 128, pauses{5 * time.Second}, seconds(3*time.Second)
	f := cmd.Flags()
	o.flags = f
	f.StringVar(&o.queues, "queue", belfry.DefaultQueue, "`queues` to work on, parted by commas, the most important first")
	f.Var(&o.timeout, "timeout", "`seconds` that one try of a job may take, 0 for no limit")
	f.Var(&o.memory, "memory", "`MB` of memory above which the worker finishes its jobs and is replaced, 0 for no limit")
	f.IntVar(&o.tries, "tries", 3, "`number` of tries before a job counts as failed; a job's own setting comes first")
	name, other := "backoff", "delay"
	if broadcast {
		name, other = other, name
	}
	f.Var(&o.backoff, name, "`seconds` before a retry; several, parted by commas, for the second, third … try")
	f.Var(&o.backoff, other, "the same as --"+name)
	f.Lookup(other).Hidden = true
	f.Var(&o.sleep, "sleep", "`seconds`; taken for Laravel's sake: new jobs wake a worker, it need not look for them")
	f.Var(&o.rest, "rest", "`seconds` to rest after each job")
	f.IntVar(&o.maxJobs, "max-jobs", 0, "be replaced after this `number` of jobs, 0 for no limit")
	f.Var(&o.maxTime, "max-time", "be replaced after so many `seconds`, 0 for no limit")
	f.IntVar(&o.concurrency, "concurrency", 16, "`number` of jobs that run at once; those of one channel run one after another")
	f.BoolVar(&o.empty, "stop-when-empty", false, "end when no job waits")
}

func (o *workOptions) check() error {
	switch {
	case len(o.names()) == 0:
		return &usageError{errors.New("--queue names no queue")}
	case o.tries < 0, o.maxJobs < 0, o.concurrency < 1:
		return &usageError{errors.New("--tries and --max-jobs cannot be negative, and --concurrency is at least 1")}
	}
	return nil
}

// names gives the queues, each once.
func (o *workOptions) names() []string {
	var names []string
	for name := range strings.SplitSeq(o.queues, ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// args gives the options that were set, for another process.
func (o *workOptions) args() []string {
	var args []string
	o.flags.Visit(func(f *pflag.Flag) {
		if slices.Contains([]string{"queue", "timeout", "memory", "tries", "delay", "backoff", "sleep", "rest", "max-jobs", "max-time",
			"concurrency", "stop-when-empty"}, f.Name) {
			args = append(args, "--"+f.Name+"="+f.Value.String())
		}
	})
	return args
}

// count writes a number of things.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
