package ops

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// timings are what engines tell as it happens.
type timings struct {
	webhooks, deliveries, probes *prometheus.HistogramVec
	probeFailures                prometheus.Counter
}

func newTimings() *timings {
	t := &timings{
		webhooks: newHistogram(hookSeconds, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10),
		deliveries: newHistogram(deliverySeconds,
			.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 15, 60, 300),
		probes:        newHistogram(probeSeconds, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10),
		probeFailures: prometheus.NewCounter(prometheus.CounterOpts{Name: probeFailed.name, Help: probeFailed.help}),
	}
	t.probes.WithLabelValues() // there from the start
	return t
}

func newHistogram(m *metric, bounds ...float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.name, Help: m.help, Buckets: bounds}, m.labels)
}

// Webhook counts the time of one webhook request. It may be called concurrently.
func (o *Ops) Webhook(app string, ok bool, took time.Duration) {
	result := "failed"
	if ok {
		result = "ok"
	}
	o.timings.webhooks.WithLabelValues(app, result).Observe(took.Seconds())
}

// Delivered counts how long an event took from its acceptance until it was sent.
// It may be called concurrently.
func (o *Ops) Delivered(app string, took time.Duration) {
	o.timings.deliveries.WithLabelValues(app).Observe(took.Seconds())
}

// Probed counts an event that the server sent itself the whole way: how long it
// took, or that it did not come back. It may be called concurrently.
func (o *Ops) Probed(ok bool, took time.Duration) {
	if !ok {
		o.timings.probeFailures.Inc()
		return
	}
	o.timings.probes.WithLabelValues().Observe(took.Seconds())
}
