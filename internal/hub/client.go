package hub

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/words"
	"github.com/belfryhq/belfry/pusher"
)

// Client is one connection's state in the hub. An engine keeps it, by value if
// it likes, for as long as the connection lives, and must not copy it.
//
// Receive is called by one goroutine at a time, Disconnect by any.
type Client struct {
	app      *app
	conn     Conn
	id       pusher.SocketID
	address  string
	software unique.Handle[Software] // most connections have one of few
	outlet   int16
	protocol int8
	java     bool        // the official Java client (CH-53)
	closing  atomic.Bool // Conn.Close was called: nothing more is handled
	ended    atomic.Pointer[ended]

	mu    sync.Mutex // guards all below
	gone  bool       // Disconnect was called
	since uint32     // when it was opened, in seconds of Unix; set before anybody knows it
	subs  []*Subscription
	user  *signin
	extra *clientExtra
}

// clientExtra is what few connections need.
type clientExtra struct {
	clientEvents bucket
	violations   bucket
	deadline     Timer // of WS-46
}

// ended is how a connection came to its end.
type ended struct {
	code   int
	reason string
}

// Ended says with which close code the connection ends and why; the first call
// counts, and Disconnect tells the observers. The engine calls it when it ends a
// connection on its own account, or the peer does. It may be called under any
// lock.
func (c *Client) Ended(code int, reason string) {
	if c.ended.Load() == nil {
		c.ended.CompareAndSwap(nil, &ended{code, reason})
	}
}

// Handshake is what a connection asks for (WS-01, WS-02).
type Handshake struct {
	Key         string // percent-decoded
	Protocol    string
	HasProtocol bool
	Client      string // library name
	Version     string // library version
	Origin      string // the Origin header; empty when absent
	Agent       string // the User-Agent header; empty when absent
	Address     string // the peer's address, behind trusted proxies the client's
	Plain       bool   // known not to have come over TLS (WS-37)
}

// Refusal is why a connection is refused. The engine sends it as pusher:error
// and then closes with the same code (WS-34).
type Refusal struct {
	Code    pusher.CloseCode
	Message string
}

// Connect makes c the hub's state of conn, whose subscriptions go to the
// outlet with that slot, and sends the established message (WS-05, WS-06). When
// the connection is refused it sends nothing and c is unused.
func (h *Hub) Connect(c *Client, conn Conn, outlet int, hs Handshake) *Refusal {
	a := h.registry.Load().byKey[hs.Key]
	if a == nil {
		text := fmt.Sprintf("no app has the key %q: check PUSHER_APP_KEY on the page and on the server", clip(hs.Key))
		h.strangers.Add(1)
		h.notice(Notice{Kind: NoticeRefused, App: &belfry.App{}, Text: text, Count: int(pusher.CloseNoApp), Address: hs.Address})
		return &Refusal{pusher.CloseNoApp, text}
	}
	protocol, refusal := a.admit(hs)
	if refusal == nil {
		c.app, c.conn, c.outlet, c.protocol, c.address = a, conn, int16(outlet), protocol, hs.Address
		c.software = unique.Make(hs.software())
		c.since = uint32(h.clock.Now().Unix())
		c.java = hs.Client == "java-client"
		refusal = a.enter(c)
	}
	if refusal != nil {
		a.counters.refused(int(refusal.Code))
		a.notice(Notice{Kind: NoticeRefused, Text: refusal.Message, Count: int(refusal.Code), Address: hs.Address})
		return refusal
	}
	a.notice(Notice{Kind: NoticeConnected, Socket: c.id.String(), Text: hs.Address})
	c.send(pusher.AppendEstablished(begin(128), c.id, a.activityTimeout()))
	c.startDeadline()
	return nil
}

// admit checks everything about a handshake but the quota.
func (a *app) admit(hs Handshake) (protocol int8, refusal *Refusal) {
	s := a.settings.Load()
	refuse := func(code pusher.CloseCode, format string, args ...any) (int8, *Refusal) {
		return 0, &Refusal{code, fmt.Sprintf(format, args...)}
	}
	switch {
	case s.RequireTLS && hs.Plain:
		return refuse(pusher.CloseNeedsTLS, "this app accepts TLS only: connect with wss://")
	case s.Disabled:
		return refuse(pusher.CloseAppDisabled, "this app is disabled")
	case !hs.HasProtocol && s.Compat.StrictProtocol:
		return refuse(pusher.CloseNoProtocol, "no protocol given: add ?protocol=7")
	case s.Compat.StrictProtocol && !readableVersion(hs.Version):
		return refuse(pusher.CloseBadVersion, "version %q cannot be read: use numbers parted by dots", clip(hs.Version))
	}
	protocol = 7
	if hs.HasProtocol {
		n, err := strconv.Atoi(hs.Protocol)
		if err != nil || n < 4 {
			return refuse(pusher.CloseBadProtocol, "protocol %q is not supported: use 4 to 7", clip(hs.Protocol))
		}
		protocol = int8(min(n, 7))
	}
	if !originAllowed(hs.Origin, s.AllowedOrigins) {
		return refuse(pusher.CloseUnauthorized, "origin %q is not among the allowed origins of this app", clip(hs.Origin))
	}
	return protocol, nil
}

func readableVersion(v string) bool {
	return v != "" && v[0] >= '0' && v[0] <= '9'
}

// OriginAllowed reports whether pages of an origin may use an app; "" is a
// client that names none (WS-09).
func OriginAllowed(app *belfry.App, origin string) bool {
	return originAllowed(origin, app.AllowedOrigins)
}

