package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/ops"
	"github.com/belfryhq/belfry/internal/queue"
)

const (
	// checkTime bounds each check of the health report.
	checkTime = 900 * time.Millisecond
	// firstBeat is how long after the start the server's own worker may be
	// unheard of.
	firstBeat = 15 * time.Second
	// longWait is how long a job may wait before the health report speaks of it.
	longWait = time.Minute
)

// looks are what the health report and the metrics share, so that neither asks
// often or waits long.
type looks struct {
	sizes       *ops.Look[map[string]queue.Size]
	workers     *ops.Look[[]queue.WorkerInfo]
	broadcaster *ops.Look[struct{}]
}

func newLooks(b *Backend) looks {
	return looks{
		sizes:   ops.NewLook(b.Queue.Sizes, ops.LookTimes{}),
		workers: ops.NewLook(b.Queue.Workers, ops.LookTimes{}),
		// The target may be far away. To give it up after a second would count
		// against it.
		broadcaster: ops.NewLook(func(ctx context.Context) (struct{}, error) { return struct{}{}, b.Broadcast.Check(ctx) },
			ops.LookTimes{Limit: 10 * time.Second}),
	}
}

// close ends them. The database must still be open.
func (l looks) close() {
	l.sizes.Close()
	l.workers.Close()
	l.broadcaster.Close()
}

func (s *Server) applicationFigures() ops.Application {
	return ops.Application{
		Identity:  s.backend.Identity.Stats,
		Ingest:    s.ingest.Stats,
		Boards:    s.dashboards.Stats,
		Broadcast: s.backend.Broadcast.Stats,
		Push:      s.backend.Notify.PushStats,
		Trace:     s.trace.Stats,
		Queues:    s.backend.Queue.Stats,
		Sizes:     s.looks.sizes.Get,
		Workers:   s.looks.workers.Get,
		Authz: func() authz.Stats {
			if a := s.authz.Load(); a != nil {
				return a.Stats()
			}
			return authz.Stats{}
		},
	}
}

func (s *Server) checkBroadcaster(ctx context.Context) error {
	_, err := s.looks.broadcaster.Get(ctx)
	return err
}

var errUnprepared = errors.New("the database and the queue are not ready yet; the log says why")

// checkQueue reaches what keeps the jobs, and speaks of those that failed or
// wait long.
func (s *Server) checkQueue(ctx context.Context) (note string, err error) {
	if err := s.backend.Queue.Check(ctx); err != nil {
		return "", err
	}
	if s.authz.Load() == nil {
		return "", errUnprepared
	}
	sizes, err := s.looks.sizes.Get(ctx)
	if err != nil {
		return "the jobs cannot be counted at the moment: " + err.Error(), nil
	}
	return queueNote(sizes), nil
}

// queueNote names what deserves a look, the queues in the order of their names.
func queueNote(sizes map[string]queue.Size) string {
	failed := 0
	var notes []string
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		q := sizes[name]
		failed += q.Failed
		switch {
		case len(notes) == 10:
		case q.Paused:
			notes = append(notes, fmt.Sprintf("%s is paused", name))
		case q.Oldest >= longWait:
			notes = append(notes, fmt.Sprintf("%s has a job that waits for %s", name, q.Oldest.Round(time.Second)))
		}
	}
	if failed > 0 {
		notes = slices.Insert(notes, 0, fmt.Sprintf("failed jobs: %d (see them with: belfry queue:failed)", failed))
	}
	return strings.Join(notes, "; ")
}

var (
	errNoWorker  = errors.New("no worker is alive: start one with belfry broadcast:start, or serve without --no-workers")
	errOwnWorker = fmt.Errorf("no worker is alive: this server's own has not been heard of for %s", firstBeat)
)

// checkWorkers says whether anybody does the queue's jobs, and speaks of workers
// of another build.
func (s *Server) checkWorkers(ctx context.Context) (note string, err error) {
	if s.cfg.Backend.Queue == "sync" {
		return "jobs are run where they are made", nil
	}
	own := !s.cfg.NoWorkers
	if own && s.authz.Load() == nil {
		return "", errUnprepared
	}
	all, err := s.looks.workers.Get(ctx)
	if err != nil {
		return "", err
	}
	alive := slices.DeleteFunc(slices.Clone(all), func(w queue.WorkerInfo) bool { return w.Silent })
	switch {
	case len(alive) > 0:
		return s.workersNote(alive), nil
	case !own:
		return "", errNoWorker
	case s.state.Load() == serving && time.Since(s.started) > firstBeat:
		return "", errOwnWorker
	}
	return "", nil
}

// workersNote names other builds.
func (s *Server) workersNote(alive []queue.WorkerInfo) string {
	others := map[string]int{}
	n := 0
	for _, w := range alive {
		if w.Other {
			others[w.Version]++
			n++
		}
	}
	if n == 0 {
		return ""
	}
	versions := slices.Sorted(maps.Keys(others))
	return fmt.Sprintf("%d of %d are of another build than this server's %s: %s (restart them with: belfry queue:restart)",
		n, len(alive), s.cfg.Version, strings.Join(versions[:min(5, len(versions))], ", "))
}
