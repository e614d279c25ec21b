package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// The live events.
const (
	eventSent    = "notification.sent"
	eventRead    = "notification.read"
	eventExpired = "notification.expired"
)

// telling is the payload of JobPublish: a slice of users and where they stood
// when it was made.
type telling struct {
	ID    string `json:"id"`
	Event string `json:"event"`
	Users []told `json:"users"`
}

type told struct {
	User    string `json:"u"`
	Unread  int64  `json:"n"`
	Version int64  `json:"v"`
}

// tell enqueues the job that tells the open pages of these users.
func (n *Notify) tell(ctx context.Context, tx *store.Tx, id, event string, users []standing) error {
	if len(users) == 0 {
		return nil
	}
	t := telling{ID: id, Event: event}
	for _, s := range users {
		t.Users = append(t.Users, told{s.user, s.unread, s.version})
	}
	payload, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return n.enqueue(ctx, tx, JobPublish, payload)
}

// Channel is the channel of one user's live events.
func Channel(user string) string { return "private-user." + user }

// publish tells a slice's open pages, and notes whom it reached. A second try
// bears the same event ids, which the hub delivers once, and without a receipt:
// whom the first try reached is not known when that died before it noted it.
func (n *Notify) publish(ctx context.Context, job belfry.Job) error {
	var t telling
	if err := decodeJob(job, &t); err != nil {
		return err
	}
	events, err := n.events(ctx, t)
	if err != nil || len(events) == 0 {
		return err
	}
	outcomes, errs := n.cfg.Broadcast.PublishMany(ctx, events)
	var failed error
	var live []string
	for i, out := range outcomes {
		switch {
		case errs[i] == nil:
			if got := out.Receipt; got != nil && got.Written+got.Waiting > 0 {
				live = append(live, t.Users[i].User)
			}
		case permanent(errs[i]):
			n.log.Warn("a live event was refused", "event", t.Event, "notification", t.ID, "user", t.Users[i].User, "error", errs[i])
		default:
			failed = errs[i]
		}
	}
	if t.Event == eventSent && len(live) > 0 {
		if err := n.noteLive(ctx, t.ID, live); err != nil {
			return err
		}
	}
	return failed
}

// permanent reports whether another try is useless.
func permanent(err error) bool {
	switch belfry.CodeOf(err) {
	case belfry.CodeInvalid, belfry.CodeNotFound, belfry.CodeForbidden, belfry.CodeTooLarge:
		return true
	}
	return false
}

func (n *Notify) noteLive(ctx context.Context, id string, users []string) error {
	err := n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, err := lockUsers(ctx, tx, users); err != nil {
			return err
		}
		var a args
		_, err := tx.Exec(ctx, `UPDATE user_notifications SET live_at = `+a.put(store.Millis(n.now()))+` WHERE notification_id = `+a.put(id)+`
			AND live_at = 0 AND user_id IN (`+a.list(users)+`)`, a...)
		return err
	})
	if err != nil {
		return fmt.Errorf("note live deliveries: %w", err)
	}
	return nil
}

// events makes the slice's events: none when the notification is gone.
func (n *Notify) events(ctx context.Context, t telling) ([]belfry.Event, error) {
	now := n.now()
	var head []byte
	var expires Time
	if t.Event == eventSent {
		r, err := selectRecord(ctx, n.db, t.ID)
		if err != nil {
			return nil, fmt.Errorf("find the notification: %w", err)
		}
		if r == nil || r.gone != "" || !r.Expires.IsZero() && !r.Expires.After(now) {
			return nil, nil
		}
		if head, err = n.head(r); err != nil {
			return nil, err
		}
		expires = r.Expires
	}
	events := make([]belfry.Event, len(t.Users))
	for i, u := range t.Users {
		events[i] = belfry.Event{
			ID: t.ID + "." + u.User + "." + strconv.FormatInt(u.Version, 10), Name: t.Event, Channels: []string{Channel(u.User)},
			Expires: expires.Time, Origin: "notification " + t.ID, Accepted: now,
		}
		var data any
		state := State{int(u.Unread), u.Version}
		if t.Event == eventSent {
			data = sentTail{Version: u.Version, User: u.User, State: state}
		} else {
			data = goneEvent{User: u.User, IDs: []string{t.ID}, State: state}
		}
		text, err := encode(data)
		if err != nil {
			return nil, err
		}
		if t.Event == eventSent { // {…} and {…} become one object
			text = slices.Concat(head[:len(head)-1], []byte(","), text[1:])
		}
		events[i].Data = text
	}
	return events, nil
}

// sentTail is what of notification.sent differs from user to user.
type sentTail struct {
	Version int64  `json:"version"`
	User    string `json:"user_id"`
	State
}

type goneEvent struct {
	User string   `json:"user_id"`
	IDs  []string `json:"ids"`
	State
}

// changeEvent is notification.read.
type changeEvent struct {
	User   string   `json:"user_id"`
	IDs    []string `json:"ids"` // empty: all
	Change string   `json:"change"`
	State
}

// sentHead is what of notification.sent is the same for all: an Item without
// its version. Truncated says that message and data are cut to what an event
// may hold, and that the list has them whole.
type sentHead struct {
	ID string `json:"id"`
	Content
	Read      Time `json:"read_at"`
	Dismissed Time `json:"dismissed_at"`
	Archived  Time `json:"archived_at"`
	Truncated bool `json:"truncated,omitempty"`
}

// tailRoom is the most that sentTail takes.
const tailRoom = 300

// head encodes the common part, cut to what an event may hold.
func (n *Notify) head(r *record) ([]byte, error) {
	h := sentHead{ID: r.id, Content: r.Content}
	for most := maxMessage; ; most /= 2 {
		text, err := encode(h)
		if err != nil || len(text)+tailRoom <= n.cfg.MaxEvent || most == 0 {
			return text, err
		}
		h.Truncated, h.Data = true, json.RawMessage("{}")
		h.Message = cut(r.Message, most)
		h.escape()
	}
}

// cut shortens a text to some characters.
func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:max(0, most-1)]) + "…"
}

// encode writes JSON without escaping for HTML, which title_html and
// message_html are for.
func encode(v any) ([]byte, error) {
	var into bytes.Buffer
	enc := json.NewEncoder(&into)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(into.Bytes(), []byte("\n")), nil
}
