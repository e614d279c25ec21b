package hook

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/internal/store"
)

// fingerprint tells an endpoint from others of the same app whose URL differs in
// the query only. The query itself may hold a secret and is not kept.
func fingerprint(url string) string {
	sum := sha256.Sum256([]byte(url))
	return hex.EncodeToString(sum[:8])
}

const recordColumns = 18

// insert keeps calls, in one transaction. What is told of a call later takes the
// place of what was.
func (k *records) insert(ctx context.Context, batch []*record) error {
	relaxed := true // unless one of them failed
	for _, one := range batch {
		relaxed = relaxed && one.sent == nil
	}
	transact := k.keep.DB.Tx
	if relaxed {
		transact = k.keep.DB.RelaxedTx
	}
	err := transact(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, one := range batch {
			if _, err := tx.Exec(ctx, insertRecord, one.values()...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep webhooks: %w", err)
	}
	return nil
}

const insertRecord = `INSERT INTO webhook_calls (id, at, accepted, app, url, endpoint, events, channels, event_ids, count, size,
	outcome, error, tries, resent_at, resent_as, body, body_size)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
	ON CONFLICT (id) DO UPDATE SET at = excluded.at, outcome = excluded.outcome, error = excluded.error, tries = excluded.tries,
	body = excluded.body, body_size = excluded.body_size`

func (one *record) values() []any {
	c := &one.call
	var body []byte
	var ids []string
	endpoint, size := "", 0
	if r := one.sent; r != nil {
		ids, size, endpoint = r.ids, r.size, fingerprint(r.hook.URL)
		if body = r.bytes(); len(body) > bodyMax {
			body = nil
		}
	}
	values := append(make([]any, 0, recordColumns), c.ID, store.Millis(c.At), store.Millis(c.Accepted), plain(c.App), plain(c.URL), endpoint,
		asJSON(c.Events), asJSON(c.Channels), asJSON(ids), c.Count, size, string(c.Outcome), plain(c.Error), asJSON(c.Tries),
		store.Millis(c.Resent), c.ResentAs)
	if body == nil {
		return append(values, nil, 0)
	}
	return append(values, body, len(body))
}

// bytes gives the body without changing the request, which is its sender's.
func (r *request) bytes() []byte {
	if r.body != nil {
		return r.body
	}
	return appendBody(nil, r.last, r.events)
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil || string(text) == "null" {
		return "[]"
	}
	return string(text)
}

// plain gives what a database takes of a text.
func plain(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// where is what a filter asks of calls, with the arguments $1 to $4.
const where = ` ($1 = '' OR app = $1) AND ($2 = '' OR outcome = $2) AND ($3 = '' OR id < $3)
	AND ($4 = '' OR lower(url || ' ' || error || ' ' || events || ' ' || channels) LIKE $4 ESCAPE '\') `

func (f *CallFilter) args() []any {
	text := ""
	if f.Text != "" {
		text = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(plain(f.Text))) + "%"
	}
	return []any{plain(f.App), plain(string(f.Outcome)), plain(f.Before), text}
}

// read gives kept calls, the newest first, and one more than the limit when there
// are more.
func (k *records) read(ctx context.Context, f CallFilter) (all []Call, err error) {
	rows, err := k.keep.DB.Query(ctx, `SELECT id, at, accepted, app, url, events, channels, count, outcome, error, tries, resent_at, resent_as, body_size
		FROM webhook_calls WHERE`+where+`ORDER BY id DESC LIMIT $5`, append(f.args(), f.Limit+1)...)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var c Call
		var at, accepted, resent, size int64
		var events, channels, tries string
		err := rows.Scan(&c.ID, &at, &accepted, &c.App, &c.URL, &events, &channels, &c.Count, &c.Outcome, &c.Error, &tries, &resent, &c.ResentAs, &size)
		if err != nil {
			return err
		}
		c.At, c.Accepted, c.Resent = store.Time(at), store.Time(accepted), store.Time(resent)
		if c.Body = size > 0; c.Body {
			c.BodyUntil = c.At.Add(min(bodyFor, k.keep.For))
		}
		all = append(all, c)
		last := &all[len(all)-1]
		return fromJSON(events, &last.Events, channels, &last.Channels, tries, &last.Tries)
	})
	if err != nil {
		return nil, fmt.Errorf("read kept webhooks: %w", err)
	}
	return all, nil
}

