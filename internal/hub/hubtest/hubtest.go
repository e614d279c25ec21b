// Package hubtest has what tests of the hub, and of what stands on it, need in
// place of sockets: connections that remember what they were sent, and an
// outlet for them.
package hubtest

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/pusher"
)

// Frame is a message as a test reads it.
type Frame struct {
	Event   string          `json:"event"`
	Channel string          `json:"channel"`
	Data    json.RawMessage `json:"data"`
	UserID  string          `json:"user_id"`
	Raw     string          `json:"-"`
}

// Text gives data decoded, when it is a string.
func (f Frame) Text() string {
	var s string
	json.Unmarshal(f.Data, &s)
	return s
}

// Conn is a connection without a socket. It is safe for concurrent use.
type Conn struct {
	hub.Client
	tb testing.TB

	mu     sync.Mutex // guards all below
	frames []Frame
	code   pusher.CloseCode
	reason string
	seen   int // frames that Next has given
}

// Connect connects to the app with that key through outlet 0 and passes over
// the established message.
func Connect(tb testing.TB, h *hub.Hub, key string) *Conn {
	tb.Helper()
	return ConnectAs(tb, h, hub.Handshake{Key: key, Protocol: "7", HasProtocol: true})
}

// ConnectAs is Connect with a handshake of the test's own.
func ConnectAs(tb testing.TB, h *hub.Hub, hs hub.Handshake) *Conn {
	tb.Helper()
	c := &Conn{tb: tb}
	if refusal := h.Connect(&c.Client, c, 0, hs); refusal != nil {
		tb.Fatalf("refused: %d %s", refusal.Code, refusal.Message)
	}
	c.Expect(pusher.EventEstablished)
	return c
}

// Send implements hub.Conn.
func (c *Conn) Send(message []byte) {
	f := Frame{Raw: string(message)}
	if err := json.Unmarshal(message, &f); err != nil {
		c.tb.Errorf("message is not JSON: %v: %s", err, message)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code == 0 {
		c.frames = append(c.frames, f)
	}
}

// Close implements hub.Conn.
func (c *Conn) Close(code pusher.CloseCode, reason string, message []byte) {
	if message != nil {
		c.Send(message)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.code, c.reason = code, reason
}

// Closed gives the code that the hub closed the connection with, or 0.
func (c *Conn) Closed() (pusher.CloseCode, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code, c.reason
}

// Say hands the hub one message of the client, in the form of fmt.Sprintf's
// result, and fails when it is not handled at once.
func (c *Conn) Say(message string) {
	c.tb.Helper()
	if !c.Receive([]byte(message), func() {}) {
		c.tb.Errorf("not handled at once: %s", message)
	}
}

// Subscribe subscribes to a public channel.
func (c *Conn) Subscribe(channel string) {
	c.tb.Helper()
	c.Say(`{"event":"pusher:subscribe","data":{"channel":"` + channel + `"}}`)
}

// SubscribeAs subscribes with a signature of key and secret, over data if it is
// not empty.
func (c *Conn) SubscribeAs(key, secret, channel, data string) {
	c.tb.Helper()
	text := pusher.ChannelText(c.ID().String(), channel, data, data != "")
	msg := map[string]any{"channel": channel, "auth": key + ":" + pusher.Sign(secret, text)}
	if data != "" {
		msg["channel_data"] = data
	}
	b, err := json.Marshal(map[string]any{"event": pusher.EventSubscribe, "data": msg})
	if err != nil {
		c.tb.Fatal(err)
	}
	c.Say(string(b))
}

// Unsubscribe unsubscribes.
func (c *Conn) Unsubscribe(channel string) {
	c.tb.Helper()
	c.Say(`{"event":"pusher:unsubscribe","data":{"channel":"` + channel + `"}}`)
}

// Next gives the next frame that came, ok false when there is none yet.
func (c *Conn) Next() (f Frame, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == len(c.frames) {
		return Frame{}, false
	}
	c.seen++
	return c.frames[c.seen-1], true
}

// Expect takes the next frame and fails unless it is that event.
func (c *Conn) Expect(event string) Frame {
	c.tb.Helper()
	f, ok := c.Next()
	if !ok {
		c.tb.Fatalf("no frame came; want %s", event)
	}
	if f.Event != event {
		c.tb.Fatalf("got %s; want %s", f.Raw, event)
	}
	return f
}

// ExpectNothing fails when a frame came that no one has taken.
func (c *Conn) ExpectNothing() {
	c.tb.Helper()
	if f, ok := c.Next(); ok {
		c.tb.Fatalf("unexpected frame %s", f.Raw)
	}
}

// Drain gives all frames that no one has taken.
func (c *Conn) Drain() []Frame {
	var all []Frame
	for f, ok := c.Next(); ok; f, ok = c.Next() {
		all = append(all, f)
	}
	return all
}

// All gives every frame that came, taken or not.
func (c *Conn) All() []Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.frames)
}

// Outlet is the simplest outlet: it sends at once, to Conns of any kind. Full,
// if set, is what Reserve answers.
type Outlet struct {
	Slot int
	Full func(topic *hub.Topic) error
}

type subscribers struct{ all []*hub.Subscription }

func (o *Outlet) of(t *hub.Topic) *subscribers {
	s, _ := t.Slots[o.Slot].(*subscribers)
	if s == nil {
		s = &subscribers{}
		t.Slots[o.Slot] = s
	}
	return s
}

// Join implements hub.Outlet.
func (o *Outlet) Join(s *hub.Subscription, first [][]byte) {
	for _, m := range first {
		s.Client.Conn().Send(m)
	}
	subs := o.of(s.Topic)
	s.Pos = int32(len(subs.all))
	subs.all = append(subs.all, s)
}

// Leave implements hub.Outlet.
func (o *Outlet) Leave(s *hub.Subscription) {
	subs := o.of(s.Topic)
	last := len(subs.all) - 1
	moved := subs.all[last]
	subs.all[s.Pos], moved.Pos = moved, s.Pos
	subs.all = subs.all[:last]
}

// Publish implements hub.Outlet.
func (o *Outlet) Publish(t *hub.Topic, d hub.Delivery) (r hub.Receipt) {
	for _, s := range o.of(t).all {
		if !d.Skips(s.Client) {
			s.Client.Conn().Send(d.Message)
			r.Matched++
			r.Written++
		}
	}
	return r
}

// Notices is an observer that remembers.
type Notices struct {
	mu  sync.Mutex // guards all
	all []hub.Notice
}

// Notice implements hub.Observer.
func (n *Notices) Notice(notice hub.Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, notice)
}

// Take gives the notices of the kinds so far, in order, and forgets all; no
// kinds means all.
func (n *Notices) Take(kinds ...hub.NoticeKind) []hub.Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	var some []hub.Notice
	for _, notice := range n.all {
		if len(kinds) == 0 {
			some = append(some, notice)
			continue
		}
		for _, k := range kinds {
			if notice.Kind == k {
				some = append(some, notice)
			}
		}
	}
	n.all = nil
	return some
}
