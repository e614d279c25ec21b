package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/trace"
)

// byID answers about one event.
func (c *inquiry) byID() (*Verdict, error) {
	t, ok, err := c.past.Timeline(c.ctx, c.q.ID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return c.unknownEvent()
	}
	c.app = c.now.App(t.App)
	v, err := c.follow(&t)
	if err != nil || !v.reached() || c.q.User == "" && c.q.Socket == "" {
		return v, err
	}
	return c.receiver(&t, v)
}

// reached reports whether the event came to the hub, so that a receiver may have
// got it.
func (v *Verdict) reached() bool {
	switch v.Code {
	case Delivered, NobodyThere, NearMiss, Excluded, TooSlow, OtherApp, OtherName, HandlerFailed, OtherNode:
		return true
	}
	return false
}

// unknownEvent answers about an event that nothing is remembered of.
func (c *inquiry) unknownEvent() (*Verdict, error) {
	switch job, err := c.now.Job(c.ctx, c.q.ID); {
	case err == nil:
		return c.job(&trace.Timeline{ID: c.q.ID}, job)
	case belfry.CodeOf(err) != belfry.CodeNotFound:
		return nil, err
	}
	at, isID := belfry.IDTime(c.q.ID)
	from, _ := c.past.Reach()
	v := &Verdict{Code: UnknownEvent, Sentence: fmt.Sprintf("No event with the id %q is known.", clip(c.q.ID)),
		Fix: "Take the id from the publisher's answer (X-Belfry-Event-Id, or id), or ask with --user, --event and --channel."}
	switch oneIn := c.past.OneIn(at, at); {
	case c.setup.Untraced:
		return untraced(fmt.Sprintf("What became of the event %q is not known", clip(c.q.ID))), nil
	case isID && at.Before(from):
		v.Sentence = fmt.Sprintf("The event %s, if there was one, was handed in at %s, before what is remembered.", c.q.ID, clock(at))
		line := "Events are remembered since " + clock(from)
		if at.Before(c.setup.Started) {
			line = "The server was started at " + clock(c.setup.Started) + ", and remembers events since then"
		}
		v.Evidence = append(v.Evidence, line+"; those that failed are kept longer, and this one is not among them. No queue has it either.")
		v.Fix = "Whether it arrived cannot be told any more; if it is still wanted, send it again from its source. trace.keep and trace.memory say how far back the server remembers."
	case isID && oneIn > 1:
		v.Code = NotTraced
		v.Sentence = fmt.Sprintf("The event %s, if there was one, was not traced: at %s there were so many that one in %d was.", c.q.ID, clock(at), oneIn)
		v.Fix = "Events that failed are always traced, so this one did not. Ask about its receiver with --user or --socket and --channel; trace.events_per_second is how many are traced whole."
	case isID && at.After(c.setup.Now.Add(time.Minute)):
		v.Evidence = append(v.Evidence, "By its id it would be of "+clock(at)+", which is in the future: the clock of whoever made it is wrong.")
	default:
		var ids []string
		for _, other := range c.past.Events(trace.Filter{Limit: 1000}) {
			ids = append(ids, other.ID)
		}
		if v.Near = nearNames(c.q.ID, ids); len(v.Near) > 0 {
			v.Evidence = append(v.Evidence, "Near it: "+strings.Join(v.Near, ", ")+".")
		}
	}
	v.Evidence = append(v.Evidence, c.others()...)
	return v, nil
}

// untraced is about what would be known if events were remembered; whatIsNot
// begins the sentence.
func untraced(whatIsNot string) *Verdict {
	return &Verdict{Code: NotTraced, Sentence: whatIsNot + ": the server remembers neither events nor connections, since trace.enabled is false.",
		Fix: "Set trace.enabled: true, start the server anew, and send the event again."}
}

// others says that other servers may know more.
func (c *inquiry) others() []string {
	if c.setup.Nodes < 2 {
		return nil
	}
	return []string{fmt.Sprintf("%d servers share the channels, and each remembers what came to it: ask on the others too.", c.setup.Nodes)}
}

