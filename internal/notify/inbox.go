package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// What a receiver may list.
const (
	ViewAll       = "all" // neither dismissed nor archived
	ViewUnread    = "unread"
	ViewRead      = "read"
	ViewDismissed = "dismissed"
	ViewArchived  = "archived"
)

// Views are all of them.
var Views = []string{ViewAll, ViewUnread, ViewRead, ViewDismissed, ViewArchived}

// Filter picks notifications; empty fields pick all.
type Filter struct {
	Status, Type, Priority, Category string
	Text                             string // in title, message or category, in whatever case
	Limit                            int    // default 25, 1 to 100
	Cursor                           string // of the page before
}

// check completes a filter and gives what is wrong with it.
func (f *Filter) check(statuses []string) error {
	found := faults{}
	choose := func(field, value string, from []string) {
		if value != "" && !slices.Contains(from, value) {
			found.add(field, "%q is none of %s", clip(value), strings.Join(from, ", "))
		}
	}
	choose("status", f.Status, statuses)
	choose("type", f.Type, Types)
	choose("priority", f.Priority, Priorities)
	for field, value := range map[string]string{"category": f.Category, "q": f.Text, "cursor": f.Cursor} {
		if len(value) > 1000 || strings.ContainsRune(value, 0) {
			found.add(field, "it is too long, or has a zero character")
		}
	}
	if f.Limit == 0 {
		f.Limit = 25
	}
	if f.Limit < 1 || f.Limit > 100 {
		found.add("limit", "%d is not from 1 to 100", f.Limit)
	}
	return found.err()
}

// where gives the conditions on notifications n.
func (f *Filter) where(a *args) string {
	text := ""
	for column, value := range map[string]string{"type": f.Type, "priority": f.Priority, "category": f.Category} {
		if value != "" {
			text += ` AND n.` + column + ` = ` + a.put(value)
		}
	}
	if f.Text != "" {
		text += ` AND n.search LIKE ` + a.put(like(f.Text)) + ` ESCAPE '\'`
	}
	return text
}

// Page is one page of a receiver's list, newest first.
type Page struct {
	Items []Item `json:"notifications"`
	Next  Text   `json:"next_cursor"`
	State
}

// There is, and unread, in rows r.
const (
	isShown  = `r.dismissed_at = 0 AND r.archived_at = 0`
	isUnread = `r.read_at = 0 AND ` + isShown
)

// List gives a page of a user's notifications, and nobody else's.
func (n *Notify) List(ctx context.Context, user string, f Filter) (Page, error) {
	if err := f.check(Views); err != nil {
		return Page{}, err
	}
	var a args
	now := store.Millis(n.now())
	where := `WHERE r.user_id = ` + a.put(user) + ` AND r.gone_at = 0 AND ` + present(&a, now) + f.where(&a)
	switch f.Status {
	case ViewUnread:
		where += ` AND ` + isUnread
	case ViewRead:
		where += ` AND r.read_at > 0 AND ` + isShown
	case ViewDismissed:
		where += ` AND r.dismissed_at > 0 AND r.archived_at = 0`
	case ViewArchived:
		where += ` AND r.archived_at > 0`
	default:
		where += ` AND ` + isShown
	}
	if f.Cursor != "" {
		at, id, ok := readCursor(f.Cursor)
		if !ok {
			return Page{}, &Invalid{faults{"cursor": "this is no next_cursor of a page before"}}
		}
		where += ` AND (r.received, r.notification_id) < (` + a.put(at) + `, ` + a.put(id) + `)`
	}
	where += ` ORDER BY r.received DESC, r.notification_id DESC LIMIT ` + a.put(f.Limit+1)
	// The state is read first, so that it is never newer than the rows.
	page := Page{Items: []Item{}}
	var err error
	if page.State, err = n.state(ctx, n.db, user, now); err != nil {
		return Page{}, err
	}
	found, err := selectItems(ctx, n.db, where, a...)
	if err != nil {
		return Page{}, fmt.Errorf("list notifications: %w", err)
	}
	if len(found) > f.Limit {
		found = found[:f.Limit]
		last := found[len(found)-1]
		page.Next = Text(strconv.FormatInt(last.received, 10) + "." + last.ID)
	}
	for _, row := range found {
		page.Items = append(page.Items, row.Item)
	}
	return page, nil
}

func readCursor(cursor string) (at int64, id string, ok bool) {
	first, id, _ := strings.Cut(cursor, ".")
	at, err := strconv.ParseInt(first, 10, 64)
	return at, id, err == nil && id != ""
}

// present is the condition that a notification n is not gone.
func present(a *args, now int64) string {
	return `n.gone = '' AND (n.expires_at = 0 OR n.expires_at > ` + a.put(now) + `)`
}

// Missed is what changed since a version.
type Missed struct {
	// Items are of any status, oldest change first.
	Items []Item `json:"notifications"`
	// Removed are the ids of those that were taken back meanwhile.
	Removed []string `json:"removed"`
	More    bool     `json:"more"` // ask again with the last one's version
	State
}

// together is the most rows that one version changes.
const together = 100

