package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/queue"
)

// maxEventData bounds what is read from standard input.
const maxEventData = 16 << 20

type eventSend struct {
	*Program
	event       belfry.Event
	how         broadcast.How
	delay, wait seconds
	expires     seconds
	now, json   bool
}

func newEvent(p *Program) *cobra.Command {
	c := &eventSend{Program: p, wait: seconds(3 * time.Second)}
	cmd := newCommand("send CHANNEL EVENT JSON", "send one event, and tell what became of it", cobra.ExactArgs(3), c.run)
	cmd.Long = `Send one event to a channel and print its id and what became of it. It goes through
the queue, as an application's events do, and the command waits a little for a
worker to send it; with --now it goes out at once and the answer counts who got
it. JSON is the event's data; - takes it from standard input.`
	cmd.Example = `belfry event:send my-channel hello '{"text": "Hi"}' --now
belfry event:send private-user.7 order.paid '{"order": 12}' --queue high
belfry event:send news item - < item.json`
	f := cmd.Flags()
	f.BoolVar(&c.now, "now", false, "send it at once, past the queue")
	f.StringVar(&c.event.App, "app", "", "`id` of the app (default: the default app)")
	f.StringVar(&c.how.Queue, "queue", "", "the `queue` (default: default)")
	f.Var(&c.delay, "delay", "`seconds` before it may be sent")
	f.Var(&c.expires, "expires-in", "`seconds` after which it is not worth sending any more, 0 for never")
	f.StringVar(&c.event.ExcludeSocket, "except", "", "`socket id` of a connection that does not get it")
	f.StringVar(&c.event.Condition, "condition", "", "`name` of a condition that is asked when it is sent, such as occupied")
	f.BoolVar(&c.event.WithID, "with-id", false, "add the event's id to the data, as event_id")
	f.Var(&c.wait, "wait", "`seconds` to wait for a worker, 0 for not at all")
	jsonFlag(cmd, &c.json)
	return group("event", "an application's events", true, cmd)
}

// sent is the answer in JSON.
type sent struct {
	broadcast.Accepted
	Queue string `json:"queue,omitempty"`
	Tries int    `json:"tries,omitempty"` // that failed
	Error string `json:"error,omitempty"`
}

func (c *eventSend) run(cmd *cobra.Command, args []string) error {
	ctx, stop := interruptible(cmd)
	defer stop()
	data, err := c.data(args[2])
	if err != nil {
		return err
	}
	b, err := c.side(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	c.event.Channels, c.event.Name, c.event.Data, c.event.Origin = []string{args[0]}, args[1], data, "event:send"
	if c.expires > 0 {
		c.event.Expires = time.Now().Add(time.Duration(c.expires))
	}
	c.how.Delay = time.Duration(c.delay)
	a, err := b.Accept(ctx, broadcast.Request{Event: c.event, How: c.how, Now: c.now})
	if err != nil {
		return err
	}
	s := sent{Accepted: a}
	if !c.now && c.delay == 0 {
		if err := c.follow(ctx, b, &s); err != nil {
			return err
		}
	}
	if err := c.print(s); err != nil {
		return err
	}
	if s.Status == "failed" {
		return errSaid
	}
	return nil
}

// data reads and checks the event's data.
func (c *eventSend) data(arg string) ([]byte, error) {
	data := []byte(arg)
	if arg == "-" {
		var err error
		if data, err = io.ReadAll(io.LimitReader(c.Stdin, maxEventData+1)); err != nil {
			return nil, fmt.Errorf("read the data: %w", err)
		}
	}
	data = bytes.TrimSpace(data)
	if len(data) > maxEventData {
		return nil, belfry.Errorf(belfry.CodeTooLarge, "the data is longer than %d MB", maxEventData>>20)
	}
	if !json.Valid(data) {
		return nil, &usageError{errors.New(`the data is not JSON; a text needs its quotes, as in '"hello"'`)}
	}
	return data, nil
}

// follow waits for a worker to take the event, and tells what the queue then
// knows of it.
func (c *eventSend) follow(ctx context.Context, b *side, s *sent) error {
	if c.wait == 0 {
		return nil
	}
	b.tell(ctx)
	end := time.NewTimer(time.Duration(c.wait))
	defer end.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		f, err := b.Jobs.Find(ctx, s.ID)
		switch {
		case belfry.CodeOf(err) == belfry.CodeNotFound:
			s.Status = "done"
			return nil
		case err != nil:
			return err
		}
		s.Queue, s.Tries, s.Error = f.Queue, f.Tries, f.Error
		switch f.State {
		case queue.Failed, queue.Retrying:
			s.Status = string(f.State)
			return nil
		}
		select {
		case <-again.C:
		case <-end.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *eventSend) print(s sent) error {
	if c.json {
		return printJSON(c.Stdout, s)
	}
	rows := [][]string{{"event", s.ID}, {"status", c.status(s)}}
	if r := s.Receipt; r != nil {
		rows = append(rows, []string{"subscribers", fmt.Sprintf("%d: %d written, %d waiting, %d dropped", r.Matched, r.Written, r.Waiting, r.Dropped)})
	}
	if s.Error != "" {
		rows = append(rows, []string{"error", shorten(s.Error, 300)})
	}
	return table(c.Stdout, rows)
}

// status says it for people.
func (c *eventSend) status(s sent) string {
	switch s.Status {
	case "queued":
		switch {
		case c.delay > 0:
			return "queued, to be sent in " + time.Duration(c.delay).String()
		case c.wait == 0:
			return "queued"
		}
		return "queued; no worker has sent it yet (see: belfry queue:monitor)"
	case "skipped":
		return "skipped: " + s.Reason
	case "done":
		return "done: a worker has sent it, or found that it was not to be sent"
	case "retrying":
		return fmt.Sprintf("failed %s, and is tried again", count(s.Tries, "time", "times"))
	case "failed":
		return fmt.Sprintf("failed for good after %s (see: belfry queue:failed)", count(s.Tries, "try", "tries"))
	}
	return s.Status
}
