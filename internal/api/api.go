package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/words"
	"github.com/belfryhq/belfry/pusher"
)

// Hub is what the door needs of the engine; *hub.Hub is one.
type Hub interface {
	// App gives the settings of an app, nil for an unknown one.
	App(id string) *belfry.App
	// Publish hands events to the fan-out, all or none, and gives one Published
	// for each. It must not keep the events' Data after it returns.
	Publish(ctx context.Context, app string, events []pusher.Event) ([]hub.Published, error)
	// PublishNow is Publish for a caller that must not wait: where that would, it
	// gives hub.ErrWouldWait and has done nothing.
	PublishNow(app string, events []pusher.Event) ([]hub.Published, error)
	Channels(ctx context.Context, app, prefix string) (map[string]hub.ChannelInfo, error)
	Channel(ctx context.Context, app, name string) (hub.ChannelState, error)
	Users(ctx context.Context, app, name string) ([]string, error)
	Terminate(ctx context.Context, app, user string) error
	// Draining reports whether the server is on its way out.
	Draining() bool
}

// Config are the settings of the door. Hub is required; the zero value of
// everything else is its default.
type Config struct {
	Hub Hub
	// PathPrefix stands before /apps in the URLs that clients use, such as
	// "/realtime"; default none. Requests are served with and without it, since
	// a reverse proxy may have taken it off (HTTP-05).
	PathPrefix string
	// Logger gets the causes of internal faults; default none.
	Logger *slog.Logger
	// Now is the clock; default time.Now.
	Now func() time.Time
	// MaxBody caps request bodies in bytes whatever an app's http_body says,
	// unlimited included; default 16 MiB.
	MaxBody int
	// IdempotencyWindow is how long an Idempotency-Key is remembered; default
	// two minutes.
	IdempotencyWindow time.Duration
	// IdempotencyKeys is how many keys of one app are remembered; default
	// 100,000. Beyond that, or beyond 32 MiB of answers, the oldest go before
	// their time, which is logged.
	IdempotencyKeys int
	// Limit, if set, is told of what met a limit that only this door sees: limit
	// is its configuration key, size what met it, max its value; near is an
	// early warning at 80%, otherwise the request was refused. It may be called
	// concurrently and must not block.
	Limit func(app *belfry.App, limit, event, channel string, size, max int64, near bool)
	// TrustedProxies are whose forwarding headers count for Published and
	// Refused; default none.
	TrustedProxies []netip.Prefix
	// Published is told of each publish that went out, Refused of each that did
	// not. They may be called concurrently, must not block, and keep nothing of
	// the events' Data. Default: none.
	Published func(Publication)
	Refused   func(Refusal)
}

// New makes the door. It starts nothing and needs no closing.
func New(cfg Config) *Door {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 16 << 20
	}
	if cfg.IdempotencyWindow == 0 {
		cfg.IdempotencyWindow = 2 * time.Minute
	}
	if cfg.IdempotencyKeys == 0 {
		cfg.IdempotencyKeys = 100_000
	}
	if cfg.Limit == nil {
		cfg.Limit = func(*belfry.App, string, string, string, int64, int64, bool) {}
	}
	if cfg.Published == nil {
		cfg.Published = func(Publication) {}
	}
	if cfg.Refused == nil {
		cfg.Refused = func(Refusal) {}
	}
	cfg.PathPrefix = strings.TrimRight(cfg.PathPrefix, "/")
	if cfg.PathPrefix != "" && cfg.PathPrefix[0] != '/' {
		cfg.PathPrefix = "/" + cfg.PathPrefix
	}
	return &Door{
		cfg:    cfg,
		rates:  rates{byApp: map[string]*rateEntry{}},
		keys:   newKeys(cfg),
		bodies: sync.Pool{New: func() any { return new(bodyBuffer) }},
	}
}

// Door is the handler of {prefix}/apps/…, safe for concurrent use. Bounds on the
// time that a request takes to arrive are the http.Server's to set.
type Door struct {
	cfg    Config
	rates  rates
	keys   *keys
	bodies sync.Pool
}

