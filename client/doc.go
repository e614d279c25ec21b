// Package client hands events over to a Belfry server, which broadcasts them to
// the browsers that subscribe to their channels.
//
// An event that Publish accepted is durable: the server keeps it in its queue
// until it is sent, also over a crash. A try that fails on the way, by the
// network or because the server is busy or down, is made again by itself, under
// one Idempotency-Key, so that the event is accepted once.
//
//	c, err := client.New(client.Config{URL: "https://ws.example.com", Token: os.Getenv("BELFRY_TOKEN")})
//	...
//	done, err := c.Publish(ctx, client.Event{
//		Name:     "order.shipped",
//		Channels: []string{"private-user.7"},
//		Data:     map[string]any{"order": 42},
//	})
//
// The token is an API token with the scope events, made on the server with
//
//	belfry user:token ada@example.com --scope events
package client
