package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/worker"
)

// workProcess is a worker in this process: broadcast:start and queue:work.
type workProcess struct {
	*Program
	work workOptions
}

func newBroadcast(p *Program) *cobra.Command {
	c := &workProcess{Program: p}
	cmd := newCommand("start", "run a worker for broadcast jobs", cobra.NoArgs, c.run)
	cmd.Long = `Run a worker that sends queued events, until it gets SIGTERM or Ctrl-C: it then
takes no more jobs, finishes those that it has, and ends; a second signal ends it
at once. Over its memory limit, and after queue:restart, it finishes its jobs and is
replaced by a fresh one. While the database is away it waits for it.

The server has workers of its own (belfry serve --no-workers leaves them out); this
is for more of them, on this machine or another. With the broadcaster "local" events
go to the server that runs on the same data folder.`
	cmd.Example = `belfry broadcast:start --queue=default --timeout=60 --memory=128 --tries=3 --delay=5
belfry broadcast:start --queue=high,default --concurrency 8`
	c.work.register(cmd, true)
	return group("broadcast", "sending events", true, cmd)
}

func newQueueWork(p *Program) *cobra.Command {
	c := &workProcess{Program: p}
	cmd := newCommand("work", "run a worker", cobra.NoArgs, c.run)
	cmd.Long = `Run a worker for queued jobs, as belfry broadcast:start does. With --once it runs
one job, or none when none waits, and ends.`
	cmd.Example = `belfry queue:work --queue=high,default --tries=3 --backoff=5,30
belfry queue:work --once
belfry queue:work --stop-when-empty`
	c.work.register(cmd, false)
	cmd.Flags().BoolVar(&c.work.once, "once", false, "run one job, if one waits, and end")
	return cmd
}

// errExit ends a command with a code of its own when everything is said.
type errExit struct{ code int }

func (e *errExit) Error() string { return fmt.Sprintf("exit code %d", e.code) }

func (c *workProcess) run(cmd *cobra.Command, _ []string) error {
	if err := c.work.check(); err != nil {
		return err
	}
	leash, err := worker.TakeLeash(cmd.Context(), c.Environ, c.Stdin)
	if err != nil {
		return err
	}
	err = c.runLeashed(cmd, leash)
	if _, said := errors.AsType[*errExit](err); err != nil && !said && leash != nil {
		message, _ := describe(err)
		leash.Farewell("failed: " + shorten(message, 300))
	}
	return err
}

func (c *workProcess) runLeashed(cmd *cobra.Command, leash *worker.Leash) error {
	cfg, err := c.load(nil)
	if err != nil {
		return err
	}
	log, err := (&serve{Program: c.Program}).logger(cfg)
	if err != nil {
		return err
	}
	ctx, cancel := c.until(cmd.Context(), log, leash)
	defer cancel()
	b, err := c.openWaiting(ctx, log)
	if err != nil {
		return c.unlessStopped(ctx, err)
	}
	ended, err := c.serveJobs(ctx, log, b, leash)
	b.Close()
	if err != nil {
		return err
	}
	log.Info("worker ended", "reason", string(ended.Reason), "jobs", ended.Jobs)
	return c.after(ctx, log, leash, ended)
}

// serveJobs works until the worker ends, beside what the queue needs done.
func (c *workProcess) serveJobs(ctx context.Context, log *slog.Logger, b *backend, leash *worker.Leash) (queue.Ended, error) {
	around, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- b.Run(around) }()
	log.Info("worker started", "version", c.Version, "pid", os.Getpid(), "queues", c.work.names(), "broadcaster", b.Broadcast.Driver())
	known := b.QueueNames()
	for _, name := range c.work.names() {
		if !slices.Contains(known, name) {
			log.Warn("no event can name this queue: it is not among those of the settings", "queue", name, "known", known)
		}
	}
	if leash != nil {
		if err := leash.Ready(); err != nil {
			log.Warn("the supervisor does not learn that the worker is ready", "error", err)
		}
	}
	ended, err := b.Queue.Work(ctx, c.work.worker())
	stop()
	return ended, errors.Join(err, <-done)
}

