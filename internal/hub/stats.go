package hub

// Stats are an app's figures for metrics and pages. Counters only grow while
// the process lives.
type Stats struct {
	App string
	// Gauges.
	Connections   int64
	Users         int64            // signed in
	Channels      map[string]int64 // occupied, by kind (pusher.Kind.String)
	Subscriptions map[string]int64 // by kind
	// Counters.
	ConnectionsTotal    int64
	Refused             map[int]int64 // connections refused, by close code
	MessagesIn          int64         // frames from clients
	BytesIn             int64
	Published           int64 // events of the HTTP API and of Belfry itself
	ClientEvents        int64
	Delivered           int64 // messages handed to subscribers
	BytesOut            int64
	Dropped             int64            // messages not delivered to lagging subscribers
	Denied              int64            // subscriptions and sign-ins refused
	Limits              map[string]int64 // refusals by limit's configuration key
	MessagesToday       int64            // counts against messages_per_day
	MessagesPerDayLimit int64
}
