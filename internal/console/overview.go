package console

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/queue"
)

// Part is a part of the server and how it does.
type Part struct {
	Name  string    `json:"name"`
	State string    `json:"state"` // "ok" or "degraded"
	Since time.Time `json:"since"` // that it is so
	Note  string    `json:"note,omitempty"`
	// Milliseconds is how long the look at it took.
	Milliseconds float64 `json:"took_ms"`
}

// States of a Part.
const (
	OK       = "ok"
	Degraded = "degraded"
)

// Probe is one event that went the whole way, or did not.
type Probe struct {
	At           time.Time `json:"at"`
	Milliseconds float64   `json:"ms"`
	Error        string    `json:"error,omitempty"`
}

// Probes are the last ones, the newest first.
type Probes struct {
	EverySeconds float64 `json:"every_s"` // 0: none are sent
	Last         []Probe `json:"last"`
}

// Check is one of the doctor's.
type Check struct {
	Name   string `json:"name"`
	Result string `json:"result"` // "passed", "failed" or "skipped"
	Seen   string `json:"seen"`
	Fix    string `json:"fix,omitempty"`
}

type problem struct {
	Part    string `json:"part"`
	Problem string `json:"problem"`
}

type latency struct {
	Probe *float64 `json:"probe_ms"`
	P50   *float64 `json:"delivery_p50_ms"`
	P99   *float64 `json:"delivery_p99_ms"`
}

type totals struct {
	Connections   int64 `json:"connections"`
	Channels      int64 `json:"channels"`
	Subscriptions int64 `json:"subscriptions"`
	Users         int64 `json:"users"`
	Apps          int   `json:"apps"`
	WaitingBytes  int64 `json:"waiting_bytes"`
}

// jobs are of all processes; null while they cannot be counted.
type jobs struct {
	Waiting *int `json:"waiting"`
	Running *int `json:"running"`
	Failed  *int `json:"failed"`
	Workers *int `json:"workers"`
}

type remembered struct {
	OneIn   int       `json:"one_in"`
	Dropped uint64    `json:"dropped"`
	Oldest  time.Time `json:"oldest,omitzero"`
}

type series struct {
	Every  int     `json:"every_s"`
	Points []point `json:"points"`
}

type overview struct {
	Version  string     `json:"version"`
	Started  time.Time  `json:"started_at"`
	Now      time.Time  `json:"now"`
	Node     string     `json:"node"`
	Engine   string     `json:"engine"`
	Ready    bool       `json:"ready"`
	Degraded []problem  `json:"degraded"`
	Totals   totals     `json:"totals"`
	Rates    rates      `json:"rates"`
	Latency  latency    `json:"latency"`
	Queues   jobs       `json:"queues"`
	Trace    remembered `json:"trace"`
	Series   series     `json:"series"`
}

func (c *Console) overview(r *http.Request, _ *call) (any, error) { return c.view(r.Context()), nil }

// view gives the overview of this moment.
func (c *Console) view(ctx context.Context) *overview {
	now := c.figures.now()
	o := &overview{Version: c.cfg.Version, Started: c.cfg.Started.UTC().Truncate(time.Millisecond), Now: now.at.UTC().Truncate(time.Millisecond),
		Node: c.cfg.Node, Engine: c.cfg.Engine, Ready: c.cfg.Ready(), Degraded: []problem{}}
	o.Totals = totals{Connections: now.connections, Channels: now.channels, Subscriptions: now.subscriptions, Users: now.people,
		Apps: len(c.cfg.Hub.Apps()), WaitingBytes: c.cfg.Sockets().Waiting}
	o.Rates, o.Series.Points, o.Latency = c.figures.read()
	o.Series.Every = seriesEvery
	if last := c.cfg.Probes().Last; len(last) > 0 && last[0].Error == "" {
		o.Latency.Probe = &last[0].Milliseconds
	}
	for _, p := range c.cfg.Health(ctx) {
		if p.State != OK {
			o.Degraded = append(o.Degraded, problem{p.Name, p.Note})
		}
	}
	if sizes, err := c.cfg.Sizes(ctx); err == nil {
		var waiting, running, failed int
		for _, s := range sizes {
			waiting, running, failed = waiting+s.Waiting+s.Delayed, running+s.Running, failed+s.Failed
		}
		o.Queues = jobs{Waiting: &waiting, Running: &running, Failed: &failed}
		o.Degraded = append(o.Degraded, queueProblems(sizes, failed)...)
	}
	if workers, err := c.cfg.Workers(ctx); err == nil {
		alive := 0
		for _, w := range workers {
			if !w.Silent {
				alive++
			}
		}
		o.Queues.Workers = &alive
	}
	st := c.cfg.Trace.Stats()
	o.Trace = remembered{OneIn: max(1, st.OneIn), Dropped: st.Dropped, Oldest: st.Oldest}
	return o
}

// longWait is how long a job may wait before the banner speaks of it.
const longWait = time.Minute

// queueProblems are what an operator should look at though every part works.
func queueProblems(sizes map[string]queue.Size, failed int) (all []problem) {
	if failed > 0 {
		all = append(all, problem{"failed jobs", fmt.Sprintf("%d jobs failed and wait for a decision", failed)})
	}
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		switch s := sizes[name]; {
		case len(all) > 10:
			return all
		case s.Paused:
			all = append(all, problem{"queue " + name, "it is paused"})
		case s.Oldest >= longWait:
			all = append(all, problem{"queue " + name, "a job has waited for " + s.Oldest.Round(time.Second).String()})
		}
	}
	return all
}