// Since gives what changed after a version. Rows that changed together come
// together, so that a page may be longer than limit by up to 99.
func (n *Notify) Since(ctx context.Context, user string, version int64, limit int) (Missed, error) {
	if limit == 0 {
		limit = together
	}
	if limit < 1 || limit > 100 {
		return Missed{}, &Invalid{faults{"limit": strconv.Itoa(limit) + " is not from 1 to 100"}}
	}
	now := store.Millis(n.now())
	var a args
	// The state is read first: what comes after it is asked for again.
	m := Missed{Items: []Item{}, Removed: []string{}}
	var err error
	if m.State, err = n.state(ctx, n.db, user, now); err != nil {
		return m, err
	}
	most := limit + together + 1
	found, err := selectItems(ctx, n.db, `WHERE r.user_id = `+a.put(user)+` AND r.version > `+a.put(version)+` AND r.gone_at = 0 AND `+present(&a, now)+
		` ORDER BY r.version, r.notification_id LIMIT `+a.put(most), a...)
	if err != nil {
		return m, fmt.Errorf("list missed notifications: %w", err)
	}
	if len(found) > limit {
		m.More = true
		end := limit
		for end > 0 && found[end-1].Version == found[end].Version {
			end--
		}
		if end == 0 { // one version's rows are more than the page
			for end = 1; end < len(found) && found[end].Version == found[0].Version; end++ {
			}
			m.More = end < len(found)
		}
		found = found[:end]
	}
	for _, row := range found {
		m.Items = append(m.Items, row.Item)
	}
	m.Removed, err = n.removed(ctx, user, version, now)
	return m, err
}

// removed gives the latest that were taken back after a version.
func (n *Notify) removed(ctx context.Context, user string, version, now int64) ([]string, error) {
	ids, err := texts(ctx, n.db, `SELECT r.notification_id FROM user_notifications r LEFT JOIN notifications n ON n.id = r.notification_id
		WHERE r.user_id = $1 AND (r.gone_at > 0 AND r.version > $2 OR r.gone_at = 0 AND r.version > $2 AND (n.gone <> '' OR n.expires_at > 0 AND n.expires_at <= $3))
		ORDER BY r.version DESC LIMIT 1000`, user, version, now)
	if err != nil {
		return nil, fmt.Errorf("list removed notifications: %w", err)
	}
	if ids == nil {
		ids = []string{}
	}
	return ids, nil
}

// State gives a user's unread count and version.
func (n *Notify) State(ctx context.Context, user string) (State, error) {
	return n.state(ctx, n.db, user, store.Millis(n.now()))
}

// state leaves out of the count what has expired or is being taken back and
// still counts in the row.
func (n *Notify) state(ctx context.Context, q store.Querier, user string, now int64) (State, error) {
	var s State
	var gone int
	err := q.QueryRow(ctx, `SELECT u.unread, u.version, `+goneUnread("$2")+` FROM notify_users u WHERE u.user_id = $1`, user, now).Scan(&s.Unread, &s.Version, &gone)
	if store.NoRows(err) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("count unread notifications: %w", err)
	}
	s.Unread = max(0, s.Unread-gone)
	return s, nil
}

// goneUnread counts what of u.unread has expired or is being taken back. at is
// the place of the present time.
func goneUnread(at string) string {
	return `(SELECT COUNT(*) FROM (
			SELECT id FROM notifications WHERE expires_at > 0 AND NOT withdrawn AND expires_at <= ` + at + `
			UNION SELECT id FROM notifications WHERE gone <> '' AND NOT withdrawn) n
			JOIN user_notifications r ON r.notification_id = n.id AND r.user_id = u.user_id
			WHERE r.gone_at = 0 AND ` + isUnread + `)`
}

// itemRow is an Item with what its list needs.
type itemRow struct {
	Item
	received int64
}

// selectItems reads a receiver's rows. where names columns of n and r.
func selectItems(ctx context.Context, q store.Querier, where string, args ...any) (found []itemRow, err error) {
	rows, err := q.Query(ctx, `SELECT `+contentColumns+`, r.version, r.received, r.read_at, r.dismissed_at, r.archived_at
		FROM user_notifications r JOIN notifications n ON n.id = r.notification_id `+where, args...)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var i itemRow
		var data string
		var created, sent, expires, read, dismissed, archived int64
		err := rows.Scan(&i.ID, &i.Title, &i.Message, &i.Type, &i.Priority, &i.Importance, &i.Category, &i.Icon, &i.Color,
			&i.ActionURL, &i.ActionText, &i.Dismissible, &data, &created, &sent, &expires, &i.Version, &i.received, &read, &dismissed, &archived)
		i.Data = json.RawMessage(data)
		i.escape()
		for into, millis := range map[*Time]int64{&i.Created: created, &i.Sent: sent, &i.Expires: expires, &i.Read: read, &i.Dismissed: dismissed, &i.Archived: archived} {
			into.Time = store.Time(millis)
		}
		found = append(found, i)
		return err
	})
	return found, err
}

func noNotification(id string) error {
	return belfry.Errorf(belfry.CodeNotFound, "there is no notification %q", clip(id))
}
