package ops

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/trace"
)

// Application gives the figures of the application side; nil members are left
// out. They are called once a scrape, concurrently with everything.
type Application struct {
	Identity  func() identity.Stats
	Trace     func() trace.Stats
	Ingest    func() ingest.Stats
	Boards    func() []dashboard.Stats
	Authz     func() authz.Stats // an answer without counts is left out
	Broadcast func() broadcast.Stats
	Push      func() notify.PushStats // of this process
	Queues    func() []queue.Stats    // of this process
	// Sizes and Workers are what all processes have. They must answer soon: see
	// Look. While they give an error their metrics are absent.
	Sizes   func(ctx context.Context) (map[string]queue.Size, error)
	Workers func(ctx context.Context) ([]queue.WorkerInfo, error)
}

// Queues and versions that have labels of their own.
const (
	maxQueues   = 100
	maxVersions = 10
	otherLabel  = "other"
)

var (
	accepted        = newMetric(counter, "belfry_broadcast_accepted_total", "Events taken in, to be queued or sent at once.", "driver")
	broadcasts      = newMetric(counter, "belfry_broadcast_events_total", "Events by what became of them in this process.", "driver", "result")
	broadcastCalls  = newMetric(counter, "belfry_broadcast_calls_total", "Calls to the broadcaster; fewer than events where it takes several at once.", "driver")
	circuitOpen     = newMetric(gauge, "belfry_broadcast_circuit_open", "1 while the broadcaster counts as down, so that events fail at once and wait; else 0.", "driver")
	deliverySeconds = newMetric(timing, "belfry_event_delivery_seconds", "Time from an event's acceptance, or the end of its delay, until this process sent it, in seconds.", "app")

	queueDepth    = newMetric(gauge, "belfry_queue_depth", "Jobs kept, by state, of all processes; absent while they cannot be counted.", "queue", "state")
	queueOldest   = newMetric(gauge, "belfry_queue_oldest_seconds", "How long the job that waits the longest has waited, in seconds; absent while it is not known.", "queue")
	queuePaused   = newMetric(gauge, "belfry_queue_paused", "1 while the queue is paused, else 0; absent while it is not known.", "queue")
	queueEnqueued = newMetric(counter, "belfry_queue_enqueued_total", "Jobs that this process took in.", "queue")
	queueDropped  = newMetric(counter, "belfry_queue_dropped_total", "Jobs of them not kept, by a rule of unique jobs.", "queue")
	queueTries    = newMetric(counter, "belfry_queue_tries_total", "Tries of jobs that ended in this process, by result.", "queue", "result")
	queueWait     = newMetric(timing, "belfry_queue_wait_seconds", "Time from when a job could start until this process started it, in seconds.", "queue")
	queueRun      = newMetric(timing, "belfry_queue_run_seconds", "Time of one try in this process, in seconds.", "queue")

	workers      = newMetric(gauge, "belfry_workers", "Workers alive, of all processes, by version; absent while they are not known.", "version")
	workersOther = newMetric(gauge, "belfry_workers_of_other_build", "Workers alive that are of another build than this server; absent while they are not known.")
	workerSlots  = newMetric(gauge, "belfry_worker_slots", "Jobs that the workers alive can run at once; absent while they are not known.")

	logins          = newMetric(counter, "belfry_logins_total", "Attempts to sign in, by result.", "result")
	sessionsEnded   = newMetric(counter, "belfry_sessions_ended_total", "Sessions ended by signing out.")
	sessionsRefused = newMetric(counter, "belfry_sessions_refused_total", "Requests with the cookie of no session, or of one that has expired.")
	tokenChecks     = newMetric(counter, "belfry_token_checks_total", "API tokens presented, by result.", "result")
	jwtChecks       = newMetric(counter, "belfry_jwt_checks_total", "JWTs presented, by result.", "result")
	keySets         = newMetric(counter, "belfry_key_set_fetches_total", "Fetches of issuers' key sets, by result.", "result")
	hashing         = newMetric(gauge, "belfry_passwords_hashing", "Passwords being hashed, or waiting for it.")
	hashed          = newMetric(counter, "belfry_passwords_hashed_total", "Passwords hashed.")

	pushes = newMetric(counter, "belfry_push_messages_total", "Web Push messages by what became of them in this process: sent, gone (the subscription was no more), retried, failed.", "result")

	channelAnswers = newMetric(counter, "belfry_channel_authorizations_total", "Questions whether a user may listen to a channel, by result.", "result")
	userAnswers    = newMetric(counter, "belfry_user_authorizations_total", "Questions who a connection's user is, by result.", "result")
	auditWritten   = newMetric(counter, "belfry_audit_written_total", "Denials written to the audit log.")
	auditDropped   = newMetric(counter, "belfry_audit_dropped_total", "Denials missing in the audit log, because the database could not keep up.")
	auditWaiting   = newMetric(gauge, "belfry_audit_waiting", "Denials still to be written to the audit log.")

	received    = newMetric(counter, "belfry_webhooks_received_total", "Signed webhooks that came in, by result: ok, duplicate, or the code of the refusal.", "result")
	receivedOld = newMetric(counter, "belfry_webhooks_received_old_secret_total", "Received webhooks signed with another than the first secret; while it grows, a sender still has the old one.")
)

