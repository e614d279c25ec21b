package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Create makes a notification: a draft, or one that is sent at once or
// scheduled, as the draft says. With a key, the first request's answer is given
// again for a day, or CodeConflict when that had another content.
func (n *Notify) Create(ctx context.Context, by Person, d Draft, key Key) (made *Notification, replayed bool, err error) {
	if err := key.check(); err != nil {
		return nil, false, err
	}
	now := n.now()
	if held, err := n.heldAnswer(ctx, n.db, key, now); err != nil || held != nil {
		return held, held != nil, err
	}
	r := &record{id: belfry.NewID(now), status: StatusDraft, revision: 1, createdBy: by}
	r.Type, r.Priority, r.Importance, r.Dismissible = "announcement", "medium", 50, true
	r.Created, r.Data = Time{now}, json.RawMessage("{}")
	if d.Target == nil {
		d.Target = &Target{}
	}
	if err := n.apply(ctx, r, d, now); err != nil {
		return nil, false, err
	}
	switch {
	case d.Send:
		r.status, r.Sent = StatusSending, Time{now}
	case !r.scheduled.IsZero():
		r.status = StatusScheduled
	}
	made = r.public(Counts{})
	err = n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		held, err := n.holdAnswer(ctx, tx, key, made, now)
		if err != nil || held != nil {
			made, replayed = held, held != nil
			return err
		}
		if err := insertRecord(ctx, tx, r); err != nil {
			return err
		}
		if d.Send {
			return n.enqueueFor(ctx, tx, JobSend, r.id)
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("create a notification: %w", err)
	}
	n.look()
	return made, replayed, nil
}

// Check judges a draft as Create does, and keeps nothing.
func (n *Notify) Check(ctx context.Context, d Draft) error {
	r := &record{}
	r.Type, r.Priority, r.Importance, r.Data = "announcement", "medium", 50, json.RawMessage("{}")
	if d.Target == nil {
		d.Target = &Target{}
	}
	return n.apply(ctx, r, d, n.now())
}

// public gives the notification as managers see it.
func (r *record) public(c Counts) *Notification {
	c.Recipients = r.recipients
	return &Notification{
		ID: r.id, Content: r.Content, Status: r.status, Target: r.target, Scheduled: Time{r.scheduled},
		CreatedBy: r.createdBy, Revision: r.revision, Stats: c,
	}
}

// Get gives a notification, or CodeNotFound.
func (n *Notify) Get(ctx context.Context, id string) (*Notification, error) {
	r, err := n.find(ctx, n.db, id)
	if err != nil {
		return nil, err
	}
	all, err := n.withCounts(ctx, []*record{r})
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}

// find gives a notification that is not deleted.
func (n *Notify) find(ctx context.Context, q store.Querier, id string) (*record, error) {
	r, err := selectRecord(ctx, q, id)
	if err != nil {
		return nil, fmt.Errorf("find a notification: %w", err)
	}
	if r == nil || r.gone == goneDeleted {
		return nil, noNotification(id)
	}
	return r, nil
}

// Listed is one page of what managers see, newest first.
type Listed struct {
	Notifications []Notification `json:"notifications"`
	Next          Text           `json:"next_cursor"`
}

// Search gives a page of all notifications.
func (n *Notify) Search(ctx context.Context, f Filter) (Listed, error) {
	if err := f.check(Statuses); err != nil {
		return Listed{}, err
	}
	var a args
	where := `WHERE n.gone <> ` + a.put(goneDeleted) + f.where(&a)
	if f.Status != "" {
		where += ` AND n.status = ` + a.put(f.Status)
	}
	if f.Cursor != "" {
		where += ` AND n.id < ` + a.put(f.Cursor)
	}
	found, err := selectRecords(ctx, n.db, where+` ORDER BY n.id DESC LIMIT `+a.put(f.Limit+1), a...)
	if err != nil {
		return Listed{}, fmt.Errorf("list notifications: %w", err)
	}
	var page Listed
	if len(found) > f.Limit {
		found = found[:f.Limit]
		page.Next = Text(found[len(found)-1].id)
	}
	page.Notifications, err = n.withCounts(ctx, found)
	return page, err
}

