package hub

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// Published is what became of one event.
type Published struct {
	ID      string // the event's id
	Receipt Receipt
}

// Publish sends events, which must have passed pusher's checks, to the
// subscribers of their channels, in order, all or none. It returns when every
// subscriber's connection has its message or has it waiting, and, with several
// nodes, the broker has it. When subscribers lag it waits for room, 5 s by
// default; that is the backpressure publishers feel.
//
// Errors are *belfry.Error: CodeNotFound for an unknown app, CodeForbidden over
// the day's quota of messages, CodeUnavailable when no room came; then nothing
// was published.
func (h *Hub) Publish(ctx context.Context, appID string, events []pusher.Event) ([]Published, error) {
	a, err := h.app(appID)
	if err != nil {
		return nil, err
	}
	return h.publishAs(ctx, a, events, "")
}

// ErrWouldWait is what PublishNow gives for a publish that may have to wait.
// Nothing was done.
var ErrWouldWait = errors.New("the publish may have to wait")

// PublishNow is Publish for a caller that serves others meanwhile: where that
// would wait, for room or for another node, it gives ErrWouldWait.
func (h *Hub) PublishNow(appID string, events []pusher.Event) ([]Published, error) {
	if h.elsewhere() {
		return nil, ErrWouldWait
	}
	return h.Publish(h.idle, appID, events)
}

// publishAs publishes under the given id, or, when that is empty, under one of
// its own for each event. With an error it gives what was done for local
// subscribers, nil for nothing.
func (h *Hub) publishAs(ctx context.Context, a *app, events []pusher.Event, id string) ([]Published, error) {
	if err := a.withinDay(int64(len(events))); err != nil {
		return nil, err
	}
	release, err := a.reserve(ctx, events)
	if err != nil {
		return nil, err
	}
	defer release()
	done := make([]Published, len(events))
	var sent broker
	for i := range events {
		done[i] = a.publish(&events[i], id, &sent)
	}
	if err := sent.wait(ctx); err != nil {
		return done, &belfry.Error{Code: belfry.CodeUnavailable, Message: "the other servers could not be reached; local subscribers have the event", Err: err}
	}
	return done, nil
}

// publish sends one event to each of its channels.
func (a *app) publish(e *pusher.Event, id string, sent *broker) Published {
	now := a.hub.clock.Now()
	if id == "" {
		id = belfry.NewID(now)
	}
	p := Published{ID: id}
	except, _ := pusher.ParseSocketID(e.SocketID) // another form is nobody's
	for _, name := range e.Channels {
		r := a.publishTo(name, e, except, sent)
		p.Receipt.Add(r)
		a.notice(Notice{Kind: NoticePublished, Channel: name, Event: e.Name, EventID: p.ID, Size: int64(e.Size), Receipt: r, Payload: e.Data})
	}
	a.counters.published.Add(1)
	a.countDay(now, int64(1+p.Receipt.Matched-p.Receipt.Dropped))
	return p
}

func (a *app) publishTo(name string, e *pusher.Event, except pusher.SocketID, sent *broker) Receipt {
	h := a.hub
	kind := pusher.KindOf(name)
	keeps := kind.Is(pusher.Cache)
	id := a.settings.Load().ID
	if keeps && !h.cluster.Owns(id, name) {
		return sent.ask(h.cluster, Op{Kind: OpCache, App: id, Channel: name, Event: e.Name, Data: e.Data, Socket: except})
	}
	ch := a.lock(name, keeps)
	m := func() message {
		return h.seal(pusher.AppendEvent(begin(len(e.Name)+len(name)+len(e.Data)+64), e.Name, name, e.Data, ""))
	}
	if ch == nil {
		if !h.elsewhere() && !h.taps.any() {
			return Receipt{}
		}
		msg := m()
		h.taps.tell(&Topic{App: id, Name: name}, msg.payload)
		h.cluster.Publish(Cast{App: id, Channel: name, Message: msg.payload, Except: except}, sent.expect())
		return Receipt{}
	}
	msg := m()
	if keeps {
		ch.store(e.Name, e.Data)
	}
	r := ch.fanout(msg, a.client(except), false)
	if h.elsewhere() {
		h.cluster.Publish(ch.castOf(msg, except, false), sent.expect())
	}
	forget := ch.settle()
	ch.mu.Unlock()
	forget.forget()
	return r
}

// store keeps an event for newcomers, its time beginning anew (CH-40). The
// channel is locked.
func (ch *channel) store(event string, data []byte) {
	ch.ledger.cached = &cached{event: event, data: slices.Clone(data), until: ch.app.hub.clock.Now().Add(ch.app.cacheTTL())}
	ch.ledger.missed = zeroTime
}

// elsewhere reports whether there may be other nodes.
func (h *Hub) elsewhere() bool {
	_, single := h.cluster.(alone)
	return !single
}

// reserve waits until every outlet with subscribers of the events' channels
// has room for them; with the hub's idle as ctx it gives ErrWouldWait instead.
func (a *app) reserve(ctx context.Context, events []pusher.Event) (release func(), err error) {
	type held struct {
		outlet Outlet
		topic  *Topic
		size   int
	}
	var all []held
	release = func() {
		for _, r := range all {
			r.outlet.Release(r.topic, r.size)
		}
	}
	var wait context.Context
	for i := range events {
		size := len(events[i].Data) + len(events[i].Name) + 64
		for _, name := range events[i].Channels {
			ch := a.channels.find(name)
			if ch == nil {
				continue
			}
			for slot, outlet := range a.hub.outlets {
				if !ch.has(slot) {
					continue
				}
				err := outlet.Reserve(a.hub.idle, &ch.topic, size)
				if err != nil && ctx == a.hub.idle {
					release()
					return nil, ErrWouldWait
				}
				if err != nil {
					if wait == nil {
						limited, cancel := context.WithTimeout(ctx, a.hub.cfg.PublishWait)
						defer cancel()
						wait = limited
					}
					err = outlet.Reserve(wait, &ch.topic, size)
				}
				if err != nil {
					release()
					a.limit("backpressure", Notice{Channel: name, Event: events[i].Name}, 0, 0)
					return nil, &belfry.Error{Code: belfry.CodeUnavailable, Err: err,
						Message: "the subscribers of channel " + name + " are too far behind: nothing was published, try again in a moment"}
				}
				all = append(all, held{outlet, &ch.topic, size})
			}
		}
	}
	return release, nil
}

// has reports whether the outlet in that slot has subscribers.
func (ch *channel) has(slot int) bool {
	return ch.topic.Local(slot) > 0
}

// broker gathers what other nodes have to say about one publish.
type broker struct {
	wg sync.WaitGroup

	mu  sync.Mutex // guards err
	err error
}

// expect gives the done function of one Cluster.Publish.
func (b *broker) expect() func(error) {
	b.wg.Add(1)
	return func(err error) {
		if err != nil {
			b.mu.Lock()
			b.err = err
			b.mu.Unlock()
		}
		b.wg.Done()
	}
}

// ask waits for a decision of another node.
func (b *broker) ask(c Cluster, op Op) (r Receipt) {
	answered := make(chan struct{})
	c.Ask(op, func(a Answer, err error) {
		if r = a.Receipt; err != nil {
			b.expect()(err)
		}
		close(answered)
	})
	<-answered
	return r
}

func (b *broker) wait(ctx context.Context) error {
	b.wg.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
