package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/notify"
)

func newNotifications(p *Program) *cobra.Command {
	return group("notifications", "notifications to people", true,
		newNotificationsSend(p), newNotificationsProcess(p), newNotificationsCleanup(p), newNotificationsStats(p))
}

// wrongFields makes wrong use of faults in what somebody typed.
func wrongFields(err error) error {
	if invalid, ok := errors.AsType[*notify.Invalid](err); ok {
		return &usageError{invalid}
	}
	return err
}

// targetFrom reads --to: all, role:NAME, user:WHO, active[:DAYS] or
// inactive[:DAYS].
func targetFrom(ctx context.Context, people *identity.Identity, to []string) (*notify.Target, error) {
	var t notify.Target
	for _, one := range to {
		kind, name, named := strings.Cut(one, ":")
		kind = cmp.Or(map[string]string{"role": notify.TargetRoles, "roles": notify.TargetRoles, "user": notify.TargetUsers, "users": notify.TargetUsers}[kind], kind)
		if t.Type != "" && t.Type != kind || t.Type == kind && kind != notify.TargetRoles && kind != notify.TargetUsers {
			return nil, &usageError{errors.New("--to: several are possible of the form role:NAME, or of the form user:WHO, and not mixed")}
		}
		t.Type = kind
		switch {
		case kind == notify.TargetRoles && name != "":
			t.Roles = append(t.Roles, name)
		case kind == notify.TargetUsers && name != "":
			user, err := findUser(ctx, people, name)
			if err != nil {
				return nil, err
			}
			t.Users = append(t.Users, user.ID)
		case kind == notify.TargetAll && !named:
		case (kind == notify.TargetActive || kind == notify.TargetInactive) && !named:
		case kind == notify.TargetActive || kind == notify.TargetInactive:
			days, err := strconv.Atoi(name)
			if err != nil || days < 1 {
				return nil, &usageError{fmt.Errorf("--to %s: %q is no number of days", kind, name)}
			}
			t.Days = days
		default:
			return nil, &usageError{fmt.Errorf("--to %q is none of all, role:NAME, user:WHO, active:DAYS, inactive:DAYS", one)}
		}
	}
	return &t, nil
}

// moment is an option that takes a time, or a span from now.
type moment struct {
	at    time.Time
	after time.Duration
	text  string
}

func (m *moment) String() string { return m.text }
func (m *moment) Type() string   { return "time" }

func (m *moment) Set(text string) error {
	*m = moment{text: text}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			m.at = at
			return nil
		}
	}
	after, err := time.ParseDuration(text)
	if err != nil || after <= 0 {
		return errors.New("write a time, as in 2030-01-31T09:00:00Z or \"2030-01-31 09:00\" on this machine's clock, or a span from now, as in 90m")
	}
	m.after = after
	return nil
}

// from gives the time, nil when none was given.
func (m *moment) from(now time.Time) *time.Time {
	switch {
	case m.text == "":
		return nil
	case m.after > 0:
		at := now.Add(m.after)
		return &at
	}
	return &m.at
}

type notificationsProcess struct {
	*Program
	json bool
}

func newNotificationsProcess(p *Program) *cobra.Command {
	c := &notificationsProcess{Program: p}
	cmd := newCommand("process-scheduled", "send the notifications that are due", cobra.NoArgs, c.run)
	cmd.Long = `Send the scheduled notifications whose time has come, and take back those that have
expired. A running server does so by itself, within a second; this is for schedulers
that expect the command, and harmless beside the server: each goes out once.`
	cmd.Example = "belfry notifications:process-scheduled\nbelfry notifications:process-scheduled --json"
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *notificationsProcess) run(cmd *cobra.Command, _ []string) error {
	b, err := c.backend(cmd.Context())
	if err != nil {
		return err
	}
	defer b.Close()
	done, err := b.Notify.Process(cmd.Context())
	if err != nil {
		return err
	}
	if c.json {
		for _, list := range []*[]string{&done.Sent, &done.Expired, &done.Lapsed} {
			*list = append([]string{}, *list...)
		}
		return printJSON(c.Stdout, done)
	}
	_, err = fmt.Fprintf(c.Stdout, "%s on the way, %s taken back, %s expired before the time to send\n",
		count(len(done.Sent), "notification", "notifications"), count(len(done.Expired), "expired one", "expired ones"), count(len(done.Lapsed), "one", "ones"))
	return err
}

