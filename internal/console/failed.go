package console

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/internal/store"
)

// Bounds of the list of failed jobs.
const (
	maxScan   = 50_000 // jobs that one request looks at
	maxGroups = 500
	maxIDs    = 1000 // in one request
	maxBatch  = 500  // at once
)

// failedJob is one as the console shows it.
type failedJob struct {
	ID       string    `json:"id"`
	Queue    string    `json:"queue"`
	Kind     string    `json:"kind"`
	App      string    `json:"app,omitempty"`
	EventID  string    `json:"event_id,omitempty"`
	Event    string    `json:"event,omitempty"`
	Channels []string  `json:"channels,omitempty"`
	Error    string    `json:"error"`
	Group    string    `json:"group"` // the error without what differs
	Attempts int       `json:"attempts"`
	Enqueued time.Time `json:"enqueued_at"`
	Failed   time.Time `json:"failed_at"`
	// PayloadUntil is when the payload goes; null when it is gone, and the job
	// cannot be retried.
	PayloadUntil *time.Time      `json:"payload_until"`
	Payload      json.RawMessage `json:"payload,omitempty"`
}

// shownFailed looks the payload up, of which it takes what names the event.
func (c *Console) shownFailed(ctx context.Context, id string) (failedJob, error) {
	job, err := c.cfg.Queue.FailedJob(ctx, id)
	if err != nil {
		return failedJob{}, err
	}
	one := failedJob{ID: job.ID, Queue: job.Queue, Kind: job.Kind, Error: job.Error, Group: alike(job.Error), Attempts: job.Tries,
		Enqueued: job.Enqueued, Failed: job.Failed, Payload: job.Payload}
	if job.Payload != nil {
		until := job.Failed.Add(c.cfg.Queue.KeepsPayload())
		one.PayloadUntil = &until
	}
	var e belfry.Event
	if job.Kind == broadcast.JobKind && json.Unmarshal(job.Payload, &e) == nil {
		one.App, one.EventID, one.Event, one.Channels = e.App, e.ID, e.Name, e.Channels[:min(len(e.Channels), 10)]
	}
	return one, nil
}

// alike gives an error without numbers, ids and addresses, so that those of one
// cause are the same text.
func alike(text string) string {
	var b strings.Builder
	text = clip(text, 300)
	for len(text) > 0 {
		n := strings.IndexFunc(text, func(r rune) bool { return !word(r) })
		if n == 0 {
			b.WriteByte(text[0])
			text = text[1:]
			continue
		}
		if n < 0 {
			n = len(text)
		}
		if part := text[:n]; strings.ContainsAny(part, "0123456789") {
			b.WriteByte('#')
		} else {
			b.WriteString(part)
		}
		text = text[n:]
	}
	return b.String()
}

// word reports whether a character may be part of a number, an id or a word.
func word(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r > 127
}

// wantedJobs says which failed jobs a request is about.
type wantedJobs struct {
	queue.FailedFilter
	group string // of errors, or a part of one; in lower case
	text  string // in lower case
}

func (w *wantedJobs) picks(job *queue.FailedJob) bool {
	if w.group != "" && strings.ToLower(alike(job.Error)) != w.group && !strings.Contains(strings.ToLower(job.Error), w.group) {
		return false
	}
	return w.text == "" || strings.Contains(strings.ToLower(job.ID+" "+job.Queue+" "+job.Kind+" "+job.Error), w.text)
}

// each calls see with the failed jobs that are wanted, of those that one request
// may look at; more reports that there may be others.
func (c *Console) each(ctx context.Context, w wantedJobs, see func(queue.FailedJob) bool) (more bool, err error) {
	seen := 0
	err = c.cfg.Queue.EachFailed(ctx, w.FailedFilter, func(job queue.FailedJob) bool {
		if seen++; seen > maxScan {
			more = true
			return false
		}
		return !w.picks(&job) || see(job)
	})
	return more, err
}

