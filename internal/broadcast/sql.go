package broadcast

import (
	"context"
	"database/sql"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

type rows = store.Querier

// keyRow is one Idempotency-Key.
type keyRow struct {
	scope, name string
	content     []byte // SHA-256
	event       string
	answer      string // JSON; empty while there is none
	expires     time.Time
}

// insertKey keeps a key unless one that has not expired stands there.
func insertKey(ctx context.Context, in rows, k keyRow, now time.Time) (taken bool, err error) {
	result, err := in.Exec(ctx, `INSERT INTO idempotency_keys (scope, name, content, event_id, answer, expires)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (scope, name) DO UPDATE SET content = excluded.content, event_id = excluded.event_id,
			answer = excluded.answer, expires = excluded.expires
		WHERE idempotency_keys.expires <= $7`,
		k.scope, k.name, k.content, k.event, k.answer, store.Millis(k.expires), store.Millis(now))
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

func selectKey(ctx context.Context, in rows, scope, name string) (k keyRow, err error) {
	var expires int64
	err = in.QueryRow(ctx, `SELECT content, event_id, answer, expires FROM idempotency_keys WHERE scope = $1 AND name = $2`,
		scope, name).Scan(&k.content, &k.event, &k.answer, &expires)
	k.expires = store.Time(expires)
	return k, err
}

func updateAnswer(ctx context.Context, in rows, scope, name, event, answer string) error {
	_, err := in.Exec(ctx, `UPDATE idempotency_keys SET answer = $1 WHERE scope = $2 AND name = $3 AND event_id = $4 AND answer = ''`,
		answer, scope, name, event)
	return err
}

func deleteKeys(ctx context.Context, in rows, now time.Time) error {
	_, err := in.Exec(ctx, `DELETE FROM idempotency_keys WHERE expires <= $1`, store.Millis(now))
	return err
}

// noDatabase refuses everything.
type noDatabase struct{}

var errNoDatabase = belfry.Errorf(belfry.CodeUnavailable, "this process keeps no Idempotency-Keys: leave the header out")

func (noDatabase) Exec(context.Context, string, ...any) (sql.Result, error) {
	return nil, errNoDatabase
}
func (noDatabase) Query(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, errNoDatabase
}
func (noDatabase) QueryRow(context.Context, string, ...any) store.Row { return store.Row{} }
func (noDatabase) Tx(context.Context, func(context.Context, *store.Tx) error) error {
	return errNoDatabase
}
