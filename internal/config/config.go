package config

import (
	"net/netip"
	"time"
)

// Config holds all settings. The zero value is not useful: [Load] makes one
// and fills in the defaults. It is not changed after that and may be read
// concurrently.
//
// A field's comment is its entry in the reference; its tags are the contract:
// yaml is the key in the file, env the variables (the first one set wins),
// flag the command-line flag, default the default as an operator would write
// it, example a value for the sample file where there is no default, kind the
// syntax where the type does not say it, live that a reload applies a change
// without a restart, later that nothing reads the value yet, and for what.
type Config struct {
	// Address of everything HTTP and WebSocket, `HOST:PORT` or `:PORT`.
	Listen string `yaml:"listen" env:"BELFRY_LISTEN" flag:"listen" default:":6001" kind:"listen"`
	// Folder for generated keys, apps, the database, pid and log files, and the
	// socket that commands reach the server by. Created with owner-only rights.
	DataDir string `yaml:"data_dir" env:"BELFRY_DATA_DIR" flag:"data-dir" default:"./data"`
	// Public address of the server, for links and printed settings. When unset
	// it is `localhost` at the port of `listen`.
	URL string `yaml:"url" env:"BELFRY_URL,APP_URL" default:"http://localhost:6001" kind:"url"`
	// Address of metrics, profiling and the detailed health report; `off` for
	// none. Keep it off the public network.
	MetricsListen string `yaml:"metrics_listen" env:"BELFRY_METRICS_LISTEN" flag:"metrics-listen" default:"127.0.0.1:9601" kind:"listen-off"`
	// Address ranges whose `Forwarded` and `X-Forwarded-*` headers count, such
	// as `10.0.0.0/8` or `192.0.2.7`.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies" env:"BELFRY_TRUSTED_PROXIES" kind:"prefixes" example:"[\"10.0.0.0/8\"]"`
	// Origins of front ends on other hosts, such as `https://app.example.com`.
	// The default is the origin of `APP_URL` when that is set.
	CORSOrigins []string `yaml:"cors_origins" env:"BELFRY_CORS_ORIGINS" kind:"origin" example:"[\"https://app.example.com\"]"`
	// What is logged and how.
	Log Log `yaml:"log"`
	// The server's own limits and times.
	Server Server `yaml:"server"`
	// TLS in this process. Without it the server speaks plain HTTP, for a proxy
	// that ends TLS.
	TLS TLS `yaml:"tls"`
	// Delivery of outgoing webhooks, for all apps.
	Webhooks Delivery `yaml:"webhooks"`

	// The apps of this server. Without any, and without `PUSHER_APP_*`, one is
	// generated on the first start.
	AppList []App `yaml:"apps" live:"true"`

	// Credentials of the default app, and where `broadcast_connection: pusher`
	// publishes.
	Pusher Pusher `yaml:"pusher"`
	// Where `broadcast_connection: reverb` publishes.
	Reverb Reverb `yaml:"reverb"`
	// Where events of the application go: `local` (this server), `pusher`,
	// `reverb`, `log` or `null`.
	BroadcastConnection string `yaml:"broadcast_connection" env:"BROADCAST_CONNECTION,BROADCAST_DRIVER" default:"local" kind:"enum local pusher reverb log null"`
	// What holds queued jobs: `database`, `redis` or `sync`.
	QueueConnection string `yaml:"queue_connection" env:"QUEUE_CONNECTION" default:"database" kind:"enum database redis sync"`
	// Database: `sqlite:///path` or `postgres://…`. The default is SQLite in
	// the data folder.
	DatabaseURL string `yaml:"database_url" env:"DATABASE_URL" kind:"database" example:"sqlite:///var/lib/belfry/belfry.db"`
	// Redis, for queues.
	Redis Redis `yaml:"redis"`
	// Secret that signs webhooks sent to this server, or two parted by a comma
	// while one replaces the other.
	WebhookSharedSecrets []string `yaml:"webhook_shared_secret" env:"SERVICES_WEBHOOK_SHARED_SECRET" secret:"true" live:"true" example:"\"${WEBHOOK_SECRET}\""`
	// Where the webhook senders for Go and Python post.
	WebhookURL string `yaml:"webhook_url" env:"LARAVEL_WEBHOOK_URL,BELFRY_WEBHOOK_URL" kind:"url" example:"https://ws.example.com/api/dashboard/notify-update"`

	// Who may listen to private, presence and encrypted channels: rules, tried in
	// order; the first that allows wins, and what none allows is denied. Without
	// the section everybody has `user.{userId}` and those of `role.{roleName}`,
	// any signed-in user `system`, admins `admin`, managers and admins
	// `dashboard` and `dashboard.{name}`.
	Channels []ChannelRule `yaml:"channels" live:"true"`
	// Who else decides on channels, and how often one may ask.
	Authorization Authorization `yaml:"authorization"`
	// Applications, or their identity providers, whose JWTs count as bearer
	// tokens.
	JWT []JWTIssuer `yaml:"jwt"`
	// Web Push: notifications for browsers with no page open.
	Push WebPush `yaml:"push"`
	// Sessions of people who sign in here.
	Session SignIn `yaml:"session"`
	// Live dashboards: figures read from databases, computed anew and broadcast
	// when a signed webhook tells of a change.
	Dashboards []Dashboard `yaml:"dashboards" live:"true"`
	// The queues that events may name, in the order of their importance: a job
	// of a later one starts only when none of an earlier one waits. `default`
	// and `notifications` are always there, last where the list leaves them out.
	Queues []QueueSettings `yaml:"queues"`
	// The worker inside the server.
	Workers Workers `yaml:"workers"`
	// What is remembered of events and connections, to explain where they went.
	Trace Trace `yaml:"trace"`
	// How the server watches itself.
	Health Health `yaml:"health"`
	// The administrators' console.
	Console Console `yaml:"console"`
	// Several servers as one.
	Cluster Section `yaml:"cluster" later:"the cluster" example:"{}"`

	file     string
	sources  map[string]Source
	spots    map[string]spots
	warnings []string
}

