package cli

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/notify"
)

type notificationsSend struct {
	*Program
	title, message, kind, priority   string
	category, icon, color            string
	actionURL, actionText, data, key string
	to                               []string
	importance                       int
	sticky, draft, json              bool
	schedule, expires                moment
}

func newNotificationsSend(p *Program) *cobra.Command {
	c := &notificationsSend{Program: p}
	cmd := newCommand("send", "send a notification, or schedule one", cobra.NoArgs, c.run)
	cmd.Long = `Send a notification to people, now or at a time. It is durable when the command
returns; a running server, or a worker, brings it out. --to takes all, role:NAME,
user:WHO (an id or an email), active:DAYS or inactive:DAYS: who has signed in within
some days, 30 by default, or has not. role: and user: may be given several times.`
	cmd.Example = `belfry notifications:send --title "Maintenance" --message "Tonight at nine" --to all
belfry notifications:send --title "Report" --message "It is ready" --to role:editor --to role:manager --type alert --priority high --action-url /reports/7 --action-text Open
belfry notifications:send --title "Reminder" --message "The survey ends" --to user:ann@example.com --type reminder --schedule 2h --expires "2030-01-31 18:00" --json`
	f := cmd.Flags()
	f.StringVar(&c.title, "title", "", "the `text` of its title, up to 255 characters")
	f.StringVar(&c.message, "message", "", "the `text` of its message, up to 10000 characters")
	f.StringArrayVar(&c.to, "to", nil, "`who` gets it")
	f.StringVar(&c.kind, "type", "", "its `type`: system, announcement, alert or reminder (default: announcement)")
	f.StringVar(&c.priority, "priority", "", "its `priority`: high, medium or low (default: medium)")
	f.IntVar(&c.importance, "importance", 50, "its importance, a `number` from 0 to 100")
	f.StringVar(&c.category, "category", "", "a `word` to sort it by")
	f.StringVar(&c.icon, "icon", "", "the `name` of an icon")
	f.StringVar(&c.color, "color", "", "its `color`, as in #1e90ff")
	f.StringVar(&c.actionURL, "action-url", "", "`address` that its button leads to: http, https or a path on this host")
	f.StringVar(&c.actionText, "action-text", "", "`text` of its button")
	f.StringVar(&c.data, "data", "", "a JSON `object` of the application's own")
	f.BoolVar(&c.sticky, "not-dismissible", false, "receivers cannot dismiss it")
	f.Var(&c.schedule, "schedule", "when it is sent: a `time`, or a span from now")
	f.Var(&c.expires, "expires", "when it disappears: a `time`, or a span from now")
	f.BoolVar(&c.draft, "draft", false, "only keep it, as a draft")
	f.StringVar(&c.key, "key", "", "an idempotency `key`: the same command with the same key sends once a day")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *notificationsSend) run(cmd *cobra.Command, _ []string) error {
	ctx := cmd.Context()
	b, err := c.backend(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	now := time.Now()
	dismissible := !c.sticky
	d := notify.Draft{
		Title: &c.title, Message: &c.message, Category: &c.category, Icon: &c.icon, Color: &c.color, ActionURL: &c.actionURL, ActionText: &c.actionText,
		Importance: &c.importance, Dismissible: &dismissible, Scheduled: c.schedule.from(now), Expires: c.expires.from(now),
	}
	d.Send = !c.draft && d.Scheduled == nil
	if c.kind != "" {
		d.Type = &c.kind
	}
	if c.priority != "" {
		d.Priority = &c.priority
	}
	if c.data != "" {
		if !json.Valid([]byte(c.data)) {
			return &usageError{errors.New("--data is not JSON")}
		}
		d.Data = []byte(c.data)
	}
	if d.Target, err = targetFrom(ctx, b.Identity, c.to); err != nil {
		return err
	}
	content, err := d.Content()
	if err != nil {
		return err
	}
	made, _, err := b.Notify.Create(ctx, notify.Person{Name: "shell"}, d, notify.Key{Name: c.key, Scope: "shell", Content: content})
	if err != nil {
		return wrongFields(err)
	}
	who, err := b.Notify.Preview(ctx, made.Target)
	if err != nil {
		return wrongFields(err)
	}
	if c.json {
		return printJSON(c.Stdout, struct {
			*notify.Notification
			Matched int `json:"matched"` // people that it is for now
		}{made, who.Recipients})
	}
	rows := [][]string{{"notification", made.ID}, {"status", made.Status}, {"for", count(who.Recipients, "person", "people")}}
	if !made.Scheduled.IsZero() {
		rows = append(rows, []string{"goes out", clock(made.Scheduled.Time)})
	}
	if !made.Expires.IsZero() {
		rows = append(rows, []string{"expires", clock(made.Expires.Time)})
	}
	return table(c.Stdout, rows)
}
