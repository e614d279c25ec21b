package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/webpush"
)

const (
	pushChunk = 64              // subscriptions between two looks at the database
	pushTurn  = 5 * time.Second // that one job goes on for
	hostDown  = 5               // failures in a row after which a push service is left alone for the job's rest
	// maxPush bounds a payload, in bytes.
	maxPush = webpush.MaxPayload - 100
)

// pushPauses are those before a message is tried again.
var pushPauses = []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour}

// pushing is the payload of JobPush: users of a slice, or the subscriptions
// that are to be tried again. It names no endpoint.
type pushing struct {
	ID    string   `json:"id"`
	Users []string `json:"users,omitempty"`
	Subs  []string `json:"subs,omitempty"`
	After string   `json:"after,omitempty"` // the last subscription that is done
	Round int      `json:"round,omitempty"` // how often these were tried
}

// pushState is what sending needs beside the database.
type pushState struct {
	mu     sync.Mutex // guards sender
	sender *webpush.Sender

	slots                       chan struct{} // one for each message under way
	sent, gone, failed, retried atomic.Int64
}

// PushStats counts messages to closed browsers, of this process.
type PushStats struct {
	Sent    int64 // taken by a push service
	Gone    int64 // for a subscription that was no more, and is forgotten
	Failed  int64 // refused, or given up
	Retried int64 // put off to be tried again
}

// PushStats gives the counts.
func (n *Notify) PushStats() PushStats {
	s := &n.sending
	return PushStats{Sent: s.sent.Load(), Gone: s.gone.Load(), Failed: s.failed.Load(), Retried: s.retried.Load()}
}

// reach enqueues the job that reaches the closed browsers of these users. It
// comes a moment after the live event: who reads that at once needs no other.
func (n *Notify) reach(ctx context.Context, tx *store.Tx, id string, users []standing) error {
	if n.cfg.Push == nil || len(users) == 0 {
		return nil
	}
	var a args
	ids := make([]string, len(users))
	for i, s := range users {
		ids[i] = s.user
	}
	subscribed, err := texts(ctx, tx, `SELECT DISTINCT user_id FROM push_subscriptions WHERE user_id IN (`+a.list(ids)+`)`, a...)
	if err != nil || len(subscribed) == 0 {
		return err
	}
	return n.enqueuePush(ctx, tx, pushing{ID: id, Users: subscribed}, n.cfg.Push.Delay)
}

func (n *Notify) enqueuePush(ctx context.Context, tx *store.Tx, p pushing, after time.Duration) error {
	payload, err := json.Marshal(p)
	if err != nil {
		return err
	}
	job := n.job(JobPush, payload)
	job.Priority = 3 // what open pages show comes first
	if after > 0 {
		job.RunAt = n.cfg.Now().Add(after)
	}
	_, err = n.cfg.Jobs.Enqueue(ctx, tx, job)
	return err
}

// pushTarget is one browser, with what its user has unread.
type pushTarget struct {
	id, user string
	webpush.Subscription
	unread int
}

// push reaches browsers until that is done or the job's turn is over; then
// another goes on. A job that is cut off is done again from its beginning: a
// browser may get a message twice, and shows it once, by its id.
func (n *Notify) push(ctx context.Context, p pushing) error {
	if n.cfg.Push == nil {
		return nil
	}
	sender, err := n.pushSender(ctx)
	if err != nil {
		return err
	}
	down := &outages{hosts: map[string]*outage{}}
	for ends := n.cfg.Now().Add(min(pushTurn, n.cfg.Turn)); ; {
		r, err := selectRecord(ctx, n.db, p.ID)
		if err != nil {
			return fmt.Errorf("push a notification: %w", err)
		}
		now := n.now()
		if r == nil || r.gone != "" || !r.Expires.IsZero() && !r.Expires.After(now) {
			return nil
		}
		targets, next, err := n.pushTargets(ctx, p, now)
		if err != nil {
			return fmt.Errorf("push a notification: %w", err)
		}
		answers := n.pushAll(ctx, sender, r, targets, down)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.After = next
		handOver := next != "" && !n.cfg.Now().Before(ends)
		err = n.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			if err := n.notePushes(ctx, tx, r, p, targets, answers); err != nil || !handOver {
				return err
			}
			return n.enqueuePush(ctx, tx, p, 0)
		})
		if err != nil {
			return fmt.Errorf("note pushed notifications: %w", err)
		}
		if next == "" || handOver {
			return nil
		}
	}
}

