package notify

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// What a receiver may do with a notification.
const (
	MarkRead    = "read"
	MarkUnread  = "unread"
	MarkDismiss = "dismiss"
	MarkArchive = "archive"
)

// changes are the marks as events name them.
var changes = map[string]string{MarkRead: "read", MarkUnread: "unread", MarkDismiss: "dismissed", MarkArchive: "archived"}

// Marked answers a mark.
type Marked struct {
	Item Item `json:"notification"`
	State
}

// Mark changes what the user has of a notification and tells the user's other
// pages, but for the one with the connection socket, which may be empty. A mark
// that is there already changes nothing. CodeNotFound for one that is not the
// user's, CodeConflict for one that may not be dismissed.
func (n *Notify) Mark(ctx context.Context, user, id, mark, socket string) (m Marked, err error) {
	change := changes[mark]
	if change == "" {
		return m, belfry.Errorf(belfry.CodeInvalid, "%q is none of read, unread, dismiss, archive", clip(mark))
	}
	if !isID(id) {
		return m, noNotification(id)
	}
	now := n.now()
	err = n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		stand, err := lockUsers(ctx, tx, []string{user})
		if err != nil {
			return err
		}
		var a args
		found, err := selectItems(ctx, tx, `WHERE r.user_id = `+a.put(user)+` AND r.notification_id = `+a.put(id)+` AND r.gone_at = 0 AND `+present(&a, store.Millis(now)), a...)
		if err != nil {
			return err
		}
		if len(stand) == 0 || len(found) == 0 {
			return noNotification(id)
		}
		m.Item = found[0].Item
		before := m.Item.unread()
		done, err := m.Item.mark(mark, Time{now})
		if err != nil {
			return err
		}
		if !done {
			m.State, err = n.state(ctx, tx, user, store.Millis(now))
			return err
		}
		m.Item.Version = stand[0].version + 1
		if err := updateItem(ctx, tx, user, &m.Item); err != nil {
			return err
		}
		unread := stand[0].unread + m.Item.unread() - before
		m.State, err = n.changed(ctx, tx, standing{user, unread, m.Item.Version}, change, []string{id}, socket)
		return err
	})
	if err != nil {
		return Marked{}, fmt.Errorf("mark a notification: %w", err)
	}
	return m, nil
}

// unread is 1 for one that counts as unread, else 0.
func (i *Item) unread() int64 {
	if i.Read.IsZero() && i.Dismissed.IsZero() && i.Archived.IsZero() {
		return 1
	}
	return 0
}

// mark changes the item's times and reports whether anything is new.
func (i *Item) mark(mark string, now Time) (done bool, err error) {
	at := &i.Read
	switch mark {
	case MarkUnread:
		done = !i.Read.IsZero()
		i.Read = Time{}
		return done, nil
	case MarkDismiss:
		if !i.Dismissible {
			return false, &belfry.Error{Code: belfry.CodeConflict, Message: "this notification may not be dismissed", Hint: "it goes when it expires; archive it to put it away"}
		}
		at = &i.Dismissed
	case MarkArchive:
		at = &i.Archived
	}
	if !at.IsZero() {
		return false, nil
	}
	*at = now
	return true, nil
}

func updateItem(ctx context.Context, tx *store.Tx, user string, i *Item) error {
	_, err := tx.Exec(ctx, `UPDATE user_notifications SET read_at = $1, dismissed_at = $2, archived_at = $3, version = $4 WHERE notification_id = $5 AND user_id = $6`,
		store.Millis(i.Read.Time), store.Millis(i.Dismissed.Time), store.Millis(i.Archived.Time), i.Version, i.ID, user)
	return err
}

// changed writes where the user stands after a change of theirs, and tells it.
func (n *Notify) changed(ctx context.Context, tx *store.Tx, s standing, change string, ids []string, socket string) (State, error) {
	_, err := tx.Exec(ctx, `UPDATE notify_users SET unread = $1, version = $2 WHERE user_id = $3`, s.unread, s.version, s.user)
	if err != nil {
		return State{}, err
	}
	now := n.now()
	state, err := n.state(ctx, tx, s.user, store.Millis(now))
	if err != nil {
		return State{}, err
	}
	data, err := encode(changeEvent{User: s.user, IDs: ids, Change: change, State: state})
	if err != nil {
		return State{}, err
	}
	err = n.cfg.Broadcast.Enqueue(ctx, tx, belfry.Event{
		Name: eventRead, Channels: []string{Channel(s.user)}, Data: data, ExcludeSocket: socket, Origin: "user " + s.user, Accepted: now,
	}, n.cfg.Queue)
	if permanent(err) { // without an app, say: the user's own change stands
		n.log.Warn("a live event was refused", "event", eventRead, "user", s.user, "error", err)
		err = nil
	}
	return state, err
}

// AllRead answers ReadAll.
type AllRead struct {
	Changed int `json:"changed"`
	State
}

// ReadAll marks all of a user's notifications on show as read. It raises the
// version once for each hundred of them.
func (n *Notify) ReadAll(ctx context.Context, user, socket string) (all AllRead, err error) {
	now := store.Millis(n.now())
	err = n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		stand, err := lockUsers(ctx, tx, []string{user})
		if err != nil || len(stand) == 0 {
			return err
		}
		ids, err := unreadIDs(ctx, tx, user)
		if err != nil {
			return err
		}
		if all.Changed = len(ids); len(ids) == 0 {
			all.State, err = n.state(ctx, tx, user, now)
			return err
		}
		version := stand[0].version
		for len(ids) > 0 {
			some := ids[:min(together, len(ids))]
			ids = ids[len(some):]
			version++
			var a args
			_, err := tx.Exec(ctx, `UPDATE user_notifications SET read_at = `+a.put(now)+`, version = `+a.put(version)+` WHERE user_id = `+a.put(user)+`
				AND notification_id IN (`+a.list(some)+`)`, a...)
			if err != nil {
				return err
			}
		}
		all.State, err = n.changed(ctx, tx, standing{user, 0, version}, "read", []string{}, socket)
		return err
	})
	if err != nil {
		return AllRead{}, fmt.Errorf("mark all notifications as read: %w", err)
	}
	return all, nil
}

func unreadIDs(ctx context.Context, tx *store.Tx, user string) (ids []string, err error) {
	rows, err := tx.Query(ctx, `SELECT r.notification_id FROM user_notifications r WHERE r.user_id = $1 AND r.gone_at = 0 AND `+isUnread+`
		ORDER BY r.received, r.notification_id`, user)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}
