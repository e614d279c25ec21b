package hub

// Conn gives the connection that the client was connected with, so that an
// outlet finds its own connection behind a Subscription.
func (c *Client) Conn() Conn { return c.conn }
