package notify

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/belfryhq/belfry/internal/store"
)

const (
	lookEvery  = time.Second // for what other processes scheduled
	cleanEvery = time.Hour
	atOnce     = 100 // due ones that one look takes
)

// Run sends and takes back what is due, within a second of its time, and clears
// what is old, until ctx ends. Several processes may run it at once: each
// notification goes out once.
func (n *Notify) Run(ctx context.Context) error {
	clean, stalled := time.NewTicker(cleanEvery), time.NewTicker(n.cfg.Stalled)
	defer clean.Stop()
	defer stalled.Stop()
	n.tidy(ctx)
	for {
		next := lookEvery
		if _, err := n.Process(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("due notifications could not be looked for", "error", err)
		} else if due, err := n.due(ctx); err == nil && !due.IsZero() {
			next = min(next, max(0, due.Sub(n.cfg.Now())))
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-n.wake:
		case <-stalled.C:
			if err := n.resume(ctx); err != nil && ctx.Err() == nil {
				n.log.Warn("notifications that got nowhere could not be begun again", "error", err)
			}
		case <-clean.C:
			n.tidy(ctx)
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		timer.Stop()
	}
}

// Processed is what was due.
type Processed struct {
	Sent    []string `json:"sent"`    // ids of scheduled ones that are on their way now
	Expired []string `json:"expired"` // ids of those that are taken back now
	Lapsed  []string `json:"lapsed"`  // ids of scheduled ones that had expired before they were sent
}

// Process begins what is due: scheduled notifications are sent, expired ones
// taken back.
func (n *Notify) Process(ctx context.Context) (p Processed, err error) {
	now := store.Millis(n.now())
	for {
		ids, err := texts(ctx, n.db, `SELECT id FROM notifications WHERE status = 'scheduled' AND scheduled_at <= $1 ORDER BY scheduled_at, id LIMIT $2`, now, atOnce)
		if err != nil {
			return p, fmt.Errorf("find due notifications: %w", err)
		}
		for _, id := range ids {
			if err := n.start(ctx, id, &p); err != nil {
				return p, err
			}
		}
		if len(ids) < atOnce {
			break
		}
	}
	for {
		ids, err := texts(ctx, n.db, `SELECT id FROM notifications WHERE expires_at > 0 AND NOT withdrawn AND expires_at <= $1
			AND status IN ('sending', 'sent') AND gone = '' ORDER BY expires_at, id LIMIT $2`, now, atOnce)
		if err != nil {
			return p, fmt.Errorf("find expired notifications: %w", err)
		}
		for _, id := range ids {
			if mine, err := n.expire(ctx, id); err != nil {
				return p, err
			} else if mine {
				p.Expired = append(p.Expired, id)
			}
		}
		if len(ids) < atOnce {
			return p, nil
		}
	}
}

// start begins sending a scheduled notification, unless another process was
// faster. One whose time to expire has come is cancelled.
func (n *Notify) start(ctx context.Context, id string, p *Processed) error {
	now := store.Millis(n.now())
	var late, mine bool
	err := n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		late, err = changed(tx.Exec(ctx, `UPDATE notifications SET status = 'cancelled', revision = revision + 1
			WHERE id = $1 AND status = 'scheduled' AND scheduled_at <= $2 AND expires_at > 0 AND expires_at <= $2`, id, now))
		if err != nil || late {
			return err
		}
		mine, err = changed(tx.Exec(ctx, `UPDATE notifications SET status = 'sending', sent_at = $1, touched = $1, position = '', revision = revision + 1
			WHERE id = $2 AND status = 'scheduled' AND scheduled_at <= $1`, now, id))
		if err != nil || !mine {
			return err
		}
		return n.enqueueFor(ctx, tx, JobSend, id)
	})
	switch {
	case err != nil:
		return fmt.Errorf("send a scheduled notification: %w", err)
	case late:
		n.log.Warn("a scheduled notification had expired before it could be sent", "notification", id)
		p.Lapsed = append(p.Lapsed, id)
	case mine:
		p.Sent = append(p.Sent, id)
	}
	return nil
}

