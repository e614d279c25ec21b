package ops

// SocketStats are the figures of the WebSocket engine. Counters only grow
// while the process lives.
type SocketStats struct {
	Open         int64            // sockets, accepted by an app or not yet
	PendingBytes int64            // waiting to be written, over all sockets
	BytesIn      int64            // counter
	BytesOut     int64            // counter
	Pings        int64            // counter: pings sent to silent clients
	SlowClosed   int64            // counter: sockets closed because they lagged too far
	Closed       map[int]int64    // counter: sockets closed by the server, by close code
	Rejected     map[string]int64 // counter: requests that became no WebSocket, by reason, one of a few fixed words
}

// HookStats are the figures of one app's webhooks. Counters only grow while
// the process lives.
type HookStats struct {
	App     string
	Pending int64 // events waiting to be sent
	Sent    int64 // counter: requests that were answered with a 2xx
	Failed  int64 // counter: attempts that were not
	Retried int64 // counter: attempts after the first
	Dropped int64 // counter: events given up, after the last attempt or because the queue was full
}