func applicationMetrics() []*metric {
	return []*metric{
		accepted, broadcasts, broadcastCalls, circuitOpen, deliverySeconds,
		queueDepth, queueOldest, queuePaused, queueEnqueued, queueDropped, queueTries, queueWait, queueRun,
		workers, workersOther, workerSlots,
		logins, sessionsEnded, sessionsRefused, tokenChecks, jwtChecks, keySets, hashing, hashed,
		pushes, channelAnswers, userAnswers, auditWritten, auditDropped, auditWaiting, received, receivedOld,
	}
}

// application sends what the application side gives.
func (s sink) application(a Application, version string) {
	if a.Broadcast != nil {
		s.broadcast(a.Broadcast())
	}
	if a.Queues != nil {
		for _, q := range a.Queues() {
			s.queue(q)
		}
	}
	if a.Sizes != nil {
		if all, err := a.Sizes(context.Background()); err == nil {
			s.sizes(all)
		}
	}
	if a.Workers != nil {
		if all, err := a.Workers(context.Background()); err == nil {
			s.workers(all, version)
		}
	}
	if a.Push != nil {
		s.push(a.Push())
	}
	if a.Trace != nil {
		s.trace(a.Trace())
	}
	if a.Identity != nil {
		s.identity(a.Identity())
	}
	if a.Authz != nil {
		s.authz(a.Authz())
	}
	if a.Boards != nil {
		for i, b := range a.Boards() {
			if i < maxBoards {
				s.board(b)
			}
		}
	}
	if a.Ingest != nil {
		st := a.Ingest()
		for result, n := range st.Calls {
			s.count(received, n, result)
		}
		s.count(receivedOld, st.OldSecret)
	}
}

func (s sink) broadcast(b broadcast.Stats) {
	s.put(accepted, b.Accepted, b.Driver)
	s.put(broadcasts, b.Sent, b.Driver, "sent")
	s.put(broadcasts, b.Skipped, b.Driver, "skipped")
	s.put(broadcasts, b.Failed, b.Driver, "failed")
	s.put(broadcasts, b.Refused, b.Driver, "refused")
	s.put(broadcastCalls, b.Calls, b.Driver)
	s.put(circuitOpen, truth(b.Circuit != "closed"), b.Driver)
}

func (s sink) push(p notify.PushStats) {
	s.put(pushes, p.Sent, "sent")
	s.put(pushes, p.Gone, "gone")
	s.put(pushes, p.Retried, "retried")
	s.put(pushes, p.Failed, "failed")
}

func (s sink) queue(q queue.Stats) {
	s.count(queueEnqueued, q.Enqueued, q.Queue)
	s.count(queueDropped, q.Dropped, q.Queue)
	s.count(queueTries, q.Done, q.Queue, "done")
	s.count(queueTries, q.Retried, q.Queue, "retried")
	s.count(queueTries, q.Failed, q.Queue, "failed")
	s.histogram(queueWait, q.Wait, q.Queue)
	s.histogram(queueRun, q.Run, q.Queue)
}

