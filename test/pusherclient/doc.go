// Package pusherclient is a bare client of a Pusher-compatible server, for tests
// that run against whole processes and for load: a WebSocket connection that
// hides nothing of the protocol, and signed calls of the HTTP API. It is built
// on another WebSocket implementation than the server's.
package pusherclient
