package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/queue"
)

type queueMonitor struct {
	*Program
	most  int
	every seconds
	count int
	json  bool
}

func newQueueMonitor(p *Program) *cobra.Command {
	c := &queueMonitor{Program: p, every: seconds(time.Second)}
	cmd := newCommand("monitor [QUEUE:LIMIT,…]", "check queues against limits, or watch them", cobra.MaximumNArgs(1), c.run)
	cmd.Long = `With queues and limits: print how many jobs each holds, and where that is more than
its limit fire the event queue.busy on the channel private-admin and exit with 1. A
queue holds its waiting, running and delayed jobs. A queue without a limit of its
own has that of --max.

Without arguments: watch all queues and workers, on a terminal as a view that is
drawn anew; elsewhere as a line for each change. Ctrl-C ends it.`
	cmd.Example = `belfry queue:monitor
belfry queue:monitor default:50,notifications:20
belfry queue:monitor default,notifications --max 100 --json`
	cmd.Flags().IntVar(&c.most, "max", 1000, "the `limit` of queues that are named without one")
	cmd.Flags().Var(&c.every, "every", "`seconds` between two looks, without arguments")
	cmd.Flags().IntVar(&c.count, "count", 0, "end after this `number` of looks, without arguments (default: never)")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *queueMonitor) run(cmd *cobra.Command, args []string) error {
	var limits []limit
	if len(args) == 1 {
		var err error
		if limits, err = parseLimits(args[0], c.most); err != nil {
			return &usageError{err}
		}
	}
	b, err := c.side(cmd.Context())
	if err != nil {
		return err
	}
	defer b.Close()
	if len(args) == 1 {
		return c.check(cmd.Context(), b, limits)
	}
	return c.watch(cmd, b.Jobs)
}

// limit is how many jobs a queue may hold.
type limit struct {
	queue string
	most  int
}

func parseLimits(text string, most int) (limits []limit, err error) {
	for part := range strings.SplitSeq(text, ",") {
		name, number, has := strings.Cut(strings.TrimSpace(part), ":")
		l := limit{name, most}
		if has {
			if l.most, err = strconv.Atoi(number); err != nil || l.most < 0 {
				return nil, fmt.Errorf("%q: write QUEUE:LIMIT, as in default:50", part)
			}
		}
		if err := queue.CheckName(name); err != nil {
			return nil, err
		}
		limits = append(limits, l)
	}
	return limits, nil
}

// held is one queue against its limit, in JSON and in the event queue.busy.
type held struct {
	Queue   string `json:"queue"`
	Size    int    `json:"size"`
	Limit   int    `json:"limit"`
	Busy    bool   `json:"busy"`
	Waiting int    `json:"waiting"`
	Running int    `json:"running"`
	Delayed int    `json:"delayed"`
	Failed  int    `json:"failed"`
	Paused  bool   `json:"paused"`
}

func (c *queueMonitor) check(ctx context.Context, b *side, limits []limit) error {
	sizes, err := b.Jobs.Sizes(ctx)
	if err != nil {
		return err
	}
	list, busy := []held{}, false
	rows := [][]string{{"QUEUE", "JOBS", "LIMIT", "STATE"}}
	for _, l := range limits {
		s := sizes[l.queue]
		h := held{Queue: l.queue, Size: s.Waiting + s.Running + s.Delayed, Limit: l.most,
			Waiting: s.Waiting, Running: s.Running, Delayed: s.Delayed, Failed: s.Failed, Paused: s.Paused}
		h.Busy = h.Size > l.most
		list = append(list, h)
		state := "ok"
		if h.Busy {
			state, busy = "over its limit", true
		}
		if s.Paused {
			state += ", paused"
		}
		rows = append(rows, []string{l.queue, strconv.Itoa(h.Size), strconv.Itoa(l.most), state})
	}
	if c.json {
		err = printJSON(c.Stdout, list)
	} else {
		err = table(c.Stdout, rows)
	}
	if err != nil || !busy {
		return err
	}
	for _, h := range list {
		if !h.Busy {
			continue
		}
		if err := alert(ctx, b, h); err != nil {
			message, _ := describe(err)
			fmt.Fprintf(c.Stderr, "belfry: the event queue.busy did not go out: %s\n", message)
		}
	}
	return errSaid
}