// expire begins to take an expired notification back, unless that was begun.
func (n *Notify) expire(ctx context.Context, id string) (mine bool, err error) {
	err = n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		now := store.Millis(n.now())
		mine, err = changed(tx.Exec(ctx, `UPDATE notifications SET gone = $1, status = 'sent', touched = $2
			WHERE id = $3 AND gone = '' AND status IN ('sending', 'sent') AND expires_at > 0 AND expires_at <= $2`, goneExpired, now, id))
		if err != nil || !mine {
			return err
		}
		return n.enqueueFor(ctx, tx, JobWithdraw, id)
	})
	if err != nil {
		return false, fmt.Errorf("take an expired notification back: %w", err)
	}
	return mine, nil
}

// due is when the next notification is to be sent or expires; zero: none.
func (n *Notify) due(ctx context.Context) (time.Time, error) {
	var send, expire sql.NullInt64
	err := n.db.QueryRow(ctx, `SELECT (SELECT MIN(scheduled_at) FROM notifications WHERE status = 'scheduled'),
		(SELECT MIN(expires_at) FROM notifications WHERE expires_at > 0 AND NOT withdrawn AND status IN ('sending', 'sent') AND gone = '')`).Scan(&send, &expire)
	next := send.Int64
	if !send.Valid || expire.Valid && expire.Int64 < next {
		next = expire.Int64
	}
	return store.Time(next), err
}

// resume begins again what was begun and got nowhere: its job was lost, or has
// failed for good.
func (n *Notify) resume(ctx context.Context) error {
	type stuck struct {
		id, gone string
		touched  int64
	}
	var all []stuck
	rows, err := n.db.Query(ctx, `SELECT id, gone, touched FROM notifications WHERE (status = 'sending' OR gone <> '' AND NOT withdrawn) AND touched < $1 LIMIT $2`,
		store.Millis(n.now().Add(-n.cfg.Stalled)), atOnce)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var s stuck
		err := rows.Scan(&s.id, &s.gone, &s.touched)
		all = append(all, s)
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range all {
		err := n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			mine, err := changed(tx.Exec(ctx, `UPDATE notifications SET touched = $1 WHERE id = $2 AND touched = $3`, store.Millis(n.now()), s.id, s.touched))
			if err != nil || !mine {
				return err
			}
			n.log.Warn("a notification got nowhere and is begun again", "notification", s.id)
			if s.gone != "" {
				return n.enqueueFor(ctx, tx, JobWithdraw, s.id)
			}
			return n.enqueueFor(ctx, tx, JobSend, s.id)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *Notify) tidy(ctx context.Context) {
	if _, err := n.Clean(ctx, n.cfg.KeepGone); err != nil && ctx.Err() == nil {
		n.log.Warn("old notifications could not be cleared", "error", err)
	}
}

// Clean removes notifications that expired longer ago than keep, with all that
// their receivers have of them, and counts them.
func (n *Notify) Clean(ctx context.Context, keep time.Duration) (removed int, err error) {
	now := n.now()
	before := store.Millis(now.Add(-keep))
	if _, err := n.db.Exec(ctx, `DELETE FROM notify_keys WHERE expires <= $1`, store.Millis(now)); err != nil {
		return 0, fmt.Errorf("clear idempotency keys: %w", err)
	}
	for { // in pieces, so that others get their turn
		result, err := n.db.Exec(ctx, `DELETE FROM user_notifications WHERE (notification_id, user_id) IN (
			SELECT notification_id, user_id FROM user_notifications WHERE gone_at > 0 AND gone_at <= $1 LIMIT 1000)`, before)
		if err != nil {
			return 0, fmt.Errorf("clear old notifications: %w", err)
		}
		if met, err := result.RowsAffected(); err != nil || met < 1000 {
			break
		}
	}
	result, err := n.db.Exec(ctx, `DELETE FROM notifications WHERE expires_at > 0 AND expires_at <= $1 AND status IN ('sent', 'cancelled')
		AND (withdrawn OR sent_at = 0) AND NOT EXISTS (SELECT 1 FROM user_notifications r WHERE r.notification_id = notifications.id)`, before)
	if err != nil {
		return 0, fmt.Errorf("clear old notifications: %w", err)
	}
	met, err := result.RowsAffected()
	return int(met), err
}
