package trace

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/store"
)

// insert keeps failures; a later one of the same event takes the place of the
// earlier.
func (t *Trace) insert(ctx context.Context, batch []failure) error {
	var text strings.Builder
	text.WriteString("INSERT INTO trace_failures (id, at, app, event, channel, status, timeline) VALUES ")
	var args []any
	taken := map[string]bool{}
	for i := len(batch) - 1; i >= 0; i-- {
		one := batch[i]
		if taken[one.id] {
			continue
		}
		taken[one.id] = true
		timeline, found, err := t.timeline(one)
		if err != nil {
			return err
		}
		if len(args) > 0 {
			text.WriteString(", ")
		}
		text.WriteString(store.Places(len(args), 7))
		channel := ""
		if len(found.Channels) > 0 {
			channel = found.Channels[0]
		}
		args = append(args, one.id, store.Millis(one.at), plain(found.App), plain(found.Event), plain(channel), found.Status(), plain(timeline))
	}
	text.WriteString(" ON CONFLICT (id) DO UPDATE SET at = excluded.at, status = excluded.status, timeline = excluded.timeline")
	_, err := t.failures.cfg.DB.Exec(ctx, text.String(), args...)
	return err
}

// plain gives what a database takes of a text.
func plain(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// find gives the timeline of an event that failed.
func (f *failures) find(ctx context.Context, id string) (Timeline, bool, error) {
	if f.cfg.DB == nil || id == "" {
		return Timeline{ID: id}, false, nil
	}
	var text []byte
	err := f.cfg.DB.QueryRow(ctx, `SELECT timeline FROM trace_failures WHERE id = $1`, id).Scan(&text)
	if store.NoRows(err) {
		return Timeline{ID: id}, false, nil
	}
	if err != nil {
		return Timeline{ID: id}, false, err
	}
	var found Timeline
	if err := json.Unmarshal(text, &found); err != nil {
		return Timeline{ID: id}, false, fmt.Errorf("read the trace of a failure: %w", err)
	}
	return found, true, nil
}

// Failures gives the failures of the last days that the filter picks, the newest
// first. Without a database there are none.
func (t *Trace) Failures(ctx context.Context, f Filter) (all []Timeline, err error) {
	if t.failures.cfg.DB == nil {
		return nil, nil
	}
	until := f.Until
	if until.IsZero() {
		until = t.cfg.Now().Add(time.Hour)
	}
	rows, err := t.failures.cfg.DB.Query(ctx, `SELECT timeline FROM trace_failures WHERE at >= $1 AND at < $2
		AND ($3 = '' OR app = $3) AND ($4 = '' OR event = $4) AND ($5 = '' OR channel = $5) ORDER BY at DESC, id DESC LIMIT $6`,
		store.Millis(f.Since), store.Millis(until), f.App, f.Event, f.Channel, min(cmp.Or(max(f.Limit, 0), 100), 1000))
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return err
		}
		var one Timeline
		if err := json.Unmarshal(text, &one); err != nil {
			return err
		}
		all = append(all, one)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the traces of failures: %w", err)
	}
	return all, nil
}

func (f *failures) prune(ctx context.Context) {
	if f.cfg.DB == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failuresFlush)
	defer cancel()
	_, err := f.cfg.DB.Exec(ctx, `DELETE FROM trace_failures WHERE at < $1`, store.Millis(f.cfg.Now().Add(-f.cfg.FailuresFor)))
	if err != nil {
		f.cfg.Logger.Warn("old traces of failures could not be removed; it is tried again in an hour", "error", err)
	}
}
