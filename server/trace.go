package server

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/api"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/console"
	"github.com/belfryhq/belfry/internal/hook"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/internal/web"
)

// Trace says how much is remembered of events and connections. The zero value
// is the default.
type Trace struct {
	// Off remembers nothing: belfry explain then knows only what is so at the
	// moment.
	Off bool
	// Bytes is what the memory takes at most; default 64 MiB. For is how long it
	// reaches; default one hour.
	Bytes int
	For   time.Duration
	// Rate is how many events a second are traced whole; default 1000. Of more,
	// some are, and all that fail. Negative: all are.
	Rate int
	// FailuresFor is how long failures are kept in the database; default seven
	// days.
	FailuresFor time.Duration
}

// newTrace makes the memory, once the database is open.
func (s *Server) newTrace() *trace.Trace {
	cfg := s.cfg.Trace
	return trace.New(trace.Config{
		Bytes: cfg.Bytes, For: cfg.For, Rate: cfg.Rate, DB: s.backend.DB, FailuresFor: cfg.FailuresFor, Logger: s.log,
		Hidden: func(app string) bool { return cfg.Off || app == probeApp },
	})
}

// noteStep tells of one step of an event that goes through the broadcaster.
func noteStep(tell func(trace.Note), driver string) func(belfry.Event, broadcast.Step) {
	return func(e belfry.Event, s broadcast.Step) {
		n := trace.Note{Event: traceEvent(e), Step: trace.Step{At: s.At, What: s.What, Queue: s.Queue, RunAt: s.RunAt, Error: s.Error,
			Permanent: s.Permanent, Reason: s.Reason, Receipt: s.Receipt}}
		switch s.What {
		case broadcast.StepAccepted:
			n.Event.Keys = trace.Keys(e.Data)
		case broadcast.StepSent:
			n.Step.Target = driver
		}
		tell(n)
	}
}

func traceEvent(e belfry.Event) trace.Event {
	return trace.Event{ID: e.ID, App: e.App, Name: e.Name, Channels: e.Channels, Size: len(e.Data), By: e.Origin, Address: e.Address, Except: e.ExcludeSocket}
}

// noteSettlement tells of an event whose job failed.
func noteSettlement(tell func(trace.Note)) func(belfry.Job, queue.Settlement) {
	return func(job belfry.Job, s queue.Settlement) {
		var e belfry.Event
		if job.Kind != broadcast.JobKind || json.Unmarshal(job.Payload, &e) != nil {
			return
		}
		n := trace.Note{Event: traceEvent(e), Step: trace.Step{What: trace.Retrying, Queue: job.Queue, Error: s.Error, Try: s.Tries, RunAt: s.RunAt}}
		if s.State == queue.Failed {
			n.Step.What = trace.GaveUp
		}
		tell(n)
	}
}

// note takes a step in.
func (s *Server) note(n trace.Note) { s.trace.Step(n.Event, n.Step) }

// noteAll takes steps of another process in.
func (s *Server) noteAll(notes []trace.Note) {
	for _, n := range notes {
		s.note(n)
	}
}

// tracer tells the memory of the hub's notices.
type tracer struct{ s *Server }

// Notice implements hub.Observer.
func (o tracer) Notice(n hub.Notice) {
	t, app := o.s.trace, n.App.ID
	switch n.Kind {
	case hub.NoticePublished:
		t.Publish(n.Time, app, n.EventID, n.Event, n.Channel, n.Size, n.Receipt)
		o.s.payload(&n, "")
	case hub.NoticeClientEvent:
		t.Relay(n.Time, app, n.EventID, n.Event, n.Channel, n.Socket, n.Size, n.Receipt)
		o.s.payload(&n, n.Socket)
	case hub.NoticeConnected:
		t.Connected(n.Time, app, n.Socket, n.Text)
	case hub.NoticeSignedIn:
		t.SignedIn(n.Time, app, n.Socket, n.UserID)
	case hub.NoticeSubscribed:
		user := n.UserID
		if user == "" {
			user = n.Holder
		}
		t.Subscribed(n.Time, app, n.Socket, n.Channel, user)
	case hub.NoticeUnsubscribed:
		t.Unsubscribed(n.Time, app, n.Socket, n.Channel)
	case hub.NoticeDisconnected:
		t.Disconnected(n.Time, app, n.Socket, n.Count, n.Text)
		o.s.reports.Gone(n.Socket)
	case hub.NoticeRefused:
		t.Denied(n.Time, app, n.Socket, n.Channel, n.Address, n.Count, n.Text)
	}
}

// payload shows an event's data to administrators who look at it at the moment.
func (s *Server) payload(n *hub.Notice, socket string) {
	if !s.console.WatchesPayloads() {
		return
	}
	by := ""
	if socket != "" {
		by = "socket " + socket
	}
	s.console.Payload(console.Payload{At: n.Time, App: n.App.ID, Channel: n.Channel, Event: n.Event, ID: n.EventID, By: by, Size: n.Size,
		Data: n.Payload, Text: n.Data})
}

// published tells the memory who published what.
func (s *Server) published(p api.Publication) {
	if s.cfg.Trace.Off {
		return
	}
	for i := range p.Events {
		e, id := &p.Events[i], p.Published[i].ID
		if !s.trace.Wants(id) {
			continue
		}
		s.trace.Accept(trace.Event{ID: id, App: p.App.ID, Name: e.Name, Channels: e.Channels, Size: e.Size, Keys: trace.Keys(e.Data),
			By: "key " + p.Key, Address: p.Address(), Except: e.SocketID}, p.At)
	}
}

// refused tells the memory of a publish that was refused.
func (s *Server) refused(r api.Refusal) {
	s.trace.Refuse(trace.Refusal{App: r.App, Key: r.Key, Address: r.Address, Event: r.Event, Channel: r.Channel, Size: r.Size,
		Status: r.Status, Code: r.Code, Limit: r.Limit, Reason: r.Reason})
}

// refusedEvent does the same for an event of the application's own door.
func (s *Server) refusedEvent(e web.RefusedEvent) {
	s.trace.Refuse(trace.Refusal{App: e.App, By: e.By, Address: e.Address, Event: e.Event, Channels: e.Channels, Size: e.Size,
		Status: e.Status, Code: e.Code, Limit: e.Limit, Reason: e.Reason})
}

// called tells the memory of a webhook that followed client events.
func (s *Server) called(a hook.Attempt) {
	for _, id := range a.IDs {
		s.trace.Call(trace.Call{At: a.Time, App: a.App, EventID: id, Names: strings.Join(a.Events, ", "), URL: a.URL,
			Try: a.Number, Status: a.Status, Outcome: string(a.Outcome), Error: a.Error, Took: a.Duration})
	}
}
