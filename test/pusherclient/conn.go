package pusherclient

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/coder/websocket"

	"github.com/belfryhq/belfry/pusher"
)

// Target is one app on one server.
type Target struct {
	// URL is where the server is, http://… or https://…, with the path prefix
	// that stands before /app and /apps, if any.
	URL string
	// AppID, Key and Secret are the app's.
	AppID, Key, Secret string
}

// Options of a connection. The zero value, or nil, is a plain dial.
type Options struct {
	// Header is added to the opening handshake.
	Header http.Header
	// Transport dials, for TLS settings or a local address; nil for a fresh one.
	// It must not be shared when Cut is used.
	Transport *http.Transport
}

// Conn is one WebSocket connection. One goroutine may read while others write.
type Conn struct {
	// ID is the socket id.
	ID string

	target Target
	ws     *websocket.Conn
	raw    atomic.Pointer[net.Conn] // the TCP connection
	idle   func()                   // lets go of the transport
}

// Message is one message of the server.
type Message struct {
	Event   string          `json:"event"`
	Channel string          `json:"channel"`
	Data    json.RawMessage `json:"data"`
}

// Text gives data that is a JSON string as that string, any other data as it
// stands.
func (m Message) Text() string {
	var s string
	if json.Unmarshal(m.Data, &s) == nil {
		return s
	}
	return string(m.Data)
}

// ClosedError says that the server closed the connection with a close frame, or
// refused it with a pusher:error at the start.
type ClosedError struct {
	Code   int
	Reason string
}

// Error gives code and reason.
func (e *ClosedError) Error() string { return fmt.Sprintf("closed with %d %q", e.Code, e.Reason) }

// CloseCode gives the code with which the server closed, 0 when err is another
// failure.
func CloseCode(err error) int {
	if e, ok := errors.AsType[*ClosedError](err); ok {
		return e.Code
	}
	return 0
}

// maxMessage is the longest message that is read.
const maxMessage = 4 << 20

// Dial connects with protocol 7 and returns when the server has accepted. A
// server that refuses gives a *ClosedError.
func Dial(ctx context.Context, target Target, o *Options) (*Conn, error) {
	if o == nil {
		o = &Options{}
	}
	transport := o.Transport
	if transport == nil {
		transport = &http.Transport{}
	}
	c := &Conn{target: target, idle: transport.CloseIdleConnections}
	transport = c.watch(transport)
	u := strings.Replace(target.URL, "http", "ws", 1) + "/app/" + url.PathEscape(target.Key) + "?protocol=7&client=belfry-test&version=1.0"
	ws, resp, err := websocket.Dial(ctx, u, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: o.Header,
	})
	if err != nil {
		c.idle()
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("connect: the server answered %s", resp.Status)
		}
		return nil, fmt.Errorf("connect: %w", err)
	}
	ws.SetReadLimit(maxMessage)
	c.ws = ws
	if err := c.established(ctx); err != nil {
		c.Cut()
		return nil, err
	}
	return c, nil
}

// watch makes the transport tell which TCP connection it dialled.
func (c *Conn) watch(t *http.Transport) *http.Transport {
	t = t.Clone()
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{} // HTTP/1.1 only
	dial := t.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := dial(ctx, network, address)
		if err == nil {
			c.raw.Store(&nc)
		}
		return nc, err
	}
	c.idle = t.CloseIdleConnections
	return t
}

func (c *Conn) established(ctx context.Context) error {
	m, err := c.Read(ctx)
	if err != nil {
		return err
	}
	var data struct {
		SocketID string `json:"socket_id"`
		Code     int
		Message  string
	}
	if err := json.Unmarshal([]byte(m.Text()), &data); err != nil {
		return fmt.Errorf("first message %s: %w", m.Event, err)
	}
	switch m.Event {
	case "pusher:connection_established":
		c.ID = data.SocketID
		return nil
	case "pusher:error":
		return &ClosedError{data.Code, data.Message}
	}
	return fmt.Errorf("first message is %s", m.Event)
}

