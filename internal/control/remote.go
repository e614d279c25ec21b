package control

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
)

// Path is where commands from other machines are taken. What follows is the
// path of the link: /api/control/v1/status.
const Path = "/api/control"

// versionHeader names the version of the server, or of the command. An answer
// without it is not the server's own.
const versionHeader = "Belfry-Version"

// Times and bounds of the door for other machines.
const (
	refusalsPerMinute = 30  // of one address; then 429 takes the place of 401
	commandsPerMinute = 600 // of one user
	streamsMost       = 50
	farBody           = 30 * time.Second // for a request's body
	farWrite          = 15 * time.Second // for one write; then its reader is gone
	farSilence        = 15 * time.Second // then an empty line shows that a stream lives
	recheckEvery      = time.Minute
)

// offer says what other machines may ask. Where it changes something, or shows
// what people are told, action names it in the log of what administrators did.
type offer struct {
	action string
	// refused says why it is for the server's own machine alone.
	refused string
}

const ownProcesses = "only processes on the server's own data folder tell it of their work: it believes them without a question"

// offers are all requests of the link. A test holds the list to what Handler
// answers, so that a new one is decided on.
var offers = map[string]offer{
	"GET /v1/status":         {},
	"GET /v1/config":         {}, // secrets are masked
	"GET /v1/config/diff":    {},
	"POST /v1/config/reload": {action: "config.reload"}, // the server's own files, not the caller's
	"GET /v1/channels":       {},
	"GET /v1/channel":        {},
	"GET /v1/subscribe":      {action: "events.listen"},
	"POST /v1/send":          {action: "event.send"},
	"GET /v1/apps":           {},
	"POST /v1/apps":          {action: "app.add"}, // as in the console
	"DELETE /v1/apps":        {action: "app.remove"},
	"POST /v1/apps/rotate":   {action: "app.rotate"},
	"POST /v1/trace/events":  {},
	"POST /v1/explain":       {},
	"POST /v1/auth/explain":  {},
	"POST /v1/doctor":        {action: "doctor.run"},
	"GET /v1/jobs/sizes":     {},
	"GET /v1/jobs/workers":   {},
	"GET /v1/jobs/job":       {},
	"GET /v1/jobs/failed":    {action: "failed.read"}, // their payloads are people's
	"POST /v1/jobs/retry":    {action: "failed.retry"},
	"POST /v1/jobs/forget":   {action: "failed.forget"},

	"POST /v1/jobs/retry-all": {action: "failed.retry"},
	"POST /v1/jobs/flush":     {action: "failed.forget"},
	"POST /v1/jobs/prune":     {action: "failed.forget"},
	"POST /v1/jobs/clear":     {action: "queue.clear"},
	"POST /v1/jobs/pause":     {action: "queue.pause"},
	"POST /v1/jobs/continue":  {action: "queue.continue"},
	"POST /v1/jobs/restart":   {action: "queue.restart"},

	"POST /v1/events":     {refused: "it publishes past what an application's events are held to; event:send is the command for events"},
	"POST /v1/trace":      {refused: ownProcesses},
	"POST /v1/queue/poke": {refused: ownProcesses},
	"GET /v1/queue/pokes": {refused: ownProcesses},
}

// Gate says who is asking, and answers those who are refused; *gate.Gate is one.
type Gate interface {
	Caller(r *http.Request) (gate.Caller, error)
	Fail(w http.ResponseWriter, r *http.Request, c gate.Caller, err error)
	Limiter(perMinute int) *gate.Limiter
}

// Deed is what was done from another machine, for the log of what
// administrators did.
type Deed struct {
	Caller          gate.Caller
	Action, Subject string
	Details         map[string]any
	Err             error // nil when it was done
}

// RemoteConfig is what the door for other machines is made of. Backend, Gate
// and Record are required.
type RemoteConfig struct {
	Backend Backend
	Gate    Gate
	// Record writes down what was done, or tried.
	Record  func(ctx context.Context, d Deed)
	Version string
	// Recheck is how often an open stream asks again whether its reader is still
	// an administrator; default one minute. Doubt has it asked at once.
	Recheck time.Duration
	// Beat is how often an empty line shows that a stream lives; default 15 s.
	Beat   time.Duration
	Logger *slog.Logger // default: nothing is logged
}

// Remote takes the requests of the link from other machines, under Path, from
// who has an API token of an administrator with the scope admin. A cookie never
// counts, and no page of a browser is answered. Its methods may be called
// concurrently.
type Remote struct {
	cfg      RemoteConfig
	link     http.Handler
	mux      *http.ServeMux // for the patterns
	refusals *gate.Limiter
	commands *gate.Limiter

	mu      sync.Mutex // guards all below
	stopped bool
	streams map[*farStream]struct{}
}

