package notify

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/store"
)

// withCounts gives notifications with what became of them.
func (n *Notify) withCounts(ctx context.Context, found []*record) ([]Notification, error) {
	all := make([]Notification, len(found))
	place := make(map[string]*Counts, len(found))
	ids := make([]string, len(found))
	for i, r := range found {
		all[i] = *r.public(Counts{})
		ids[i], place[r.id] = r.id, &all[i].Stats
	}
	if len(ids) == 0 {
		return all, nil
	}
	for column, count := range counted {
		var a args
		rows, err := n.db.Query(ctx, `SELECT notification_id, COUNT(*) FROM user_notifications WHERE notification_id IN (`+a.list(ids)+`) AND `+column+` > 0
			GROUP BY notification_id`, a...)
		err = store.Each(rows, err, func(rows *sql.Rows) error {
			var id string
			var many int
			err := rows.Scan(&id, &many)
			*count(place[id]) = many
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("count deliveries: %w", err)
		}
	}
	return all, nil
}

// counted are the times that are counted, and where.
var counted = map[string]func(*Counts) *int{
	"live_at":      func(c *Counts) *int { return &c.Live },
	"read_at":      func(c *Counts) *int { return &c.Read },
	"dismissed_at": func(c *Counts) *int { return &c.Dismissed },
}

// Bucket is one day or hour of statistics.
type Bucket struct {
	Day  string `json:"day,omitempty"`  // as 2026-11-22
	Hour string `json:"hour,omitempty"` // its beginning
	Sent int    `json:"sent"`           // notifications
	Counts
}

// Totals are the statistics of the notifications that were sent within some
// days.
type Totals struct {
	Sent int `json:"sent"`
	Counts
	ByDay []Bucket `json:"by_day"`
}

// quarter is what days are put together from: the days of every time zone begin
// at a quarter of an hour of UTC.
const quarter = 15 * time.Minute

// Statistics counts what became of what was sent on the last days, today
// included, 1 to 366. Days are those of the zone, nil for UTC.
func (n *Notify) Statistics(ctx context.Context, days int, zone *time.Location) (t Totals, err error) {
	if days < 1 || days > 366 {
		return t, &Invalid{faults{"days": strconv.Itoa(days) + " is not from 1 to 366"}}
	}
	if zone == nil {
		zone = time.UTC
	}
	year, month, today := n.now().In(zone).Date()
	places := make(map[string]*Bucket, days)
	t.ByDay = make([]Bucket, days)
	for i := range t.ByDay {
		b := &t.ByDay[i]
		b.Day = time.Date(year, month, today-days+1+i, 12, 0, 0, 0, time.UTC).Format(time.DateOnly)
		places[b.Day] = b
	}
	first := time.Date(year, month, today-days+1, 0, 0, 0, 0, zone).UnixMilli()
	at := func(number int64) *Bucket {
		if b := places[time.UnixMilli(number*quarter.Milliseconds()).In(zone).Format(time.DateOnly)]; b != nil {
			return b
		}
		return &Bucket{} // the clock has gone on
	}
	err = n.eachBucket(ctx, `SELECT n.sent_at / $1, COUNT(*), SUM(n.recipients) FROM notifications n
		WHERE n.sent_at >= $2 AND n.sent_at > 0 AND n.gone <> 'deleted' GROUP BY 1`, []any{quarter.Milliseconds(), first}, func(number int64, sent, recipients int) {
		t.Sent += sent
		t.Recipients += recipients
		b := at(number)
		b.Sent += sent
		b.Recipients += recipients
	})
	for column, count := range counted {
		if err != nil {
			return t, err
		}
		err = n.eachBucket(ctx, `SELECT r.`+column+` / $1, COUNT(*), 0 FROM notifications n JOIN user_notifications r ON r.notification_id = n.id
			WHERE n.sent_at >= $2 AND n.sent_at > 0 AND n.gone <> 'deleted' AND r.`+column+` > 0 GROUP BY 1`, []any{quarter.Milliseconds(), first},
			func(number int64, many, _ int) {
				*count(&t.Counts) += many
				*count(&at(number).Counts) += many
			})
	}
	return t, err
}

// One are the statistics of one notification.
type One struct {
	Sent int `json:"sent"` // 1 once it was sent
	Counts
	ByHour []Bucket `json:"by_hour"` // from the sending on, at most 30 days; hours without anything are left out
}

// StatisticsOf counts what became of one notification.
func (n *Notify) StatisticsOf(ctx context.Context, id string) (o One, err error) {
	found, err := n.Get(ctx, id)
	if err != nil {
		return o, err
	}
	o.Counts, o.ByHour = found.Stats, []Bucket{}
	if found.Sent.IsZero() {
		return o, nil
	}
	o.Sent = 1
	const hour = time.Hour
	began := found.Sent.UnixMilli() / hour.Milliseconds()
	hours := make([]Bucket, 30*24)
	hours[0].Recipients, hours[0].Sent = found.Stats.Recipients, 1
	for column, count := range counted {
		err := n.eachBucket(ctx, `SELECT r.`+column+` / $1, COUNT(*), 0 FROM user_notifications r WHERE r.notification_id = $2 AND r.`+column+` > 0 GROUP BY 1`,
			[]any{hour.Milliseconds(), id}, func(number int64, many, _ int) {
				if i := number - began; i >= 0 && i < int64(len(hours)) {
					*count(&hours[i].Counts) = many
				}
			})
		if err != nil {
			return o, err
		}
	}
	for i, b := range hours {
		if b.Sent > 0 || b.Counts != (Counts{}) {
			b.Hour = time.UnixMilli((began + int64(i)) * hour.Milliseconds()).UTC().Format(time.RFC3339)
			o.ByHour = append(o.ByHour, b)
		}
	}
	return o, nil
}

func (n *Notify) eachBucket(ctx context.Context, query string, args []any, f func(number int64, first, second int)) error {
	rows, err := n.db.Query(ctx, query, args...)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var number int64
		var first, second int
		if err := rows.Scan(&number, &first, &second); err != nil {
			return err
		}
		f(number, first, second)
		return nil
	})
	if err != nil {
		return fmt.Errorf("count deliveries: %w", err)
	}
	return nil
}

