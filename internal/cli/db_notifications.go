package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/internal/store"
)

// sample is one sample notification.
type sample struct {
	title, message, kind, priority, status string
	target                                 notify.Target
	action, category                       string
	mark                                   string // what user@example.com does with it
	days                                   int    // from now on, for those with a schedule
}

// samples are notifications of every type, priority, status and target. people
// are the sample people, by role; "user" is the one without.
func samples(people map[string]string) []sample {
	everybody := notify.Target{Type: notify.TargetAll}
	role := func(names ...string) notify.Target { return notify.Target{Type: notify.TargetRoles, Roles: names} }
	user := func(names ...string) notify.Target {
		t := notify.Target{Type: notify.TargetUsers}
		for _, name := range names {
			t.Users = append(t.Users, people[name])
		}
		return t
	}
	active, inactive := notify.Target{Type: notify.TargetActive, Days: 7}, notify.Target{Type: notify.TargetInactive, Days: 30}
	const sent, read = notify.StatusSent, notify.MarkRead
	return []sample{
		{"Welcome to Belfry", "This is a sample. Read it, dismiss it, archive it: your other windows follow.", "system", "low", sent, everybody, "/notifications", "start", read, 0},
		{"Maintenance tonight", "The service pauses from 22:00 to 22:15 UTC.", "system", "high", sent, everybody, "", "operations", "", 0},
		{"Storage is filling up", "The data folder has less than 10% left.", "system", "medium", sent, role("admin"), "/console", "operations", "", 0},
		{"Editors meet on Monday", "Nine o'clock, room 4.\nBring your drafts.", "announcement", "medium", sent, role("editor", "manager"), "", "team", "", 0},
		{"New: live dashboards", "Figures that change while you look.", "announcement", "high", sent, everybody, "https://example.com/dashboards", "product", "", 0},
		{"The newsletter is out", "October in five minutes.", "announcement", "low", sent, everybody, "https://example.com/news", "product", notify.MarkDismiss, 0},
		{"High load", "Requests take twice as long as usual.", "alert", "high", sent, role("admin", "manager"), "/console", "operations", "", 0},
		{"Sign-in from a new device", "Was it you?", "alert", "medium", sent, user("user"), "/login", "security", "", 0},
		{"Quota at 80%", "You have used 80% of this month's messages.", "alert", "low", sent, user("user", "editor"), "", "usage", notify.MarkArchive, 0},
		{"Your report is due", "It is due on Friday.", "reminder", "high", sent, user("user"), "/reports/1", "work", "", 0},
		{"We have missed you", "See what is new since you were here.", "reminder", "medium", sent, inactive, "", "start", "", 0},
		{"Back up your notes", "It has been a while.", "reminder", "low", sent, everybody, "", "work", read, 0},
		{"<b>Bold?</b> & <script>alert(1)</script>", "HTML is shown as text: <img src=x onerror=alert(1)>", "system", "low", sent, everybody, "", "test", "", 0},
		{"Plans for spring", "A draft that nobody has seen.", "announcement", "medium", notify.StatusDraft, everybody, "", "product", "", 0},
		{"Survey", "A draft for those who have been here this week.", "reminder", "low", notify.StatusDraft, active, "", "product", "", 0},
		{"Good morning", "Scheduled for tomorrow.", "announcement", "low", notify.StatusScheduled, everybody, "", "team", "", 1},
		{"The survey ends", "Scheduled for next week.", "reminder", "high", notify.StatusScheduled, role("editor"), "", "product", "", 7},
		{"Called off", "It was scheduled, then cancelled.", "alert", "medium", notify.StatusCancelled, everybody, "", "team", "", 3},
	}
}

// seeded says what was added.
type seeded struct {
	People        []added `json:"people"`
	Notifications int     `json:"notifications"`
}

// seedNotifications adds the sample people and their notifications.
func (c *dbSeed) seedNotifications(ctx context.Context) error {
	b, err := c.backend(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	made, rows, err := seedPeople(ctx, b.Identity)
	if err != nil {
		return err
	}
	count, of, err := seedSamples(ctx, b, made)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.Stdout, seeded{made, count})
	}
	if err := table(c.Stdout, rows); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.Stdout, "%d of %d sample notifications added\n", count, of)
	return err
}

// seedSamples adds the sample notifications that are not there, and says how many
// of how many it added. people are the sample people.
func seedSamples(ctx context.Context, b *backend, people []added) (count, of int, err error) {
	ids := map[string]string{}
	var manager notify.Person
	for _, p := range people {
		name, _, _ := strings.Cut(p.Email, "@")
		ids[name] = p.ID
		if name == belfry.RoleManager {
			manager = notify.Person{ID: p.ID, Name: p.Name}
		}
	}
	s := &seeder{queue: b.Queue}
	s.notify = b.NotifyWith(s, nil)
	all := samples(ids)
	for _, one := range all {
		is, err := s.add(ctx, one, manager, ids["user"])
		if err != nil {
			return count, len(all), fmt.Errorf("add the sample %q: %w", one.title, err)
		}
		if is {
			count++
		}
	}
	return count, len(all), nil
}

// seeder does the jobs of sending itself, so that samples are there at once
// without a server; what tells open pages and closed browsers goes to the queue.
type seeder struct {
	notify *notify.Notify
	queue  notify.Enqueuer
	jobs   []belfry.Job
}

// Enqueue implements notify.Enqueuer.
func (s *seeder) Enqueue(ctx context.Context, tx *store.Tx, jobs ...belfry.Job) (ids []string, err error) {
	for _, job := range jobs {
		if job.Kind == notify.JobPublish || job.Kind == notify.JobPush {
			if _, err := s.queue.Enqueue(ctx, tx, job); err != nil {
				return nil, err
			}
			continue
		}
		tx.AfterCommit(func() { s.jobs = append(s.jobs, job) })
	}
	return make([]string, len(jobs)), nil
}

// add adds one sample, unless there is one of its title.
func (s *seeder) add(ctx context.Context, one sample, by notify.Person, user string) (is bool, err error) {
	there, err := s.notify.Search(ctx, notify.Filter{Text: one.title, Limit: 100})
	if err != nil || slices.ContainsFunc(there.Notifications, func(n notify.Notification) bool { return n.Title == one.title }) {
		return false, err
	}
	d := notify.Draft{Title: &one.title, Message: &one.message, Type: &one.kind, Priority: &one.priority, Category: &one.category,
		Target: &one.target, Send: one.status == notify.StatusSent, Data: json.RawMessage(`{"sample":true}`)}
	if one.action != "" {
		text := "Open"
		d.ActionURL, d.ActionText = &one.action, &text
	}
	if one.status == notify.StatusScheduled || one.status == notify.StatusCancelled {
		at := time.Now().AddDate(0, 0, one.days)
		d.Scheduled = &at
	}
	made, _, err := s.notify.Create(ctx, by, d, notify.Key{})
	if err != nil {
		return false, err
	}
	for len(s.jobs) > 0 {
		job := s.jobs[0]
		s.jobs = s.jobs[1:]
		if err := s.notify.Do(ctx, job); err != nil {
			return false, err
		}
	}
	if one.status == notify.StatusCancelled {
		_, err = s.notify.Cancel(ctx, made.ID, 0)
	}
	if one.mark != "" && err == nil {
		_, err = s.notify.Mark(ctx, user, made.ID, one.mark, "")
	}
	return true, err
}
