package cli

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/notify"
)

// notice is a notification that the demo sends by itself.
type notice struct{ title, message, kind, priority, action string }

var notices = []notice{
	{"A student asks to talk", "Somebody wrote that they would like to talk. Look at the last check-ins.", "alert", "high", "/dashboard"},
	{"The week so far", "Moods are better than last week.", "announcement", "low", "/dashboard"},
	{"Group session at three", "Room 12. Two places are left.", "reminder", "medium", ""},
	{"A form was downloaded", "One more appointment is open.", "alert", "medium", "/dashboard"},
	{"New check-in questions", "From Monday on the app asks for sleep, too.", "announcement", "medium", ""},
	{"Stress before the exams", "More students than usual report very high stress.", "alert", "high", "/dashboard"},
	{"Tea in the library", "All counselors, at four.", "announcement", "low", ""},
	{"Close what is resolved", "Some alerts have been in progress for a while.", "reminder", "low", "/dashboard"},
}

// Bounds of the pauses between two notices, and how long one is shown: whoever
// leaves the demo running finds a bell that can still be read.
const (
	leastPause = 6 * time.Second
	mostPause  = 14 * time.Second
	noticeLife = time.Hour
)

// trickle sends a notification every few seconds until ctx ends.
func trickle(ctx context.Context, b *backend, people []added) error {
	var by notify.Person
	for _, p := range people {
		if slices.Contains(p.Roles, "manager") {
			by = notify.Person{ID: p.ID, Name: p.Name}
		}
	}
	for i := rand.IntN(len(notices)); ; i++ {
		timer := time.NewTimer(leastPause + rand.N(mostPause-leastPause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		if err := notices[i%len(notices)].send(ctx, b, by); err != nil && ctx.Err() == nil {
			b.log.Warn("a notification of the demo was not sent", "error", err)
		}
	}
}

func (n notice) send(ctx context.Context, b *backend, by notify.Person) error {
	until := time.Now().Add(noticeLife)
	d := notify.Draft{Title: &n.title, Message: &n.message, Type: &n.kind, Priority: &n.priority, Expires: &until,
		Target: &notify.Target{Type: notify.TargetAll}, Send: true}
	if n.action != "" {
		text := "Open"
		d.ActionURL, d.ActionText = &n.action, &text
	}
	_, _, err := b.Notify.Create(ctx, by, d, notify.Key{})
	b.tell(ctx)
	return err
}