func (s sink) sizes(all map[string]queue.Size) {
	shown := make(map[string]queue.Size, len(all)) // all belongs to others too
	for i, name := range slices.Sorted(maps.Keys(all)) {
		label := name
		if i >= maxQueues {
			label = otherLabel
		}
		shown[label] = sum(shown[label], all[name])
	}
	for name, q := range shown {
		s.put(queueDepth, int64(q.Waiting), name, string(queue.Waiting))
		s.put(queueDepth, int64(q.Running), name, string(queue.Running))
		s.put(queueDepth, int64(q.Delayed), name, string(queue.Delayed))
		s.put(queueDepth, int64(q.Failed), name, string(queue.Failed))
		s.set(queueOldest, q.Oldest.Seconds(), name)
		s.put(queuePaused, truth(q.Paused), name)
	}
}

func sum(a, b queue.Size) queue.Size {
	return queue.Size{
		Waiting: a.Waiting + b.Waiting, Running: a.Running + b.Running, Delayed: a.Delayed + b.Delayed, Failed: a.Failed + b.Failed,
		Oldest: max(a.Oldest, b.Oldest), Paused: a.Paused || b.Paused,
	}
}

func (s sink) workers(all []queue.WorkerInfo, version string) {
	alive := map[string]int64{version: 0}
	var others, slots int64
	for _, w := range all {
		if w.Silent {
			continue
		}
		name := strings.ToValidUTF8(w.Version, "\uFFFD")
		if _, known := alive[name]; !known && len(alive) >= maxVersions {
			name = otherLabel
		}
		alive[name]++
		others += truth(w.Other)
		slots += int64(w.Concurrency)
	}
	for name, n := range alive {
		s.put(workers, n, name)
	}
	s.put(workersOther, others)
	s.put(workerSlots, slots)
}

func (s sink) identity(i identity.Stats) {
	s.count(logins, i.Logins.OK, "ok")
	s.count(logins, i.Logins.Wrong, "wrong")
	s.count(logins, i.Logins.Limited, "limited")
	s.count(logins, i.Logins.Disabled, "disabled")
	s.count(logins, i.Logins.Failed, "failed")
	s.count(sessionsEnded, i.Sessions.Ended)
	s.count(sessionsRefused, i.Sessions.Refused)
	s.count(tokenChecks, i.Tokens.OK, "ok")
	s.count(tokenChecks, i.Tokens.Refused, "refused")
	s.count(jwtChecks, i.JWT.OK, "ok")
	s.count(jwtChecks, i.JWT.Refused, "refused")
	s.count(keySets, i.KeySets.OK, "ok")
	s.count(keySets, i.KeySets.Refused, "failed")
	s.put(hashing, int64(i.Hashing))
	s.count(hashed, i.Hashed)
}

func (s sink) authz(a authz.Stats) {
	if a.Channels == nil {
		return // the database has not been reached yet
	}
	for result, n := range a.Channels {
		s.count(channelAnswers, n, string(result))
	}
	for result, n := range a.Users {
		s.count(userAnswers, n, string(result))
	}
	s.count(auditWritten, a.AuditWritten)
	s.count(auditDropped, a.AuditDropped)
	s.put(auditWaiting, int64(a.AuditWaiting))
}

func (s sink) count(m *metric, value uint64, labels ...string) { s.set(m, float64(value), labels...) }

// histogram sends an engine's own histogram.
func (s sink) histogram(m *metric, h queue.Histogram, labels ...string) {
	buckets, below := make(map[float64]uint64, len(h.Bounds)), uint64(0)
	for i, bound := range h.Bounds {
		below += h.Counts[i]
		buckets[bound.Seconds()] = below
	}
	s.ch <- prometheus.MustNewConstHistogram(m.desc, h.Count, h.Sum.Seconds(), buckets, labels...)
}