// Mine are the numbers of one user.
type Mine struct {
	Received  int `json:"received"`
	Unread    int `json:"unread"`
	Read      int `json:"read"`
	Dismissed int `json:"dismissed"`
	Archived  int `json:"archived"`
}

// StatisticsFor counts what one user has.
func (n *Notify) StatisticsFor(ctx context.Context, user string) (m Mine, err error) {
	err = n.db.QueryRow(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN r.read_at > 0 THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN r.dismissed_at > 0 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN r.archived_at > 0 THEN 1 ELSE 0 END), 0)
		FROM user_notifications r WHERE r.user_id = $1 AND r.gone_at = 0`, user).Scan(&m.Received, &m.Read, &m.Dismissed, &m.Archived)
	if err != nil {
		return m, fmt.Errorf("count a user's notifications: %w", err)
	}
	s, err := n.State(ctx, user)
	m.Unread = s.Unread
	return m, err
}

// Everything gives all that is kept of a user's notifications, oldest first.
func (n *Notify) Everything(ctx context.Context, user string) ([]Item, error) {
	found, err := selectItems(ctx, n.db, `WHERE r.user_id = $1 ORDER BY r.received, r.notification_id`, user)
	if err != nil {
		return nil, fmt.Errorf("export a user's notifications: %w", err)
	}
	all := make([]Item, len(found))
	for i, row := range found {
		all[i] = row.Item
	}
	return all, nil
}

// Forget removes all that is kept of a user's notifications and browsers.
func (n *Notify) Forget(ctx context.Context, user string) error {
	return n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, err := lockUsers(ctx, tx, []string{user}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM user_notifications WHERE user_id = $1`, user); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM push_subscriptions WHERE user_id = $1`, user); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM notify_users WHERE user_id = $1`, user)
		return err
	})
}
