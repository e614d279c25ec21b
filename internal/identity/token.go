package identity

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/words"
)

// What a token may be for.
const (
	ScopeEvents              = "events"               // publish events, read one's own
	ScopeNotifications       = "notifications"        // the user's own notifications
	ScopeManageNotifications = "notifications:manage" // everybody's; needs the role manager or admin
	ScopeDashboard           = "dashboard"            // read figures
	ScopeAdmin               = "admin"                // everything; needs the role admin
)

// Scopes gives all of them.
func Scopes() []string {
	return []string{ScopeEvents, ScopeNotifications, ScopeManageNotifications, ScopeDashboard, ScopeAdmin}
}

// TokenPrefix begins every API token.
const TokenPrefix = "belfry_"

// NewToken describes a token to be made.
type NewToken struct {
	UserID string
	Name   string // for people; default "token"
	Scopes []string
	// App is the only app that the token is good for; empty means the default
	// app.
	App string
	// Channels are patterns, with * for any characters, of the channels that the
	// token may publish to; none means all.
	Channels []string
	// Expires is the end; default a year from now (Config.TokenLifetime).
	Expires time.Time
}

// Token is an API token without its secret. It is not to be changed.
type Token struct {
	ID       string       `json:"id"`
	User     *belfry.User `json:"-"`
	Name     string       `json:"name"`
	Scopes   []string     `json:"scopes"`
	App      string       `json:"app,omitempty"`
	Channels []string     `json:"channels,omitempty"`
	Created  time.Time    `json:"created"`
	Expires  time.Time    `json:"expires"`
	LastUsed time.Time    `json:"last_used,omitzero"` // to the minute; zero: never
}

// SessionID names the token where sessions are named: the subscriptions that
// stand on it, and the Change of its end.
func (t *Token) SessionID() string { return "token:" + t.ID }

// Allows reports whether the token has the scope, or admin, and its user still
// the role that this needs.
func (t *Token) Allows(scope string) bool {
	admin := t.User.Is(belfry.RoleAdmin)
	if admin && slices.Contains(t.Scopes, ScopeAdmin) {
		return true
	}
	return slices.Contains(t.Scopes, scope) && mayHave(t.User, scope)
}

// mayHave reports whether the user's roles suffice for the scope.
func mayHave(user *belfry.User, scope string) bool {
	switch scope {
	case ScopeAdmin:
		return user.Is(belfry.RoleAdmin)
	case ScopeManageNotifications:
		return user.Is(belfry.RoleAdmin) || user.Is(belfry.RoleManager)
	}
	return true
}

// MayPublish reports whether the token's patterns let it publish to a channel.
func (t *Token) MayPublish(channel string) bool {
	return len(t.Channels) == 0 || slices.ContainsFunc(t.Channels, func(pattern string) bool { return matches(pattern, channel) })
}

// matches reports whether a pattern, in which * stands for any characters,
// describes all of s.
func matches(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return pattern == s
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, ok := strings.Cut(s, part)
		if !ok {
			return false
		}
		s = after
	}
	return true
}

// AddToken makes a token. plain is the only time that its text is seen. Scopes
// that the user's roles do not cover give CodeForbidden.
func (i *Identity) AddToken(ctx context.Context, n NewToken) (plain string, t *Token, err error) {
	user, err := i.User(ctx, n.UserID)
	if err != nil {
		return "", nil, err
	}
	now := i.cfg.Now()
	t = &Token{User: user, Name: strings.TrimSpace(n.Name), App: n.App, Channels: n.Channels, Created: now, Expires: n.Expires}
	if t.Name == "" {
		t.Name = "token"
	}
	if t.Expires.IsZero() {
		t.Expires = now.Add(i.cfg.TokenLifetime)
	}
	t.Scopes = slices.Compact(slices.Sorted(slices.Values(n.Scopes)))
	if err := t.check(now); err != nil {
		return "", nil, err
	}
	scopes, _ := json.Marshal(t.Scopes) // texts
	channels, _ := json.Marshal(t.Channels)
	userID, _ := parseID(user.ID)
	secret := readableText(32) // 160 bits
	var id int64
	err = i.db.QueryRow(ctx, `INSERT INTO api_tokens (user_id, name, hash, scopes, app, channels, created, expires, last_used)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0) RETURNING id`, userID, t.Name, hashText("token", secret), string(scopes), t.App,
		string(channels), store.Millis(now), store.Millis(t.Expires)).Scan(&id)
	if err != nil {
		return "", nil, fmt.Errorf("add token: %w", err)
	}
	t.ID = formatID(id)
	return TokenPrefix + t.ID + "_" + secret, t, nil
}

