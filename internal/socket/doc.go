// Package socket is the WebSocket door: it upgrades GET {prefix}/app/{key},
// hands each connection's messages to the hub, and writes what the hub sends.
//
// Portable is the engine with a goroutine a connection on any net.Conn, TLS
// too; Sharded the one for plain TCP on Linux, with epoll and no goroutine for
// an idle connection. Engine is what every engine offers; they share the checks
// of the upgrade, the frame codec of wsframe, the rules of liveness, the wheel
// that drives them, the flow control, and one test suite.
//
// Writing never blocks a publisher. What waits for a connection is bounded: one
// that lags too far is closed with 4100 (WS-45). Before that, publishers wait
// when most of a channel's subscribers lag (see flow.go).
//
// Locks, outermost first: the hub's of a channel, a connection's, the outlet's
// or the wheel's.
package socket

import (
	"context"
	"net"
	"net/http"
)

// Engine is a way to serve WebSocket connections.
type Engine interface {
	// ServeHTTP answers one request for the door: it upgrades the connection
	// and returns while that lives on, or answers with an error.
	http.Handler
	// Listener gives what the HTTP server is to accept from in the place of l.
	// An engine that takes WebSockets off the listener itself gives what is left.
	// It is called once, before Run; closing what it gives closes l.
	Listener(l net.Listener) net.Listener
	// Run watches over the connections until ctx ends, then cuts those that are
	// left and returns when their goroutines are gone. It is called once.
	Run(ctx context.Context) error
	// Stats gives the engine's figures.
	Stats() Stats
	// String names the engine for people.
	String() string
}

// Stats are the figures of an engine. Counters only grow while it lives.
type Stats struct {
	Open         int64            // sockets, accepted by an app or not yet
	PendingBytes int64            // waiting to be written, over all sockets that are not closing
	BytesIn      int64            // counter, without the HTTP requests
	BytesOut     int64            // counter
	Pings        int64            // counter: pings sent to silent clients
	SlowClosed   int64            // counter: sockets closed because they lagged too far
	Closed       map[int]int64    // counter: sockets closed by the server, by close code
	Rejected     map[string]int64 // counter: requests that became no WebSocket, by reason, one of a few fixed words
}