// Log says what is logged and how.
type Log struct {
	// Least level that is logged: `debug`, `info`, `warn` or `error`.
	Level string `yaml:"level" env:"BELFRY_LOG_LEVEL" flag:"log-level" default:"info" kind:"enum debug info warn error"`
	// `text`, `json`, or `auto`: text on a terminal, JSON elsewhere.
	Format string `yaml:"format" env:"BELFRY_LOG_FORMAT" flag:"log-format" default:"auto" kind:"enum auto text json"`
}

// Server holds the server's own limits and times.
type Server struct {
	// Path before `/app` and `/apps`, such as `/realtime`; the `wsPath` and
	// `path` of clients.
	PathPrefix string `yaml:"path_prefix" env:"BELFRY_PATH_PREFIX" kind:"path" example:"/realtime"`
	// How WebSockets are served: `auto` takes epoll for plain TCP on Linux, with
	// io_uring for sending where the system allows that, and `portable`, a goroutine
	// for each connection, everywhere else. `epoll` does without io_uring.
	Engine string `yaml:"engine" env:"BELFRY_ENGINE" default:"auto" kind:"enum auto epoll portable"`
	// Connections on this server over all apps; more get 4100.
	MaxConnections int `yaml:"max_connections" default:"unlimited" kind:"quota"`
	// WebSocket handshakes a second from one address, twice that in a burst;
	// more get HTTP 429.
	HandshakesPerSecond int `yaml:"handshakes_per_second" default:"unlimited" kind:"quota"`
	// Largest message a client may send; a larger one is closed with 1009.
	MaxMessageSize int `yaml:"max_message_size" default:"128KB" kind:"size" min:"1KB" max:"16MB"`
	// What may wait for one slow connection before it is closed with 4100.
	SendBuffer int `yaml:"send_buffer" default:"1MB" kind:"size" min:"16KB" max:"1GB"`
	// Silence after which the server pings a connection.
	PingAfter time.Duration `yaml:"ping_after" default:"25s" min:"1s" max:"10m"`
	// Wait for an answer to that ping before 4201.
	PingTimeout time.Duration `yaml:"ping_timeout" default:"30s" min:"1s" max:"10m"`
	// Time for a connection to finish its request head, TLS included.
	HandshakeTimeout time.Duration `yaml:"handshake_timeout" default:"10s" min:"1s" max:"5m"`
	// Time over which connections are closed at a shutdown, in slices.
	DrainWindow time.Duration `yaml:"drain_window" default:"5s" min:"0s" max:"10m"`
	// Time a shutdown may take in all; then the process exits anyway.
	ShutdownGrace time.Duration `yaml:"shutdown_grace" default:"30s" min:"1s" max:"1h"`
}

// TLS says how this process gets its certificates: from files, or by itself.
type TLS struct {
	// File with the certificate chain, PEM.
	CertFile string `yaml:"cert_file" env:"BELFRY_TLS_CERT_FILE" example:"/etc/belfry/tls.crt"`
	// File with its private key, PEM.
	KeyFile string `yaml:"key_file" env:"BELFRY_TLS_KEY_FILE" example:"/etc/belfry/tls.key"`
	// Certificates fetched and renewed by the server, kept in the data folder.
	Auto AutoTLS `yaml:"auto"`
}

