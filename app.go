package belfry

import "time"

// App is one application's settings: a closed world of channels, users and
// counts (GEN-01). Values are immutable once handed to a server; a change is a
// new App under the same ID.
type App struct {
	// ID names the app in the HTTP API's paths. Decimal digits suit every SDK
	// (HTTP-10), any string is served.
	ID string
	// Name is for people; it defaults to the ID.
	Name string
	// Keys are the active credentials, one or more (GEN-02). The first signs
	// webhooks (HOOK-03). Several may share a Key with different Secrets while
	// one of them is being rotated out.
	Keys []Credential
	// Disabled refuses connections with 4003 and API calls with 403.
	Disabled bool
	// ClientEvents allows client events on private and presence channels (CE-02).
	ClientEvents bool
	// PublicClientEvents also allows them on public channels (CE-12).
	PublicClientEvents PublicClientEvents
	// SubscriptionCount sends subscription_count events (CH-50).
	SubscriptionCount bool
	// Watchlist sends watchlist events (section 4.3).
	Watchlist bool
	// AuthorizedOnly closes with 4009 a connection that has neither signed in
	// nor joined a private or presence channel within AuthorizationTimeout
	// (WS-46). Zero means 30 s.
	AuthorizedOnly       bool
	AuthorizationTimeout time.Duration
	// ActivityTimeout is announced to clients, 5 s to 120 s; zero means 30 s (WS-25).
	ActivityTimeout time.Duration
	// CacheTTL is how long a cache channel keeps its event; zero means 30 min (CH-40).
	CacheTTL time.Duration
	// AllowedOrigins are host patterns ("app.example.com", "*.example.com") or
	// whole origins; empty means any (WS-09).
	AllowedOrigins []string
	// RequireTLS refuses connections known to be plain with 4000 (WS-37).
	RequireTLS bool
	// StrictNames caps channel names at 164 characters as hosted documentation
	// has it (CH-03).
	StrictNames bool
	// EncryptionMasterKey lets this server authorize encrypted channels: 32
	// bytes, or nil (AUTH-07).
	EncryptionMasterKey []byte
	// Compat holds what hosted behaviour leaves open (section 15).
	Compat Compat
	// Limits are the app's limits; see DefaultLimits.
	Limits Limits
	// Webhooks are where the app's events are posted.
	Webhooks []Webhook
	// WebhookBatch collects events for a short window into one request (HOOK-04).
	WebhookBatch bool
}

// Credential is one key and its secret.
type Credential struct{ Key, Secret string }

// Secrets gives the secrets of key, none when the key is not the app's.
func (a *App) Secrets(key string) []string {
	var secrets []string
	for _, c := range a.Keys {
		if c.Key == key {
			secrets = append(secrets, c.Secret)
		}
	}
	return secrets
}

// PublicClientEvents says who may send client events on public channels.
type PublicClientEvents string

// The choices of CE-12.
const (
	PublicClientEventsOff     PublicClientEvents = ""
	PublicClientEventsMembers PublicClientEvents = "members" // subscribers of the channel
	PublicClientEventsAll     PublicClientEvents = "all"     // every connection of the app
)

// Compat switches the points that hosted Pusher leaves open. The zero value is
// this server's choice.
type Compat struct {
	// RepeatSuccess answers a second subscribe with success again (CH-16).
	RepeatSuccess bool
	// Refusal picks the frames of a refused subscription: "" or "both",
	// "subscription_error", "error" (CH-13).
	Refusal string
	// StrictProtocol answers 4008 to a missing protocol and 4006 to an
	// unreadable version (WS-03).
	StrictProtocol bool
	// QuotaCode closes a connection over the app's quota: 4004, or 4100 so that
	// clients come back; zero means 4004 (WS-38).
	QuotaCode int
	// ErrorBeforeClose sends pusher:error before every close (WS-34).
	ErrorBeforeClose bool
	// TerminatePresence makes terminate match presence user ids too (USER-30).
	TerminatePresence bool
	// TerminateReconnect makes terminate close with 4200 (USER-31).
	TerminateReconnect bool
	// CloseOnRate closes with 4100 instead of only refusing a client event
	// above the rate (CE-08).
	CloseOnRate bool
}

// Unlimited lifts a limit.
const Unlimited = -1

// Limits of one app (section 10 of the protocol). Zero means the feature is
// off, Unlimited no limit; a limit that was never set holds its default, so
// start from DefaultLimits. Sizes are bytes.
type Limits struct {
	Connections           int   // per app; default Unlimited
	MessagesPerDay        int64 // publishes plus deliveries per UTC day; default Unlimited
	EventData             int   // data of an API event; default 10 KB
	ClientEventData       int   // data of a client event; default 10 KB
	EventNameLength       int   // characters; default 200
	ChannelNameLength     int   // characters; default 200
	ChannelsPerEvent      int   // default 100
	BatchSize             int   // events in a batch; default 10
	PresenceMembers       int   // distinct members of a channel; default 100
	PresenceMemberSize    int   // channel_data; default 2 KB
	PresenceUserID        int   // characters of a member's id; default 128
	UserID                int   // characters of a signed-in user's id; default 199
	Watchlist             int   // ids; default 100
	ChannelsPerConnection int   // default Unlimited
	ClientEventsPerSecond int   // per connection; default 10
	HTTPRequestsPerSecond int   // default Unlimited
	HTTPBody              int   // default 1 MiB
}

// DefaultLimits gives Pusher's limits.
func DefaultLimits() Limits {
	return Limits{
		Connections:           Unlimited,
		MessagesPerDay:        Unlimited,
		EventData:             10 << 10,
		ClientEventData:       10 << 10,
		EventNameLength:       200,
		ChannelNameLength:     200,
		ChannelsPerEvent:      100,
		BatchSize:             10,
		PresenceMembers:       100,
		PresenceMemberSize:    2 << 10,
		PresenceUserID:        128,
		UserID:                199,
		Watchlist:             100,
		ChannelsPerConnection: Unlimited,
		ClientEventsPerSecond: 10,
		HTTPRequestsPerSecond: Unlimited,
		HTTPBody:              1 << 20,
	}
}

// Over reports whether n is more than limit allows.
func Over[N int | int64](n, limit N) bool { return limit != Unlimited && n > limit }

// Webhook is one endpoint that an app's events are posted to.
type Webhook struct {
	URL string
	// Events are the kinds it gets (HOOK-10); empty means all.
	Events []string
	// Headers are added to each request; never the signature's own.
	Headers map[string]string
	// ChannelPrefix and ChannelSuffix pick channels; empty means any (HOOK-07).
	ChannelPrefix, ChannelSuffix string
}