// fromJSON reads texts, each into what follows it.
func fromJSON(pairs ...any) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := json.Unmarshal([]byte(pairs[i].(string)), pairs[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// load gives what a kept call sent, for the endpoint as it is set now.
func (k *records) load(ctx context.Context, id string) (*request, error) {
	var app, url, endpoint, events, channels, ids string
	var body []byte
	r := &request{}
	err := k.keep.DB.QueryRow(ctx, `SELECT app, url, endpoint, events, channels, event_ids, count, size, body FROM webhook_calls WHERE id = $1`, plain(id)).
		Scan(&app, &url, &endpoint, &events, &channels, &ids, &r.count, &r.size, &body)
	switch {
	case store.NoRows(err):
		return nil, errNoCall
	case err != nil:
		return nil, fmt.Errorf("read a kept webhook: %w", err)
	case body == nil:
		return nil, errNoBody
	}
	if err := fromJSON(events, &r.names, channels, &r.channels, ids, &r.ids); err != nil {
		return nil, fmt.Errorf("read a kept webhook: %w", err)
	}
	if r.app = k.keep.App(app); r.app == nil || len(r.app.Keys) == 0 {
		return nil, belfry.Errorf(belfry.CodeConflict, "there is no app %s any more", app)
	}
	if r.hook = endpointOf(r.app, url, endpoint); r.hook == nil {
		return nil, &belfry.Error{Code: belfry.CodeConflict, Message: "app " + app + " has no webhook to " + url + " any more", Hint: "add it again, then send again"}
	}
	r.body = body
	return r, nil
}

// endpointOf finds the endpoint that a call went to: the same URL or, when only
// its query has changed since, the only one of that place.
func endpointOf(app *belfry.App, url, print string) (found *belfry.Webhook) {
	n := 0
	for i := range app.Webhooks {
		w := &app.Webhooks[i]
		if fingerprint(w.URL) == print {
			return w
		}
		if httpx.SafeURL(w.URL) == url {
			found = w
			n++
		}
	}
	if n == 1 {
		return found
	}
	return nil
}

// mark notes that a call was sent again. Once, if anew is false, it takes only
// one that was not; done reports whether it was this time.
func (k *records) mark(ctx context.Context, id, as string, at time.Time, anew bool) (done bool, err error) {
	result, err := k.keep.DB.Exec(ctx, `UPDATE webhook_calls SET resent_at = $1, resent_as = $2 WHERE id = $3 AND ($4 OR resent_at = 0)`,
		store.Millis(at), as, plain(id), anew)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// unmark takes the mark back.
func (k *records) unmark(ctx context.Context, id, as string) error {
	_, err := k.keep.DB.Exec(ctx, `UPDATE webhook_calls SET resent_at = 0, resent_as = '' WHERE id = $1 AND resent_as = $2`, plain(id), as)
	return err
}

// unsent gives the ids of failed calls that can be sent again and were not, the
// oldest first.
func (k *records) unsent(ctx context.Context, f CallFilter, most int) (ids []string, err error) {
	f.Outcome = Dropped
	rows, err := k.keep.DB.Query(ctx, `SELECT id FROM webhook_calls WHERE`+where+`AND resent_at = 0 AND body_size > 0 ORDER BY id LIMIT $5`,
		append(f.args(), most)...)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// remove removes what is too old or too much.
func (k *records) remove(ctx context.Context, now time.Time) error {
	db := k.keep.DB
	if _, err := db.Exec(ctx, `DELETE FROM webhook_calls WHERE at < $1`, store.Millis(now.Add(-k.keep.For))); err != nil {
		return fmt.Errorf("prune webhooks: %w", err)
	}
	for outcome, most := range map[Outcome]int{Dropped: k.keep.Failed, Delivered: k.keep.Recent} {
		if _, err := db.Exec(ctx, `DELETE FROM webhook_calls WHERE outcome = $1 AND id <=
			(SELECT id FROM webhook_calls WHERE outcome = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)`, string(outcome), most); err != nil {
			return fmt.Errorf("prune webhooks: %w", err)
		}
	}
	if _, err := db.Exec(ctx, `UPDATE webhook_calls SET body = NULL, body_size = 0 WHERE body_size > 0 AND (at < $1 OR id <=
		(SELECT id FROM (SELECT id, SUM(body_size) OVER (ORDER BY id DESC) AS total FROM webhook_calls WHERE body_size > 0) AS sizes
		WHERE total > $2 ORDER BY id DESC LIMIT 1))`, store.Millis(now.Add(-bodyFor)), k.keep.Bytes); err != nil {
		return fmt.Errorf("prune webhooks: %w", err)
	}
	return nil
}
