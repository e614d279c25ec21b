package identity

import (
	"context"
	"fmt"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// LoginAttempt is somebody's wish to sign in.
type LoginAttempt struct {
	Email    string
	Password string
	// Address is the client's, for the delays and for the session's record.
	Address   string
	UserAgent string
	// Previous is the value of the session cookie that came with the attempt;
	// that session ends when the attempt succeeds. May be empty.
	Previous string
}

// Login signs a user in and gives a new session. A wrong password and an
// unknown user give the same CodeUnauthenticated after the same time; too many
// of them give a *LimitError; the right password of a disabled user gives
// CodeForbidden. It waits, as long as ctx lasts, for its turn at hashing.
func (i *Identity) Login(ctx context.Context, a LoginAttempt) (*Session, error) {
	_, account, err := checkEmail(a.Email)
	if err != nil {
		account = "" // no user's; it takes the way of an unknown one
	}
	attempt, err := i.delays.begin(account, a.Address, i.cfg.Now())
	if err != nil {
		i.count.loginLimited.Add(1)
		return nil, err
	}
	s, err := i.login(ctx, account, &a)
	switch belfry.CodeOf(err) {
	case "":
		attempt.succeed()
		i.count.loginOK.Add(1)
	case belfry.CodeUnauthenticated:
		i.count.loginWrong.Add(1)
	case belfry.CodeForbidden:
		attempt.undo()
		i.count.loginDisabled.Add(1)
	default:
		attempt.undo()
		i.count.loginFailed.Add(1)
	}
	return s, err
}

func (i *Identity) login(ctx context.Context, account string, a *LoginAttempt) (*Session, error) {
	key, err := i.signingKey(ctx)
	if err != nil {
		return nil, err
	}
	if len(a.Password) > MaxPassword {
		return nil, wrongPassword()
	}
	var user *credentials
	if account != "" {
		if user, err = selectCredentials(ctx, i.db, account); err != nil {
			return nil, fmt.Errorf("sign in: %w", err)
		}
	}
	kept := ""
	if user != nil {
		kept = user.password
	}
	ok, outdated, err := i.hasher.matches(ctx, kept, a.Password)
	switch {
	case err != nil:
		return nil, fmt.Errorf("sign in: %w", err)
	case !ok:
		return nil, wrongPassword()
	case user.disabled:
		return nil, &belfry.Error{Code: belfry.CodeForbidden, Message: "this user is disabled", Hint: "ask an administrator"}
	}
	if outdated {
		i.rehash(ctx, user, a.Password)
	}
	var s *Session
	err = i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		s, err = i.signIn(ctx, tx, key, user, a)
		return err
	})
	return s, err
}

func (i *Identity) signIn(ctx context.Context, tx *store.Tx, key []byte, user *credentials, a *LoginAttempt) (*Session, error) {
	// The password was read before the transaction: what has changed since
	// counts.
	result, err := tx.Exec(ctx, `UPDATE users SET last_login = $1 WHERE id = $2 AND password = $3 AND NOT disabled`,
		store.Millis(i.cfg.Now()), user.id, user.password)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return nil, cmpErr(err, wrongPassword())
	}
	found, err := selectAccounts(ctx, tx, `WHERE u.id = $1`, user.id)
	if err != nil || len(found) == 0 {
		return nil, cmpErr(err, wrongPassword())
	}
	s := i.newSession(key, &found[0].User)
	if err := insertSession(ctx, tx, s, user.id, a.Address, a.UserAgent); err != nil {
		return nil, fmt.Errorf("start session: %w", err)
	}
	if a.Previous == "" || len(a.Previous) > maxCookie {
		return s, nil
	}
	return s, i.endSession(ctx, tx, sessionID(a.Previous))
}

// rehash brings a password to today's cost. It is no harm when it fails.
func (i *Identity) rehash(ctx context.Context, user *credentials, password string) {
	hash, err := i.hasher.hash(ctx, password)
	if err != nil {
		return
	}
	result, err := i.db.Exec(ctx, `UPDATE users SET password = $1 WHERE id = $2 AND password = $3`, hash, user.id, user.password)
	if err != nil {
		i.cfg.Logger.Warn("password not hashed anew", "user", formatID(user.id), "error", err)
		return
	}
	if n, err := result.RowsAffected(); err == nil && n == 1 {
		user.password = hash
	}
}

func wrongPassword() error {
	return &belfry.Error{Code: belfry.CodeUnauthenticated, Message: "email or password is wrong",
		Hint: "belfry user:passwd sets a new password"}
}
