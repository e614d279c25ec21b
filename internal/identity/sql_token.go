package identity

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

const tokenColumns = `t.id, t.name, t.hash, t.scopes, t.app, t.channels, t.created, t.expires, t.last_used`

// scanToken reads tokenColumns and what stands behind them.
func scanToken(rows *sql.Rows, more ...any) (t *Token, hash string, err error) {
	t = &Token{}
	var id, created, expires, lastUsed int64
	var scopes, channels string
	err = rows.Scan(append([]any{&id, &t.Name, &hash, &scopes, &t.App, &channels, &created, &expires, &lastUsed}, more...)...)
	if err != nil {
		return t, "", err
	}
	t.ID, t.Created, t.Expires, t.LastUsed = formatID(id), store.Time(created), store.Time(expires), store.Time(lastUsed)
	if err := json.Unmarshal([]byte(scopes), &t.Scopes); err != nil {
		return t, "", fmt.Errorf("the kept scopes: %w", err)
	}
	if err := json.Unmarshal([]byte(channels), &t.Channels); err != nil {
		return t, "", fmt.Errorf("the kept channels: %w", err)
	}
	return t, hash, nil
}

// selectToken gives a token with its user, nil for an id that none has.
func selectToken(ctx context.Context, q store.Querier, id int64) (hash string, t *Token, disabled bool, err error) {
	rows, err := q.Query(ctx, `SELECT `+tokenColumns+`, u.id, u.email, u.name, u.disabled, r.role
		FROM api_tokens t JOIN users u ON u.id = t.user_id LEFT JOIN user_roles r ON r.user_id = u.id WHERE t.id = $1`, id)
	var roles []string
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var user belfry.User
		var userID int64
		var role sql.NullString
		var err error
		if t, hash, err = scanToken(rows, &userID, &user.Email, &user.Name, &disabled, &role); err != nil {
			return err
		}
		if role.Valid {
			roles = append(roles, role.String)
		}
		user.ID = formatID(userID)
		t.User = &user
		return nil
	})
	if err == nil && t != nil {
		t.User.Roles, err = checkRoles(roles)
	}
	return hash, t, disabled, err
}
