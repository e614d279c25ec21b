package ops

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Check examines one part of the server. Run gives nil while the part works;
// it is never called again before it has returned. It should end with its
// context. Its note, of what deserves a look but is no failure, and its error
// are for operators alone and must hold no secret.
type Check struct {
	Name string
	Run  func(ctx context.Context) (note string, err error)
}

const (
	statusUp   = "up"
	statusDown = "down"
)

// report is the detailed answer of /health.
type report struct {
	Status     string               `json:"status"`
	Unready    string               `json:"unready,omitempty"`
	Components map[string]component `json:"components"`
	CheckedAt  time.Time            `json:"checked_at"`
	Version    string               `json:"version,omitempty"`
	Uptime     float64              `json:"uptime_seconds"`
	Go         string               `json:"go,omitempty"`
	Goroutines int                  `json:"goroutines"`
}

type component struct {
	Status  string  `json:"status"`
	Error   string  `json:"error,omitempty"`
	Note    string  `json:"note,omitempty"`
	Seconds float64 `json:"seconds"`
}

// terse leaves out what only operators may see.
func (r report) terse() any {
	components := make(map[string]string, len(r.Components))
	for name, c := range r.Components {
		components[name] = c.Status
	}
	return struct {
		Status     string            `json:"status"`
		Components map[string]string `json:"components"`
	}{r.Status, components}
}

// health runs the checks, at most once in a while.
type health struct {
	timeout, every time.Duration
	checks         []*runner

	mu    sync.Mutex // guards last and since; held while the checks run, so that others wait for the same report
	last  report
	since map[string]time.Time // when a component came into its state
}

// runner is a check and what is known of it.
type runner struct {
	Check
	running chan struct{} // has room while the check is not running
}

func (h *health) init(cfg Config) {
	h.timeout, h.every, h.since = cfg.CheckTimeout, cfg.CheckEvery, make(map[string]time.Time)
	for _, c := range cfg.Checks {
		h.checks = append(h.checks, &runner{Check: c, running: make(chan struct{}, 1)})
	}
}

// report gives a report that is no older than every. The checks do not end
// with ctx's request, since others wait for them too.
func (h *health) report(ctx context.Context) report {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.last.CheckedAt.IsZero() && time.Since(h.last.CheckedAt) < h.every {
		return h.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.timeout)
	defer cancel()
	results := make([]component, len(h.checks))
	var wg sync.WaitGroup
	for i, c := range h.checks {
		wg.Go(func() { results[i] = c.run(ctx, h.timeout) })
	}
	wg.Wait()
	r := report{Status: statusUp, Components: make(map[string]component, len(results)), CheckedAt: time.Now()}
	for i, c := range h.checks {
		if old, known := h.last.Components[c.Name]; !known || old.Status != results[i].Status {
			h.since[c.Name] = r.CheckedAt
		}
		r.Components[c.Name] = results[i]
		if results[i].Status != statusUp {
			r.Status = statusDown
		}
	}
	h.last = r
	return r
}

// run gives the check's result, or says that it hangs. A hanging check is not
// started a second time.
func (c *runner) run(ctx context.Context, timeout time.Duration) component {
	start := time.Now()
	hangs := fmt.Errorf("no answer within %s", timeout)
	select {
	case c.running <- struct{}{}:
	default:
		return component{Status: statusDown, Error: hangs.Error()}
	}
	type answer struct {
		note string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		note, err := c.Check.Run(ctx)
		done <- answer{note, err}
		<-c.running
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		a.err = hangs
	}
	if errors.Is(a.err, context.DeadlineExceeded) {
		a.err = hangs
	}
	result := component{Status: statusUp, Note: a.note, Seconds: time.Since(start).Seconds()}
	if a.err != nil {
		result.Status, result.Error = statusDown, a.err.Error()
	}
	return result
}

// Part is how one part of the server does, for operators alone.
type Part struct {
	Name string
	Up   bool
	// Since is when it was first seen so.
	Since time.Time
	// Text is the error of one that is down, or a note.
	Text string
	Took time.Duration
}

// Parts gives the health report, in the order of Config.Checks. It is no older
// than Config.CheckEvery.
func (o *Ops) Parts(ctx context.Context) []Part {
	report := o.health.report(ctx)
	o.health.mu.Lock()
	defer o.health.mu.Unlock()
	var all []Part
	for _, c := range o.health.checks {
		one := report.Components[c.Name]
		p := Part{Name: c.Name, Up: one.Status == statusUp, Since: o.health.since[c.Name], Text: one.Note, Took: time.Duration(one.Seconds * float64(time.Second))}
		if !p.Up {
			p.Text = one.Error
		}
		all = append(all, p)
	}
	return all
}
