package identity

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// record is a row of users that is about to be.
type record struct {
	email, emailKey, name, password string
	created                         time.Time
}

func insertUser(ctx context.Context, q store.Querier, r *record) (id int64, err error) {
	err = q.QueryRow(ctx, `INSERT INTO users (email, email_key, name, password, disabled, created, last_login)
		VALUES ($1, $2, $3, $4, $5, $6, 0) RETURNING id`, r.email, r.emailKey, r.name, r.password, false, store.Millis(r.created)).Scan(&id)
	return id, err
}

func insertRoles(ctx context.Context, q store.Querier, id int64, roles []string) error {
	for _, role := range roles {
		if _, err := q.Exec(ctx, `INSERT INTO user_roles (user_id, role) VALUES ($1, $2)`, id, role); err != nil {
			return err
		}
	}
	return nil
}

// touchUser locks the user's row until the transaction ends.
func touchUser(ctx context.Context, tx *store.Tx, id int64) error {
	return affectsUser(tx.Exec(ctx, `UPDATE users SET name = name WHERE id = $1`, id))(formatID(id))
}

// affectsUser gives CodeNotFound for a statement that met no user.
func affectsUser(result sql.Result, err error) func(id string) error {
	return func(id string) error {
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return cmpErr(err, noUser(id))
		}
		return nil
	}
}

// cmpErr gives the first error that is one.
func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// selectAccounts reads users with their roles. where names columns of u.
func selectAccounts(ctx context.Context, q store.Querier, where string, args ...any) ([]Account, error) {
	rows, err := q.Query(ctx, `SELECT u.id, u.email, u.name, u.disabled, u.created, u.last_login, r.role
		FROM users u LEFT JOIN user_roles r ON r.user_id = u.id `+where+` ORDER BY u.id, r.role`, args...)
	var found []Account
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var a Account
		var id, created, lastLogin int64
		var role sql.NullString
		if err := rows.Scan(&id, &a.Email, &a.Name, &a.Disabled, &created, &lastLogin, &role); err != nil {
			return err
		}
		if a.ID = formatID(id); len(found) == 0 || found[len(found)-1].ID != a.ID {
			a.Roles, a.Created, a.LastLogin = []string{}, store.Time(created), store.Time(lastLogin)
			found = append(found, a)
		}
		if last := &found[len(found)-1]; role.Valid {
			last.Roles = append(last.Roles, role.String)
		}
		return nil
	})
	for n := range found { // collations differ; Go's order is the one
		found[n].Roles, _ = checkRoles(found[n].Roles)
	}
	return found, err
}

// credentials is what signing in needs of a user.
type credentials struct {
	id       int64
	password string
	disabled bool
}

// selectCredentials gives nil for an email that no user has.
func selectCredentials(ctx context.Context, q store.Querier, emailKey string) (*credentials, error) {
	var c credentials
	err := q.QueryRow(ctx, `SELECT id, password, disabled FROM users WHERE email_key = $1`, emailKey).Scan(&c.id, &c.password, &c.disabled)
	if store.NoRows(err) {
		return nil, nil
	}
	return &c, err
}

// sessionRecord is a row of sessions.
type sessionRecord struct {
	Created   time.Time `json:"created"`
	Seen      time.Time `json:"seen"`
	Address   string    `json:"address"`
	UserAgent string    `json:"user_agent"`
}

func selectSessions(ctx context.Context, q store.Querier, userID string) ([]sessionRecord, error) {
	number, _ := parseID(userID)
	rows, err := q.Query(ctx, `SELECT created, seen, address, user_agent FROM sessions WHERE user_id = $1 ORDER BY created`, number)
	found := []sessionRecord{}
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var s sessionRecord
		var created, seen int64
		err := rows.Scan(&created, &seen, &s.Address, &s.UserAgent)
		s.Created, s.Seen = store.Time(created), store.Time(seen)
		found = append(found, s)
		return err
	})
	return found, err
}

// selectSession gives a session with its user, nil for an id that none has.
func selectSession(ctx context.Context, q store.Querier, id string) (s *Session, disabled bool, err error) {
	rows, err := q.Query(ctx, `SELECT s.created, s.seen, u.id, u.email, u.name, u.disabled, r.role
		FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN user_roles r ON r.user_id = u.id WHERE s.id = $1`, id)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var user belfry.User
		var created, seen, userID int64
		var role sql.NullString
		if err := rows.Scan(&created, &seen, &userID, &user.Email, &user.Name, &disabled, &role); err != nil {
			return err
		}
		if s == nil {
			user.ID, user.Roles = formatID(userID), []string{}
			s = &Session{ID: id, User: &user, Created: store.Time(created), Seen: store.Time(seen)}
		}
		if role.Valid {
			s.User.Roles = append(s.User.Roles, role.String)
		}
		return nil
	})
	if s != nil {
		s.User.Roles, _ = checkRoles(s.User.Roles)
	}
	return s, disabled, err
}

// note writes a change into the log, as the last statement of its transaction:
// from here on other changes wait for the commit.
func (i *Identity) note(ctx context.Context, tx *store.Tx, c Change) error {
	err := tx.QueryRow(ctx, `UPDATE user_change_last SET seq = seq + 1 WHERE one = 1 RETURNING seq`).Scan(&c.Seq)
	if err != nil {
		return fmt.Errorf("number the change: %w", err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO user_changes (seq, user_id, session_id, kind, at) VALUES ($1, $2, $3, $4, $5)`,
		c.Seq, c.UserID, c.SessionID, string(c.Kind), store.Millis(i.cfg.Now()))
	if err != nil {
		return fmt.Errorf("note the change: %w", err)
	}
	tx.AfterCommit(func() {
		i.epoch.Add(1)
		i.cfg.Changed()
	})
	return nil
}
