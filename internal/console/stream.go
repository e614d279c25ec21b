package console

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
)

// Times and bounds of a stream.
const (
	streamBatch    = 100 * time.Millisecond // between two batches of entries
	streamSecond   = time.Second            // between two words about sampling
	streamOverview = 2 * time.Second
	streamSilence  = 15 * time.Second // then a comment shows that it lives
	streamWrite    = 10 * time.Second // for one write; then its reader is gone
	streamsMost    = 100              // at a time
	defaultRate    = 200              // entries a second
	maxRate        = 1000
)

// Why a stream ends.
const (
	byeRole     = "role"
	byeShutdown = "shutdown"
)

// stream is one open stream.
type stream struct {
	user   string
	holder string // the session or token that reads
	sample *sampler
	doubt  chan struct{} // has a value when the reader's rights may have changed
	views  chan struct{} // has one when the views of payloads have
}

// Doubt says that a user's rights may have changed: their open streams ask again
// at once, and their views of payloads show nothing until they did. "" stands for everybody. It does not block.
func (c *Console) Doubt(user string) {
	c.payloads.doubts(user)
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.streams {
		if user == "" || s.user == user {
			select {
			case s.doubt <- struct{}{}:
			default:
			}
		}
	}
}

// open counts a stream in, or says that there are too many.
func (c *Console) open(caller gate.Caller, sample *sampler) (*stream, error) {
	s := &stream{user: idOf(caller), holder: caller.SessionID(), sample: sample, doubt: make(chan struct{}, 1), views: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.streams) >= streamsMost {
		return nil, &belfry.Error{Code: belfry.CodeRateLimited, Message: "too many consoles are open at a time", Hint: "close some of their pages"}
	}
	c.streams[s] = struct{}{}
	c.payloads.read(s)
	return s, nil
}

func (c *Console) close(s *stream) {
	c.payloads.leave(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, s)
}

// serveStream sends what happens as server-sent events.
func (c *Console) serveStream(w http.ResponseWriter, r *http.Request) {
	caller, err := c.caller(r)
	var f filter
	if err == nil {
		f, err = newFilter(r.URL.Query())
	}
	rate := defaultRate
	if text := r.URL.Query().Get("rate"); text != "" && err == nil {
		n, wrong := strconv.Atoi(text)
		if wrong != nil || n < 10 || n > maxRate {
			err = fault("rate", "write a number from 10 to "+strconv.Itoa(maxRate))
		}
		rate = n
	}
	var s *stream
	if err == nil {
		s, err = c.open(caller, newSampler(f, rate))
	}
	if faults, ok := err.(fields); ok {
		writeJSON(w, http.StatusUnprocessableEntity, fieldProblem{gate.Problem{Error: faults.Error(), Code: belfry.CodeInvalid}, faults})
		return
	}
	if err != nil {
		c.cfg.Gate.Fail(w, r, caller, err)
		return
	}
	defer c.close(s)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx would hold it back
	out := &events{w: w, control: http.NewResponseController(w)}
	defer c.cfg.Trace.Tail(s.sample.see)()
	c.run(r, s, out, s.sample, r.URL.Query().Get("overview") == "1")
}

func idOf(c gate.Caller) string {
	if c.User == nil {
		return ""
	}
	return c.User.ID
}

// run writes until the reader, their right or the server is gone. What it reads
// of the trace is shared and not kept.
func (c *Console) run(r *http.Request, s *stream, out *events, sample *sampler, overview bool) {
	tickers := [...]*time.Ticker{time.NewTicker(streamBatch), time.NewTicker(streamSecond), time.NewTicker(streamOverview),
		time.NewTicker(streamSilence), time.NewTicker(c.cfg.Recheck)}
	for _, t := range tickers {
		defer t.Stop()
	}
	batch, second, look, silence, recheck := tickers[0].C, tickers[1].C, tickers[2].C, tickers[3].C, tickers[4].C
	out.comment("open")
	degraded := ""
	show := func() {
		if !overview {
			return
		}
		view := c.view(r.Context())
		out.send("overview", view)
		if text, _ := json.Marshal(view.Degraded); string(text) != degraded {
			degraded = string(text)
			out.send("degraded", view.Degraded)
		}
	}
	show()
	out.send("payloads", c.payloads.shown(s.holder))
	for out.err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-c.ended:
			out.send("bye", map[string]string{"reason": byeShutdown})
			return
		case <-s.doubt:
			if !c.still(r, out) {
				return
			}
		case <-s.views:
			out.send("payloads", c.payloads.shown(s.holder))
		case <-recheck:
			if !c.still(r, out) {
				return
			}
		case <-batch:
			if all := sample.take(); len(all) > 0 {
				out.send("entry", all)
			}
		case <-second:
			if said, ok := sample.second(c.cfg.Trace.OneIn(c.cfg.Now())); ok {
				out.send("sampled", said)
			}
		case <-look:
			show()
		case <-silence:
			out.comment("still here")
		}
	}
}

// still reports whether the reader still may read, and says goodbye if not. While
// the database cannot say, they may not.
func (c *Console) still(r *http.Request, out *events) bool {
	if _, err := c.caller(r); err != nil {
		out.send("bye", map[string]string{"reason": byeRole})
		return false
	}
	return true
}

// events writes server-sent events.
type events struct {
	w       io.Writer
	control *http.ResponseController
	err     error // of the first write that failed
}

func (e *events) send(name string, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		e.err = err
		return
	}
	e.write("event: " + name + "\ndata: " + string(text) + "\n\n")
}

func (e *events) comment(text string) { e.write(": " + text + "\n\n") }

func (e *events) write(text string) {
	if e.err != nil {
		return
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(streamWrite)) // best effort: some writers have none
	if _, e.err = io.WriteString(e.w, text); e.err == nil {
		e.err = e.control.Flush()
	}
}