// originAllowed matches a whole origin, a host, or a host with a leading *.
func originAllowed(origin string, allowed []string) bool {
	if len(allowed) == 0 {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return slices.Contains(allowed, "*")
	}
	return slices.ContainsFunc(allowed, func(pattern string) bool {
		switch suffix, wild := strings.CutPrefix(pattern, "*."); {
		case pattern == "*", strings.EqualFold(pattern, origin):
			return true
		case wild:
			return strings.HasSuffix(strings.ToLower(u.Hostname()), "."+strings.ToLower(suffix))
		}
		return strings.EqualFold(pattern, u.Host) || strings.EqualFold(pattern, u.Hostname())
	})
}

// enter counts a connection in, under the app's quota (WS-38).
func (a *app) enter(c *Client) *Refusal {
	s := a.settings.Load()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hub.draining.Load() {
		return &Refusal{pusher.CloseOverCapacity, "this server is shutting down: connect again in a moment"}
	}
	n := len(a.conns) + 1
	if belfry.Over(n, s.Limits.Connections) {
		code := pusher.CloseOverQuota
		if s.Compat.QuotaCode != 0 {
			code = pusher.CloseCode(s.Compat.QuotaCode)
		}
		a.limit("connections", Notice{}, int64(n), int64(s.Limits.Connections))
		return &Refusal{code, fmt.Sprintf("this app has its limit of %d connections", s.Limits.Connections)}
	}
	a.near("connections", Notice{}, int64(n), int64(s.Limits.Connections))
	for c.id.IsZero() || a.conns[c.id] != nil {
		c.id = pusher.NewSocketID()
	}
	a.conns[c.id] = c
	a.hub.open.Add(1)
	a.counters.connections.Add(1)
	a.counters.total.Add(1)
	return nil
}

// ID gives the connection's socket id.
func (c *Client) ID() pusher.SocketID { return c.id }

// App gives the settings of the connection's app; nil before Connect.
func (c *Client) App() *belfry.App { return c.app.get() }

// Protocol gives the protocol version, 4 to 7.
func (c *Client) Protocol() int { return int(c.protocol) }

// Address gives the peer's address as the handshake had it.
func (c *Client) Address() string { return c.address }

// send seals what begin began and queues it.
func (c *Client) send(buf []byte) {
	m := c.app.hub.seal(buf)
	c.app.counters.bytesOut.Add(int64(len(m.sealed)))
	c.conn.Send(m.sealed)
}

// fail answers a command with pusher:error.
func (c *Client) fail(code pusher.CloseCode, format string, args ...any) {
	c.send(pusher.AppendError(begin(160), code, fmt.Sprintf(format, args...)))
}

// close ends the connection with a code; older protocols get pusher:error
// before it (WS-34).
func (c *Client) close(code pusher.CloseCode, reason string) {
	if c.closing.Swap(true) {
		return
	}
	c.Ended(int(code), reason)
	var message []byte
	if c.protocol < 6 || c.app.settings.Load().Compat.ErrorBeforeClose {
		message = c.app.hub.seal(pusher.AppendError(begin(160), code, reason)).sealed
	}
	c.conn.Close(code, reason, message)
}

// Disconnect leaves every channel and signs out, each once (CH-22). It is
// idempotent.
func (c *Client) Disconnect() {
	if c.app == nil {
		return
	}
	c.closing.Store(true)
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return
	}
	c.gone = true
	subs, user := c.subs, c.user
	c.subs, c.user = nil, nil
	if c.extra != nil && c.extra.deadline != nil {
		c.extra.deadline.Stop()
	}
	c.mu.Unlock()

	for _, s := range subs {
		c.leave(s)
	}
	userID := ""
	if user != nil {
		userID = user.ID
		c.app.users.signOut(c, user)
	}
	c.app.exit(c)
	n := Notice{Kind: NoticeDisconnected, Socket: c.id.String(), UserID: userID}
	if end := c.ended.Load(); end != nil {
		n.Count, n.Text = end.code, end.reason
	}
	c.app.notice(n)
}

func (a *app) exit(c *Client) {
	a.mu.Lock()
	delete(a.conns, c.id)
	a.mu.Unlock()
	a.counters.connections.Add(-1)
	if a.hub.open.Add(-1) == 0 && a.hub.draining.Load() {
		select {
		case a.hub.empty <- struct{}{}:
		default:
		}
	}
}

// startDeadline closes a connection that is still anonymous after the app's
// time for it (WS-46).
func (c *Client) startDeadline() {
	s := c.app.settings.Load()
	if !s.AuthorizedOnly {
		return
	}
	wait := s.AuthorizationTimeout
	if wait <= 0 {
		wait = 30 * time.Second
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return
	}
	c.more().deadline = c.app.hub.clock.AfterFunc(wait, func() {
		c.close(pusher.CloseUnauthorized, fmt.Sprintf("this app takes authorized connections only: sign in or join a private channel within %s", wait))
	})
}

// authorized ends the deadline of WS-46.
func (c *Client) authorized() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra != nil && c.extra.deadline != nil {
		c.extra.deadline.Stop()
	}
}

// more gives the extra state; c.mu is held.
func (c *Client) more() *clientExtra {
	if c.extra == nil {
		c.extra = &clientExtra{}
	}
	return c.extra
}

// subscription gives the connection's subscription to a channel, or nil.
func (c *Client) subscription(channel string) *Subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.subs {
		if s.Topic.Name == channel {
			return s
		}
	}
	return nil
}

// bucket is a token bucket; the zero value is full.
type bucket struct {
	last   time.Time
	tokens float64
}

// take takes a token of at most size, which come back at rate a second.
func (b *bucket) take(now time.Time, rate, size float64) bool {
	if b.last.IsZero() {
		b.tokens = size
	} else {
		b.tokens = math.Min(size, b.tokens+now.Sub(b.last).Seconds()*rate)
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// clip bounds what a message repeats of its input.
func clip(s string) string { return words.Clip(s, 200) }
