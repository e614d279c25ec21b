package console

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/queue"
)

// queueLine is one queue.
type queueLine struct {
	Name    string  `json:"name"`
	Waiting int     `json:"waiting"`
	Delayed int     `json:"delayed"`
	Running int     `json:"running"`
	Failed  int     `json:"failed"`
	Paused  bool    `json:"paused"`
	Oldest  float64 `json:"oldest_s"`
	// Workers are those alive that take its jobs.
	Workers int `json:"workers"`
}

// worker is one worker of any process.
type worker struct {
	ID          string    `json:"id"`
	Name        string    `json:"name,omitempty"`
	Host        string    `json:"host"`
	PID         int       `json:"pid"`
	Version     string    `json:"version"`
	Other       bool      `json:"other_version"`
	Queues      []string  `json:"queues"`
	Concurrency int       `json:"concurrency"`
	Started     time.Time `json:"started_at"`
	Seen        time.Time `json:"last_seen"`
	State       string    `json:"state"` // "idle", "busy" or "silent"
	Running     int       `json:"running"`
	Begun       int       `json:"begun"`
	MemoryMB    int       `json:"memory_mb"`
}

func shownWorker(w queue.WorkerInfo) worker {
	state := "idle"
	switch {
	case w.Silent:
		state = "silent"
	case w.Running > 0:
		state = "busy"
	}
	return worker{ID: w.ID, Name: w.Name, Host: w.Host, PID: w.PID, Version: w.Version, Other: w.Other, Queues: list(w.Queues), Concurrency: w.Concurrency,
		Started: w.Started.UTC(), Seen: w.Seen.UTC(), State: state, Running: w.Running, Begun: w.Begun, MemoryMB: w.Used}
}

// maxWorkers bounds the answer.
const maxWorkers = 1000

func (c *Console) queues(r *http.Request, _ *call) (any, error) {
	sizes, err := c.cfg.Sizes(r.Context())
	if err != nil {
		return nil, err
	}
	workers, err := c.cfg.Workers(r.Context())
	if err != nil {
		return nil, err
	}
	lines, all := []queueLine{}, []worker{}
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		s := sizes[name]
		line := queueLine{Name: name, Waiting: s.Waiting, Delayed: s.Delayed, Running: s.Running, Failed: s.Failed, Paused: s.Paused, Oldest: s.Oldest.Seconds()}
		for _, w := range workers {
			if !w.Silent && slices.Contains(w.Queues, name) {
				line.Workers++
			}
		}
		lines = append(lines, line)
	}
	for _, w := range workers[:min(len(workers), maxWorkers)] {
		all = append(all, shownWorker(w))
	}
	return map[string]any{"queues": lines, "workers": all}, nil
}

// queue gives the queue that a request names.
func (c *Console) queue(r *http.Request, one *call) (string, error) {
	name := r.PathValue("name")
	one.subject = name
	sizes, err := c.cfg.Sizes(r.Context())
	if err != nil {
		return "", err
	}
	if _, known := sizes[name]; !known {
		names := slices.Sorted(maps.Keys(sizes))
		near := explain.Near(name, names)
		if len(near) == 0 {
			near = names[:min(len(names), 5)]
		}
		return "", unknown("queue", name, near)
	}
	return name, nil
}

func (c *Console) pause(r *http.Request, one *call) (any, error) {
	name, err := c.queue(r, one)
	if err == nil {
		err = c.cfg.Queue.Pause(r.Context(), name)
	}
	return map[string]bool{"paused": true}, err
}

func (c *Console) resume(r *http.Request, one *call) (any, error) {
	name, err := c.queue(r, one)
	if err == nil {
		err = c.cfg.Queue.Continue(r.Context(), name)
	}
	return map[string]bool{"paused": false}, err
}

func (c *Console) clear(r *http.Request, one *call) (any, error) {
	name, err := c.queue(r, one)
	n := 0
	if err == nil {
		n, err = c.cfg.Queue.Clear(r.Context(), name)
	}
	one.note("removed", n)
	return map[string]int{"removed": n}, err
}

func (c *Console) restart(r *http.Request, _ *call) (any, error) {
	return map[string]bool{"restarting": true}, c.cfg.Queue.Restart(r.Context())
}
