package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/words"
)

// Account is a user with what only operators see.
type Account struct {
	belfry.User
	Disabled  bool      `json:"disabled"`
	Created   time.Time `json:"created"`
	LastLogin time.Time `json:"last_login,omitzero"` // zero: never
}

// NewUser describes a user to be added.
type NewUser struct {
	Email    string
	Name     string // default: what stands before the @
	Roles    []string
	Password string // default: one is generated
}

// Add makes a user. generated is the password when none was given, else empty.
// An email that another user has, in whatever case, gives CodeConflict.
func (i *Identity) Add(ctx context.Context, n NewUser) (user *belfry.User, generated string, err error) {
	if n.Password == "" {
		generated = GeneratePassword()
		n.Password = generated
	}
	record, err := i.newRecord(ctx, &n)
	if err != nil {
		return nil, "", err
	}
	err = i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		user, err = i.insertUser(ctx, tx, record, n.Roles)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return user, generated, nil
}

// newRecord checks a new user and hashes its password.
func (i *Identity) newRecord(ctx context.Context, n *NewUser) (*record, error) {
	r := &record{created: i.cfg.Now()}
	var err error
	if r.email, r.emailKey, err = checkEmail(n.Email); err != nil {
		return nil, err
	}
	if r.name, err = checkName(n.Name, r.email); err != nil {
		return nil, err
	}
	if n.Roles, err = checkRoles(n.Roles); err != nil {
		return nil, err
	}
	if err = checkPassword(n.Password); err != nil {
		return nil, err
	}
	r.password, err = i.hasher.hash(ctx, n.Password)
	return r, err
}

func (i *Identity) insertUser(ctx context.Context, tx *store.Tx, r *record, roles []string) (*belfry.User, error) {
	id, err := insertUser(ctx, tx, r)
	if store.IsDuplicate(err) {
		return nil, &belfry.Error{Code: belfry.CodeConflict, Message: "there is a user with the email " + strconv.Quote(r.email) + " already",
			Hint: "choose another email, or change that user"}
	}
	if err != nil {
		return nil, fmt.Errorf("add user: %w", err)
	}
	if err := insertRoles(ctx, tx, id, roles); err != nil {
		return nil, fmt.Errorf("add user: %w", err)
	}
	return &belfry.User{ID: formatID(id), Name: r.name, Email: r.email, Roles: roles}, nil
}

// User gives a user who may act. One who is disabled gives CodeForbidden, an id
// that no user has CodeNotFound.
func (i *Identity) User(ctx context.Context, id string) (*belfry.User, error) {
	a, err := i.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	if a.Disabled {
		return nil, belfry.Errorf(belfry.CodeForbidden, "user %s is disabled", id)
	}
	return &a.User, nil
}

// Account gives a user, disabled or not, or CodeNotFound.
func (i *Identity) Account(ctx context.Context, id string) (*Account, error) {
	number, ok := parseID(id)
	if !ok {
		return nil, noUser(id)
	}
	found, err := selectAccounts(ctx, i.db, `WHERE u.id = $1`, number)
	if err != nil {
		return nil, fmt.Errorf("find user: %w", err)
	}
	if len(found) == 0 {
		return nil, noUser(id)
	}
	return &found[0], nil
}

// ByEmail gives the user with that email, in whatever case, or CodeNotFound.
func (i *Identity) ByEmail(ctx context.Context, email string) (*Account, error) {
	_, key, err := checkEmail(email)
	if err != nil {
		return nil, err
	}
	found, err := selectAccounts(ctx, i.db, `WHERE u.email_key = $1`, key)
	if err != nil {
		return nil, fmt.Errorf("find user: %w", err)
	}
	if len(found) == 0 {
		return nil, &belfry.Error{Code: belfry.CodeNotFound, Message: "there is no user with the email " + strconv.Quote(email),
			Hint: "belfry user:list shows all"}
	}
	return &found[0], nil
}

// Query picks users; the zero value picks the first 100.
type Query struct {
	Role  string // only those with the role
	After string // only ids above this one
	Limit int    // default 100, at most 10,000
}

// Users lists users by id.
func (i *Identity) Users(ctx context.Context, q Query) ([]Account, error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	var after int64
	if q.After != "" {
		var ok bool
		if after, ok = parseID(q.After); !ok {
			return nil, belfry.Errorf(belfry.CodeInvalid, "%q is no user's id", q.After)
		}
	}
	found, err := selectAccounts(ctx, i.db, `WHERE u.id IN (SELECT id FROM users WHERE id > $1 AND
		($2 = '' OR EXISTS (SELECT 1 FROM user_roles has WHERE has.user_id = users.id AND has.role = $2)) ORDER BY id LIMIT $3)`,
		after, q.Role, min(q.Limit, 10_000))
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return found, nil
}

// SetRoles gives the user these roles and no other.
func (i *Identity) SetRoles(ctx context.Context, id string, roles []string) error {
	_, err := i.changeRoles(ctx, id, func([]string) []string { return roles }, roles)
	return err
}

