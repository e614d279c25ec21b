package config

import (
	"encoding/base64"
	"maps"
	"slices"
	"time"

	"github.com/belfryhq/belfry"
)

// App is one app as the file has it. Tags and comments serve as in [Config].
type App struct {
	// Id, in the paths of the HTTP API. Decimal digits suit every SDK.
	ID string `yaml:"id" kind:"app-id" required:"true" example:"\"1001\""`
	// Public key.
	Key string `yaml:"key" kind:"app-key" required:"true" example:"analytics"`
	// Secret of that key.
	Secret string `yaml:"secret" secret:"true" example:"\"${ANALYTICS_SECRET}\""`
	// More credentials, while rotating: a text is another secret of the same
	// key, `{key, secret}` another pair.
	Secrets []Credential `yaml:"secrets" example:"[\"${OLD_SECRET}\"]"`
	// Name for people; the default is the id.
	Name string `yaml:"name" example:"Analytics"`
	// When false, connections are refused with 4003 and API calls with 403.
	Enabled bool `yaml:"enabled" default:"true"`
	// Allows client events on private and presence channels.
	ClientEvents bool `yaml:"client_events" default:"false"`
	// Allows them on public channels too: `off`, `members` (of the channel) or
	// `all` (connections of the app).
	PublicClientEvents string `yaml:"public_client_events" default:"off" kind:"enum off members all"`
	// Sends subscription counts to subscribers.
	SubscriptionCount bool `yaml:"subscription_count" default:"false"`
	// Sends watchlist events to signed-in users.
	Watchlist bool `yaml:"watchlist" default:"false"`
	// Closes, with 4009, a connection that has neither signed in nor joined a
	// private or presence channel in time.
	AuthorizedOnly bool `yaml:"authorized_only" default:"false"`
	// That time.
	AuthorizationTimeout time.Duration `yaml:"authorization_timeout" default:"30s" min:"1s" max:"1h"`
	// Activity timeout told to clients.
	ActivityTimeout time.Duration `yaml:"activity_timeout" default:"30s" min:"5s" max:"120s"`
	// How long a cache channel keeps its last event.
	CacheTTL time.Duration `yaml:"cache_ttl" default:"30m" min:"1s" max:"720h"`
	// Origins that browsers may connect from: host patterns
	// (`app.example.com`, `*.example.com`) or whole origins. None, or `*`,
	// means any.
	AllowedOrigins []string `yaml:"allowed_origins" kind:"origin-pattern" example:"[\"app.example.com\"]"`
	// Refuses, with 4000, connections known not to be TLS.
	RequireTLS bool `yaml:"require_tls" default:"false"`
	// Caps channel names at 164 characters, as hosted Pusher's documentation
	// has it.
	StrictNames bool `yaml:"strict_names" default:"false"`
	// 32 bytes in base64, with which this server authorizes encrypted
	// channels.
	EncryptionMasterKey string `yaml:"encryption_master_key" secret:"true" kind:"base64-32" example:"\"${MASTER_KEY}\""`
	// Replay of missed events after a reconnect. Not built yet: `true` is
	// refused.
	Replay bool `yaml:"replay" default:"false" kind:"unbuilt"`
	// Collects webhook events for a short moment into one request.
	WebhookBatch bool `yaml:"webhook_batch" default:"false"`
	// Where the app's events are posted.
	Webhooks []Webhook `yaml:"webhooks"`
	// The app's limits. `0` turns the feature off, `-1` or `unlimited` lifts
	// the limit.
	Limits Limits `yaml:"limits"`
	// Points where Pusher-compatible servers differ.
	Compat Compat `yaml:"compat"`
}

// Credential is one more key and secret of an app. A text alone is a secret of
// the app's first key.
type Credential struct {
	// Key; the default is the app's.
	Key string `yaml:"key" kind:"app-key"`
	// Secret.
	Secret string `yaml:"secret" secret:"true" required:"true"`
}

