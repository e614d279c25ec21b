package console

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/hook"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/report"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/pusher"
)

// Path is where the door stands.
const Path = "/console/api/"

// Config is what the console shows and works on. All is required but where a
// default is named.
type Config struct {
	// Gate says who is asking; *gate.Gate is one.
	Gate Gate
	// DB keeps the log of what administrators did.
	DB *store.DB

	Version, Node, Engine string
	Started               time.Time
	// Ready reports whether the server takes connections.
	Ready func() bool

	Hub       Hub
	Trace     Trace
	Queue     Queue
	Apps      Apps
	Broadcast Broadcast
	Hooks     Hooks
	// Sockets gives the open sockets and the bytes that wait for them.
	Sockets func() Sockets
	// Sizes and Workers are what all processes have. They must answer soon.
	Sizes   func(ctx context.Context) (map[string]queue.Size, error)
	Workers func(ctx context.Context) ([]queue.WorkerInfo, error)
	// Denials reads the audit log of authorizations, Received the webhooks that
	// came in.
	Denials  func(ctx context.Context, f authz.DenialFilter) ([]authz.Denial, error)
	Received func() []ingest.Entry
	// Said gives what the page of a connection said of its handlers.
	Said func(socket string) (report.Said, bool)
	// Explain says why an event did or did not arrive.
	Explain func(ctx context.Context, q explain.Question) (explain.Verdict, error)
	// Health gives the parts of the server, Probes the last events that went the
	// whole way, Doctor examines the server from inside.
	Health func(ctx context.Context) []Part
	Probes func() Probes
	Doctor func(ctx context.Context) []Check

	// Payloads says whether administrators may look at the data of events; see
	// AllowPayloads. Default: they may not.
	Payloads bool
	// Recheck is how often an open stream asks again whether its reader is still
	// an administrator; default one minute. Doubt has it asked at once.
	Recheck time.Duration
	Now     func() time.Time // default: time.Now
	Logger  *slog.Logger     // default: nothing is logged
}

// Gate says who is asking, and answers those who are refused.
type Gate interface {
	Caller(r *http.Request) (gate.Caller, error)
	Fail(w http.ResponseWriter, r *http.Request, c gate.Caller, err error)
}

// Hub is the realtime server's.
type Hub interface {
	Stats() []hub.Stats
	Apps() []*belfry.App
	App(id string) *belfry.App
	Connections(app string, most int, wanted func(*hub.Connection) bool) []hub.Connection
	Connection(socketID string) (hub.Connection, bool)
	Channels(ctx context.Context, app, prefix string) (map[string]hub.ChannelInfo, error)
	Channel(ctx context.Context, app, name string) (hub.ChannelState, error)
	Members(ctx context.Context, app, channel string) ([]pusher.Member, error)
	End(socketID string, code pusher.CloseCode, reason string) bool
}

// Trace remembers; *trace.Trace does.
type Trace interface {
	Find(ctx context.Context, id string) (trace.Timeline, bool, error)
	Events(f trace.Filter) []trace.Timeline
	Names(app string, since time.Time) []trace.Name
	Connections(l trace.Links) []trace.Connection
	Recent(limit int, wanted func(*trace.Entry) bool) []trace.Entry
	Tail(f func(trace.Entry)) (stop func())
	Stats() trace.Stats
	OneIn(at time.Time) int
}

// Queue keeps the jobs; *queue.Queue does.
type Queue interface {
	Pause(ctx context.Context, queue string) error
	Continue(ctx context.Context, queue string) error
	Clear(ctx context.Context, queue string) (int, error)
	Restart(ctx context.Context) error
	Retry(ctx context.Context, ids ...string) error
	Forget(ctx context.Context, ids ...string) error
	EachFailed(ctx context.Context, f queue.FailedFilter, see func(queue.FailedJob) bool) error
	FailedJob(ctx context.Context, id string) (queue.FailedJob, error)
	KeepsPayload() time.Duration
}

// Apps is the list of apps; *appstore.Roster is one.
type Apps interface {
	List(ctx context.Context) ([]appstore.Entry, error)
	Add(ctx context.Context, n appstore.New) (*appstore.Created, error)
	Rotate(ctx context.Context, id string, how appstore.Rotation) (*appstore.Created, error)
	Remove(ctx context.Context, id string) error
}

// Broadcast takes events; *broadcast.Broadcaster is one.
type Broadcast interface {
	Accept(ctx context.Context, r broadcast.Request) (broadcast.Accepted, error)
}

// Hooks sends webhooks; *hook.Hooks does.
type Hooks interface {
	Calls(ctx context.Context, f hook.CallFilter) (all []hook.Call, more bool, err error)
	Resend(ctx context.Context, id string) (as string, err error)
	ResendFailed(ctx context.Context, f hook.CallFilter, most int) (sent int, more bool, left error, err error)
	Stats() []hook.Stats
}

// Sockets are figures of the WebSocket engine.
type Sockets struct {
	Open, Waiting int64 // Waiting in bytes
	SlowClosed    int64 // counter
}

// Console is the door. Its methods may be called concurrently. Run must run.
type Console struct {
	cfg      Config
	mux      *http.ServeMux
	figures  figures
	payloads payloads
	names    lastEvents
	ended    chan struct{} // closed by Stop
	stop     func()

	mu      sync.Mutex // guards all below
	streams map[*stream]struct{}
	deed    time.Time // in the id of the last line of the log
}

// New makes the door.
func New(cfg Config) *Console {
	cfg.Recheck = cmp.Or(cfg.Recheck, time.Minute)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Console{cfg: cfg, mux: http.NewServeMux(), ended: make(chan struct{}), streams: make(map[*stream]struct{})}
	c.stop = sync.OnceFunc(func() { close(c.ended) })
	c.figures.init(cfg)
	c.payloads.init(cfg.Payloads)
	for _, r := range c.routes() {
		c.mux.HandleFunc(r.method+" "+Path+r.path, c.serve(r))
	}
	c.mux.HandleFunc("GET "+Path+"stream", c.serveStream)
	c.mux.HandleFunc("/", c.nothing)
	return c
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Cookie, Authorization")
	c.mux.ServeHTTP(w, r)
}

// Delivered is told how long an event took from its acceptance until it was
// sent. It does not block.
func (c *Console) Delivered(took time.Duration) { c.figures.took.add(took) }

// Run keeps the figures of the last minutes and the log of what administrators
// did at its length, and ends views of payloads, until ctx ends.
func (c *Console) Run(ctx context.Context) error {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	prune := time.NewTicker(time.Hour)
	defer prune.Stop()
	c.figures.tick(ctx)
	c.prune(ctx)
	for {
		select {
		case <-second.C:
			c.figures.tick(ctx)
			c.keepPayloads(ctx)
		case <-c.payloads.wake:
			c.keepPayloads(ctx)
		case <-prune.C:
			c.prune(ctx)
		case <-ctx.Done():
			c.endPayloads(ctx)
			return nil
		}
	}
}

// Stop ends all streams, and those yet to come at once. Other requests are
// answered as before.
func (c *Console) Stop() { c.stop() }

// caller gives who asks, if they are an administrator.
func (c *Console) caller(r *http.Request) (gate.Caller, error) {
	caller, err := c.cfg.Gate.Caller(r)
	if err == nil {
		err = caller.Require(scope)
	}
	return caller, err
}
