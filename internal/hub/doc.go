// Package hub is the engine of the realtime server: apps, connections,
// channels, presence, caches, signed-in users, counts, and the fan-out of
// events. It decides; it does no I/O.
//
// The hub stands between seams. Towards sockets: Conn answers to one
// connection, Outlet holds the subscribers of a group of connections and does
// their fan-out. Towards other servers: Cluster. Towards webhooks, metrics and
// traces: Observer. Time comes from a Clock. So the protocol can be tested with
// a fake clock and a thousand fake connections.
//
// Locks, outermost first: a channel's, the users', the small maps'. Under a
// channel's lock the hub decides, and hands joins and messages to the outlets,
// so every connection sees them in the order of the decisions (CH-11, GEN-04).
package hub