// worker maps the options to a worker's settings.
func (o *workOptions) worker() queue.Worker {
	w := queue.Worker{
		Queues: o.names(), Concurrency: o.concurrency, Tries: o.tries, Backoff: slices.Clone(o.backoff), Timeout: time.Duration(o.timeout),
		Memory: int(o.memory), Rest: time.Duration(o.rest), MaxJobs: o.maxJobs, MaxTime: time.Duration(o.maxTime), StopWhenEmpty: o.empty,
	}
	if w.Tries == 0 {
		w.Tries = math.MaxInt32 // as in Laravel
	}
	if w.Timeout == 0 {
		w.Timeout = -1
	}
	// A job that has begun gets the time that it may take, and the worker then
	// has ended before a supervisor loses its patience.
	if w.Grace = w.Timeout + time.Second; w.Timeout < 0 {
		w.Grace = time.Minute
	}
	if o.once {
		w.MaxJobs, w.StopWhenEmpty, w.Concurrency = 1, true, 1
	}
	return w
}

// errSignal is the cause of a worker's end by a signal.
var errSignal = errors.New("got a signal")

// until gives a context that ends with the first signal, or when the supervisor
// says so. The second signal ends the process.
func (c *workProcess) until(parent context.Context, log *slog.Logger, leash *worker.Leash) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	unleash := func() {}
	if leash != nil {
		leashed, stop := leash.Context(ctx)
		ctx, unleash = leashed, stop
	}
	got := make(chan os.Signal, 4)
	signal.Notify(got, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-got:
				if ctx.Err() != nil {
					log.Warn("ending at once, at a second signal", "signal", s.String())
					os.Exit(exitFailed)
				}
				log.Info("finishing the jobs under way, at a signal", "signal", s.String())
				cancel(errSignal)
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(got)
		close(done)
		unleash()
		cancel(context.Canceled)
	}
}

// openWaiting opens what the worker needs, as soon as the database is there.
func (c *workProcess) openWaiting(ctx context.Context, log *slog.Logger) (*backend, error) {
	pause := 200 * time.Millisecond
	for {
		b, err := c.openBackend(ctx, log)
		if err == nil || belfry.CodeOf(err) != belfry.CodeUnavailable || ctx.Err() != nil {
			return b, err
		}
		log.Warn("the worker waits: what it needs cannot be reached", "error", err, "pause", pause.String())
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		pause = min(2*pause, 5*time.Second)
	}
}

// unlessStopped is for errors that come of the end itself.
func (c *workProcess) unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		return err
	}
	return nil
}

// after ends the process as the reason wants it.
func (c *workProcess) after(ctx context.Context, log *slog.Logger, leash *worker.Leash, ended queue.Ended) error {
	reason := c.farewell(ended.Reason)
	if leash != nil {
		leash.Farewell(reason)
	}
	switch ended.Reason {
	case queue.Empty:
		return nil
	case queue.Stopped:
		if leash != nil && errors.Is(context.Cause(ctx), errSignal) {
			return &errExit{worker.ExitSignal}
		}
		return nil
	}
	switch {
	case c.work.once:
		return nil
	case leash != nil:
		return &errExit{worker.ExitReplace}
	case ended.Reason == queue.JobsDone, ended.Reason == queue.TimeOver:
		return nil // whoever wanted that has somebody who starts another
	}
	log.Info("the worker replaces itself", "reason", reason)
	return c.replace()
}

// farewell says why the worker ends.
func (c *workProcess) farewell(r queue.Reason) string {
	switch r {
	case queue.OverLimit:
		return fmt.Sprintf("over its memory limit of %d MB", int(c.work.memory))
	case queue.Restarted:
		return "asked to restart by queue:restart"
	case queue.JobsDone:
		return fmt.Sprintf("has run %s, its --max-jobs", count(c.work.maxJobs, "job", "jobs"))
	case queue.TimeOver:
		return fmt.Sprintf("has run for %s, its --max-time", time.Duration(c.work.maxTime))
	case queue.Empty:
		return "done: no job waits"
	}
	return "stopped"
}

// replace puts a fresh worker into this process's place.
func (c *workProcess) replace() error {
	program, err := executable()
	if err != nil {
		return err
	}
	err = replaceProcess(program, append([]string{os.Args[0]}, c.args...), c.Environ)
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Fprintln(c.Stderr, "belfry: this system cannot replace a process: start the worker again, or run it with: belfry worker start")
		return &errExit{worker.ExitReplace}
	}
	return fmt.Errorf("replace the worker: %w", err)
}
