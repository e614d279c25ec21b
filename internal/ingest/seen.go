package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/webhook"
)

const (
	maxFront   = 4096             // ids in memory
	storeWait  = 3 * time.Second  // for the database, within one call
	pruneEvery = time.Minute      // ids that are out of date
	pruneAfter = 10 * time.Minute // beyond their time: the servers' clocks differ
	pruneWait  = 10 * time.Second
)

// seen is a call that was carried out.
type seen struct {
	digest [sha256.Size]byte // of the body
	result Result            // the first answer
	until  time.Time         // from when on it would be refused as old
}

// answer gives what a call with the same id is answered with.
func (s seen) answer(digest [sha256.Size]byte) (Result, error) {
	if s.digest != digest {
		return Result{}, &belfry.Error{Code: CodeReplayed, Message: "the webhook-id was used for another body before",
			Hint: "give each message an id of its own, and keep it when the same message is sent again"}
	}
	r := s.result
	r.Status = StatusDuplicate
	return r, nil
}

// front holds the newest ids, so that a repeat costs no look into the database.
type front struct {
	mu    sync.Mutex // guards all below
	byID  map[string]seen
	order []string // a ring once it is full
	next  int
}

func (f *front) get(id string) (seen, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.byID[id]
	return s, ok
}

func (f *front) put(id string, s seen) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.byID[id]; !ok {
		if len(f.order) < maxFront {
			f.order = append(f.order, id)
		} else {
			delete(f.byID, f.order[f.next])
			f.order[f.next], f.next = id, (f.next+1)%maxFront
		}
	}
	f.byID[id] = s
}

const rememberID = `INSERT INTO webhook_ids (id, digest, call_id, dashboard, range_name, expires) VALUES ($1, $2, $3, $4, $5, $6)
	ON CONFLICT (id) DO UPDATE SET expires = CASE WHEN excluded.expires > webhook_ids.expires THEN excluded.expires ELSE webhook_ids.expires END
	RETURNING digest, call_id, dashboard, range_name`

// once carries out a call unless one with its id was. The id is written first
// and committed last: a crash between leaves no id, and the sender's next try is
// carried out, perhaps a second time, which does no harm.
func (in *Ingest) once(ctx context.Context, v webhook.Verified, now seen, reason string) (Result, error) {
	if known, ok := in.front.get(v.ID); ok && !now.until.After(known.until) {
		return known.answer(now.digest)
	}
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	var first seen
	var failed error // of Changed
	// A power cut may take the id: then a repeat is carried out again.
	err := in.cfg.DB.RelaxedTx(ctx, func(ctx context.Context, tx *store.Tx) error {
		first = seen{until: now.until, result: Result{Status: StatusOK}}
		var digest string
		err := tx.QueryRow(ctx, rememberID, v.ID, hex.EncodeToString(now.digest[:]), now.result.ID, now.result.Dashboard, now.result.Range, store.Millis(now.until)).
			Scan(&digest, &first.result.ID, &first.result.Dashboard, &first.result.Range)
		if err == nil {
			_, err = hex.Decode(first.digest[:], []byte(digest))
		}
		if err != nil || first.result.ID != now.result.ID {
			return err
		}
		failed = in.cfg.Dashboards.Changed(now.result.Dashboard, now.result.Range, reason)
		return failed
	})
	switch {
	case failed != nil:
		return Result{}, failed
	case err != nil:
		return Result{}, &belfry.Error{Code: belfry.CodeUnavailable, Message: "the ids of earlier webhooks cannot be looked up, so this one was not taken",
			Hint: "send it again with the same webhook-id", Err: err}
	}
	in.front.put(v.ID, first)
	if first.result.ID == now.result.ID {
		return now.result, nil
	}
	return first.answer(now.digest)
}

// prune forgets ids whose messages would be refused as old.
func (in *Ingest) prune(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, pruneWait)
	defer cancel()
	_, err := in.cfg.DB.Exec(limited, `DELETE FROM webhook_ids WHERE expires < $1`, store.Millis(in.cfg.Now().Add(-pruneAfter)))
	if err != nil && ctx.Err() == nil {
		in.log.Debug("old ids of webhooks could not be deleted", "error", err)
	}
}
