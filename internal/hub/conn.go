package hub

import "errors"

// ErrTight is what Outlet.Reserve gives, when it must not wait, where there is
// room but a publisher that can wait should, for a moment, because a few
// subscribers are far behind.
var ErrTight = errors.New("a few subscribers are far behind")

// Conn gives the connection that the client was connected with, so that an
// outlet finds its own connection behind a Subscription.
func (c *Client) Conn() Conn { return c.conn }