// farStream is one open stream.
type farStream struct {
	user  string
	doubt chan struct{} // has a value when the reader's rights may have changed
	stop  chan struct{} // closed when the server stops
}

// NewRemote makes the door.
func NewRemote(cfg RemoteConfig) *Remote {
	cfg.Recheck, cfg.Beat = cmp.Or(cfg.Recheck, recheckEvery), cmp.Or(cfg.Beat, farSilence)
	cfg.Version = cmp.Or(cfg.Version, "unknown")
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Remote{cfg: cfg, link: Handler(cfg.Backend), mux: http.NewServeMux(), streams: map[*farStream]struct{}{},
		refusals: cfg.Gate.Limiter(refusalsPerMinute), commands: cfg.Gate.Limiter(commandsPerMinute)}
	for pattern := range offers {
		d.mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	return d
}

// ServeHTTP implements http.Handler.
func (d *Remote) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set(versionHeader, d.cfg.Version)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx would hold a stream back
	if browser(r) {
		d.cfg.Gate.Fail(w, r, gate.Caller{}, belfry.Errorf(belfry.CodeForbidden, "this is for commands, and no page of a browser is answered: the console is at /console"))
		return
	}
	caller, err := d.caller(r)
	if err != nil {
		if full := d.refusals.Take(gate.Caller{Address: caller.Address}.Key()); full != nil {
			err = full
		}
		d.cfg.Gate.Fail(w, r, caller, err)
		return
	}
	if err := d.commands.Take(caller.Key()); err != nil {
		d.cfg.Gate.Fail(w, r, caller, err)
		return
	}
	if err := readWhole(w, r); err != nil {
		d.cfg.Gate.Fail(w, r, caller, err)
		return
	}
	// The paths of the link begin behind that of the door, and behind a prefix.
	inner := r.Clone(r.Context())
	_, inner.URL.Path, _ = strings.Cut(r.URL.Path, Path)
	inner.URL.RawPath = ""
	_, pattern := d.mux.Handler(inner)
	what, known := offers[pattern]
	if !known {
		writeJSON(w, http.StatusNotImplemented, failure{Error: "the server does not know this command", Code: belfry.CodeNotFound})
		return
	}
	one := &call{Caller: caller, action: what.action}
	one.refuse = func(w http.ResponseWriter, err error) { d.cfg.Gate.Fail(w, r, caller, err) }
	one.write = sync.OnceFunc(func() {
		if what.action != "" {
			d.cfg.Record(r.Context(), Deed{Caller: caller, Action: what.action, Subject: one.subject, Details: one.details, Err: one.err})
		}
	})
	if what.refused != "" {
		one.fail(w, inner, belfry.Errorf(belfry.CodeForbidden, "%s", what.refused))
		return
	}
	d.run(w, inner.WithContext(context.WithValue(inner.Context(), callKey{}, one)), one, pattern == "GET /v1/subscribe")
}

// run carries a request out and writes down what it did.
func (d *Remote) run(w http.ResponseWriter, r *http.Request, one *call, streams bool) {
	out := farWriter{w, http.NewResponseController(w)}
	defer out.control.SetWriteDeadline(time.Time{}) // the connection may serve others
	if streams {
		s, err := d.open(one.Caller)
		if err != nil {
			one.fail(w, r, err)
			one.write()
			return
		}
		defer d.close(s)
		ctx, end := context.WithCancelCause(r.Context())
		watched, asked := make(chan struct{}), r
		go func() {
			defer close(watched)
			d.watch(ctx, asked, s, end)
		}()
		defer func() {
			end(nil)
			<-watched
		}()
		closing := context.WithoutCancel(r.Context())
		one.ending, one.beats = ctx, time.NewTicker(d.cfg.Beat)
		defer one.beats.Stop()
		r = r.WithContext(context.WithValue(closing, closingKey{}, ctx.Done()))
	}
	d.link.ServeHTTP(out, r)
	one.write()
}

// browser reports whether a page of a browser sent the request.
func browser(r *http.Request) bool {
	return len(r.Header.Values("Origin")) > 0 || r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Sec-Fetch-Mode") != ""
}

// caller gives who asks, if they may command the server. Cookies are not looked
// at.
func (d *Remote) caller(r *http.Request) (gate.Caller, error) {
	bare := r.Clone(r.Context())
	bare.Header.Del("Cookie")
	c, err := d.cfg.Gate.Caller(bare)
	if err == nil && c.Kind != gate.Token {
		err = &belfry.Error{Code: belfry.CodeUnauthenticated, Message: "commands from another machine want an API token of an administrator",
			Hint: "make one on the server's machine with: belfry user:token WHO --scope admin"}
	}
	if err == nil {
		err = c.Require(identity.ScopeAdmin)
	}
	if err == nil && (c.Token.App != "" || len(c.Token.Channels) > 0) {
		err = &belfry.Error{Code: belfry.CodeForbidden, Message: "the API token is for one app or for some channels, and commands reach the whole server",
			Hint: "make one without --app and --channels"}
	}
	return c, err
}

