package notify

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Key makes a repeated Create harmless. The zero value is none.
type Key struct {
	// Name is the Idempotency-Key, up to 255 characters; Scope is whose keys they
	// are; Content is all that makes two requests the same one.
	Name, Scope string
	Content     []byte
}

func (k Key) check() error {
	if len(k.Name) > 255 || strings.ContainsFunc(k.Name, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return belfry.Errorf(belfry.CodeInvalid, "Idempotency-Key: use up to 255 printable ASCII characters")
	}
	return nil
}

func (k Key) hash() string {
	sum := sha256.Sum256(k.Content)
	return hex.EncodeToString(sum[:])
}

// heldAnswer gives the answer of an earlier request with the key, nil when
// there was none.
func (n *Notify) heldAnswer(ctx context.Context, q store.Querier, k Key, now time.Time) (*Notification, error) {
	if k.Name == "" {
		return nil, nil
	}
	var content, answer string
	err := q.QueryRow(ctx, `SELECT content, answer FROM notify_keys WHERE scope = $1 AND name = $2 AND expires > $3`,
		k.Scope, k.Name, store.Millis(now)).Scan(&content, &answer)
	if store.NoRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(content), []byte(k.hash())) != 1 {
		return nil, &belfry.Error{Code: belfry.CodeConflict, Message: "Idempotency-Key \"" + clip(k.Name) + "\" was used for another request within the last " + n.cfg.KeysFor.String(),
			Hint: "use a new key for a new notification"}
	}
	held := new(Notification)
	return held, json.Unmarshal([]byte(answer), held)
}

// holdAnswer keeps the answer under the key, unless another request was faster:
// then it gives that one's.
func (n *Notify) holdAnswer(ctx context.Context, tx *store.Tx, k Key, answer *Notification, now time.Time) (*Notification, error) {
	if k.Name == "" {
		return nil, nil
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	ok, err := changed(tx.Exec(ctx, `INSERT INTO notify_keys (scope, name, content, answer, expires) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (scope, name) DO UPDATE SET content = excluded.content, answer = excluded.answer, expires = excluded.expires
		WHERE notify_keys.expires <= $6`, k.Scope, k.Name, k.hash(), string(text), store.Millis(now.Add(n.cfg.KeysFor)), store.Millis(now)))
	if err != nil || ok {
		return nil, err
	}
	return n.heldAnswer(ctx, tx, k, now)
}
