package hub

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// Config is what a hub is made of. The zero value is a hub of one process on
// the machine's clock that nobody observes.
type Config struct {
	Clock     Clock      // default SystemClock
	Cluster   Cluster    // default: alone, owner of everything
	Observers []Observer // told of every transition
	// Seal turns an encoded message, which stands in buf behind start spare
	// bytes, into the bytes that transports write. It is called once a message,
	// whatever the number of receivers. Default: the message as it is.
	Seal func(buf []byte, start int) []byte
	// PublishWait is how long Publish waits for room; default 5 s.
	PublishWait time.Duration
	// IdleCaches is how many vacant cache channels an app may keep; default
	// 10,000. The longest vacant goes first.
	IdleCaches int
	// Principal tells, of a subscription or, with an empty channel, a sign-in
	// whose signature holds, whom it stands for, from the signed data alone. It
	// must not block or call the hub. Default: nobody is known.
	Principal func(app *belfry.App, socketID, channel, data string) (Principal, bool)
	// Doubt is told of a user with a doubtful principal once its subscription
	// stands. It must not block or call the hub.
	Doubt  func(user string)
	Logger *slog.Logger // default: nothing is logged
}

// Hub is the engine of the realtime server. Its methods are safe for
// concurrent use. Make one with New.
type Hub struct {
	cfg     Config
	clock   Clock
	cluster Cluster
	outlets []Outlet

	registry atomic.Pointer[registry]
	reload   sync.Mutex // held by SetApps

	draining  atomic.Bool
	strangers atomic.Int64  // connections refused because no app has their key
	open      atomic.Int64  // connections of all apps
	empty     chan struct{} // a token when draining and open falls to zero

	taps taps
	idle context.Context // already ended: for a Reserve that does not wait
}

// registry is the set of apps at one moment.
type registry struct {
	byID  map[string]*app
	byKey map[string]*app
}

// New makes a hub without apps.
func New(cfg Config) *Hub {
	if cfg.Clock == nil {
		cfg.Clock = SystemClock{}
	}
	if cfg.Cluster == nil {
		cfg.Cluster = alone{}
	}
	if cfg.Seal == nil {
		cfg.Seal = func(buf []byte, start int) []byte { return buf[start:] }
	}
	if cfg.PublishWait == 0 {
		cfg.PublishWait = 5 * time.Second
	}
	if cfg.IdleCaches == 0 {
		cfg.IdleCaches = 10_000
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	h := &Hub{cfg: cfg, clock: cfg.Clock, cluster: cfg.Cluster, empty: make(chan struct{}, 1), idle: ended}
	h.registry.Store(&registry{})
	return h
}

// AddOutlet adds a group of connections and gives its slot in Topic.Slots. All
// outlets are added before the first Connect.
func (h *Hub) AddOutlet(o Outlet) int {
	h.outlets = append(h.outlets, o)
	return len(h.outlets) - 1
}

// SetApps makes apps the ones that are served. Connections stay, but for those
// of an app that is gone, which are closed with 4001, or disabled, closed with
// 4003. A second app with an id or key already taken is left out; configuration
// refuses such a pair before it comes here.
func (h *Hub) SetApps(apps []*belfry.App) {
	h.reload.Lock()
	defer h.reload.Unlock()
	old := h.registry.Load()
	next := &registry{byID: make(map[string]*app, len(apps)), byKey: make(map[string]*app, len(apps))}
	for _, settings := range apps {
		if next.byID[settings.ID] != nil {
			continue
		}
		a := old.byID[settings.ID]
		if a == nil {
			a = newApp(h, settings)
		}
		a.settings.Store(settings)
		next.byID[settings.ID] = a
		for _, c := range settings.Keys {
			if next.byKey[c.Key] == nil {
				next.byKey[c.Key] = a
			}
		}
	}
	h.registry.Store(next)
	for id, a := range old.byID {
		switch {
		case next.byID[id] == nil:
			a.closeAll(pusher.CloseNoApp, "This app is no longer served here")
		case a.settings.Load().Disabled:
			a.closeAll(pusher.CloseAppDisabled, "This app is disabled")
		}
	}
}

// App gives the settings of the app with that id, nil when there is none.
func (h *Hub) App(id string) *belfry.App { return h.registry.Load().byID[id].get() }

// AppByKey gives the settings of the app that a key belongs to, or nil.
func (h *Hub) AppByKey(key string) *belfry.App { return h.registry.Load().byKey[key].get() }

// Apps gives the settings of all apps, sorted by id.
func (h *Hub) Apps() []*belfry.App {
	reg := h.registry.Load()
	apps := make([]*belfry.App, 0, len(reg.byID))
	for _, a := range reg.byID {
		apps = append(apps, a.get())
	}
	slices.SortFunc(apps, func(a, b *belfry.App) int { return strings.Compare(a.ID, b.ID) })
	return apps
}

func (h *Hub) app(id string) (*app, error) {
	if a := h.registry.Load().byID[id]; a != nil {
		return a, nil
	}
	return nil, belfry.Errorf(belfry.CodeNotFound, "no app with id %q is served here", id)
}

// notice tells every observer.
func (h *Hub) notice(n Notice) {
	if len(h.cfg.Observers) == 0 {
		return
	}
	n.Time = h.clock.Now()
	for _, o := range h.cfg.Observers {
		o.Notice(n)
	}
}

// headroom is the spare space in front of a message for the transport's header.
const headroom = 16

// message is one encoded message: payload as JSON, sealed as transports write it.
type message struct{ payload, sealed []byte }

// begin gives a buffer to encode a message of about size bytes into.
func begin(size int) []byte { return make([]byte, headroom, headroom+size) }

// seal ends what begin began.
func (h *Hub) seal(buf []byte) message {
	return message{payload: buf[headroom:], sealed: h.cfg.Seal(buf, headroom)}
}

// alone is the cluster of one process.
type alone struct{}

func (alone) Owns(string, string) bool            { return true }
func (alone) Ask(_ Op, reply func(Answer, error)) { reply(Answer{}, nil) }
func (alone) Publish(_ Cast, done func(error)) {
	if done != nil {
		done(nil)
	}
}
func (alone) Gather(_ Op, reply func([]Answer, error)) { reply(nil, nil) }