// readWhole reads the body, so that a slow sender holds nothing but a connection.
func readWhole(w http.ResponseWriter, r *http.Request) error {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(farBody)) // in a test there is none to set
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = control.SetReadDeadline(time.Time{})
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return err
	}
	if err != nil {
		return belfry.Errorf(belfry.CodeInvalid, "the body could not be read to its end within %s", farBody)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// open counts a stream in, or says that there are too many.
func (d *Remote) open(c gate.Caller) (*farStream, error) {
	s := &farStream{user: c.User.ID, doubt: make(chan struct{}, 1), stop: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return nil, belfry.Errorf(belfry.CodeUnavailable, "the server is stopping")
	}
	if len(d.streams) >= streamsMost {
		return nil, belfry.Errorf(belfry.CodeRateLimited, "%d commands on other machines listen already", streamsMost)
	}
	d.streams[s] = struct{}{}
	return s, nil
}

func (d *Remote) close(s *farStream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.streams, s)
}

// Doubt says that a user's rights may have changed: their open streams ask again
// at once. "" stands for everybody. It does not block.
func (d *Remote) Doubt(user string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for s := range d.streams {
		if user == "" || s.user == user {
			select {
			case s.doubt <- struct{}{}:
			default:
			}
		}
	}
}

// Stop ends all streams, and those yet to come. Other requests are answered as
// before. It may be called again.
func (d *Remote) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	d.stopped = true
	for s := range d.streams {
		close(s.stop)
	}
}

// errLost ends the stream of a reader who has lost their right. While the
// database cannot say whether they have it, they have not.
var errLost = errors.New("the API token holds no more, or its user is no administrator any more")

// watch ends a stream when the server stops, the reader goes, or their right
// does.
func (d *Remote) watch(ctx context.Context, r *http.Request, s *farStream, end context.CancelCauseFunc) {
	again := time.NewTicker(d.cfg.Recheck)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.stop:
			end(nil)
			return
		case <-s.doubt:
		case <-again.C:
		}
		if _, err := d.caller(r.WithContext(ctx)); err != nil && ctx.Err() == nil {
			d.cfg.Logger.Info("stream of a command on another machine ended", "user", s.user, "why", err)
			end(errLost)
			return
		}
	}
}

// farWriter writes to another machine: who does not read is gone after a time.
type farWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write implements io.Writer.
func (w farWriter) Write(b []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(farWrite)) // in a test there is none to set
	return w.ResponseWriter.Write(b)
}

// FlushError is for http.ResponseController.
func (w farWriter) FlushError() error {
	_ = w.control.SetWriteDeadline(time.Now().Add(farWrite))
	return w.control.Flush()
}

// call is a request from another machine, and what of it is written down. A nil
// one is a request on the link: all its methods then do nothing.
type call struct {
	gate.Caller
	action  string
	subject string
	details map[string]any
	err     error
	refuse  func(w http.ResponseWriter, err error)
	write   func() // once

	beats  *time.Ticker    // of a stream
	ending context.Context // its cause says why a stream ends
}

type callKey struct{}

func callOf(r *http.Request) *call {
	one, _ := r.Context().Value(callKey{}).(*call)
	return one
}

// fail answers with an error. Faults of the server's own are in its log; they
// are not shown.
func (c *call) fail(w http.ResponseWriter, _ *http.Request, err error) {
	c.err = err
	c.refuse(w, err)
}

// began writes a stream down once it has begun, rather than when it ends.
func (c *call) began() {
	if c != nil {
		c.write()
	}
}

// beat gives the moments at which a stream shows that it lives.
func (c *call) beat() <-chan time.Time {
	if c == nil || c.beats == nil {
		return nil
	}
	return c.beats.C
}

// why says why a stream ended, where its reader is to be told.
func (c *call) why() string {
	if c == nil || c.ending == nil || !errors.Is(context.Cause(c.ending), errLost) {
		return ""
	}
	return errLost.Error()
}

// about notes what a request from another machine is about: its subject, and
// names and values by turns. It holds no secret.
func about(r *http.Request, subject string, details ...any) {
	c := callOf(r)
	if c == nil {
		return
	}
	c.subject = subject
	for pair := range slices.Chunk(details, 2) {
		if c.details == nil {
			c.details = map[string]any{}
		}
		c.details[fmt.Sprint(pair[0])] = pair[1]
	}
}

// origin says who hands an event over, and from where.
func (c *call) origin() (origin, address string) {
	if c.Address.IsValid() {
		address = c.Address.String()
	}
	return "token " + c.Token.ID + " (" + c.Token.Name + ")", address
}
