package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// begun is the payload of JobSend and JobWithdraw.
type begun struct {
	ID string `json:"id"`
}

func (n *Notify) enqueueFor(ctx context.Context, tx *store.Tx, kind, id string) error {
	payload, err := json.Marshal(begun{id})
	if err != nil {
		return err
	}
	return n.enqueue(ctx, tx, kind, payload)
}

func decodeJob(job belfry.Job, into any) error {
	if err := json.Unmarshal(job.Payload, into); err != nil {
		return &belfry.Error{Code: belfry.CodeInvalid, Message: "the job's payload is not a " + job.Kind, Err: err}
	}
	return nil
}

// errMoved says that another did this slice, or that there is none to do any
// more.
var errMoved = errors.New("the notification has moved on")

// send brings a notification to its receivers, slice by slice, until that is
// done, stopped, or the job's turn is over; then another job goes on.
func (n *Notify) send(ctx context.Context, job belfry.Job) error {
	var p begun
	if err := decodeJob(job, &p); err != nil {
		return err
	}
	ends := n.cfg.Now().Add(n.cfg.Turn)
	for {
		r, err := selectRecord(ctx, n.db, p.ID)
		if err != nil {
			return fmt.Errorf("send a notification: %w", err)
		}
		if r == nil || r.status != StatusSending {
			return nil
		}
		if !r.Expires.IsZero() && !r.Expires.After(n.now()) {
			_, err := n.expire(ctx, r.id)
			return err
		}
		handOver := !n.cfg.Now().Before(ends)
		last, err := n.slice(ctx, r, handOver)
		switch {
		case errors.Is(err, errMoved):
		case err != nil:
			return fmt.Errorf("send a notification: %w", err)
		case last || handOver:
			return nil
		}
	}
}

// slice brings a notification to the next users, in one transaction.
func (n *Notify) slice(ctx context.Context, r *record, handOver bool) (last bool, err error) {
	users, err := n.cfg.Recipients.Next(ctx, r.target.audience(r.Sent.Time), r.position, n.cfg.Slice)
	if err != nil {
		return false, err
	}
	ids := make([]string, len(users))
	for i, u := range users {
		ids[i] = u.ID
	}
	last = len(users) < n.cfg.Slice
	position, status := r.position, StatusSending
	if len(ids) > 0 {
		position = ids[len(ids)-1]
	}
	if last {
		status = StatusSent
	}
	err = n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		told, err := n.give(ctx, tx, r.id, ids)
		if err != nil {
			return err
		}
		ok, err := changed(tx.Exec(ctx, `UPDATE notifications SET position = $1, recipients = recipients + $2, status = $3, touched = $4
			WHERE id = $5 AND status = 'sending' AND position = $6`, position, len(told), status, store.Millis(n.now()), r.id, r.position))
		if err != nil {
			return err
		}
		if !ok {
			return errMoved
		}
		if err := n.tell(ctx, tx, r.id, eventSent, told); err != nil {
			return err
		}
		if err := n.reach(ctx, tx, r.id, told); err != nil {
			return err
		}
		if last || !handOver {
			return nil
		}
		return n.enqueueFor(ctx, tx, JobSend, r.id)
	})
	return last, err
}

// give makes the receivers' rows, and counts them. It gives where those stand
// that had none.
func (n *Notify) give(ctx context.Context, tx *store.Tx, id string, users []string) ([]standing, error) {
	if len(users) == 0 {
		return nil, nil
	}
	users = slices.Sorted(slices.Values(users)) // the order of locks
	var a args
	var values []string
	for _, user := range users {
		values = append(values, "("+a.put(user)+", 1, 1)")
	}
	rows, err := tx.Query(ctx, `INSERT INTO notify_users (user_id, unread, version) VALUES `+strings.Join(values, ", ")+`
		ON CONFLICT (user_id) DO UPDATE SET unread = notify_users.unread + 1, version = notify_users.version + 1
		RETURNING user_id, unread, version`, a...)
	stand, err := scanStandings(rows, err)
	if err != nil {
		return nil, err
	}
	a, values = nil, nil
	the, now := a.put(id), a.put(store.Millis(n.now()))
	for _, s := range stand {
		values = append(values, "("+the+", "+a.put(s.user)+", "+a.put(s.version)+", "+now+", 0, 0, 0, 0, 0)")
	}
	made, err := texts(ctx, tx, `INSERT INTO user_notifications (notification_id, user_id, version, received, live_at, read_at, dismissed_at, archived_at, gone_at)
		VALUES `+strings.Join(values, ", ")+` ON CONFLICT (notification_id, user_id) DO NOTHING RETURNING user_id`, a...)
	if err != nil || len(made) == len(stand) {
		return stand, err
	}
	return n.takeOff(ctx, tx, stand, made)
}

