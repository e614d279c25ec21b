package identity

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Session is one browser's: a guest's, which is all in its signed cookie, or a
// user's, which has a row in the database.
type Session struct {
	// ID names the session everywhere but in the cookie. It is a hash of the
	// cookie and opens nothing.
	ID string
	// Cookie is the value that the browser must keep, set only on a new session.
	Cookie string
	// CSRF is the token that unsafe requests of this session carry.
	CSRF string
	// User is who signed in, nil for a guest.
	User    *belfry.User
	Created time.Time
	Seen    time.Time // to the minute; for a guest, Created
	// Expires is when the session ends however much it is used.
	Expires time.Time
}

// ChecksCSRF reports whether token is the session's, in constant time.
func (s *Session) ChecksCSRF(token string) bool {
	return s.CSRF != "" && subtle.ConstantTimeCompare([]byte(s.CSRF), []byte(token)) == 1
}

const (
	guestMark = "g"
	userMark  = "s"
	// guestLifetime is how long a guest's cookie holds. It gives no right, so
	// that it may be longer than a user's idle time: a page left open still signs
	// in.
	guestLifetime = 24 * time.Hour
	seenEvery     = time.Minute
	maxCookie     = 128
)

// StartSession makes a guest's session, which a CSRF token needs before anyone
// has signed in. It writes nothing.
func (i *Identity) StartSession(ctx context.Context) (*Session, error) {
	key, err := i.signingKey(ctx)
	if err != nil {
		return nil, err
	}
	now := i.cfg.Now()
	body := binary.BigEndian.AppendUint64(randomBytes(16), uint64(now.UnixMilli()))
	value := guestMark + base64.RawURLEncoding.EncodeToString(append(body, sign(key, "guest", string(body))...))
	return &Session{ID: sessionID(value), Cookie: value, CSRF: csrf(key, value), Created: now, Seen: now, Expires: now.Add(guestLifetime)}, nil
}

// Session gives the session of a cookie's value, guest or user. A value that
// is no session's, or of one that has ended or expired, gives
// CodeUnauthenticated. It notes, at most once a minute, that the session is in
// use.
func (i *Identity) Session(ctx context.Context, cookie string) (*Session, error) {
	key, err := i.signingKey(ctx)
	if err != nil {
		return nil, err
	}
	var s *Session
	switch {
	case len(cookie) > maxCookie:
	case strings.HasPrefix(cookie, guestMark):
		s = i.guest(key, cookie)
	case strings.HasPrefix(cookie, userMark):
		if s, err = i.userSession(ctx, cookie); err != nil {
			return nil, err
		}
	}
	if s == nil {
		i.count.sessionRefused.Add(1)
		return nil, belfry.Errorf(belfry.CodeUnauthenticated, "the session has ended: sign in again")
	}
	s.CSRF = csrf(key, cookie)
	return s, nil
}

func (i *Identity) guest(key []byte, cookie string) *Session {
	raw, err := base64.RawURLEncoding.DecodeString(cookie[len(guestMark):])
	if err != nil || len(raw) != 24+sha256.Size {
		return nil
	}
	body, signature := raw[:24], raw[24:]
	created := store.Time(int64(binary.BigEndian.Uint64(body[16:])))
	if !hmac.Equal(signature, sign(key, "guest", string(body))) || i.cfg.Now().Sub(created) > guestLifetime {
		return nil
	}
	return &Session{ID: sessionID(cookie), Created: created, Seen: created, Expires: created.Add(guestLifetime)}
}

func (i *Identity) userSession(ctx context.Context, cookie string) (*Session, error) {
	s, disabled, err := selectSession(ctx, i.db, sessionID(cookie))
	if err != nil {
		return nil, fmt.Errorf("find session: %w", err)
	}
	if s == nil || disabled {
		return nil, nil
	}
	now := i.cfg.Now()
	s.Expires = s.Created.Add(i.cfg.SessionLifetime)
	if now.Sub(s.Seen) > i.cfg.SessionIdle || now.After(s.Expires) {
		return nil, nil
	}
	if now.Sub(s.Seen) >= seenEvery {
		i.touch(ctx, `UPDATE sessions SET seen = $1 WHERE id = $2 AND seen < $1`, store.Millis(now), s.ID)
		s.Seen = now
	}
	return s, nil
}

// touch notes a use. That it fails, as when the disk is full, must not keep
// anybody out.
func (i *Identity) touch(ctx context.Context, statement string, args ...any) {
	if _, err := i.db.Exec(ctx, statement, args...); err != nil && ctx.Err() == nil {
		i.cfg.Logger.Warn("last use of a session or token not noted", "error", err)
	}
}

// Logout ends a user's session. The subscriptions that stood on it end too. A
// guest's session needs no end; nil is a guest's.
func (i *Identity) Logout(ctx context.Context, s *Session) error {
	if s == nil || s.User == nil {
		return nil
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		return i.endSession(ctx, tx, s.ID)
	})
}

// endSession deletes a session, if it is there, and notes that.
func (i *Identity) endSession(ctx context.Context, tx *store.Tx, id string) error {
	var userID int64
	err := tx.QueryRow(ctx, `DELETE FROM sessions WHERE id = $1 RETURNING user_id`, id).Scan(&userID)
	if store.NoRows(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	tx.AfterCommit(func() { i.count.sessionEnded.Add(1) })
	return i.note(ctx, tx, Change{UserID: formatID(userID), SessionID: id, Kind: ChangeSession})
}

// newSession gives a session of a user, for insertSession to write.
func (i *Identity) newSession(key []byte, user *belfry.User) *Session {
	now := i.cfg.Now()
	value := userMark + base64.RawURLEncoding.EncodeToString(randomBytes(32))
	return &Session{ID: sessionID(value), Cookie: value, CSRF: csrf(key, value), User: user, Created: now, Seen: now, Expires: now.Add(i.cfg.SessionLifetime)}
}

func insertSession(ctx context.Context, q store.Querier, s *Session, userID int64, address, userAgent string) error {
	_, err := q.Exec(ctx, `INSERT INTO sessions (id, user_id, created, seen, address, user_agent) VALUES ($1, $2, $3, $3, $4, $5)`,
		s.ID, userID, store.Millis(s.Created), clean(address, 64), clean(userAgent, 200))
	return err
}

func sessionID(cookie string) string { return hashText("session", cookie) }

func csrf(key []byte, cookie string) string {
	return base64.RawURLEncoding.EncodeToString(sign(key, "csrf", cookie))
}

// sign gives the MAC of data for one purpose.
func sign(key []byte, purpose, data string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose + "\x00" + data))
	return mac.Sum(nil)
}

// hashText is how a random text is kept.
func hashText(purpose, text string) string {
	sum := sha256.Sum256([]byte(purpose + "\x00" + text))
	return hex.EncodeToString(sum[:])
}

func randomBytes(size int) []byte {
	b := make([]byte, size)
	rand.Read(b) // never fails
	return b
}
