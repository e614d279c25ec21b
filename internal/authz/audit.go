package authz

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// The actions of a Denial that this package writes.
const (
	ActionChannel = "channel.auth" // listening to a channel
	ActionUser    = "user.auth"    // signing a connection in
)

// Denial is one line of the audit log.
type Denial struct {
	// ID sorts by time; it is made when the denial is recorded.
	ID string    `json:"id"`
	At time.Time `json:"at"`
	// Action is what was asked for, Channel (or whatever it is about) on what.
	Action  string `json:"action"`
	App     string `json:"app"`
	Channel string `json:"channel"`
	Socket  string `json:"socket_id"`
	// UserID and UserName are empty when nobody was signed in.
	UserID   string `json:"user_id"`
	UserName string `json:"user_name"`
	Address  string `json:"address"`
	Result   Result `json:"result"`
	Rule     string `json:"rule"`
	Reason   string `json:"reason"`
}

// Bounds of the audit log.
const (
	auditBatch = 200                 // written at once
	auditKeep  = 90 * 24 * time.Hour // how long they are kept
	auditPrune = time.Hour           // between two looks for old ones
	auditFlush = 3 * time.Second     // for what is left at the end
	auditPause = 30 * time.Second    // at most, between tries when the database is away
)

// audit writes denials in the background.
type audit struct {
	db    *store.DB // nil: none
	now   func() time.Time
	log   *slog.Logger
	queue chan Denial

	written, dropped atomic.Uint64
	waiting          atomic.Int64
}

func newAudit(cfg Config) *audit {
	return &audit{db: cfg.DB, now: cfg.Now, log: cfg.Logger, queue: make(chan Denial, cmp.Or(cfg.AuditQueue, 4096))}
}

// deny notes that a question was answered with no.
func (a *Authorizer) deny(action string, ask Ask, d Decision) {
	n := Denial{Action: action, App: ask.App.ID, Channel: ask.Channel, Socket: ask.SocketID, Address: ask.Address,
		Result: d.Result, Rule: d.Rule, Reason: d.Reason}
	if ask.User != nil {
		n.UserID, n.UserName = ask.User.ID, ask.User.Name
	}
	a.Record(n)
}

// Record logs a denial and has it written to the audit log, also for doors that
// deny by themselves. It sets ID and At, does not block, and drops the line,
// counting it, when too many wait.
func (a *Authorizer) Record(d Denial) {
	d.At = a.now()
	d.ID = belfry.NewID(d.At)
	level := slog.LevelInfo
	if d.Result == Failed || d.Result == Unavailable {
		level = slog.LevelWarn // for the operator to mend
	}
	a.log.Log(context.Background(), level, "denied", "action", d.Action, "app", d.App, "channel", d.Channel, "socket", d.Socket,
		"user", d.UserID, "address", d.Address, "result", string(d.Result), "rule", d.Rule, "reason", d.Reason)
	if a.audit.db == nil {
		return
	}
	a.audit.waiting.Add(1)
	select {
	case a.audit.queue <- d.bounded():
	default:
		a.audit.waiting.Add(-1)
		a.audit.dropped.Add(1)
	}
}

// bounded cuts what came from outside to what a database takes.
func (d Denial) bounded() Denial {
	for _, field := range []*string{&d.Action, &d.App, &d.Channel, &d.Socket, &d.UserID, &d.UserName, &d.Address, &d.Rule, &d.Reason} {
		*field = cut(strings.ToValidUTF8(strings.ReplaceAll(*field, "\x00", "�"), "�"), 500)
	}
	return d
}

// Run writes the audit log and removes what is older than 90 days, until ctx
// ends; then it writes what is left, for three seconds at most. While the
// database is away denials wait, up to a bound.
func (a *Authorizer) Run(ctx context.Context) error {
	if a.audit.db == nil {
		<-ctx.Done()
		return nil
	}
	prune := time.NewTicker(auditPrune)
	defer prune.Stop()
	a.audit.prune(ctx)
	for {
		select {
		case <-ctx.Done():
			a.audit.finish(ctx)
			return nil
		case <-prune.C:
			a.audit.prune(ctx)
		case d := <-a.audit.queue:
			a.audit.write(ctx, a.audit.more([]Denial{d}))
		}
	}
}

// more adds what waits already.
func (u *audit) more(batch []Denial) []Denial {
	for len(batch) < auditBatch {
		select {
		case d := <-u.queue:
			batch = append(batch, d)
		default:
			return batch
		}
	}
	return batch
}

// write writes a batch, and tries again while the database is away. When ctx
// ends before that, it makes one last try.
func (u *audit) write(ctx context.Context, batch []Denial) {
	pause := time.Second
	for said := false; ; said = true {
		err := u.insert(ctx, batch)
		if ctx.Err() != nil && err != nil {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditFlush)
			err = u.insert(last, batch)
			cancel()
		} else if belfry.CodeOf(err) == belfry.CodeUnavailable {
			if !said {
				u.log.Warn("the audit log waits for the database", "error", err)
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			pause = min(2*pause, auditPause)
			continue
		}
		u.waiting.Add(-int64(len(batch)))
		if err == nil {
			u.written.Add(uint64(len(batch)))
			return
		}
		u.dropped.Add(uint64(len(batch)))
		u.log.Error("denials could not be written to the audit log", "lost", len(batch), "error", err)
		return
	}
}

// finish writes what is left.
func (u *audit) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditFlush)
	defer cancel()
	for {
		batch := u.more(nil)
		if len(batch) == 0 {
			return
		}
		err := u.insert(ctx, batch)
		u.waiting.Add(-int64(len(batch)))
		if err != nil {
			u.dropped.Add(uint64(len(batch)))
			u.log.Error("denials could not be written to the audit log", "lost", len(batch)+len(u.queue), "error", err)
			return
		}
		u.written.Add(uint64(len(batch)))
	}
}

func (u *audit) prune(ctx context.Context) {
	if err := u.deleteBefore(ctx, u.now().Add(-auditKeep)); err != nil && ctx.Err() == nil {
		u.log.Warn("the audit log could not be pruned; it is tried again in an hour", "error", err)
	}
}
