package server

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/broadcast/hubcast"
	"github.com/belfryhq/belfry/internal/broadcast/logcast"
	"github.com/belfryhq/belfry/internal/broadcast/nullcast"
	"github.com/belfryhq/belfry/internal/broadcast/pushercast"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/queue/asynqqueue"
	"github.com/belfryhq/belfry/internal/queue/riverqueue"
	"github.com/belfryhq/belfry/internal/queue/syncqueue"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/pusher"
)

// BackendConfig says what the application side is made of. The zero value is
// SQLite in ./data, jobs in the database, and events to this server's own
// subscribers.
type BackendConfig struct {
	// DataDir holds the SQLite file; default "./data".
	DataDir string
	// DatabaseURL is sqlite:///path or postgres://…; default: SQLite in DataDir.
	DatabaseURL string
	// Broadcaster is where events go: "local" (default), "pusher", "reverb",
	// "log" or "null". Target is where the second and third are.
	Broadcaster string
	Target      Target
	// Queue is what keeps jobs: "database" (default), "redis" or "sync".
	Queue string
	Redis Redis
	// Queues are the queues that events may name, in the order of their
	// importance, with their settings; default: default and notifications.
	Queues []Queue
	// Push reaches closed browsers; default: nobody does.
	Push *Push
	// Issuers are whose JWTs count.
	Issuers []Issuer
	// SessionIdle and SessionLifetime end a browser's session; default two hours
	// and 30 days. LoginDelay bounds the pause after wrong passwords; default 30 s.
	SessionIdle, SessionLifetime, LoginDelay time.Duration
	// Apps are the configuration's and AppOrigin says where one is configured,
	// for a process without a server; a Server has its own.
	Apps      []*belfry.App
	AppOrigin func(id string) string
	// Own are the addresses, "host:port", that this server is reached by: a
	// target that is one of its own apps there is served as "local".
	Own []string
	// Version is the program's; default "dev".
	Version string
	Logger  *slog.Logger // default: nothing is logged
}

// Issuer is whose JWTs count.
type Issuer = identity.Issuer

// Queue is a queue by name, with what holds for its jobs that say nothing else.
type Queue struct {
	Name     string
	Settings QueueSettings
}

// QueueSettings are a queue's own. Zero values leave it to the worker.
type QueueSettings = queue.Settings

// Target is a Pusher-compatible server's HTTP API.
type Target struct {
	AppID, Key, Secret string
	// Host is empty for hosted Pusher, whose host follows from Cluster.
	Host, Scheme, Cluster string
	Port                  int
}

// Redis says where Redis is.
type Redis struct {
	// URL is redis://… or rediss://…; the others then do not count.
	URL            string
	Host, Password string
	Port           int
}

func (r Redis) address() string {
	return net.JoinHostPort(cmp.Or(r.Host, "127.0.0.1"), strconv.Itoa(cmp.Or(r.Port, 6379)))
}

// Backend is the application side without its doors: what a command and a
// worker process share with the server. Make one with OpenBackend.
type Backend struct {
	DB        *store.DB
	Identity  *identity.Identity
	Queue     *queue.Queue
	Broadcast *broadcast.Broadcaster
	Notify    *notify.Notify
	Apps      *appstore.Roster
	// EventApps gives the app that events are for, "" the default one; nil for
	// one that the broadcaster does not know.
	EventApps func(id string) *belfry.App

	cfg    BackendConfig
	jobs   queue.Driver
	pushes *http.Client // nil without Push
	log    *slog.Logger
	served bool // a Server keeps Apps
}

// Realtime is the hub that the driver "local" publishes to: the server's own,
// or, in another process, the control link to it.
type Realtime = hubcast.Hub