// Webhook mirrors [belfry.Webhook].
type Webhook struct {
	// Address to post to, `https://…` or `http://…`.
	URL string `yaml:"url" kind:"url" required:"true" example:"https://example.test/hooks"`
	// Kinds of events it gets: `channel_occupied`, `channel_vacated`,
	// `member_added`, `member_removed`, `client_event`, `cache_miss`,
	// `subscription_count`. None means all.
	Events []string `yaml:"events" kind:"enum channel_occupied channel_vacated member_added member_removed client_event cache_miss subscription_count" example:"[channel_occupied, channel_vacated]"`
	// Headers to add to each request.
	Headers map[string]string `yaml:"headers" secret:"true" example:"{X-Environment: production}"`
	// Only channels whose names begin so.
	ChannelPrefix string `yaml:"channel_prefix" example:"private-"`
	// Only channels whose names end so.
	ChannelSuffix string `yaml:"channel_suffix" example:".orders"`
}

// Limits mirrors [belfry.Limits].
type Limits struct {
	// Connections of the app; more are refused with 4004.
	Connections int `yaml:"connections" default:"unlimited" kind:"limit"`
	// Publishes plus deliveries in a UTC day; over it the HTTP API refuses
	// publishes and nobody is disconnected.
	MessagesPerDay int64 `yaml:"messages_per_day" default:"unlimited" kind:"limit"`
	// Data of an event of the HTTP API.
	EventData int `yaml:"event_data" default:"10KB" kind:"size-limit"`
	// Data of a client event.
	ClientEventData int `yaml:"client_event_data" default:"10KB" kind:"size-limit"`
	// Characters of an event's name.
	EventNameLength int `yaml:"event_name_length" default:"200" kind:"limit"`
	// Characters of a channel's name.
	ChannelNameLength int `yaml:"channel_name_length" default:"200" kind:"limit"`
	// Channels of one event.
	ChannelsPerEvent int `yaml:"channels_per_event" default:"100" kind:"limit"`
	// Events of one batch.
	BatchSize int `yaml:"batch_size" default:"10" kind:"limit"`
	// Members of a presence channel.
	PresenceMembers int `yaml:"presence_members" default:"100" kind:"limit"`
	// Channel data of one member.
	PresenceMemberSize int `yaml:"presence_member_size" default:"2KB" kind:"size-limit"`
	// Characters of a member's id.
	PresenceUserID int `yaml:"presence_user_id" default:"128" kind:"limit"`
	// Characters of a signed-in user's id.
	UserID int `yaml:"user_id" default:"199" kind:"limit"`
	// Ids on a watchlist.
	Watchlist int `yaml:"watchlist" default:"100" kind:"limit"`
	// Channels of one connection.
	ChannelsPerConnection int `yaml:"channels_per_connection" default:"unlimited" kind:"limit"`
	// Client events a second from one connection.
	ClientEventsPerSecond int `yaml:"client_events_per_second" default:"10" kind:"limit"`
	// Requests a second to the HTTP API.
	HTTPRequestsPerSecond int `yaml:"http_requests_per_second" default:"unlimited" kind:"limit"`
	// Body of a request to the HTTP API.
	HTTPBody int `yaml:"http_body" default:"1MB" kind:"size-limit"`
}

// Compat mirrors [belfry.Compat].
type Compat struct {
	// Answers a second subscribe of one connection with success again, not
	// with an error.
	RepeatSuccess bool `yaml:"repeat_success" default:"false"`
	// Frames of a refused subscription: `both`, `subscription_error` or
	// `error`.
	Refusal string `yaml:"refusal" default:"both" kind:"enum both subscription_error error"`
	// Answers 4008 to a missing protocol and 4006 to an unreadable version.
	StrictProtocol bool `yaml:"strict_protocol" default:"false"`
	// Close code over the connection quota: 4004 (clients stay away) or 4100
	// (they come back).
	QuotaCode int `yaml:"quota_code" default:"4004" kind:"enum 4004 4100"`
	// Sends `pusher:error` before every close.
	ErrorBeforeClose bool `yaml:"error_before_close" default:"false"`
	// Makes terminating a user match presence user ids too.
	TerminatePresence bool `yaml:"terminate_presence" default:"false"`
	// Makes terminating a user close with 4200, so that clients come back.
	TerminateReconnect bool `yaml:"terminate_reconnect" default:"false"`
	// Closes with 4100 a connection that sends client events too fast, instead
	// of refusing the event alone.
	CloseOnRate bool `yaml:"close_on_rate" default:"false"`
}