// Enabled reports whether the server speaks TLS itself.
func (t *TLS) Enabled() bool { return t.CertFile != "" || len(t.Auto.Domains) > 0 }

// AutoTLS fetches certificates over ACME.
type AutoTLS struct {
	// Names to get certificates for. Port 443 of each must lead to this server,
	// where the authority looks for it.
	Domains []string `yaml:"domains" env:"BELFRY_TLS_DOMAINS" kind:"domain" example:"[\"ws.example.com\"]"`
	// Address that the authority may write to.
	Email string `yaml:"email" env:"BELFRY_TLS_EMAIL" example:"ops@example.com"`
	// The authority's ACME directory; the default is Let's Encrypt.
	Directory string `yaml:"directory" kind:"url" example:"https://acme-v02.api.letsencrypt.org/directory"`
	// File with the root certificate of a private authority, PEM; the default
	// is the system's roots.
	CARoot string `yaml:"ca_root" env:"BELFRY_TLS_CA_ROOT" example:"/etc/belfry/ca.pem"`
}

// Delivery concerns outgoing webhooks.
type Delivery struct {
	// Private, loopback and link-local addresses that webhooks may be sent to:
	// address ranges, or `true` for all.
	AllowPrivateAddresses []netip.Prefix `yaml:"allow_private_addresses" kind:"prefixes-all" example:"[\"10.0.0.0/8\"]"`
	// How long webhooks are kept in the database: those that failed, to be sent
	// again, and the last of the others. Bodies go after seven days at the latest.
	Keep time.Duration `yaml:"keep" default:"168h" min:"1h" max:"2160h"`
	// How many that failed are kept; of more, the last.
	KeepFailed int `yaml:"keep_failed" default:"10000" min:"100" max:"1000000"`
}

// Pusher holds the default app's credentials and the target of the pusher
// connection.
type Pusher struct {
	// Id of the default app.
	AppID string `yaml:"app_id" env:"PUSHER_APP_ID,REVERB_APP_ID,SOKETI_DEFAULT_APP_ID" kind:"app-id" live:"true" example:"\"2002\""`
	// Its key, which front ends use.
	Key string `yaml:"app_key" env:"PUSHER_APP_KEY,REVERB_APP_KEY,SOKETI_DEFAULT_APP_KEY" kind:"app-key" live:"true" example:"my-key"`
	// Its secret, which back ends sign with.
	Secret string `yaml:"app_secret" env:"PUSHER_APP_SECRET,REVERB_APP_SECRET,SOKETI_DEFAULT_APP_SECRET" secret:"true" live:"true" example:"\"${MY_SECRET}\""`
	// Cluster of hosted Pusher.
	Cluster string `yaml:"app_cluster" env:"PUSHER_APP_CLUSTER" default:"mt1"`
	// Host to publish to. Empty means `api-CLUSTER.pusher.com`.
	Host string `yaml:"host" env:"PUSHER_HOST" example:"ws.example.com"`
	// Its port.
	Port int `yaml:"port" env:"PUSHER_PORT" default:"443" kind:"port"`
	// `https` or `http`.
	Scheme string `yaml:"scheme" env:"PUSHER_SCHEME" default:"https" kind:"enum https http"`
}

// Reverb is the target of the reverb connection.
type Reverb struct {
	// Host to publish to.
	Host string `yaml:"host" env:"REVERB_HOST" example:"ws.example.com"`
	// Its port.
	Port int `yaml:"port" env:"REVERB_PORT" default:"443" kind:"port"`
	// `https` or `http`.
	Scheme string `yaml:"scheme" env:"REVERB_SCHEME" default:"https" kind:"enum https http"`
}

// Redis says where Redis is.
type Redis struct {
	// Whole address, `redis://…` or `rediss://…`; the other three then do not
	// count.
	URL string `yaml:"url" env:"REDIS_URL" example:"redis://127.0.0.1:6379/0" kind:"redis"`
	// Host.
	Host string `yaml:"host" env:"REDIS_HOST" default:"127.0.0.1"`
	// Password. The word `null` counts as none.
	Password string `yaml:"password" env:"REDIS_PASSWORD" secret:"true" kind:"null" example:"\"${REDIS_PASSWORD}\""`
	// Port.
	Port int `yaml:"port" env:"REDIS_PORT" default:"6379" kind:"port"`
}

// Section is a part of the file that a later part of the program reads. It is
// known to be YAML, nothing more.
type Section struct{ root *node }

// Set reports whether the file has the section with something in it.
func (s Section) Set() bool { return s.root != nil }