// alert fires the event queue.busy, past the queues.
func alert(ctx context.Context, b *side, h held) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = b.Accept(ctx, broadcast.Request{Now: true, Event: belfry.Event{
		Name: "queue.busy", Channels: []string{"private-admin"}, Data: data, Origin: "queue:monitor",
	}})
	return err
}

// overview is what watch shows.
type overview struct {
	Queues  map[string]queue.Size `json:"queues"`
	Workers []queue.WorkerInfo    `json:"workers"`
}

func look(ctx context.Context, q control.Jobs) (o overview, err error) {
	if o.Queues, err = q.Sizes(ctx); err != nil {
		return o, err
	}
	if o.Workers, err = q.Workers(ctx); o.Workers == nil {
		o.Workers = []queue.WorkerInfo{}
	}
	return o, err
}

func (c *queueMonitor) watch(cmd *cobra.Command, q control.Jobs) error {
	ctx := cmd.Context()
	v := &view{Program: c.Program, every: time.Duration(c.every), count: c.count}
	if !c.json {
		v.draw = func(w io.Writer) error { return drawQueues(ctx, w, q) }
	}
	before := map[string]string{}
	return v.run(cmd, func(at time.Time) error {
		o, err := look(ctx, q)
		if err != nil {
			return err
		}
		if c.json {
			return v.changedJSON(o)
		}
		return c.changes(o, at, before)
	})
}

// changes prints a line for each queue that holds something else than before,
// and for each worker that came or went.
func (c *queueMonitor) changes(o overview, at time.Time, before map[string]string) error {
	now := map[string]string{}
	for name, s := range o.Queues {
		line := fmt.Sprintf("%s: waiting %d, running %d, delayed %d, failed %d", name, s.Waiting, s.Running, s.Delayed, s.Failed)
		if s.Paused {
			line += ", paused"
		}
		now["1 "+name] = line
	}
	for _, w := range o.Workers {
		line := fmt.Sprintf("worker %s: %s", w.ID, strings.Join(w.Queues, ","))
		if w.Silent {
			line += ", silent"
		}
		if w.Other {
			line += ", of version " + w.Version
		}
		now["2 "+w.ID] = line
	}
	if len(now) == 0 {
		now["0"] = "no queue holds a job, and no worker runs"
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if before[key] != now[key] {
			lines = append(lines, now[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, still := now[key]; !still && key != "0" {
			name, _, _ := strings.Cut(before[key], ": ")
			lines = append(lines, name+": gone")
		}
	}
	clear(before)
	maps.Copy(before, now)
	for _, line := range lines {
		if _, err := fmt.Fprintf(c.Stdout, "%s  %s\n", at.Local().Format("15:04:05.000"), printable(line)); err != nil {
			return err
		}
	}
	return nil
}

// drawQueues prints the whole view. A database that does not answer is shown
// as such; it may come back.
func drawQueues(ctx context.Context, w io.Writer, q control.Jobs) error {
	now := time.Now()
	fmt.Fprintf(w, "belfry queue:monitor  %s\n\n", now.Format("15:04:05"))
	o, err := look(ctx, q)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return err
		}
		_, err = fmt.Fprintln(w, printable(err.Error()))
		return err
	}
	rows := [][]string{{"QUEUE", "WAITING", "RUNNING", "DELAYED", "FAILED", "OLDEST", "STATE"}}
	for _, name := range slices.Sorted(maps.Keys(o.Queues)) {
		s, state := o.Queues[name], ""
		if s.Paused {
			state = "paused"
		}
		rows = append(rows, []string{name, strconv.Itoa(s.Waiting), strconv.Itoa(s.Running), strconv.Itoa(s.Delayed), strconv.Itoa(s.Failed),
			s.Oldest.Round(time.Second).String(), state})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	rows = [][]string{{"WORKER", "QUEUES", "RUNNING", "BEGUN", "MEMORY", "SINCE", "LAST SIGN", "STATE"}}
	for _, one := range o.Workers {
		state := "works"
		if one.Silent {
			state = "silent"
		}
		if one.Other {
			state += ", version " + printable(one.Version)
		}
		rows = append(rows, []string{one.ID, strings.Join(one.Queues, ","), strconv.Itoa(one.Running), strconv.Itoa(one.Begun),
			strconv.Itoa(one.Used) + " MB", clock(one.Started), ago(one.Seen, now) + " ago", state})
	}
	return table(w, rows)
}