// Apps gives the apps of the settings in the file's order, the app of
// PUSHER_APP_* first when it is not one of the file's. They are made anew at
// each call. It is empty when nothing names an app.
func (c *Config) Apps() []*belfry.App {
	var apps []*belfry.App
	if c.Pusher.AppID != "" && !slices.ContainsFunc(c.AppList, func(a App) bool { return a.ID == c.Pusher.AppID }) {
		apps = append(apps, &belfry.App{
			ID:     c.Pusher.AppID,
			Name:   c.Pusher.AppID,
			Keys:   []belfry.Credential{{Key: c.Pusher.Key, Secret: c.Pusher.Secret}},
			Limits: belfry.DefaultLimits(),
		})
	}
	for i := range c.AppList {
		apps = append(apps, c.AppList[i].app())
	}
	return apps
}

// DefaultApp gives the app of PUSHER_APP_*, else the first in the file, else
// nil: then the server makes one up and keeps it.
func (c *Config) DefaultApp() *belfry.App {
	apps := c.Apps()
	for _, a := range apps {
		if a.ID == c.Pusher.AppID {
			return a
		}
	}
	if len(apps) > 0 {
		return apps[0]
	}
	return nil
}

// credentials lists the app's pairs, the first one first.
func (a *App) credentials() []belfry.Credential {
	var all []belfry.Credential
	if a.Secret != "" {
		all = append(all, belfry.Credential{Key: a.Key, Secret: a.Secret})
	}
	for _, s := range a.Secrets {
		if s.Key == "" {
			s.Key = a.Key
		}
		all = append(all, belfry.Credential(s))
	}
	return all
}

func (a *App) app() *belfry.App {
	app := &belfry.App{
		ID:                   a.ID,
		Name:                 a.Name,
		Keys:                 a.credentials(),
		Disabled:             !a.Enabled,
		ClientEvents:         a.ClientEvents,
		SubscriptionCount:    a.SubscriptionCount,
		Watchlist:            a.Watchlist,
		AuthorizedOnly:       a.AuthorizedOnly,
		AuthorizationTimeout: a.AuthorizationTimeout,
		ActivityTimeout:      a.ActivityTimeout,
		CacheTTL:             a.CacheTTL,
		AllowedOrigins:       slices.Clone(a.AllowedOrigins),
		RequireTLS:           a.RequireTLS,
		StrictNames:          a.StrictNames,
		Compat:               belfry.Compat(a.Compat),
		Limits:               belfry.Limits(a.Limits),
		WebhookBatch:         a.WebhookBatch,
	}
	if app.Name == "" {
		app.Name = a.ID
	}
	if a.PublicClientEvents != "off" {
		app.PublicClientEvents = belfry.PublicClientEvents(a.PublicClientEvents)
	}
	if slices.Contains(app.AllowedOrigins, "*") {
		app.AllowedOrigins = nil
	}
	if a.EncryptionMasterKey != "" {
		app.EncryptionMasterKey, _ = base64.StdEncoding.DecodeString(a.EncryptionMasterKey) // checked by Load
	}
	for _, w := range a.Webhooks {
		w.Events, w.Headers = slices.Clone(w.Events), maps.Clone(w.Headers)
		app.Webhooks = append(app.Webhooks, belfry.Webhook(w))
	}
	return app
}
