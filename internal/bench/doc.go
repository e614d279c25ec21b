// Package bench puts load on a Pusher-compatible server and measures what it
// costs: connections held and their memory, handshakes, deliveries, the
// server's CPU for each, the time from publish to receive, and whether anything
// was lost, duplicated, reordered or closed.
//
// Run carries out one Shape against one Target and gives a Report. Presets are
// the shapes that have a name.
//
// Every message carries a mark: the number of its stream (one publisher on one
// channel), its number in that stream, and the time at which it was due. Each
// connection checks each mark, so nothing is sampled. Publishers and
// subscribers are in this process and share its clock.
//
// On Linux, for plain TCP, one goroutine serves all connections over epoll with
// one read buffer, so that the load costs far less than what it measures.
// Elsewhere, and for TLS, there is a goroutine a connection (see Report.Client).
package bench
