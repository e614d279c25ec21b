package identity

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/belfryhq/belfry/internal/store"
)

// ChangeKind says what happened to a user.
type ChangeKind string

// The kinds of changes.
const (
	ChangeRoles    ChangeKind = "roles"
	ChangeDisabled ChangeKind = "disabled"
	ChangeEnabled  ChangeKind = "enabled"
	ChangeRemoved  ChangeKind = "removed"
	ChangeSession  ChangeKind = "session"  // one session ended, or one token was revoked
	ChangePassword ChangeKind = "password" // all sessions ended
)

// Change is one entry of the log of what may take rights away.
type Change struct {
	Seq    int64 // from 1, without gaps
	UserID string
	// SessionID is, for ChangeSession, the Session's ID or the Token's SessionID.
	SessionID string
	Kind      ChangeKind
}

// Changes gives the entries after a number, at most limit of them, the oldest
// first. The log keeps a week. An entry is never seen before one of a lower
// number. What is read here is heeded by Token from then on.
func (i *Identity) Changes(ctx context.Context, after int64, limit int) ([]Change, error) {
	rows, err := i.db.Query(ctx, `SELECT seq, user_id, session_id, kind FROM user_changes WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	var found []Change
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var c Change
		var kind string
		err := rows.Scan(&c.Seq, &c.UserID, &c.SessionID, &kind)
		c.Kind = ChangeKind(kind)
		found = append(found, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read changes of users: %w", err)
	}
	if len(found) > 0 {
		i.epoch.Add(1)
	}
	return found, nil
}

// LastChange gives the number of the last entry, 0 when there was none yet.
func (i *Identity) LastChange(ctx context.Context) (seq int64, err error) {
	if err = i.db.QueryRow(ctx, `SELECT seq FROM user_change_last WHERE one = 1`).Scan(&seq); err != nil {
		return 0, fmt.Errorf("read changes of users: %w", err)
	}
	return seq, nil
}
