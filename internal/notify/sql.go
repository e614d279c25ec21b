package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/store"
)

// Why a notification is taken back.
const (
	goneExpired   = "expired"
	goneCancelled = "cancelled"
	goneDeleted   = "deleted"
)

// record is a row of notifications.
type record struct {
	id string
	Content
	status     string
	revision   int64
	target     Target
	createdBy  Person
	scheduled  time.Time
	position   string
	recipients int
	gone       string
}

const recordColumns = `n.id, n.status, n.revision, n.title, n.message, n.type, n.priority, n.importance, n.category, n.icon, n.color,
	n.action_url, n.action_text, n.dismissible, n.data, n.target, n.created, n.created_by, n.created_by_name, n.scheduled_at, n.sent_at,
	n.expires_at, n.position, n.recipients, n.gone`

// contentColumns are those of what a receiver sees, in recordColumns' order.
const contentColumns = `n.id, n.title, n.message, n.type, n.priority, n.importance, n.category, n.icon, n.color,
	n.action_url, n.action_text, n.dismissible, n.data, n.created, n.sent_at, n.expires_at`

func scanRecord(rows *sql.Rows) (*record, error) {
	var r record
	var data, target string
	var created, scheduled, sent, expires int64
	err := rows.Scan(&r.id, &r.status, &r.revision, &r.Title, &r.Message, &r.Type, &r.Priority, &r.Importance, &r.Category, &r.Icon, &r.Color,
		&r.ActionURL, &r.ActionText, &r.Dismissible, &data, &target, &created, &r.createdBy.ID, &r.createdBy.Name, &scheduled, &sent,
		&expires, &r.position, &r.recipients, &r.gone)
	if err != nil {
		return nil, err
	}
	r.Data = json.RawMessage(data)
	r.Created, r.Sent, r.Expires, r.scheduled = Time{store.Time(created)}, Time{store.Time(sent)}, Time{store.Time(expires)}, store.Time(scheduled)
	r.escape()
	return &r, json.Unmarshal([]byte(target), &r.target)
}

// selectRecords reads notifications. rest stands behind FROM notifications n.
func selectRecords(ctx context.Context, q store.Querier, rest string, args ...any) (found []*record, err error) {
	rows, err := q.Query(ctx, `SELECT `+recordColumns+` FROM notifications n `+rest, args...)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		r, err := scanRecord(rows)
		found = append(found, r)
		return err
	})
	return found, err
}

// isID tells what cannot be an id, so that no database sees odd bytes.
func isID(id string) bool {
	return id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') })
}

// selectRecord gives nil for an id that no notification has.
func selectRecord(ctx context.Context, q store.Querier, id string) (*record, error) {
	if !isID(id) {
		return nil, nil
	}
	found, err := selectRecords(ctx, q, `WHERE n.id = $1`, id)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

func (r *record) search() string {
	return strings.ToLower(r.Title + "\n" + r.Message + "\n" + string(r.Category))
}

func insertRecord(ctx context.Context, q store.Querier, r *record) error {
	target, err := json.Marshal(r.target)
	if err != nil {
		return err
	}
	_, err = q.Exec(ctx, `INSERT INTO notifications (id, status, revision, title, message, type, priority, importance, category, icon, color,
		action_url, action_text, dismissible, data, search, target, created, created_by, created_by_name, scheduled_at, sent_at,
		expires_at, position, recipients, gone, withdrawn, touched)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, '', 0, '', $24, $18)`,
		r.id, r.status, r.revision, r.Title, r.Message, r.Type, r.Priority, r.Importance, string(r.Category), string(r.Icon), string(r.Color),
		string(r.ActionURL), string(r.ActionText), r.Dismissible, string(r.Data), r.search(), string(target), store.Millis(r.Created.Time),
		r.createdBy.ID, r.createdBy.Name, store.Millis(r.scheduled), store.Millis(r.Sent.Time), store.Millis(r.Expires.Time), false)
	return err
}

// updateRecord writes what may be edited, if nobody was faster.
func updateRecord(ctx context.Context, q store.Querier, r *record) (ok bool, err error) {
	target, err := json.Marshal(r.target)
	if err != nil {
		return false, err
	}
	return changed(q.Exec(ctx, `UPDATE notifications SET status = $1, revision = revision + 1, title = $2, message = $3, type = $4, priority = $5,
		importance = $6, category = $7, icon = $8, color = $9, action_url = $10, action_text = $11, dismissible = $12, data = $13, search = $14,
		target = $15, scheduled_at = $16, expires_at = $17 WHERE id = $18 AND revision = $19 AND status IN ('draft', 'scheduled')`,
		r.status, r.Title, r.Message, r.Type, r.Priority, r.Importance, string(r.Category), string(r.Icon), string(r.Color), string(r.ActionURL),
		string(r.ActionText), r.Dismissible, string(r.Data), r.search(), string(target), store.Millis(r.scheduled), store.Millis(r.Expires.Time), r.id, r.revision))
}

// changed reports whether a statement met a row.
func changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	met, err := result.RowsAffected()
	return met > 0, err
}

// texts reads rows of one text.
func texts(ctx context.Context, q store.Querier, query string, args ...any) (all []string, err error) {
	rows, err := q.Query(ctx, query, args...)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var s string
		err := rows.Scan(&s)
		all = append(all, s)
		return err
	})
	return all, err
}

// args collects the parameters of a statement that is put together.
type args []any

// put adds a parameter and gives its place.
func (a *args) put(value any) string {
	*a = append(*a, value)
	return "$" + strconv.Itoa(len(*a))
}

// list adds parameters and gives their places: "$1, $2".
func (a *args) list(values []string) string {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a.put(v))
	}
	return b.String()
}

// like is the pattern of texts that hold q.
func like(q string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(q)) + "%"
}

// standing is a row of notify_users.
type standing struct {
	user            string
	unread, version int64
}

func selectStanding(ctx context.Context, q store.Querier, where string, args ...any) (found []standing, err error) {
	rows, err := q.Query(ctx, `SELECT user_id, unread, version FROM notify_users WHERE `+where, args...)
	return scanStandings(rows, err)
}

func scanStandings(rows *sql.Rows, err error) (found []standing, _ error) {
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var s standing
		err := rows.Scan(&s.user, &s.unread, &s.version)
		found = append(found, s)
		return err
	})
	return found, err
}

// lockUsers locks receivers until the transaction ends, in the order that all
// use. SQLite's one writer needs no such thing.
func lockUsers(ctx context.Context, tx *store.Tx, users []string) ([]standing, error) {
	var a args
	users = slices.Sorted(slices.Values(users))
	where := `user_id IN (` + a.list(users) + `) ORDER BY user_id`
	if tx.DB().Dialect() == store.Postgres {
		where += ` FOR UPDATE`
	}
	return selectStanding(ctx, tx, where, a...)
}
