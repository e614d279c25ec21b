package ops

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/dashboard"
)

// maxBoards is how many dashboards have metrics.
const maxBoards = 100

var (
	boardChanges      = newMetric(counter, "belfry_dashboard_changes_total", "Changes that a dashboard was told of.", "dashboard")
	boardBroadcasts   = newMetric(counter, "belfry_dashboard_broadcasts_total", "Broadcasts of a dashboard by result: sent, large (only that there is something to fetch), failed (tried again).", "dashboard", "result")
	boardComputations = newMetric(timing, "belfry_dashboard_computation_seconds", "Time to compute all figures of a dashboard for one range, in seconds.", "dashboard")
	boardFailures     = newMetric(counter, "belfry_dashboard_figure_failures_total", "Figures that could not be computed and kept their last value.", "dashboard")
	boardFailing      = newMetric(gauge, "belfry_dashboard_figures_failing", "Figures, for each range asked for, whose last computation failed.", "dashboard")
)

func boardMetrics() []*metric {
	return []*metric{boardChanges, boardBroadcasts, boardComputations, boardFailures, boardFailing}
}

// board sends what one dashboard has done.
func (s sink) board(b dashboard.Stats) {
	s.count(boardChanges, b.Changes, b.Dashboard)
	s.count(boardBroadcasts, b.Broadcasts-b.Large, b.Dashboard, "sent")
	s.count(boardBroadcasts, b.Large, b.Dashboard, "large")
	s.count(boardBroadcasts, b.Unsent, b.Dashboard, "failed")
	s.count(boardFailures, b.Failures, b.Dashboard)
	var failing int64
	for _, f := range b.Figures {
		failing += truth(f.Failing != "")
	}
	s.put(boardFailing, failing, b.Dashboard)
	buckets := make(map[float64]uint64, len(b.Bounds))
	for i, bound := range b.Bounds {
		buckets[bound.Seconds()] = b.Buckets[i]
	}
	s.ch <- prometheus.MustNewConstHistogram(boardComputations.desc, b.Computations, b.Seconds, buckets, b.Dashboard)
}
