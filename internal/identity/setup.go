package identity

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

const setupLifetime = time.Hour

// SetupLink gives the token of a link that makes the first admin, once, within
// an hour. It is empty when there is an admin. Each call makes another one; all
// of them end with the first that is used.
func (i *Identity) SetupLink(ctx context.Context) (token string, err error) {
	if has, err := hasAdmin(ctx, i.db); err != nil || has {
		return "", err
	}
	token = base64.RawURLEncoding.EncodeToString(randomBytes(24))
	_, err = i.db.Exec(ctx, `INSERT INTO setup_links (hash, expires) VALUES ($1, $2)`,
		hashText("setup", token), store.Millis(i.cfg.Now().Add(setupLifetime)))
	if err != nil {
		return "", fmt.Errorf("make set-up link: %w", err)
	}
	return token, nil
}

// CheckSetup says, with CodeForbidden, when a link's token is no good.
func (i *Identity) CheckSetup(ctx context.Context, token string) error {
	var n int
	err := i.db.QueryRow(ctx, `SELECT COUNT(*) FROM setup_links WHERE hash = $1 AND expires > $2`,
		hashText("setup", token), store.Millis(i.cfg.Now())).Scan(&n)
	if err != nil {
		return fmt.Errorf("check set-up link: %w", err)
	}
	has, err := hasAdmin(ctx, i.db)
	if err != nil {
		return err
	}
	if n == 0 || has {
		return noSetup()
	}
	return nil
}

// Setup makes the first admin with a link's token. The user gets the role admin
// beside those that it names.
func (i *Identity) Setup(ctx context.Context, token string, n NewUser) (*belfry.User, error) {
	if err := i.CheckSetup(ctx, token); err != nil { // before the costly hash
		return nil, err
	}
	if n.Password == "" {
		return nil, checkPassword("")
	}
	n.Roles = append(slices.Clone(n.Roles), belfry.RoleAdmin)
	record, err := i.newRecord(ctx, &n)
	if err != nil {
		return nil, err
	}
	var user *belfry.User
	err = i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		// All links go. Of two at once the second waits here and finds none.
		if err := i.takeLinks(ctx, tx, hashText("setup", token)); err != nil {
			return err
		}
		if has, err := hasAdmin(ctx, tx); err != nil || has {
			return cmpErr(err, noSetup())
		}
		user, err = i.insertUser(ctx, tx, record, n.Roles)
		return err
	})
	if err != nil {
		return nil, err
	}
	i.cfg.Logger.Info("first admin made", "user", user.ID)
	return user, nil
}

func (i *Identity) takeLinks(ctx context.Context, tx *store.Tx, hash string) error {
	rows, err := tx.Query(ctx, `DELETE FROM setup_links RETURNING hash, expires`)
	good := false
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var is string
		var expires int64
		err := rows.Scan(&is, &expires)
		good = good || is == hash && expires > store.Millis(i.cfg.Now())
		return err
	})
	if err != nil {
		return fmt.Errorf("take set-up link: %w", err)
	}
	if !good {
		return noSetup()
	}
	return nil
}

func hasAdmin(ctx context.Context, q store.Querier) (bool, error) {
	var n int
	if err := q.QueryRow(ctx, `SELECT COUNT(*) FROM user_roles WHERE role = $1`, belfry.RoleAdmin).Scan(&n); err != nil {
		return false, fmt.Errorf("look for an admin: %w", err)
	}
	return n > 0, nil
}

func noSetup() error {
	return &belfry.Error{Code: belfry.CodeForbidden, Message: "this set-up link was used, has expired, or is not needed any more",
		Hint: "while there is no admin, a restart prints a new one; belfry user:add makes an admin at any time"}
}