var errFaster = &belfry.Error{Code: belfry.CodeConflict, Message: "somebody else has changed the notification meanwhile",
	Hint: "read it again, and change what it says now"}

// Edit changes a draft or a scheduled notification. revision is the one that
// the editor saw; CodeConflict when it is another now, or the notification has
// been sent.
func (n *Notify) Edit(ctx context.Context, id string, revision int64, d Draft) (*Notification, error) {
	r, err := n.find(ctx, n.db, id)
	if err != nil {
		return nil, err
	}
	now := n.now()
	switch {
	case r.status != StatusDraft && r.status != StatusScheduled:
		return nil, belfry.Errorf(belfry.CodeConflict, "the notification is %s: only drafts and scheduled ones can be changed", r.status)
	case r.revision != revision:
		return nil, errFaster
	}
	d.Send = false
	if err := n.apply(ctx, r, d, now); err != nil {
		return nil, err
	}
	r.status = StatusDraft
	if !r.scheduled.IsZero() {
		r.status = StatusScheduled
	}
	ok, err := updateRecord(ctx, n.db, r)
	if err != nil {
		return nil, fmt.Errorf("change a notification: %w", err)
	}
	if !ok {
		return nil, errFaster
	}
	n.look()
	r.revision++
	return r.public(Counts{}), nil
}

// Schedule has a draft sent at a time, or changes the time of a scheduled
// notification. A revision other than 0 must be the present one.
func (n *Notify) Schedule(ctx context.Context, id string, revision int64, at time.Time) (*Notification, error) {
	if at.IsZero() {
		return nil, &Invalid{faults{"scheduled_at": "it is missing"}}
	}
	r, err := n.find(ctx, n.db, id)
	if err != nil {
		return nil, err
	}
	if revision == 0 {
		revision = r.revision
	}
	return n.Edit(ctx, id, revision, Draft{Scheduled: &at})
}

// Send has a draft or scheduled notification sent now: it is on its way when
// this returns. One that is on its way or sent already gives CodeConflict. A
// revision other than 0 must be the present one.
func (n *Notify) Send(ctx context.Context, id string, revision int64) (*Notification, error) {
	r, err := n.find(ctx, n.db, id)
	if err != nil {
		return nil, err
	}
	now := n.now()
	switch {
	case r.status != StatusDraft && r.status != StatusScheduled:
		return nil, belfry.Errorf(belfry.CodeConflict, "the notification is %s: only drafts and scheduled ones can be sent", r.status)
	case revision != 0 && r.revision != revision:
		return nil, errFaster
	}
	found := faults{}
	checkExpiry(found, r.Expires.Time, time.Time{}, now)
	if err := found.err(); err != nil {
		return nil, err
	}
	err = n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		ok, err := changed(tx.Exec(ctx, `UPDATE notifications SET status = 'sending', sent_at = $1, touched = $1, position = '', revision = revision + 1
			WHERE id = $2 AND revision = $3 AND status IN ('draft', 'scheduled')`, store.Millis(now), id, r.revision))
		if err != nil {
			return err
		}
		if !ok {
			return errFaster
		}
		return n.enqueueFor(ctx, tx, JobSend, id)
	})
	if err != nil {
		return nil, fmt.Errorf("send a notification: %w", err)
	}
	return n.Get(ctx, id)
}

