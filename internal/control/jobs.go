package control

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/doctor"
	"github.com/belfryhq/belfry/internal/queue"
)

// Jobs are the queues as commands use them; *queue.Queue is one, and
// Client.Jobs gives those of a running server.
type Jobs interface {
	Sizes(ctx context.Context) (map[string]queue.Size, error)
	Workers(ctx context.Context) ([]queue.WorkerInfo, error)
	Find(ctx context.Context, id string) (queue.Found, error)
	Failed(ctx context.Context, queue string, limit int) ([]queue.FailedJob, error)
	Retry(ctx context.Context, ids ...string) error
	RetryAll(ctx context.Context, queue string) (int, error)
	Forget(ctx context.Context, ids ...string) error
	Flush(ctx context.Context) (int, error)
	PruneFailed(ctx context.Context, before time.Time) (int, error)
	Clear(ctx context.Context, queue string) (int, error)
	Pause(ctx context.Context, queue string) error
	Continue(ctx context.Context, queue string) error
	Restart(ctx context.Context) error
}

// Bounds of one request about jobs.
const (
	maxIDs    = 1000
	maxFailed = 10_000
)

// jobIDs names jobs.
type jobIDs struct {
	IDs []string `json:"ids"`
}

// counted answers how many jobs it was.
type counted struct {
	Jobs int `json:"jobs"`
}

func (b Backend) jobs(handle register) {
	has := b.Jobs != nil
	handle("GET /v1/jobs/sizes", has, func(_ http.ResponseWriter, r *http.Request) (any, error) { return answered(b.Jobs.Sizes(r.Context())) })
	handle("GET /v1/jobs/workers", has, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := b.Jobs.Workers(r.Context())
		return some(all), err
	})
	handle("GET /v1/jobs/job", has, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		return answered(b.Jobs.Find(r.Context(), r.URL.Query().Get("id")))
	})
	handle("GET /v1/jobs/failed", has, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		q := r.URL.Query()
		limit, err := strconv.Atoi(q.Get("limit"))
		if err != nil || limit < 0 || limit > maxFailed {
			return nil, belfry.Errorf(belfry.CodeInvalid, "the limit is a number up to %d", maxFailed)
		}
		all, err := b.Jobs.Failed(r.Context(), q.Get("queue"), limit)
		return some(all), err
	})
	onIDs := func(path string, do func(j Jobs, ctx context.Context, ids ...string) error) {
		handle("POST /v1/jobs/"+path, has, func(_ http.ResponseWriter, r *http.Request) (any, error) {
			var body jobIDs
			if err := readJSON(r, &body); err != nil {
				return nil, err
			}
			if len(body.IDs) == 0 || len(body.IDs) > maxIDs {
				return nil, belfry.Errorf(belfry.CodeInvalid, "name 1 to %d jobs", maxIDs)
			}
			about(r, body.IDs[0], "jobs", len(body.IDs))
			return struct{}{}, do(b.Jobs, r.Context(), body.IDs...)
		})
	}
	counts := func(path string, do func(j Jobs, ctx context.Context, queue string) (int, error)) {
		handle("POST /v1/jobs/"+path, has, func(_ http.ResponseWriter, r *http.Request) (any, error) {
			name := r.URL.Query().Get("queue")
			about(r, name)
			n, err := do(b.Jobs, r.Context(), name)
			about(r, name, "jobs", n)
			return counted{n}, err
		})
	}
	turns := func(path string, do func(j Jobs, ctx context.Context, queue string) error) {
		handle("POST /v1/jobs/"+path, has, func(_ http.ResponseWriter, r *http.Request) (any, error) {
			name := r.URL.Query().Get("queue")
			about(r, name)
			return struct{}{}, do(b.Jobs, r.Context(), name)
		})
	}
	onIDs("retry", Jobs.Retry)
	onIDs("forget", Jobs.Forget)
	counts("retry-all", Jobs.RetryAll)
	counts("clear", Jobs.Clear)
	turns("pause", Jobs.Pause)
	turns("continue", Jobs.Continue)
	handle("POST /v1/jobs/flush", has, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		n, err := b.Jobs.Flush(r.Context())
		about(r, "", "jobs", n)
		return counted{n}, err
	})
	handle("POST /v1/jobs/prune", has, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		before, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("before"))
		if err != nil {
			return nil, belfry.Errorf(belfry.CodeInvalid, "before is a time, as in 2030-01-31T09:00:00Z")
		}
		n, err := b.Jobs.PruneFailed(r.Context(), before)
		about(r, "", "before", before.UTC().Format(time.RFC3339), "jobs", n)
		return counted{n}, err
	})
	handle("POST /v1/jobs/restart", has, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		return struct{}{}, b.Jobs.Restart(r.Context())
	})
}