// failed answers with failed jobs, the last failed first.
func (c *Console) failed(r *http.Request, _ *call) (any, error) {
	most, err := limit(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	w := wantedJobs{group: strings.ToLower(q.Get("error")), text: strings.ToLower(q.Get("q"))}
	w.Queue = q.Get("queue")
	if w.Before, w.BeforeID, err = cursorOf(q.Get("cursor")); err != nil {
		return nil, err
	}
	var ids []string
	cursor, last := "", ""
	if _, err = c.each(r.Context(), w, func(job queue.FailedJob) bool {
		if len(ids) == most {
			cursor = last
			return false
		}
		ids = append(ids, job.ID)
		last = strconv.FormatInt(store.Millis(job.Failed), 10) + "." + job.ID
		return true
	}); err != nil {
		return nil, err
	}
	all := []failedJob{}
	for _, id := range ids {
		one, err := c.shownFailed(r.Context(), id)
		if belfry.CodeOf(err) == belfry.CodeNotFound {
			continue // somebody retried it just now
		}
		if err != nil {
			return nil, err
		}
		one.Payload = nil
		all = append(all, one)
	}
	return map[string]any{"failed": all, "next_cursor": next(cursor)}, nil
}

func cursorOf(text string) (at time.Time, id string, err error) {
	if text == "" {
		return time.Time{}, "", nil
	}
	millis, id, ok := strings.Cut(text, ".")
	n, wrong := strconv.ParseInt(millis, 10, 64)
	if !ok || wrong != nil || n <= 0 {
		return time.Time{}, "", fault("cursor", "this is none of this list's: begin anew without it")
	}
	return time.UnixMilli(n), id, nil
}

// group is failed jobs of one queue with one cause.
type group struct {
	Error   string    `json:"error"`
	Queue   string    `json:"queue"`
	Count   int       `json:"count"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Example string    `json:"example_id"`
}

func (c *Console) failedGroups(r *http.Request, _ *call) (any, error) {
	groups := map[[2]string]*group{}
	w := wantedJobs{text: strings.ToLower(r.URL.Query().Get("q"))}
	w.Queue = r.URL.Query().Get("queue")
	more, err := c.each(r.Context(), w, func(job queue.FailedJob) bool {
		key := [2]string{job.Queue, alike(job.Error)}
		g := groups[key]
		if g == nil {
			if len(groups) == maxGroups {
				return true
			}
			g = &group{Error: key[1], Queue: job.Queue, Last: job.Failed, Example: job.ID}
			groups[key] = g
		}
		g.Count++
		g.First = job.Failed
		return true
	})
	if err != nil {
		return nil, err
	}
	all := []group{}
	for _, g := range groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), b.Last.Compare(a.Last), cmp.Compare(a.Error, b.Error))
	})
	return map[string]any{"groups": all, "complete": !more && len(groups) < maxGroups}, nil
}

func (c *Console) failedJob(r *http.Request, _ *call) (any, error) {
	return c.shownFailed(r.Context(), r.PathValue("id"))
}

func (c *Console) retryFailed(r *http.Request, one *call) (any, error) {
	return c.change(r, one, true, c.cfg.Queue.Retry)
}

func (c *Console) forgetFailed(r *http.Request, one *call) (any, error) {
	return c.change(r, one, false, c.cfg.Queue.Forget)
}

// change does something to the failed jobs that a request names, or to all that
// it describes.
func (c *Console) change(r *http.Request, one *call, retry bool, do func(ctx context.Context, ids ...string) error) (any, error) {
	var ask struct {
		IDs   []string `json:"ids"`
		Queue string   `json:"queue"`
		Error string   `json:"error"`
		Text  string   `json:"q"`
		All   bool     `json:"all"`
	}
	if err := one.read(r, &ask); err != nil {
		return nil, err
	}
	switch {
	case len(ask.IDs) > maxIDs:
		return nil, fault("ids", "name at most "+strconv.Itoa(maxIDs)+" jobs at a time, or describe them")
	case len(ask.IDs) > 0:
		one.subject = ask.IDs[0]
		one.note("jobs", len(ask.IDs))
		if err := do(r.Context(), ask.IDs...); err != nil {
			return nil, err
		}
		return map[string]int{"changed": len(ask.IDs)}, nil
	case !ask.All:
		return nil, fault("ids", `name the jobs, or write "all": true with what describes them`)
	}
	one.subject = ask.Queue
	one.note("error", clip(ask.Error, 300))
	w := wantedJobs{group: strings.ToLower(ask.Error), text: strings.ToLower(ask.Text)}
	w.Queue, w.Retryable = ask.Queue, retry
	var ids []string
	more, err := c.each(r.Context(), w, func(job queue.FailedJob) bool {
		ids = append(ids, job.ID)
		return true
	})
	if err != nil {
		return nil, err
	}
	changed := 0
	for part := range slices.Chunk(ids, maxBatch) {
		n, err := some(r.Context(), part, do)
		if changed += n; err != nil {
			one.note("changed", changed)
			return nil, err
		}
	}
	one.note("changed", changed)
	return map[string]any{"changed": changed, "complete": !more}, nil
}

// some does something to jobs of which others may take some meanwhile.
func some(ctx context.Context, ids []string, do func(ctx context.Context, ids ...string) error) (n int, err error) {
	if err = do(ctx, ids...); err == nil {
		return len(ids), nil
	}
	if !gone(err) {
		return 0, err
	}
	for _, id := range ids {
		if err = do(ctx, id); err == nil {
			n++
		} else if !gone(err) {
			return n, err
		}
	}
	return n, nil
}

// gone reports whether a job was taken, or lost its payload, meanwhile.
func gone(err error) bool {
	code := belfry.CodeOf(err)
	return code == belfry.CodeNotFound || code == belfry.CodeConflict
}