func (t *Token) check(now time.Time) error {
	invalid := func(format string, args ...any) error { return belfry.Errorf(belfry.CodeInvalid, format, args...) }
	switch {
	case len(t.Name) > 200 || !plainText(t.Name):
		return invalid("the token's name has control characters or is longer than 200 bytes")
	case len(t.Scopes) == 0:
		return invalid("the token has no scope: give one or more of %s", strings.Join(Scopes(), ", "))
	case !t.Expires.After(now):
		return invalid("the token would have expired already")
	case len(t.App) > 200 || !plainText(t.App):
		return invalid("%q is no app's id", words.Cut(t.App, 80))
	case len(t.Channels) > 100:
		return invalid("the token has more than 100 channel patterns")
	}
	for _, scope := range t.Scopes {
		if !slices.Contains(Scopes(), scope) {
			return invalid("%q is no scope: use %s", words.Cut(scope, 80), strings.Join(Scopes(), ", "))
		}
		if !mayHave(t.User, scope) {
			return &belfry.Error{Code: belfry.CodeForbidden, Message: "user " + t.User.ID + " lacks the role that the scope " + scope + " needs",
				Hint: "give the role first: belfry user:role"}
		}
	}
	for _, pattern := range t.Channels {
		if pattern == "" || len(pattern) > 200 || !plainText(pattern) || strings.Count(pattern, "*") > 10 {
			return invalid("%q is no channel pattern: use up to 200 characters and ten *", words.Cut(pattern, 80))
		}
	}
	return nil
}

// cachedToken is a token that was good a moment ago, so that a stream of
// requests does not ask the database for each.
type cachedToken struct {
	hash  string
	token *Token
	at    time.Time
	epoch uint64 // of Identity.epoch, from before it was read
}

const cachedFor = time.Second

// Token gives the token of a plain text. One that is unknown, revoked or
// expired, or whose user is disabled, gives CodeUnauthenticated. A change made
// by another process may take a second to be seen, but is seen at once by who
// has read of it in Changes. It notes, at most once a
// minute, that the token is in use.
func (i *Identity) Token(ctx context.Context, plain string) (*Token, error) {
	t, err := i.token(ctx, plain)
	if err != nil {
		return nil, err
	}
	if t == nil {
		i.count.tokenRefused.Add(1)
		return nil, &belfry.Error{Code: belfry.CodeUnauthenticated, Message: "the API token is unknown, revoked or expired",
			Hint: "belfry user:token makes a new one"}
	}
	i.count.tokenOK.Add(1)
	return t, nil
}

func (i *Identity) token(ctx context.Context, plain string) (*Token, error) {
	rest, ok := strings.CutPrefix(plain, TokenPrefix)
	number, secret, cut := strings.Cut(rest, "_")
	id, isID := parseID(number)
	if !ok || !cut || !isID || len(plain) > maxCookie {
		return nil, nil
	}
	now, hash := i.cfg.Now(), hashText("token", secret)
	c, ok := i.tokens.Get(id)
	epoch := i.epoch.Load()
	if age := now.Sub(c.at); !ok || age >= cachedFor || age < 0 || c.epoch != epoch {
		kept, t, disabled, err := selectToken(ctx, i.db, id)
		if err != nil {
			return nil, fmt.Errorf("find token: %w", err)
		}
		if t == nil || disabled {
			return nil, nil
		}
		c = cachedToken{kept, t, now, epoch}
		i.tokens.Add(id, c)
	}
	if subtle.ConstantTimeCompare([]byte(c.hash), []byte(hash)) != 1 || !c.token.Expires.After(now) {
		return nil, nil
	}
	if now.Sub(c.token.LastUsed) >= seenEvery {
		used := *c.token
		used.LastUsed = now
		i.tokens.Add(id, cachedToken{c.hash, &used, c.at, c.epoch})
		i.touch(ctx, `UPDATE api_tokens SET last_used = $1 WHERE id = $2 AND last_used < $1`, store.Millis(now), id)
		return &used, nil
	}
	return c.token, nil
}

// Tokens lists a user's tokens, expired ones too, the newest first.
func (i *Identity) Tokens(ctx context.Context, userID string) ([]*Token, error) {
	a, err := i.Account(ctx, userID)
	if err != nil {
		return nil, err
	}
	number, _ := parseID(userID)
	rows, err := i.db.Query(ctx, `SELECT `+tokenColumns+` FROM api_tokens t WHERE t.user_id = $1 ORDER BY t.id DESC`, number)
	found := []*Token{}
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		t, _, err := scanToken(rows)
		found = append(found, t)
		if err == nil {
			t.User = &a.User
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return found, nil
}

// RevokeToken ends a token, given by its id. The subscriptions that stood on it
// end too. A token that does not exist gives CodeNotFound.
func (i *Identity) RevokeToken(ctx context.Context, id string) error {
	missing := &belfry.Error{Code: belfry.CodeNotFound, Message: "there is no token " + strconv.Quote(words.Cut(id, 40)), Hint: "belfry user:token --list shows all"}
	number, ok := parseID(id)
	if !ok {
		return missing
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		var userID int64
		err := tx.QueryRow(ctx, `DELETE FROM api_tokens WHERE id = $1 RETURNING user_id`, number).Scan(&userID)
		if store.NoRows(err) {
			return missing
		}
		if err != nil {
			return fmt.Errorf("revoke token: %w", err)
		}
		return i.note(ctx, tx, Change{UserID: formatID(userID), SessionID: (&Token{ID: id}).SessionID(), Kind: ChangeSession})
	})
}
