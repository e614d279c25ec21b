package authz

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/store"
)

const auditColumns = "id, at, action, app, subject, socket, user_id, user_name, address, result, rule, reason"

// insert writes denials; one that is there already is left, so that a try whose
// answer was lost can be made again.
func (u *audit) insert(ctx context.Context, batch []Denial) error {
	var text strings.Builder
	text.WriteString("INSERT INTO audit_log (" + auditColumns + ") VALUES ")
	args := make([]any, 0, 12*len(batch))
	for i, d := range batch {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(store.Places(len(args), 12))
		args = append(args, d.ID, store.Millis(d.At), d.Action, d.App, d.Channel, d.Socket, d.UserID, d.UserName, d.Address, string(d.Result), d.Rule, d.Reason)
	}
	text.WriteString(" ON CONFLICT (id) DO NOTHING")
	_, err := u.db.Exec(ctx, text.String(), args...)
	return err
}

func (u *audit) deleteBefore(ctx context.Context, t time.Time) error {
	_, err := u.db.Exec(ctx, "DELETE FROM audit_log WHERE at < $1", store.Millis(t))
	return err
}

// DenialFilter picks denials. What is zero does not count.
type DenialFilter struct {
	User, Channel, Socket, App, Action string
	Result                             Result
	// Since is the first moment, Until the first that is too late.
	Since, Until time.Time
	// Before is the ID of the last denial of the page before.
	Before string
	// Limit is the size of a page, up to 1,000. Default: 100.
	Limit int
}

// Denials gives the audit log, the newest first. Without a database it is
// empty.
func (a *Authorizer) Denials(ctx context.Context, f DenialFilter) ([]Denial, error) {
	if a.audit.db == nil {
		return nil, nil
	}
	var where []string
	var args []any
	add := func(is bool, condition string, value any) {
		if is {
			args = append(args, value)
			where = append(where, fmt.Sprintf(condition, len(args)))
		}
	}
	add(f.User != "", "user_id = $%d", f.User)
	add(f.Channel != "", "subject = $%d", f.Channel)
	add(f.Socket != "", "socket = $%d", f.Socket)
	add(f.App != "", "app = $%d", f.App)
	add(f.Action != "", "action = $%d", f.Action)
	add(f.Result != "", "result = $%d", string(f.Result))
	add(!f.Since.IsZero(), "at >= $%d", store.Millis(f.Since))
	add(!f.Until.IsZero(), "at < $%d", store.Millis(f.Until))
	add(f.Before != "", "id < $%d", f.Before)
	query := "SELECT " + auditColumns + " FROM audit_log"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	limit := min(f.Limit, 1000)
	if limit <= 0 {
		limit = 100
	}
	args = append(args, limit)
	query += fmt.Sprintf(" ORDER BY id DESC LIMIT $%d", len(args))
	var list []Denial
	rows, err := a.audit.db.Query(ctx, query, args...)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var d Denial
		var at int64
		var result string
		err := rows.Scan(&d.ID, &at, &d.Action, &d.App, &d.Channel, &d.Socket, &d.UserID, &d.UserName, &d.Address, &result, &d.Rule, &d.Reason)
		d.At, d.Result = store.Time(at), Result(result)
		list = append(list, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return list, nil
}