// pushTargets gives the next browsers of users who have the notification
// unread and may still act. next is where to go on, "" when these are the last.
func (n *Notify) pushTargets(ctx context.Context, p pushing, now time.Time) (targets []pushTarget, next string, err error) {
	var a args
	at, the, after := a.put(store.Millis(now)), a.put(p.ID), a.put(p.After)
	which := `s.user_id IN (` + a.list(p.Users) + `)`
	if len(p.Subs) > 0 {
		which = `s.id IN (` + a.list(p.Subs) + `)`
	}
	rows, err := n.db.Query(ctx, `SELECT s.id, s.user_id, s.endpoint, s.p256dh, s.auth, u.unread - `+goneUnread(at)+`
		FROM push_subscriptions s JOIN user_notifications r ON r.notification_id = `+the+` AND r.user_id = s.user_id
		JOIN notify_users u ON u.user_id = s.user_id
		WHERE r.gone_at = 0 AND `+isUnread+` AND s.id > `+after+` AND `+which+` ORDER BY s.id LIMIT `+a.put(pushChunk), a...)
	users := map[string]bool{}
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var t pushTarget
		err := rows.Scan(&t.id, &t.user, &t.Endpoint, &t.P256DH, &t.Auth, &t.unread)
		targets, users[t.user] = append(targets, t), true
		return err
	})
	if err != nil || len(targets) == 0 {
		return nil, "", err
	}
	if len(targets) == pushChunk {
		next = targets[len(targets)-1].id
	}
	// A user may have been disabled since the slice.
	may, err := n.cfg.Recipients.Next(ctx, Audience{IDs: slices.Collect(maps.Keys(users))}, "", len(users))
	if err != nil {
		return nil, "", err
	}
	clear(users)
	for _, u := range may {
		users[u.ID] = true
	}
	return slices.DeleteFunc(targets, func(t pushTarget) bool { return !users[t.user] }), next, nil
}

// pushAll sends to all targets, side by side, and gives each one's answer.
func (n *Notify) pushAll(ctx context.Context, sender *webpush.Sender, r *record, targets []pushTarget, down *outages) []webpush.Answer {
	answers := make([]webpush.Answer, len(targets))
	message := webpush.Message{Topic: r.id, Urgency: urgencies[r.Priority], TTL: n.cfg.Push.TTL}
	if !r.Expires.IsZero() {
		message.TTL = min(message.TTL, r.Expires.Sub(n.now()))
	}
	var all sync.WaitGroup
	defer all.Wait()
	for i, t := range targets {
		select {
		case n.sending.slots <- struct{}{}:
		case <-ctx.Done():
			return answers
		}
		all.Go(func() {
			defer func() { <-n.sending.slots }()
			host := t.Host()
			if answer, is := down.of(host); is {
				answers[i] = answer
				return
			}
			mine := message
			mine.Payload = payloadOf(r, t.unread)
			answers[i] = sender.Send(ctx, t.Subscription, mine)
			if _, private := errors.AsType[*httpx.ForbiddenError](answers[i].Err); private {
				answers[i].Result = webpush.Refused
			}
			down.note(host, answers[i])
		})
	}
	return answers
}

var urgencies = map[string]string{"high": webpush.UrgencyHigh, "medium": webpush.UrgencyNormal, "low": webpush.UrgencyLow}

// payload is what a service worker gets.
type payload struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Message string `json:"message"`
	URL     Text   `json:"action_url"`
	Icon    Text   `json:"icon"`
	Unread  int    `json:"unread_count"`
}

// payloadOf encodes what a browser is told, cut to maxPush: the message first,
// then an address that leaves no room.
func payloadOf(r *record, unread int) []byte {
	p := payload{ID: r.id, Title: r.Title, Message: r.Message, URL: r.ActionURL, Icon: r.Icon, Unread: max(0, unread)}
	for most := maxPush; ; most /= 2 {
		text, err := encode(p)
		if err != nil || len(text) <= maxPush {
			return text // encoding texts and numbers does not fail
		}
		if p.Message = cut(r.Message, most); most == 0 {
			p.Message, p.URL = "", ""
		}
	}
}

// outages are the push services that do not answer, in one job.
type outages struct {
	mu    sync.Mutex // guards hosts
	hosts map[string]*outage
}

type outage struct {
	inRow int
	last  webpush.Answer
}

// of gives the answer of a service that is left alone.
func (o *outages) of(host string) (webpush.Answer, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if out := o.hosts[host]; out != nil && out.inRow >= hostDown {
		return out.last, true
	}
	return webpush.Answer{}, false
}

func (o *outages) note(host string, answer webpush.Answer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if answer.Result != webpush.Later {
		delete(o.hosts, host)
		return
	}
	out := o.hosts[host]
	if out == nil {
		out = &outage{}
		o.hosts[host] = out
	}
	out.inRow++
	out.last = answer
}

// pauseBefore is when a message that a service did not take is tried again: one
// of pushPauses, so that few jobs are made, or whole hours. left is the time
// until the notification expires, 0: it does not. ok is false when the message
// is given up.
func pauseBefore(round int, after, left time.Duration) (pause time.Duration, ok bool) {
	if round >= len(pushPauses) {
		return 0, false
	}
	pause = pushPauses[round]
	for _, step := range pushPauses {
		if pause < after {
			pause = max(pause, step)
		}
	}
	if pause < after { // the service wants more than the longest
		pause = after.Truncate(time.Hour) + time.Hour
	}
	return pause, left == 0 || pause < left
}