// ChangeRoles adds and takes roles and gives what the user has then.
func (i *Identity) ChangeRoles(ctx context.Context, id string, add, remove []string) ([]string, error) {
	return i.changeRoles(ctx, id, func(has []string) []string {
		return slices.DeleteFunc(append(has, add...), func(r string) bool { return slices.Contains(remove, r) })
	}, add)
}

func (i *Identity) changeRoles(ctx context.Context, id string, change func([]string) []string, added []string) (roles []string, err error) {
	if _, err := checkRoles(added); err != nil {
		return nil, err
	}
	err = i.change(ctx, id, func(ctx context.Context, tx *store.Tx, number int64) (*Change, error) {
		// The row is locked first, so that two changes do not mix.
		if err := touchUser(ctx, tx, number); err != nil {
			return nil, err
		}
		found, err := selectAccounts(ctx, tx, `WHERE u.id = $1`, number)
		if err != nil || len(found) == 0 {
			return nil, cmpErr(err, noUser(id))
		}
		has := found[0].Roles
		if roles, err = checkRoles(change(slices.Clone(has))); err != nil {
			return nil, err
		}
		if slices.Equal(has, roles) {
			return nil, nil
		}
		if _, err := tx.Exec(ctx, `DELETE FROM user_roles WHERE user_id = $1`, number); err != nil {
			return nil, err
		}
		return &Change{UserID: id, Kind: ChangeRoles}, insertRoles(ctx, tx, number, roles)
	})
	return roles, err
}

// SetPassword replaces the user's password and ends all sessions of theirs.
// generated is the new password when password is empty.
func (i *Identity) SetPassword(ctx context.Context, id, password string) (generated string, err error) {
	if password == "" {
		generated = GeneratePassword()
		password = generated
	}
	if err := checkPassword(password); err != nil {
		return "", err
	}
	hash, err := i.hasher.hash(ctx, password)
	if err != nil {
		return "", err
	}
	return generated, i.change(ctx, id, func(ctx context.Context, tx *store.Tx, number int64) (*Change, error) {
		if err := affectsUser(tx.Exec(ctx, `UPDATE users SET password = $1 WHERE id = $2`, hash, number))(id); err != nil {
			return nil, err
		}
		_, err := tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1`, number)
		return &Change{UserID: id, Kind: ChangePassword}, err
	})
}

// SetDisabled keeps a user from acting, or lets them again. A disabled user's
// sessions end; tokens stay and do not count meanwhile.
func (i *Identity) SetDisabled(ctx context.Context, id string, disabled bool) error {
	return i.change(ctx, id, func(ctx context.Context, tx *store.Tx, number int64) (*Change, error) {
		if err := touchUser(ctx, tx, number); err != nil {
			return nil, err
		}
		var was bool
		err := tx.QueryRow(ctx, `SELECT disabled FROM users WHERE id = $1`, number).Scan(&was)
		if store.NoRows(err) {
			return nil, noUser(id)
		}
		if err != nil || was == disabled {
			return nil, err
		}
		if _, err := tx.Exec(ctx, `UPDATE users SET disabled = $1 WHERE id = $2`, disabled, number); err != nil {
			return nil, err
		}
		if !disabled {
			return &Change{UserID: id, Kind: ChangeEnabled}, nil
		}
		_, err = tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1`, number)
		return &Change{UserID: id, Kind: ChangeDisabled}, err
	})
}

// Remove deletes the user and all of theirs: roles, sessions, tokens.
func (i *Identity) Remove(ctx context.Context, id string) error {
	return i.change(ctx, id, func(ctx context.Context, tx *store.Tx, number int64) (*Change, error) {
		err := affectsUser(tx.Exec(ctx, `DELETE FROM users WHERE id = $1`, number))(id)
		return &Change{UserID: id, Kind: ChangeRemoved}, err
	})
}

// Export gives what is kept about a user, as JSON, without secrets.
func (i *Identity) Export(ctx context.Context, id string) (json.RawMessage, error) {
	a, err := i.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	tokens, err := i.Tokens(ctx, id)
	if err != nil {
		return nil, err
	}
	sessions, err := selectSessions(ctx, i.db, id)
	if err != nil {
		return nil, fmt.Errorf("export user: %w", err)
	}
	return json.Marshal(struct {
		*Account
		Tokens   []*Token        `json:"tokens"`
		Sessions []sessionRecord `json:"sessions"`
	}{a, tokens, sessions})
}

// change runs f in a transaction and writes the Change that it gives, if any.
func (i *Identity) change(ctx context.Context, id string, f func(context.Context, *store.Tx, int64) (*Change, error)) error {
	number, ok := parseID(id)
	if !ok {
		return noUser(id)
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		c, err := f(ctx, tx, number)
		if err != nil || c == nil {
			return err
		}
		return i.note(ctx, tx, *c)
	})
}

func noUser(id string) error {
	return &belfry.Error{Code: belfry.CodeNotFound, Message: "there is no user " + strconv.Quote(words.Cut(id, 40)), Hint: "belfry user:list shows all"}
}

func formatID(number int64) string { return strconv.FormatInt(number, 10) }

// parseID reads an id as formatID writes it: "07" is no user's id.
func parseID(id string) (number int64, ok bool) {
	number, err := strconv.ParseInt(id, 10, 64)
	return number, err == nil && number > 0 && formatID(number) == id
}