// follow goes the event's way to the hub, and names the first broken link.
func (c *inquiry) follow(t *trace.Timeline) (*Verdict, error) {
	v, err := c.link(t)
	if v != nil {
		v.Event = t
		v.Evidence = append(c.story(t), v.Evidence...)
	}
	return v, err
}

func (c *inquiry) link(t *trace.Timeline) (*Verdict, error) {
	switch t.Status() {
	case trace.Refused:
		return c.refusal(t), nil
	case trace.Skipped:
		if !t.Has(trace.Published) {
			return skipped(t), nil
		}
	case trace.Sent:
	default:
		job, err := c.now.Job(c.ctx, t.ID)
		switch {
		case err == nil:
			return c.job(t, job)
		case belfry.CodeOf(err) != belfry.CodeNotFound:
			return nil, err
		}
		return c.nowhere(t), nil
	}
	if s := t.Last(trace.Sent); s != nil && !t.Has(trace.Published) {
		if v := elsewhere(t, s); v != nil {
			return v, nil
		}
	}
	return c.published(t)
}

// nowhere is about an event that was not sent and that no queue has.
func (c *inquiry) nowhere(t *trace.Timeline) *Verdict {
	failed := t.Last(trace.GaveUp)
	if failed == nil {
		failed = t.Last(trace.Failed)
	}
	switch {
	case failed != nil:
		return &Verdict{Code: JobFailed, Sentence: fmt.Sprintf("Sending the event failed: %s", period(failed.Error)),
			Fix: "Mend the cause, and send the event again from its source: it is not among the failed jobs."}
	case t.Has(trace.Queued):
		return &Verdict{Code: Lost, Sentence: "The event was queued, and is in no queue any more, though nothing says that it was sent.",
			Fix: "See whether somebody ran belfry queue:clear or queue:forget, or a worker process could not reach this server to tell; if so, send the event again from its source."}
	}
	return &Verdict{Code: Waiting, Sentence: "The event was accepted and is being sent at the moment.", Fix: "Ask again in a second."}
}

// elsewhere is about an event that was handed to a broadcaster other than this
// server's hub.
func elsewhere(t *trace.Timeline, s *trace.Step) *Verdict {
	switch s.Target {
	case "null":
		return &Verdict{Code: BroadcasterNull, Sentence: `The event went nowhere: the broadcaster is "null", which throws every event away.`,
			Fix: "Set BROADCAST_CONNECTION=local (or pusher) and start the server and its workers anew."}
	case "log":
		return &Verdict{Code: BroadcasterLog, Sentence: `The event was written to the log and went nowhere else: the broadcaster is "log".`,
			Fix: "Set BROADCAST_CONNECTION=local (or pusher) and start the server and its workers anew."}
	case "local", "":
		return nil
	}
	return &Verdict{Code: SentElsewhere, Sentence: fmt.Sprintf("The event was handed to another server (broadcaster %q), which took it; what that does with it is not known here.", s.Target),
		Evidence: []string{"Pages that are connected to this server do not get it: they have to be connected to the server that events go to."}}
}

func skipped(t *trace.Timeline) *Verdict {
	s := t.Last(trace.Skipped)
	switch {
	case strings.HasPrefix(s.Reason, "its condition"):
		return &Verdict{Code: ConditionNo, Sentence: "The event was not sent: " + period(s.Reason),
			Fix: "Send it without the condition, or see why the condition did not hold: \"occupied\" wants a subscriber at the moment of sending."}
	case strings.HasPrefix(s.Reason, "it expired"):
		return &Verdict{Code: Expired, Sentence: "The event was not sent: " + s.Reason + ", before a worker came to it.",
			Fix: "Give it a longer expires_in, or see what holds the queue up with: belfry queue:monitor"}
	}
	return &Verdict{Code: Repeated, Sentence: "The event was not sent a second time: " + period(s.Reason),
		Fix: "Nothing is lost: it went out under this id before, though nothing more is remembered of that. To have it go out again, send it from its source as a new event."}
}

