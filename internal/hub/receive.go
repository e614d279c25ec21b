package hub

import (
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// Receive handles one text message of the connection, which must be valid
// UTF-8, and keeps nothing of it. It reports whether handling is complete; if
// not, resume is called once when it is, and the connection must not be read
// until then, so that its messages take effect in their order (GEN-05).
func (c *Client) Receive(msg []byte, resume func()) (done bool) {
	c.app.counters.messagesIn.Add(1)
	c.app.counters.bytesIn.Add(int64(len(msg)))
	if c.closing.Load() {
		return true
	}
	m, err := pusher.ParseMessage(msg)
	if err != nil {
		c.violation(err.Error())
		return true
	}
	switch {
	case m.Event == pusher.EventPing:
		c.send(pusher.AppendPong(begin(64)))
	case m.Event == pusher.EventPong: // accepted in every state (WS-24)
	case m.Event == pusher.EventSubscribe:
		return c.subscribe(m, resume)
	case m.Event == pusher.EventUnsubscribe:
		c.unsubscribe(m)
	case m.Event == pusher.EventSignin:
		c.signin(m)
	case pusher.IsClientEvent(m.Event):
		c.clientEvent(m)
	case strings.HasPrefix(m.Event, "pusher"):
		c.violation("event " + quote(m.Event) + " is not one that a client may send")
	default:
		c.violation("event " + quote(m.Event) + " is unknown: commands begin with pusher:, client events with client-")
	}
	return true
}

// violation answers a message that makes no sense (WS-40 to WS-42); 20 of them
// in 10 s end the connection.
func (c *Client) violation(text string) {
	c.fail(pusher.NoCode, "%s", text)
	c.mu.Lock()
	ok := c.more().violations.take(c.app.hub.clock.Now(), 2, 20)
	c.mu.Unlock()
	if !ok {
		c.close(pusher.CloseUnauthorized, "too many messages that are not of the protocol")
	}
}

func quote(s string) string { return string(pusher.AppendString(nil, clip(s))) }

// clientEvent relays an event from one subscriber to the others (section 3).
func (c *Client) clientEvent(m pusher.Message) {
	s := c.app.settings.Load()
	kind := pusher.KindOf(m.Channel)
	n := Notice{Channel: m.Channel, Event: m.Event}
	switch length := len([]rune(m.Event)); {
	case m.Channel == "" || m.Data == nil:
		c.fail(pusher.NoCode, "client event %s must contain channel and data", quote(m.Event))
		return
	case !s.ClientEvents:
		c.fail(pusher.NoCode, "client events are disabled for this app: set client_events to true")
		return
	case belfry.Over(length, s.Limits.EventNameLength):
		c.app.limit("event_name_length", n, int64(length), int64(s.Limits.EventNameLength))
		c.fail(pusher.NoCode, "client event name of %d characters is too long: at most %d are allowed", length, s.Limits.EventNameLength)
		return
	case kind.Is(pusher.Encrypted):
		c.fail(pusher.NoCode, "client events are not supported on encrypted channels such as %s", quote(m.Channel))
		return
	case !kind.NeedsAuth() && (s.PublicClientEvents == belfry.PublicClientEventsOff || kind.Is(pusher.ServerToUser)):
		c.fail(pusher.NoCode, "client events are supported on private and presence channels only, not on %s", quote(m.Channel))
		return
	}
	sub := c.subscription(m.Channel)
	if sub == nil && (kind.NeedsAuth() || s.PublicClientEvents != belfry.PublicClientEventsAll) {
		c.fail(pusher.NoCode, "client event refused: this connection is not subscribed to %s", quote(m.Channel))
		return
	}
	data, size := pusher.ClientEventData(m)
	if belfry.Over(size, s.Limits.ClientEventData) {
		c.app.limit("client_event_data", n, int64(size), int64(s.Limits.ClientEventData))
		c.fail(pusher.CodeClientEvent, "client event %s on %s has %d bytes of data: at most %d are allowed", quote(m.Event), quote(m.Channel), size, s.Limits.ClientEventData)
		return
	}
	if !c.withinRate(s, n) {
		return
	}
	c.relay(m, sub, data)
}

// withinRate holds the connection to its rate of client events (CE-08).
func (c *Client) withinRate(s *belfry.App, n Notice) bool {
	limit := s.Limits.ClientEventsPerSecond
	if limit == belfry.Unlimited {
		return true
	}
	c.mu.Lock()
	ok := limit > 0 && c.more().clientEvents.take(c.app.hub.clock.Now(), float64(limit), float64(limit))
	c.mu.Unlock()
	if ok {
		return true
	}
	c.app.limit("client_events_per_second", n, int64(limit)+1, int64(limit))
	c.fail(pusher.CodeClientEvent, "client event %s on %s refused: more than %d a second from this connection", quote(n.Event), quote(n.Channel), limit)
	if s.Compat.CloseOnRate {
		c.close(pusher.CloseOverCapacity, "too many client events")
	}
	return false
}

// relay publishes an accepted client event to everyone but its sender (CE-04,
// CE-05).
func (c *Client) relay(m pusher.Message, sub *Subscription, data []byte) {
	userID := ""
	if sub != nil && sub.member != nil {
		userID = sub.member.ID
	}
	ch := c.app.lock(m.Channel, false)
	if ch == nil {
		return // a public channel without subscribers
	}
	defer ch.mu.Unlock()
	msg := c.app.hub.seal(pusher.AppendEvent(begin(len(m.Event)+len(m.Channel)+len(data)+len(userID)+64), m.Event, m.Channel, data, userID))
	if !ch.room(len(msg.sealed)) {
		c.app.limit("backpressure", Notice{Channel: m.Channel, Event: m.Event}, 0, 0)
		c.fail(pusher.CodeClientEvent, "client event %s on %s refused: its subscribers are behind; try again in a moment", quote(m.Event), quote(m.Channel))
		return
	}
	receipt := ch.cast(msg, c.id, false)
	c.app.counters.clientEvents.Add(1)
	c.app.countDay(c.app.hub.clock.Now(), int64(1+receipt.Matched-receipt.Dropped))
	c.app.notice(Notice{Kind: NoticeClientEvent, Channel: m.Channel, Event: m.Event, EventID: belfry.NewID(c.app.hub.clock.Now()), Socket: c.id.String(), UserID: userID,
		Size: int64(len(data)), Data: pusher.StringValue(data), Receipt: receipt})
}

// room reports whether every outlet takes a message of that size at once.
func (ch *channel) room(size int) bool {
	for i := range ch.topic.Slots {
		if ch.topic.Local(i) == 0 {
			continue
		}
		o := ch.app.hub.outlets[i]
		switch o.Reserve(ch.app.hub.idle, &ch.topic, size) {
		case nil:
			o.Release(&ch.topic, size)
		case ErrTight: // for those who can wait
		default:
			return false
		}
	}
	return true
}
