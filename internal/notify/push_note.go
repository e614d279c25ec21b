package notify

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/webpush"
)

// A subscription is dropped after so many refused messages in a row, or after
// so many that were given up with none taken for some time: a long outage of a
// push service alone drops nobody.
const (
	dropRefused = 5
	dropGivenUp = 20
	dropSilent  = 7 * 24 * time.Hour
)

// notePushes writes down what became of the messages, and enqueues those that
// are to be tried again.
func (n *Notify) notePushes(ctx context.Context, tx *store.Tx, r *record, p pushing, targets []pushTarget, answers []webpush.Answer) error {
	var ids, sent, gone, refused, givenUp []string
	again, said := map[time.Duration][]string{}, complaints{}
	var left time.Duration
	if !r.Expires.IsZero() {
		left = max(1, r.Expires.Sub(n.now()))
	}
	for i, t := range targets {
		ids = append(ids, t.id)
		switch a := answers[i]; a.Result {
		case webpush.Sent:
			sent = append(sent, t.id)
		case webpush.Gone:
			gone = append(gone, t.id)
		case webpush.Later:
			if pause, ok := pauseBefore(p.Round, a.After, left); ok {
				again[pause] = append(again[pause], t.id)
				continue
			}
			givenUp = append(givenUp, t.id)
			said.add(t.Host(), a.Err)
		case webpush.Refused:
			refused = append(refused, t.id)
			said.add(t.Host(), a.Err)
		}
	}
	if err := lockSubscriptions(ctx, tx, ids); err != nil {
		return err
	}
	if err := n.noteResults(ctx, tx, sent, gone, refused, givenUp); err != nil {
		return err
	}
	retried := 0
	for pause, subs := range again {
		retried += len(subs)
		if err := n.enqueuePush(ctx, tx, pushing{ID: p.ID, Subs: subs, Round: p.Round + 1}, pause); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() {
		for service, c := range said {
			n.log.Warn("push messages were refused or given up", "notification", r.id, "service", service, "messages", c.count, "error", c.first)
		}
		n.sending.sent.Add(int64(len(sent)))
		n.sending.gone.Add(int64(len(gone)))
		n.sending.failed.Add(int64(len(refused) + len(givenUp)))
		n.sending.retried.Add(int64(retried))
	})
	return nil
}

// complaints are why messages failed, by push service.
type complaints map[string]complaint

type complaint struct {
	count int
	first error
}

func (c complaints) add(service string, err error) {
	one := c[service]
	if one.count++; one.first == nil {
		one.first = err
	}
	c[service] = one
}

// lockSubscriptions locks rows in the order that all use.
func lockSubscriptions(ctx context.Context, tx *store.Tx, ids []string) error {
	if len(ids) == 0 || tx.DB().Dialect() != store.Postgres {
		return nil
	}
	var a args
	_, err := texts(ctx, tx, `SELECT id FROM push_subscriptions WHERE id IN (`+a.list(ids)+`) ORDER BY id FOR UPDATE`, a...)
	return err
}

func (n *Notify) noteResults(ctx context.Context, tx *store.Tx, sent, gone, refused, givenUp []string) error {
	now := n.now()
	if len(sent) > 0 {
		var a args
		// Once an hour is often enough to know that it is alive.
		_, err := tx.Exec(ctx, `UPDATE push_subscriptions SET used = `+a.put(store.Millis(now))+`, failures = 0
			WHERE (failures > 0 OR used < `+a.put(store.Millis(now.Add(-time.Hour)))+`) AND id IN (`+a.list(sent)+`)`, a...)
		if err != nil {
			return err
		}
	}
	if len(gone) > 0 {
		var a args
		if _, err := tx.Exec(ctx, `DELETE FROM push_subscriptions WHERE id IN (`+a.list(gone)+`)`, a...); err != nil {
			return err
		}
	}
	for _, failed := range []struct {
		ids    []string
		most   int
		before time.Time
	}{{refused, dropRefused, now.Add(time.Hour)}, {givenUp, dropGivenUp, now.Add(-dropSilent)}} {
		if len(failed.ids) == 0 {
			continue
		}
		var a args
		if _, err := tx.Exec(ctx, `UPDATE push_subscriptions SET failures = failures + 1 WHERE id IN (`+a.list(failed.ids)+`)`, a...); err != nil {
			return err
		}
		a = nil
		before := a.put(store.Millis(failed.before))
		if _, err := tx.Exec(ctx, `DELETE FROM push_subscriptions WHERE failures >= `+a.put(failed.most)+` AND used < `+before+` AND seen < `+before+`
			AND id IN (`+a.list(failed.ids)+`)`, a...); err != nil {
			return err
		}
	}
	return nil
}
