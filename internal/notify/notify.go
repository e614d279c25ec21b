package notify

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// The kinds of the jobs that Do runs.
const (
	JobSend     = "notify.send"     // brings a notification to its receivers' rows
	JobPublish  = "notify.publish"  // tells a slice's open pages
	JobPush     = "notify.push"     // reaches a slice's closed browsers
	JobWithdraw = "notify.withdraw" // takes a notification back
)

// Kinds are all of them.
func Kinds() []string { return []string{JobSend, JobPublish, JobPush, JobWithdraw} }

// Config is what a Notify is made of. DB, Jobs, Broadcast and Recipients are
// required.
type Config struct {
	DB *store.DB
	// Jobs keeps jobs, of the kinds above; *queue.Queue is one.
	Jobs Enqueuer
	// Queue is the jobs' queue; default "notifications".
	Queue string
	// Broadcast brings events to open pages.
	Broadcast Broadcaster
	// Recipients knows who there is.
	Recipients Recipients
	// Online gives the ids of users with an open page, for previews; default:
	// nobody is known to be.
	Online func(ctx context.Context) ([]string, error)
	// Push reaches closed browsers by Web Push; default: nobody does.
	Push *Push

	Slice    int              // users in one transaction; default 500, at most 1,000
	Turn     time.Duration    // that one job goes on for; default 15 s
	Stalled  time.Duration    // after which work that got nowhere is begun again; default 1 min
	MaxEvent int              // bytes of an event's data; default 10 KiB
	KeepGone time.Duration    // for which expired ones are kept; default 30 days
	KeysFor  time.Duration    // for which an Idempotency-Key holds; default 24 h
	Logger   *slog.Logger     // default: nothing is logged
	Now      func() time.Time // default: time.Now
}

// Enqueuer keeps jobs durably before it returns, or, with a transaction, when
// that commits.
type Enqueuer interface {
	Enqueue(ctx context.Context, tx *store.Tx, jobs ...belfry.Job) ([]string, error)
}

// Broadcaster brings out events of the default app.
type Broadcaster interface {
	// Enqueue has an event sent once the transaction has committed, before what
	// waits in the queue with less urgency.
	Enqueue(ctx context.Context, tx *store.Tx, e belfry.Event, queue string) error
	// PublishMany sends events now. errs has the error of each, nil where its
	// outcome stands.
	PublishMany(ctx context.Context, events []belfry.Event) (outcomes []belfry.Outcome, errs []error)
}

// Audience picks users who may act. All that is set must hold.
type Audience struct {
	// IDs are the users themselves; nil for everybody.
	IDs []string
	// Roles: who has one of them; nil for everybody.
	Roles []string
	// ActiveSince: who has signed in since then; InactiveSince: who has not.
	ActiveSince, InactiveSince time.Time
}

// Recipients knows who there is.
type Recipients interface {
	// Next gives up to limit users of the audience in one fixed order, beginning
	// behind the user of that id, "" for the first.
	Next(ctx context.Context, a Audience, after string, limit int) ([]belfry.User, error)
	// Count counts the audience.
	Count(ctx context.Context, a Audience) (int, error)
	// Unknown gives those ids and roles that no user has.
	Unknown(ctx context.Context, ids, roles []string) (unknownIDs, unknownRoles []string, err error)
}

// Notify is the engine. Its methods may be called concurrently.
type Notify struct {
	cfg  Config
	db   *store.DB
	log  *slog.Logger
	wake chan struct{} // has a value when the next due time may have changed

	sending pushState
}

// New makes a Notify. It touches nothing; Run does the work that is due.
func New(cfg Config) *Notify {
	cfg.Queue = cmp.Or(cfg.Queue, "notifications")
	cfg.Slice = min(cmp.Or(cfg.Slice, 500), 1000)
	cfg.Turn = cmp.Or(cfg.Turn, 15*time.Second)
	cfg.Stalled = cmp.Or(cfg.Stalled, time.Minute)
	cfg.MaxEvent = cmp.Or(cfg.MaxEvent, 10<<10)
	cfg.KeepGone = cmp.Or(cfg.KeepGone, 30*24*time.Hour)
	cfg.KeysFor = cmp.Or(cfg.KeysFor, 24*time.Hour)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Online == nil {
		cfg.Online = func(context.Context) ([]string, error) { return nil, nil }
	}
	n := &Notify{cfg: cfg, db: cfg.DB, log: cfg.Logger, wake: make(chan struct{}, 1)}
	if cfg.Push != nil {
		push := *cfg.Push
		push.TTL = cmp.Or(push.TTL, 7*24*time.Hour)
		push.Delay = cmp.Or(push.Delay, time.Second)
		push.AtOnce = cmp.Or(push.AtOnce, 16)
		push.PerUser = cmp.Or(push.PerUser, 20)
		n.cfg.Push, n.sending.slots = &push, make(chan struct{}, push.AtOnce)
	}
	return n
}

// now is the clock in whole milliseconds, as times are stored.
func (n *Notify) now() time.Time { return n.cfg.Now().UTC().Truncate(time.Millisecond) }

// look has Run look again for what is due.
func (n *Notify) look() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Do does a job of one of the kinds above: it is the queue's handler of each.
func (n *Notify) Do(ctx context.Context, job belfry.Job) error {
	switch job.Kind {
	case JobSend:
		return n.send(ctx, job)
	case JobPublish:
		return n.publish(ctx, job)
	case JobPush:
		var p pushing
		if err := decodeJob(job, &p); err != nil {
			return err
		}
		return n.push(ctx, p)
	case JobWithdraw:
		return n.withdraw(ctx, job)
	}
	return belfry.Errorf(belfry.CodeInvalid, "there are no jobs of the kind %q here", job.Kind)
}

// enqueue keeps a job of ours.
func (n *Notify) enqueue(ctx context.Context, tx *store.Tx, kind string, payload []byte) error {
	_, err := n.cfg.Jobs.Enqueue(ctx, tx, n.job(kind, payload))
	return err
}

// job makes a job of ours, with tries enough to outlast an outage.
func (n *Notify) job(kind string, payload []byte) belfry.Job {
	return belfry.Job{
		Kind: kind, Queue: n.cfg.Queue, Payload: payload, Tries: 30, Timeout: 2*n.cfg.Turn + time.Minute,
		Backoff: []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute},
	}
}