// Cancel keeps a scheduled notification from being sent, and takes one that is
// on its way or sent back from those who have it.
func (n *Notify) Cancel(ctx context.Context, id string, revision int64) (*Notification, error) {
	r, err := n.find(ctx, n.db, id)
	if err != nil {
		return nil, err
	}
	switch {
	case revision != 0 && r.revision != revision:
		return nil, errFaster
	case r.status == StatusDraft:
		return nil, &belfry.Error{Code: belfry.CodeConflict, Message: "a draft has nothing to cancel", Hint: "delete it"}
	case r.status == StatusCancelled:
		return n.Get(ctx, id)
	}
	err = n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if r.status == StatusScheduled {
			ok, err := changed(tx.Exec(ctx, `UPDATE notifications SET status = 'cancelled', revision = revision + 1 WHERE id = $1 AND status = 'scheduled'`, id))
			if err == nil && !ok {
				err = errFaster
			}
			return err
		}
		return n.takeAway(ctx, tx, r, goneCancelled)
	})
	if err != nil {
		return nil, fmt.Errorf("cancel a notification: %w", err)
	}
	return n.Get(ctx, id)
}

// takeAway has a notification that is on its way or sent taken back.
func (n *Notify) takeAway(ctx context.Context, tx *store.Tx, r *record, why string) error {
	ok, err := changed(tx.Exec(ctx, `UPDATE notifications SET status = 'cancelled', gone = $1, touched = $2, withdrawn = $3, revision = revision + 1
		WHERE id = $4 AND gone <> 'deleted'`, why, store.Millis(n.now()), false, r.id))
	if err != nil || !ok {
		return err
	}
	return n.enqueueFor(ctx, tx, JobWithdraw, r.id)
}

// Delete removes a notification, and takes it back from those who have it.
func (n *Notify) Delete(ctx context.Context, id string, revision int64) error {
	r, err := n.find(ctx, n.db, id)
	if err != nil {
		return err
	}
	if revision != 0 && r.revision != revision {
		return errFaster
	}
	err = n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if r.Sent.IsZero() {
			ok, err := changed(tx.Exec(ctx, `DELETE FROM notifications WHERE id = $1 AND sent_at = 0`, id))
			if err == nil && !ok {
				err = errFaster // it was sent meanwhile
			}
			return err
		}
		return n.takeAway(ctx, tx, r, goneDeleted)
	})
	if err != nil {
		return fmt.Errorf("delete a notification: %w", err)
	}
	return nil
}

// Preview says who would get a notification.
type Preview struct {
	Recipients int      `json:"recipients"`
	Online     int      `json:"online"` // of them, have a page open now
	Sample     []Person `json:"sample"` // the first ten
}

// Preview counts who a notification for that target would go to now.
func (n *Notify) Preview(ctx context.Context, t Target) (p Preview, err error) {
	found := faults{}
	if err := n.checkTarget(ctx, found, &t); err != nil {
		return p, err
	}
	if err := found.err(); err != nil {
		return p, err
	}
	audience := t.audience(n.now())
	if p.Recipients, err = n.cfg.Recipients.Count(ctx, audience); err != nil {
		return p, err
	}
	first, err := n.cfg.Recipients.Next(ctx, audience, "", 10)
	if err != nil {
		return p, err
	}
	p.Sample = []Person{}
	for _, u := range first {
		p.Sample = append(p.Sample, Person{u.ID, u.Name})
	}
	p.Online, err = n.online(ctx, audience)
	return p, err
}

// online counts those of an audience who have a page open.
func (n *Notify) online(ctx context.Context, a Audience) (count int, err error) {
	here, err := n.cfg.Online(ctx)
	if err != nil {
		return 0, err
	}
	if a.IDs != nil {
		named := make(map[string]bool, len(a.IDs))
		for _, id := range a.IDs {
			named[id] = true
		}
		kept := here[:0:0]
		for _, id := range here {
			if named[id] {
				kept = append(kept, id)
			}
		}
		here = kept
	}
	for len(here) > 0 {
		a.IDs = here[:min(1000, len(here))]
		here = here[len(a.IDs):]
		some, err := n.cfg.Recipients.Count(ctx, a)
		if err != nil {
			return 0, err
		}
		count += some
	}
	return count, nil
}
