package broadcast

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Idempotency-Keys. A queued event's key and job are written in one
// transaction, so that a key without its event cannot be. After a refusal, and
// when the event could not be queued, the key is free. An event that is sent at
// once has its key and id kept first, then its answer.

const maxKey = 255 // characters

func checkKey(key string) error {
	if len(key) > maxKey {
		return belfry.Errorf(belfry.CodeInvalid, "Idempotency-Key has %d characters: at most %d are allowed", len(key), maxKey)
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			return belfry.Errorf(belfry.CodeInvalid, "Idempotency-Key: use printable ASCII characters only")
		}
	}
	return nil
}

// db gives the database, or one without which every use is an error.
func (b *Broadcaster) db() database {
	if b.cfg.DB == nil {
		return noDatabase{}
	}
	return b.cfg.DB
}

type database interface {
	rows
	Tx(ctx context.Context, f func(ctx context.Context, tx *store.Tx) error) error
}

// claim takes the request's key for the event id. It gives nil when the key is
// new; else what is kept under it: the answer, or the id alone when the first
// request was not answered yet. answer is kept with a new key; nil for none yet.
func (b *Broadcaster) claim(ctx context.Context, in rows, r Request, id string, answer *Accepted) (held *Accepted, err error) {
	text := ""
	if answer != nil {
		if text, err = asText(*answer); err != nil {
			return nil, err
		}
	}
	content := sha256.Sum256(r.Content)
	now := b.cfg.Now()
	taken, err := insertKey(ctx, in, keyRow{
		scope: r.Scope, name: r.Key, content: content[:], event: id, answer: text, expires: now.Add(b.cfg.KeysFor),
	}, now)
	if err != nil || taken {
		return nil, err
	}
	row, err := selectKey(ctx, in, r.Scope, r.Key)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(row.content, content[:]) != 1 {
		return nil, &belfry.Error{Code: belfry.CodeConflict, Message: "Idempotency-Key \"" + clip(r.Key) + "\" was used for another request within the last " + b.cfg.KeysFor.String(),
			Hint: "use a new key for a new event"}
	}
	held = &Accepted{ID: row.event, Replayed: true}
	if row.answer != "" {
		if err := json.Unmarshal([]byte(row.answer), held); err != nil {
			return nil, &belfry.Error{Code: belfry.CodeInternal, Message: "the kept answer cannot be read", Err: err}
		}
	}
	return held, nil
}

// answered keeps the answer of a request whose event is out, unless another
// request with the key was quicker.
func (b *Broadcaster) answered(ctx context.Context, r Request, answer Accepted) error {
	text, err := asText(answer)
	if err != nil {
		return err
	}
	return updateAnswer(ctx, b.db(), r.Scope, r.Key, answer.ID, text)
}

func asText(a Accepted) (string, error) {
	text, err := json.Marshal(a)
	return string(text), err
}

func (b *Broadcaster) clearKeys(ctx context.Context) error {
	return deleteKeys(ctx, b.db(), b.cfg.Now())
}