// job is about an event that the queue has.
func (c *inquiry) job(t *trace.Timeline, job queue.Found) (*Verdict, error) {
	name := job.Queue
	if s := t.Last(trace.Queued); name == "" && s != nil {
		name = s.Queue
	}
	if name == "" {
		name = belfry.DefaultQueue
	}
	q, err := c.now.Queue(c.ctx, name)
	if err != nil {
		return nil, err
	}
	switch job.State {
	case queue.Failed:
		return &Verdict{Code: JobFailed, Sentence: fmt.Sprintf("The event was given up after %s: %s", count(job.Tries, "try", "tries"), period(job.Error)),
			Evidence: []string{"It is kept among the failed jobs (belfry queue:failed)."},
			Fix:      "Mend the cause, then: belfry queue:retry " + t.ID}, nil
	case queue.Retrying:
		return &Verdict{Code: Retrying, Sentence: fmt.Sprintf("Sending the event has failed (%s), and it waits for its next try at %s.", strings.TrimRight(job.Error, "."), clock(job.RunAt)),
			Fix: "Mend the cause; it is then sent by itself, or at once after a restart of what it waits for."}, nil
	case queue.Running:
		return &Verdict{Code: Waiting, Sentence: "A worker is sending the event at the moment.", Fix: "Ask again in a second."}, nil
	}
	return waiting(name, q, job), nil
}

// waiting is about an event that nobody has taken yet.
func waiting(name string, q Queue, job queue.Found) *Verdict {
	switch {
	case q.Workers == 0:
		v := &Verdict{Code: NoWorker, Sentence: fmt.Sprintf("The event waits in the queue %q, and no worker takes jobs from it.", name),
			Fix: "Start one: belfry broadcast:start --queue=" + name + " (or serve without --no-workers)."}
		if q.Other > 0 {
			v.Evidence = append(v.Evidence, fmt.Sprintf("%s alive, and none of them names the queue %q.", are(q.Other, "worker is", "workers are"), name))
		} else {
			v.Evidence = append(v.Evidence, "No worker is alive at all.")
		}
		return v
	case q.Paused:
		return &Verdict{Code: QueuePaused, Sentence: fmt.Sprintf("The event waits in the queue %q, which is paused.", name),
			Fix: "Let it go on with: belfry queue:continue " + name}
	case job.State == queue.Delayed:
		return &Verdict{Code: Delayed, Sentence: fmt.Sprintf("The event is delayed until %s, as its sender asked.", clock(job.RunAt)), Fix: "Wait, or send it without a delay."}
	}
	return &Verdict{Code: Waiting, Sentence: fmt.Sprintf("The event waits in the queue %q until a worker is free; %s there too.", name, are(max(q.Waiting-1, 0), "other job waits", "other jobs wait")),
		Evidence: []string{upper(are(q.Workers, "worker takes", "workers take")) + " jobs from this queue, and " + theyAre(q.Workers) + " busy, or about to look."},
		Fix:      "If this lasts, start more workers or give them more concurrency: belfry queue:monitor shows how the queue does."}
}

// refusal is about a request that did not pass the door.
func (c *inquiry) refusal(t *trace.Timeline) *Verdict {
	s := t.Last(trace.Refused)
	from := ""
	if t.Address != "" {
		from = " from " + t.Address
	}
	v := &Verdict{Event: t}
	switch {
	case s.Code == "app":
		var ids []string
		for _, a := range c.now.Apps() {
			ids = append(ids, a.ID)
		}
		v.Code, v.Near = NoSuchApp, nearNames(t.App, ids)
		v.Sentence = fmt.Sprintf("A publish%s was refused: this server has no app %q.", from, t.App)
		v.Fix = "Set the sender's app (PUSHER_APP_ID, or app in POST /api/events) to one of: " + strings.Join(ids, ", ") + "."
	case s.Code == "key":
		v.Code = NoSuchKey
		v.Sentence = fmt.Sprintf("A publish%s was refused with %d: %s", from, s.Status, period(s.Reason))
		v.Fix = "Set PUSHER_APP_KEY of the sender to a key of this app: belfry app:list shows them."
	case s.Code == "signature":
		v.Code = BadSignature
		v.Sentence = fmt.Sprintf("A publish%s was refused with %d because its signature does not hold: %s", from, s.Status, period(s.Reason))
		v.Fix = signatureFix(s.Reason)
	case s.Code == "limit":
		v.Code = OverLimit
		v.Sentence = fmt.Sprintf("A publish%s was refused with %d by the limit %s: %s", from, s.Status, s.Queue, period(s.Reason))
		v.Fix = "Send less, or raise limits." + s.Queue + " of app " + t.App + "."
	case strings.Contains(s.Reason, "is disabled"):
		v.Code, v.Sentence = AppDisabled, fmt.Sprintf("A publish%s was refused: app %s is disabled.", from, t.App)
		v.Fix = "Set enabled: true for the app."
	default:
		v.Code = Refused
		v.Sentence = fmt.Sprintf("A publish%s was refused with %d: %s", from, s.Status, period(s.Reason))
		v.Fix = "Mend what the sentence names, and send the event again."
	}
	return v
}

