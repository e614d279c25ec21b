package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/certs"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/hub"
)

// Config are a server's settings. The zero value listens on :6001, keeps its
// files in ./data, and makes itself an app.
type Config struct {
	// Listen is the address of everything HTTP and WebSocket; default ":6001".
	Listen string
	// MetricsListen is the address of metrics, profiling and the detailed health
	// report; default "127.0.0.1:9601", "off" for none.
	MetricsListen string
	// DataDir holds what the server keeps; default "./data". It is made if need
	// be, readable by its owner only.
	DataDir string
	// URL is the public address, for pages and logs; default: from Listen.
	URL string
	// PathPrefix stands before /app and /apps, such as "/realtime"; default none.
	PathPrefix string
	// TrustedProxies are the address ranges whose forwarding headers count.
	TrustedProxies []netip.Prefix

	// Apps are the apps of the configuration; AppOrigin says where one is
	// configured. The data folder's apps join them, and when there are none at
	// all one is made.
	Apps      []*belfry.App
	AppOrigin func(id string) string

	// Backend is the application side: database, people, events, queues. Its
	// DataDir, Version and Logger are this configuration's own.
	Backend BackendConfig
	// Rules say who may listen to private and presence channels; nil means the
	// default ones. Authorization has the application decide instead.
	Rules         *Rules
	Authorization Authorization
	// Dashboards are the live dashboards; nil means none.
	Dashboards *Dashboards
	// CORSOrigins are the origins of front ends on other hosts.
	CORSOrigins []string
	// NoWorkers leaves the embedded worker out; Concurrency is how many jobs it
	// runs at once, default 16.
	NoWorkers   bool
	Concurrency int

	// ConsolePayloads lets administrators look at the data of events in the
	// console's live log, for a while and noted in its audit log.
	ConsolePayloads bool

	// ProbeEvery is the time between two events that the server sends itself the
	// whole way, for the latency that the metrics and the health report tell of;
	// default 15 s, negative for none.
	ProbeEvery time.Duration

	// Trace says how much is remembered of events and connections.
	Trace Trace

	// TLS ends TLS in this process; nil serves plain TCP.
	TLS *TLS

	// PortableEngine serves WebSockets with a goroutine each, as on systems other
	// than Linux and under TLS; default: with epoll where that is to be had.
	PortableEngine bool
	// NoIOUring sends to each subscriber with a system call of its own; default:
	// to many with one, by io_uring, where the system allows that.
	NoIOUring bool

	MaxConnections      int           // on this server, over all apps; 0 or negative: no limit
	HandshakesPerSecond int           // from one address; 0 or negative: no limit
	MaxMessage          int           // bytes of a client's message; default 128 KiB
	SendBuffer          int           // bytes that may wait for one connection; default 1 MiB
	PingAfter           time.Duration // silence before a ping; default 25 s
	PingTimeout         time.Duration // wait for its answer; default 30 s
	HandshakeTimeout    time.Duration // for a request's head; default 10 s

	// DrainWindow is the time over which a shutdown spreads the closing of its
	// connections; default 5 s, negative for none. ShutdownGrace bounds the whole
	// shutdown; default 30 s.
	DrainWindow   time.Duration
	ShutdownGrace time.Duration

	// WebhookSecrets check the signed webhooks that tell of changes to dashboards;
	// without any none is taken.
	WebhookSecrets []string
	// WebhookAllow are the private address ranges that webhooks may go to;
	// without it they go to public addresses only.
	WebhookAllow []netip.Prefix
	// WebhooksFor is how long webhooks are kept in the database, to be looked at
	// and sent again; default seven days. WebhooksFailed is how many of those that
	// failed are; default 10,000.
	WebhooksFor    time.Duration
	WebhooksFailed int

	// Settings answers for the configuration over the control link; nil when the
	// server was not started from one.
	Settings Settings
	// ConfigFile is the file that the settings came from, for Status; may be empty.
	ConfigFile string
	// Version is the program's; default "dev".
	Version string
	Logger  *slog.Logger // default: nothing is logged

	// cluster links the hub with other servers'; nil: it is alone. Only tests set
	// it.
	cluster cluster
}

// cluster is how several servers share their channels.
type cluster interface {
	hub.Cluster
	// Start gives it this server's hub, before the first connection.
	Start(hub.Node)
	// Nodes counts the servers, this one included.
	Nodes() int
}

// TLS says where the certificate comes from: files, or an ACME authority.
type TLS struct {
	// CertFile and KeyFile are PEM files; they are read again when they change.
	CertFile, KeyFile string
	// Domains get certificates by themselves, kept in the data folder. Port 443
	// of each must lead to Listen. Email and Directory are the ACME account's and
	// authority's; default Let's Encrypt. CARoot is a PEM file with the root of a
	// private authority; default the system's roots.
	Domains          []string
	Email, Directory string
	CARoot           string
}

// Settings is the configuration that a running server can be asked about. Its
// methods are safe for concurrent use. Secret values are masked.
type Settings interface {
	// Effective gives what is in force.
	Effective() []Setting
	// Diff reads the configuration anew and gives what a reload would change.
	Diff(ctx context.Context) ([]Change, error)
	// Reload reads the configuration anew and gives what is to be taken on. A
	// configuration that does not hold is an error.
	Reload(ctx context.Context) (*Reloaded, error)
}

// Setting is one setting in force.
type Setting = control.Setting

// Change is one difference between the settings in force and those written
// down.
type Change = control.Change

// Reloaded is what a reload brings.
type Reloaded struct {
	Apps       []*belfry.App
	AppOrigin  func(id string) string
	Rules      *Rules      // nil: the default ones
	Dashboards *Dashboards // nil: none
	// WebhookSecrets replace those of Config.
	WebhookSecrets []string
	// ConsolePayloads replaces that of Config.
	ConsolePayloads bool
	Changes         []Change
}

func (c *Config) setDefaults() {
	def := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	def(&c.Listen, ":6001")
	def(&c.MetricsListen, "127.0.0.1:9601")
	def(&c.DataDir, "./data")
	def(&c.Version, "dev")
	if c.ProbeEvery == 0 {
		c.ProbeEvery = probeEvery
	}
	if c.HandshakeTimeout <= 0 {
		c.HandshakeTimeout = 10 * time.Second
	}
	if c.DrainWindow == 0 {
		c.DrainWindow = 5 * time.Second
	}
	if c.ShutdownGrace <= 0 {
		c.ShutdownGrace = 30 * time.Second
	}
	if c.Concurrency <= 0 {
		c.Concurrency = 16
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func (c *Config) validate() error {
	var faults []error
	if c.TLS != nil {
		tls := c.TLS.certs("", c.Logger)
		faults = append(faults, tls.Validate())
	}
	if c.DrainWindow > c.ShutdownGrace {
		faults = append(faults, fmt.Errorf("drain window %s is longer than the shutdown grace %s", c.DrainWindow, c.ShutdownGrace))
	}
	return errors.Join(faults...)
}

func (t *TLS) certs(dir string, log *slog.Logger) certs.Config {
	return certs.Config{CertFile: t.CertFile, KeyFile: t.KeyFile, Domains: t.Domains, Dir: dir, Email: t.Email, Directory: t.Directory,
		CARoot: t.CARoot, Logger: log}
}
