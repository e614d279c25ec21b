package notify

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/webpush"
)

// Push says how closed browsers are reached.
type Push struct {
	// Subject is who answers for the messages: mailto:ADDRESS or an https
	// address. Required.
	Subject string
	// Client makes the requests to push services; required. It should be one of
	// httpx, since users name the addresses.
	Client *http.Client
	// Allow are ranges that an endpoint's address may be of although they are not
	// public: the client's.
	Allow []netip.Prefix

	TTL     time.Duration // for which push services keep a message; default 7 days
	Delay   time.Duration // after the live event; default 1 s
	AtOnce  int           // messages under way of this process; default 16
	PerUser int           // subscriptions of one user; default 20
}

var errPushOff = &belfry.Error{Code: belfry.CodeNotFound, Message: "Web Push is turned off on this server", Hint: "set push.enabled to true"}

// Prepare makes the key that browsers subscribe with, if there is none yet. It
// may be called again after an error; without it the first use does the same.
func (n *Notify) Prepare(ctx context.Context) error {
	if n.cfg.Push == nil {
		return nil
	}
	_, err := n.pushSender(ctx)
	return err
}

// PushKey is the public key that browsers subscribe with; CodeNotFound when
// Web Push is off.
func (n *Notify) PushKey(ctx context.Context) (string, error) {
	if n.cfg.Push == nil {
		return "", errPushOff
	}
	s, err := n.pushSender(ctx)
	if err != nil {
		return "", err
	}
	return s.PublicKey(), nil
}

// pushSender gives the sender, made at its first use: its key is in the
// database, the same for all servers.
func (n *Notify) pushSender(ctx context.Context) (*webpush.Sender, error) {
	n.sending.mu.Lock()
	defer n.sending.mu.Unlock()
	if n.sending.sender != nil {
		return n.sending.sender, nil
	}
	key, err := n.db.Key(ctx, "web push", webpush.KeySize)
	if err != nil {
		return nil, fmt.Errorf("read the key for Web Push: %w", err)
	}
	n.sending.sender, err = webpush.New(key, webpush.Config{Subject: n.cfg.Push.Subject, Client: n.cfg.Push.Client})
	return n.sending.sender, err
}

// maxUserAgent bounds what is kept of a browser's name, in bytes.
const maxUserAgent = 200

// Subscribe keeps a browser of the user, or notes that it is still there, and
// counts those that the user has now. Beyond Push.PerUser, the one that was
// not heard of for the longest goes. A browser that was another user's is this
// one's from then on. An error is *Invalid where fields have faults, and
// CodeConflict for the endpoint of another subscription.
func (n *Notify) Subscribe(ctx context.Context, user string, s webpush.Subscription, userAgent string) (count int, err error) {
	if n.cfg.Push == nil {
		return 0, errPushOff
	}
	s, found := s.Normal()
	if found["endpoint"] == "" && n.private(s.Endpoint) {
		found = webpush.Faults{"endpoint": "this address is not on the public internet"}
	}
	if len(found) > 0 {
		return 0, &Invalid{Fields: found}
	}
	if userAgent = strings.ToValidUTF8(strings.ReplaceAll(userAgent, "\x00", ""), ""); len(userAgent) > maxUserAgent {
		userAgent = strings.ToValidUTF8(userAgent[:maxUserAgent], "")
	}
	id, now := subscriptionID(s.Endpoint), store.Millis(n.now())
	err = n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := n.mayTake(ctx, tx, id, user, s); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO push_subscriptions (id, user_id, endpoint, p256dh, auth, user_agent, created, seen, used, failures)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 0, 0)
			ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, p256dh = excluded.p256dh, auth = excluded.auth, user_agent = excluded.user_agent,
			seen = excluded.seen, failures = 0`, id, user, s.Endpoint, s.P256DH, s.Auth, userAgent, now)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM push_subscriptions WHERE user_id = $1 AND id <> $2 AND id NOT IN (
			SELECT id FROM push_subscriptions WHERE user_id = $1 AND id <> $2 ORDER BY seen DESC, id LIMIT $3)`, user, id, n.cfg.Push.PerUser-1); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT COUNT(*) FROM push_subscriptions WHERE user_id = $1`, user).Scan(&count)
	})
	if err != nil {
		return 0, fmt.Errorf("keep a push subscription: %w", err)
	}
	return count, nil
}

// mayTake locks the user, and what the user has. It refuses the endpoint of
// another user whose secret the caller does not know.
func (n *Notify) mayTake(ctx context.Context, tx *store.Tx, id, user string, s webpush.Subscription) error {
	_, err := tx.Exec(ctx, `INSERT INTO notify_users (user_id, unread, version) VALUES ($1, 0, 0)
		ON CONFLICT (user_id) DO UPDATE SET version = notify_users.version`, user)
	if err != nil {
		return err
	}
	query := `SELECT id, user_id, auth FROM push_subscriptions WHERE user_id = $1 OR id = $2 ORDER BY id`
	if tx.DB().Dialect() == store.Postgres {
		query += ` FOR UPDATE`
	}
	foreign := false
	rows, err := tx.Query(ctx, query, user, id)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var one, of, auth string
		err := rows.Scan(&one, &of, &auth)
		foreign = foreign || one == id && of != user && subtle.ConstantTimeCompare([]byte(auth), []byte(s.Auth)) != 1
		return err
	})
	if err == nil && foreign {
		err = &belfry.Error{Code: belfry.CodeConflict, Message: "this endpoint is another subscription's", Hint: "subscribe the browser anew"}
	}
	return err
}

// Unsubscribe forgets a browser of the user. One that is not there, or not the
// user's, is no error.
func (n *Notify) Unsubscribe(ctx context.Context, user, endpoint string) error {
	_, err := n.db.Exec(ctx, `DELETE FROM push_subscriptions WHERE id = $1 AND user_id = $2`, subscriptionID(endpoint), user)
	if err != nil {
		return fmt.Errorf("forget a push subscription: %w", err)
	}
	return nil
}

// Subscribed is a browser as its user sees it.
type Subscribed struct {
	Service   string `json:"service"` // the host of its push service
	UserAgent string `json:"user_agent"`
	Created   Time   `json:"created_at"`
	Used      Time   `json:"last_success_at"`
}

// Subscriptions gives the browsers of a user, the oldest first.
func (n *Notify) Subscriptions(ctx context.Context, user string) ([]Subscribed, error) {
	all := []Subscribed{}
	rows, err := n.db.Query(ctx, `SELECT endpoint, user_agent, created, used FROM push_subscriptions WHERE user_id = $1 ORDER BY created, id`, user)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var s webpush.Subscription
		var one Subscribed
		var created, used int64
		err := rows.Scan(&s.Endpoint, &one.UserAgent, &created, &used)
		one.Service, one.Created, one.Used = s.Host(), Time{store.Time(created)}, Time{store.Time(used)}
		all = append(all, one)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list push subscriptions: %w", err)
	}
	return all, nil
}

// private reports whether an endpoint is an address that the client would not
// connect to. Names are judged when they are dialled.
func (n *Notify) private(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return true
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil || httpx.Forbidden(addr) == "" {
		return false
	}
	for _, allowed := range n.cfg.Push.Allow {
		if allowed.Contains(addr.Unmap()) || allowed.Contains(addr) {
			return false
		}
	}
	return true
}

func subscriptionID(endpoint string) string {
	sum := sha256.Sum256([]byte(endpoint))
	return hex.EncodeToString(sum[:])
}