func signatureFix(reason string) string {
	switch {
	case strings.HasPrefix(reason, "auth_timestamp"):
		return "Set the clock of the sender (its time service does not run, or its time zone is taken for UTC)."
	case strings.HasPrefix(reason, "body_md5"):
		return "Find what changes the body between signing and sending: a proxy, a second JSON encoding, a compression."
	case strings.HasPrefix(reason, "signature mismatch"):
		return "Set PUSHER_APP_SECRET of the sender to the app's secret; if that is right already, a proxy changes path or query."
	}
	return "Use an official Pusher server SDK, or sign as its protocol says."
}

// published is about an event that came to the hub.
func (c *inquiry) published(t *trace.Timeline) (*Verdict, error) {
	r, counted := t.Receipt()
	switch {
	case !counted:
		return &Verdict{Code: Delivered, Sentence: "The event was sent; how many subscribers it had was not counted."}, nil
	case r.Matched == 0:
		return c.nobody(t)
	case r.Dropped > 0:
		v := &Verdict{Code: TooSlow, Sentence: fmt.Sprintf("%s not get the event: more waited for them than they read, and they were closed with 4100.", are(r.Dropped, "subscriber did", "subscribers did")),
			Fix: "Send less to the channel, or split it; a client that is closed so comes back by itself and has to fetch what it missed."}
		v.Evidence = append(v.Evidence, fmt.Sprintf("Of %d, %d were written to and %d were waited for.", r.Matched, r.Written, r.Waiting))
		return v, nil
	}
	v := &Verdict{Code: Delivered, Sentence: fmt.Sprintf("The event was delivered to %s.", count(r.Matched, "subscriber", "subscribers"))}
	if r.Waiting > 0 {
		v.Evidence = append(v.Evidence, fmt.Sprintf("For %d of them something waited before it; they get it when they have read that.", r.Waiting))
	}
	said := c.pages(t, c.receivers(t))
	if other := said.verdict(); other != nil {
		return other, nil
	}
	if c.setup.Nodes > 1 {
		v.Evidence = append(v.Evidence, "Those are the subscribers on this server; it was passed on to the other servers too.")
	}
	v.Evidence = append(v.Evidence, said.evidence()...)
	return v, nil
}

// moment is when the event was published on a channel, or at all.
func moment(t *trace.Timeline, channel string) time.Time {
	at := time.Time{}
	for _, s := range t.Steps {
		if s.What == trace.Published && (channel == "" || s.Channel == channel) {
			at = s.At
		}
	}
	if at.IsZero() && len(t.Steps) > 0 {
		at = t.Steps[len(t.Steps)-1].At
	}
	return at
}

// receivers gives the connections that were subscribed to one of the event's
// channels when it was published.
func (c *inquiry) receivers(t *trace.Timeline) []trace.Connection {
	var all []trace.Connection
	for _, channel := range t.Channels {
		at := moment(t, channel)
		for _, one := range c.past.Connections(trace.Links{App: t.App, Channel: channel, Limit: 100}) {
			if one.Socket != t.Except && slices.ContainsFunc(one.Subscriptions, func(s trace.Subscription) bool { return s.Channel == channel && s.At(at) }) {
				all = append(all, one)
			}
		}
	}
	return all
}