type notificationsCleanup struct {
	*Program
	days int
	json bool
}

func newNotificationsCleanup(p *Program) *cobra.Command {
	c := &notificationsCleanup{Program: p}
	cmd := newCommand("cleanup-expired", "remove notifications that expired long ago", cobra.NoArgs, c.run)
	cmd.Long = `Remove notifications that expired longer ago than some days, with all that their
receivers have of them. A running server does so by itself after 30 days.`
	cmd.Example = "belfry notifications:cleanup-expired\nbelfry notifications:cleanup-expired --days=7 --json"
	cmd.Flags().IntVar(&c.days, "days", 30, "`days` since they expired, 0 for all expired ones")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *notificationsCleanup) run(cmd *cobra.Command, _ []string) error {
	if c.days < 0 || c.days > 36500 {
		return &usageError{errors.New("--days must be 0 to 36500")}
	}
	b, err := c.backend(cmd.Context())
	if err != nil {
		return err
	}
	defer b.Close()
	removed, err := b.Notify.Clean(cmd.Context(), time.Duration(c.days)*24*time.Hour)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.Stdout, map[string]int{"removed": removed})
	}
	_, err = fmt.Fprintf(c.Stdout, "%s removed\n", count(removed, "notification", "notifications"))
	return err
}

type notificationsStats struct {
	*Program
	user string
	days int
	json bool
}

func newNotificationsStats(p *Program) *cobra.Command {
	c := &notificationsStats{Program: p}
	cmd := newCommand("stats", "what became of notifications", cobra.NoArgs, c.run)
	cmd.Long = `Count what was sent on the last days, and how much of it reached an open page, was
read and was dismissed; or, with --user-id, what one person has.`
	cmd.Example = "belfry notifications:stats\nbelfry notifications:stats --days=7 --json\nbelfry notifications:stats --user-id=1"
	cmd.Flags().StringVar(&c.user, "user-id", "", "id or email of `who` to count for (default: everybody)")
	cmd.Flags().IntVar(&c.days, "days", 30, "`days` to look back, today included, 1 to 366")
	jsonFlag(cmd, &c.json)
	return cmd
}

func (c *notificationsStats) run(cmd *cobra.Command, _ []string) error {
	ctx := cmd.Context()
	b, err := c.backend(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	if c.user != "" {
		user, err := findUser(ctx, b.Identity, c.user)
		if err != nil {
			return err
		}
		mine, err := b.Notify.StatisticsFor(ctx, user.ID)
		if err != nil {
			return err
		}
		if c.json {
			return printJSON(c.Stdout, mine)
		}
		return table(c.Stdout, [][]string{
			{"user", user.ID + " (" + printable(user.Email) + ")"}, {"received", strconv.Itoa(mine.Received)}, {"unread", strconv.Itoa(mine.Unread)},
			{"read", strconv.Itoa(mine.Read)}, {"dismissed", strconv.Itoa(mine.Dismissed)}, {"archived", strconv.Itoa(mine.Archived)},
		})
	}
	totals, err := b.Notify.Statistics(ctx, c.days, time.UTC)
	if err != nil {
		return wrongFields(err)
	}
	if c.json {
		return printJSON(c.Stdout, totals)
	}
	row := func(name string, sent int, n notify.Counts) []string {
		return []string{name, strconv.Itoa(sent), strconv.Itoa(n.Recipients), strconv.Itoa(n.Live), strconv.Itoa(n.Read), strconv.Itoa(n.Dismissed)}
	}
	rows := [][]string{{"DAY", "SENT", "RECIPIENTS", "LIVE", "READ", "DISMISSED"}}
	for _, day := range totals.ByDay {
		if day.Sent > 0 || day.Counts != (notify.Counts{}) {
			rows = append(rows, row(day.Day, day.Sent, day.Counts))
		}
	}
	return table(c.Stdout, append(rows, row("all", totals.Sent, totals.Counts)))
}