// Links are what a backend is tied to in its process. The zero value is that of
// a command: events can be queued, not sent.
type Links struct {
	// Realtime is where "local" publishes; nil answers that no server is found.
	Realtime Realtime
	// ServeApps gets all apps after each change of theirs.
	ServeApps func([]*belfry.App)
	// App gives an app, "" the default one; default: from the roster.
	App func(id string) *belfry.App
	// Changed is told of changes of users; Enqueued of jobs that were enqueued in
	// this process. Both must return at once.
	Changed  func()
	Enqueued func(queues []string)
	// Online gives the users who have a page open; default: not known.
	Online func(ctx context.Context) ([]string, error)
	// Sent is told how long each event took that this process sent, from its
	// acceptance. It must return at once.
	Sent func(app string, took time.Duration)
	// Trace is told of each step of an event in this process. It may be called
	// concurrently and must return at once. Default: the broadcaster remembers.
	Trace func(trace.Note)
}

// OpenBackend builds the application side. It opens the database but neither
// changes nor asks it; Prepare does. Close ends it.
func OpenBackend(cfg BackendConfig, links Links) (*Backend, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.DataDir = cmp.Or(cfg.DataDir, "./data")
	cfg.Version = cmp.Or(cfg.Version, "dev")
	if len(cfg.Queues) == 0 {
		cfg.Queues = []Queue{{Name: belfry.DefaultQueue}, {Name: "notifications"}}
	}
	db, err := store.Open(store.Config{URL: cfg.DatabaseURL, Dir: cfg.DataDir, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	b := &Backend{DB: db, cfg: cfg, log: cfg.Logger, served: links.ServeApps != nil, pushes: cfg.Push.pushClient()}
	b.Apps = appstore.NewRoster(appstore.Open(db, cfg.DataDir), links.ServeApps)
	if err := b.open(links); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return b, nil
}

func (b *Backend) open(links Links) (err error) {
	b.Identity, err = identity.New(identity.Config{DB: b.DB, Logger: b.log, Issuers: b.cfg.Issuers, Changed: links.Changed,
		SessionIdle: b.cfg.SessionIdle, SessionLifetime: b.cfg.SessionLifetime, LoginDelay: b.cfg.LoginDelay})
	if err != nil {
		return err
	}
	b.jobs, err = b.queueDriver()
	if err != nil {
		return err
	}
	settings := make(map[string]queue.Settings, len(b.cfg.Queues))
	for _, q := range b.cfg.Queues {
		settings[q.Name] = q.Settings
	}
	jobs := queue.Config{DB: b.DB, Driver: b.jobs, Settings: settings, Version: b.cfg.Version, Logger: b.log, Enqueued: links.Enqueued}
	if links.Trace != nil {
		jobs.Settled = noteSettlement(links.Trace)
	}
	b.Queue = queue.New(jobs)
	apps := links.App
	if apps == nil {
		apps = b.Apps.App
	}
	caster, apps, err := b.broadcastDriver(links.Realtime, apps)
	if err != nil {
		return err
	}
	b.EventApps = apps
	events := broadcast.Config{Driver: caster, Apps: apps, Queue: b.Queue, Queues: b.QueueNames, DB: b.DB, Sent: links.Sent, Logger: b.log}
	if links.Trace != nil {
		events.Steps = noteStep(links.Trace, caster.Name())
	}
	b.Broadcast = broadcast.New(events)
	b.Queue.Handle(broadcast.JobKind, patiently(b.Broadcast.Do))
	b.openNotify(links.Online)
	return nil
}

// patiently does a job that sends events. While the target is known to be down,
// and while no server runs on the data folder, events wait, as long as that may
// take, instead of using up their tries.
func patiently(do queue.Handler) queue.Handler {
	return func(ctx context.Context, job belfry.Job) error {
		err := do(ctx, job)
		if down, ok := errors.AsType[*broadcast.Down](err); ok {
			return queue.Wait(err, down.RetryAfter())
		}
		if control.IsNotRunning(err) {
			return queue.Wait(err, time.Second)
		}
		return err
	}
}

// QueueNames gives the queues that there are, in the order of their importance.
func (b *Backend) QueueNames() []string {
	names := make([]string, len(b.cfg.Queues))
	for i, q := range b.cfg.Queues {
		names[i] = q.Name
	}
	return names
}

func (b *Backend) queueDriver() (queue.Driver, error) {
	switch b.cfg.Queue {
	case "", "database":
		return riverqueue.New(riverqueue.Config{DB: b.DB, Logger: b.log}), nil
	case "redis":
		return asynqqueue.New(asynqqueue.Config{URL: b.cfg.Redis.URL, Addr: b.cfg.Redis.address(), Password: b.cfg.Redis.Password, Logger: b.log})
	case "sync":
		return syncqueue.New(), nil
	}
	return nil, belfry.Errorf(belfry.CodeInvalid, "%q keeps no jobs: the queue connection is database, redis or sync", b.cfg.Queue)
}

// broadcastDriver gives the broadcaster that the settings name, and the apps
// that it knows.
func (b *Backend) broadcastDriver(realtime Realtime, apps func(id string) *belfry.App) (broadcast.Driver, func(id string) *belfry.App, error) {
	if realtime == nil {
		realtime = nobody{}
	}
	local := hubcast.New(realtime, apps)
	switch b.cfg.Broadcaster {
	case "", "local":
		return local, apps, nil
	case "log":
		return logcast.New(b.log), apps, nil
	case "null":
		return nullcast.Driver{}, apps, nil
	case "pusher", "reverb":
	default:
		return nil, nil, belfry.Errorf(belfry.CodeInvalid, "%q brings no events out: the broadcast connection is local, pusher, reverb, log or null", b.cfg.Broadcaster)
	}
	t := b.cfg.Target
	target := pushercast.Config{AppID: t.AppID, Key: t.Key, Secret: t.Secret, Host: t.Host, Port: t.Port, Scheme: t.Scheme, Cluster: t.Cluster}
	if target.Own([]string{t.AppID}, b.cfg.Own) {
		b.log.Info("the target of the broadcaster is this server: its events take the short way", "broadcaster", b.cfg.Broadcaster)
		return local, apps, nil
	}
	if target.Hosted() {
		b.log.Warn("events leave this installation: the broadcaster sends them to pusher.com; set PUSHER_HOST, or BROADCAST_CONNECTION=local, to keep them here")
	}
	driver, err := pushercast.New(target)
	if err != nil {
		return nil, nil, err
	}
	only := target.App()
	return driver, func(id string) *belfry.App {
		if id == "" || id == only.ID {
			return only
		}
		return nil
	}, nil
}

// Prepare reaches the database, brings its schema up to this program's and has
// the queue make what it needs. It may be called again after an error.
func (b *Backend) Prepare(ctx context.Context) error {
	taken, err := b.DB.Migrate(ctx)
	if err != nil {
		return err
	}
	if len(taken) > 0 {
		b.log.Info("database migrated", "database", b.DB.String(), "steps", len(taken))
	}
	if !b.served {
		if err := b.Apps.SetFixed(ctx, b.cfg.Apps, b.cfg.AppOrigin); err != nil {
			return err
		}
	}
	return b.Queue.Prepare(ctx)
}

// Close ends the connections. What uses the backend must have ended.
func (b *Backend) Close() error {
	var err error
	if b.pushes != nil {
		b.pushes.CloseIdleConnections()
	}
	if c, ok := b.jobs.(io.Closer); ok {
		err = c.Close()
	}
	return errors.Join(err, b.DB.Close())
}

// nobody is the realtime server of a process that has none.
type nobody struct{}

var errNoServer = &belfry.Error{Code: belfry.CodeUnavailable, Message: "no server is found to publish through",
	Hint: "start one with: belfry serve, or set BROADCAST_CONNECTION to where events are to go"}

func (nobody) PublishEvent(context.Context, string, string, pusher.Event) (belfry.Receipt, bool, error) {
	return belfry.Receipt{}, false, errNoServer
}
func (nobody) Occupied(context.Context, string, []string) (bool, error) { return false, errNoServer }
func (nobody) Check(context.Context) error                              { return errNoServer }