// Read gives the next message. pusher:ping is answered and not given. After a
// close frame the error is a *ClosedError. When ctx ends the connection is gone.
func (c *Conn) Read(ctx context.Context) (Message, error) {
	for {
		_, raw, err := c.ws.Read(ctx)
		if err != nil {
			if closed, ok := errors.AsType[websocket.CloseError](err); ok {
				return Message{}, &ClosedError{int(closed.Code), closed.Reason}
			}
			return Message{}, err
		}
		var m Message
		if err := json.Unmarshal(raw, &m); err != nil {
			return m, fmt.Errorf("message of %d bytes is no event: %w", len(raw), err)
		}
		if m.Event != "pusher:ping" {
			return m, nil
		}
		if err := c.Send(ctx, "pusher:pong", "", struct{}{}); err != nil {
			return m, err
		}
	}
}

// Await reads until event comes on channel and gives it. What comes before is
// dropped.
func (c *Conn) Await(ctx context.Context, event, channel string) (Message, error) {
	for {
		m, err := c.Read(ctx)
		if err != nil || m.Event == event && m.Channel == channel {
			return m, err
		}
	}
}

// Send sends an event. An empty channel and nil data are left out.
func (c *Conn) Send(ctx context.Context, event, channel string, data any) error {
	m := struct {
		Event   string `json:"event"`
		Channel string `json:"channel,omitempty"`
		Data    any    `json:"data,omitempty"`
	}{event, channel, data}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return c.ws.Write(ctx, websocket.MessageText, raw)
}

// Subscribe asks for a channel, signed where its kind wants it, and does not
// wait for the answer. user is the id on presence channels.
func (c *Conn) Subscribe(ctx context.Context, channel, user string) error {
	data := map[string]string{"channel": channel}
	presence := strings.HasPrefix(channel, "presence-")
	if presence {
		raw, err := json.Marshal(map[string]string{"user_id": user})
		if err != nil {
			return err
		}
		data["channel_data"] = string(raw)
	}
	if presence || strings.HasPrefix(channel, "private-") {
		data["auth"] = c.target.Key + ":" + pusher.Sign(c.target.Secret, pusher.ChannelText(c.ID, channel, data["channel_data"], presence))
	}
	return c.Send(ctx, "pusher:subscribe", "", data)
}

// Join subscribes and reads until the server says that it did.
func (c *Conn) Join(ctx context.Context, channel, user string) error {
	if err := c.Subscribe(ctx, channel, user); err != nil {
		return err
	}
	_, err := c.Await(ctx, "pusher_internal:subscription_succeeded", channel)
	return err
}

// Unsubscribe leaves a channel.
func (c *Conn) Unsubscribe(ctx context.Context, channel string) error {
	return c.Send(ctx, "pusher:unsubscribe", "", map[string]string{"channel": channel})
}

// SignIn signs the connection in as a user and does not wait for the answer.
func (c *Conn) SignIn(ctx context.Context, user string) error {
	raw, err := json.Marshal(map[string]string{"id": user})
	if err != nil {
		return err
	}
	auth := c.target.Key + ":" + pusher.Sign(c.target.Secret, pusher.UserText(c.ID, string(raw)))
	return c.Send(ctx, "pusher:signin", "", map[string]string{"auth": auth, "user_data": string(raw)})
}

// Close says goodbye with a close frame. It may be called after any other end.
func (c *Conn) Close() {
	c.ws.Close(websocket.StatusNormalClosure, "") // best effort: the peer may be gone
	c.idle()
}

// Cut resets the TCP connection without a goodbye, as a lost machine does.
func (c *Conn) Cut() {
	if p := c.raw.Load(); p != nil {
		if tcp, ok := (*p).(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		(*p).Close()
	}
	c.ws.CloseNow()
	c.idle()
}