// call is one authenticated request.
type call struct {
	matched
	ctx   context.Context
	app   *belfry.App
	query pusher.Query
	// key is its Idempotency-Key, empty for none.
	key string
	// peer is who asks.
	peer string
	// body is the decoded body; it lives as long as the request.
	body []byte
	// now says that nothing may wait: what would gives hub.ErrWouldWait, and the
	// call is carried out again without now.
	now bool
	// warned says that the call has given its early warnings.
	warned bool
}

func (c *call) naming() pusher.Naming {
	return pusher.Naming{Limits: c.app.Limits, Strict: c.app.StrictNames}
}

// answer is a successful response.
type answer struct {
	status   int    // zero means 200
	body     []byte // a JSON object
	eventIDs string // of what was published
	replayed bool   // by an Idempotency-Key
}

var emptyObject = []byte("{}")

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	buffer := d.bodies.Get().(*bodyBuffer)
	defer buffer.free(&d.bodies)
	q := requestOf(r, d.cfg.TrustedProxies)
	var got answer
	c, err := d.check(&q, buffer)
	if err == nil {
		c.ctx = r.Context()
		got, err = d.carryOut(c)
	}
	d.reply(r.Context(), &q, got, err).write(w)
}

// check checks in the order of HTTP-09: route, app, signature, switched off,
// rate, content. A draining server takes nothing new on; a body that is too
// large is refused while it is read.
func (d *Door) check(q *request, buffer *bodyBuffer) (*call, error) {
	m, ok := d.match(q.path)
	if !ok {
		return nil, belfry.Errorf(belfry.CodeNotFound, "no such route: the API is at %s/apps/{app_id}/events and its like", d.cfg.PathPrefix)
	}
	if !m.allows(q.method) {
		return nil, &methodError{allow: m.allow()}
	}
	app := d.cfg.Hub.App(m.app)
	if app == nil {
		return nil, belfry.Errorf(belfry.CodeNotFound, "no app has the id %q: check app_id, and that this is the right server", clip(m.app))
	}
	if d.cfg.Hub.Draining() {
		return nil, belfry.Errorf(belfry.CodeUnavailable, "the server is shutting down: nothing was published; try again")
	}
	received, err := buffer.read(q, d.bodyLimit(app))
	if err != nil {
		return nil, d.refused(app, err)
	}
	query, err := pusher.Request{
		Method: q.method, Paths: d.signedPaths(q), RawQuery: q.query, Body: received,
	}.Verify(d.cfg.Now(), app.Secrets)
	if err != nil {
		return nil, &belfry.Error{Code: belfry.CodeUnauthenticated, Message: err.Error(), Err: err}
	}
	if app.Disabled {
		return nil, belfry.Errorf(belfry.CodeForbidden, "app %q is disabled", clip(app.ID))
	}
	if err := d.admit(app); err != nil {
		return nil, err
	}
	c := &call{matched: m, app: app, query: query, key: q.key, peer: q.peer}
	if c.body, err = buffer.decode(q.coding, received, d.bodyLimit(app)); err != nil {
		return nil, d.refused(app, err)
	}
	return c, nil
}

// carryOut does what an admitted call asks for.
func (d *Door) carryOut(c *call) (answer, error) {
	if c.publishes {
		return d.once(c)
	}
	return c.serve(d, c)
}

// refused reports a refusal to Limit when it was one of the app's limits, and
// gives err back.
func (d *Door) refused(app *belfry.App, err error) error {
	if o, ok := errors.AsType[*pusher.OverLimit](err); ok {
		d.cfg.Limit(app, o.Limit, o.Event, o.Channel, o.Size, o.Max, false)
	}
	return err
}

// near gives the early warning about a limit when size has reached 80% of it.
// A limit below five has no size that is near it without being at it.
func (d *Door) near(app *belfry.App, limit, event, channel string, size, max int) {
	if max >= 5 && size <= max && size*5 >= max*4 {
		d.cfg.Limit(app, limit, event, channel, int64(size), int64(max), true)
	}
}

// clip bounds what an error repeats of its input.
func clip(s string) string { return words.Clip(s, 100) }