// answered makes one value of an answer of another type.
func answered[T any](v T, err error) (any, error) { return v, err }

// Sending is an event that a command sends.
type Sending struct {
	Event belfry.Event  `json:"event"`
	How   broadcast.How `json:"how"`
	Now   bool          `json:"now"`
}

func (b Backend) events(handle register) {
	handle("POST /v1/send", b.Accept != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		var s Sending
		if err := readJSON(r, &s); err != nil {
			return nil, err
		}
		if len(s.Event.Channels) > 0 {
			about(r, s.Event.Channels[0], "event", s.Event.Name, "channels", len(s.Event.Channels), "app", s.Event.App)
		}
		if one := callOf(r); one != nil { // the token's owner sends it, whoever the command says it is
			s.Event.ID, s.Event.Accepted = "", time.Time{}
			s.Event.Origin, s.Event.Address = one.origin()
		}
		return b.Accept(r.Context(), broadcast.Request{Event: s.Event, How: s.How, Now: s.Now})
	})
	handle("POST /v1/doctor", b.Examine != nil, func(_ http.ResponseWriter, r *http.Request) (any, error) {
		return some(b.Examine(r.Context())), nil
	})
}

// Send has the server take an event as an application's.
func (c *Client) Send(ctx context.Context, s Sending) (broadcast.Accepted, error) {
	var a broadcast.Accepted
	return a, c.post(ctx, "/v1/send", s, &a)
}

// Examine has the server examine itself.
func (c *Client) Examine(ctx context.Context) ([]doctor.Check, error) {
	var all []doctor.Check
	return all, c.call(ctx, http.MethodPost, "/v1/doctor", nil, nil, &all)
}

// Jobs gives the queues of the running server.
func (c *Client) Jobs() Jobs { return remoteJobs{c} }

type remoteJobs struct{ c *Client }

func (j remoteJobs) Sizes(ctx context.Context) (all map[string]queue.Size, err error) {
	return all, j.c.call(ctx, http.MethodGet, "/v1/jobs/sizes", nil, nil, &all)
}

func (j remoteJobs) Workers(ctx context.Context) (all []queue.WorkerInfo, err error) {
	return all, j.c.call(ctx, http.MethodGet, "/v1/jobs/workers", nil, nil, &all)
}

func (j remoteJobs) Find(ctx context.Context, id string) (f queue.Found, err error) {
	return f, j.c.call(ctx, http.MethodGet, "/v1/jobs/job", url.Values{"id": {id}}, nil, &f)
}

func (j remoteJobs) Failed(ctx context.Context, name string, limit int) (all []queue.FailedJob, err error) {
	return all, j.c.call(ctx, http.MethodGet, "/v1/jobs/failed", url.Values{"queue": {name}, "limit": {strconv.Itoa(limit)}}, nil, &all)
}

func (j remoteJobs) Retry(ctx context.Context, ids ...string) error {
	return j.c.post(ctx, "/v1/jobs/retry", jobIDs{ids}, &struct{}{})
}

func (j remoteJobs) Forget(ctx context.Context, ids ...string) error {
	return j.c.post(ctx, "/v1/jobs/forget", jobIDs{ids}, &struct{}{})
}

func (j remoteJobs) RetryAll(ctx context.Context, name string) (int, error) {
	return j.count(ctx, "retry-all", url.Values{"queue": {name}})
}

func (j remoteJobs) Clear(ctx context.Context, name string) (int, error) {
	return j.count(ctx, "clear", url.Values{"queue": {name}})
}

func (j remoteJobs) Flush(ctx context.Context) (int, error) { return j.count(ctx, "flush", nil) }

func (j remoteJobs) PruneFailed(ctx context.Context, before time.Time) (int, error) {
	return j.count(ctx, "prune", url.Values{"before": {before.UTC().Format(time.RFC3339Nano)}})
}

func (j remoteJobs) Pause(ctx context.Context, name string) error { return j.on(ctx, "pause", name) }

func (j remoteJobs) Continue(ctx context.Context, name string) error {
	return j.on(ctx, "continue", name)
}

func (j remoteJobs) Restart(ctx context.Context) error {
	return j.c.call(ctx, http.MethodPost, "/v1/jobs/restart", nil, nil, &struct{}{})
}

func (j remoteJobs) on(ctx context.Context, what, name string) error {
	return j.c.call(ctx, http.MethodPost, "/v1/jobs/"+what, url.Values{"queue": {name}}, nil, &struct{}{})
}

func (j remoteJobs) count(ctx context.Context, what string, query url.Values) (int, error) {
	var n counted
	err := j.c.call(ctx, http.MethodPost, "/v1/jobs/"+what, query, nil, &n)
	return n.Jobs, err
}
