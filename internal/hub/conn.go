package hub

import "errors"

// ErrTight is what Outlet.Reserve gives, when it must not wait, where there is
// room but a publisher that can wait should, for a moment, because a few
// subscribers are far behind, or because of what others are about to publish.
var ErrTight = errors.New("a few subscribers are far behind, or others are about to publish")

// Conn gives the connection that the client was connected with, so that an
// outlet finds its own connection behind a Subscription.
func (c *Client) Conn() Conn { return c.conn }

// IsJava reports whether the client says that it is the official Java library
// (CH-53).
func (c *Client) IsJava() bool { return c.java }

// Joined reports whether the client is subscribed to the topic, or about to
// leave it.
func (c *Client) Joined(t *Topic) bool {
	s := c.subscription(t.Name)
	return s != nil && s.Topic == t
}

// Topics says how many topics the client is subscribed to.
func (c *Client) Topics() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.subs)
}

// EachTopic calls f for every topic that the client is subscribed to. f must
// not call the hub.
func (c *Client) EachTopic(f func(t *Topic)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.subs {
		f(s.Topic)
	}
}