// takeOff undoes the count of those who had a row already.
func (n *Notify) takeOff(ctx context.Context, tx *store.Tx, stand []standing, made []string) (told []standing, err error) {
	is := make(map[string]bool, len(made))
	for _, user := range made {
		is[user] = true
	}
	var a args
	var had []string
	for _, s := range stand {
		if is[s.user] {
			told = append(told, s)
		} else {
			had = append(had, s.user)
		}
	}
	_, err = tx.Exec(ctx, `UPDATE notify_users SET unread = unread - 1 WHERE user_id IN (`+a.list(had)+`)`, a...)
	return told, err
}

// withdraw takes a notification back from those who have it, slice by slice.
func (n *Notify) withdraw(ctx context.Context, job belfry.Job) error {
	var p begun
	if err := decodeJob(job, &p); err != nil {
		return err
	}
	after := ""
	for ends := n.cfg.Now().Add(n.cfg.Turn); ; {
		users, err := texts(ctx, n.db, `SELECT user_id FROM user_notifications WHERE notification_id = $1 AND gone_at = 0 AND user_id > $2
			ORDER BY user_id LIMIT $3`, p.ID, after, n.cfg.Slice)
		if err != nil {
			return fmt.Errorf("take a notification back: %w", err)
		}
		last := len(users) < n.cfg.Slice
		handOver := !last && !n.cfg.Now().Before(ends)
		err = n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return n.takeBack(ctx, tx, p.ID, users, last, handOver) })
		if err != nil {
			return fmt.Errorf("take a notification back: %w", err)
		}
		if last || handOver {
			return nil
		}
		after = users[len(users)-1]
	}
}

// takeBack is one slice of withdraw. Rows stay, as marks for pages that were
// away.
func (n *Notify) takeBack(ctx context.Context, tx *store.Tx, id string, users []string, last, handOver bool) error {
	now := store.Millis(n.now())
	if len(users) > 0 {
		told, err := n.markGone(ctx, tx, id, users, now)
		if err != nil {
			return err
		}
		if err := n.tell(ctx, tx, id, eventExpired, told); err != nil {
			return err
		}
	}
	if handOver {
		if err := n.enqueueFor(ctx, tx, JobWithdraw, id); err != nil {
			return err
		}
	}
	if last {
		if _, err := tx.Exec(ctx, `DELETE FROM notifications WHERE id = $1 AND gone = $2`, id, goneDeleted); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `UPDATE notifications SET withdrawn = $1, touched = $2 WHERE id = $3`, last, now, id)
	return err
}

// markGone marks rows and counts them off. It gives where those stand who had
// the notification on show.
func (n *Notify) markGone(ctx context.Context, tx *store.Tx, id string, users []string, now int64) (told []standing, err error) {
	if _, err := lockUsers(ctx, tx, users); err != nil {
		return nil, err
	}
	var a args
	at, the := a.put(now), a.put(id)
	var all, unread []string
	shown := map[string]bool{}
	rows, err := tx.Query(ctx, `UPDATE user_notifications SET gone_at = `+at+`,
		version = (SELECT u.version + 1 FROM notify_users u WHERE u.user_id = user_notifications.user_id)
		WHERE notification_id = `+the+` AND gone_at = 0 AND user_id IN (`+a.list(users)+`)
		RETURNING user_id, read_at, dismissed_at, archived_at`, a...)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var user string
		var read, dismissed, archived int64
		if err := rows.Scan(&user, &read, &dismissed, &archived); err != nil {
			return err
		}
		all = append(all, user)
		shown[user] = dismissed == 0
		if read == 0 && dismissed == 0 && archived == 0 {
			unread = append(unread, user)
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	a = nil
	less := "0"
	if len(unread) > 0 {
		less = `CASE WHEN user_id IN (` + a.list(unread) + `) THEN 1 ELSE 0 END`
	}
	rows, err = tx.Query(ctx, `UPDATE notify_users SET version = version + 1, unread = unread - `+less+`
		WHERE user_id IN (`+a.list(all)+`) RETURNING user_id, unread, version`, a...)
	stand, err := scanStandings(rows, err)
	return slices.DeleteFunc(stand, func(s standing) bool { return !shown[s.user] }), err
}
