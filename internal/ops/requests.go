package ops

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requests counts the HTTP requests of the other doors.
type requests struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

func newRequests() *requests {
	return &requests{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: httpRequests.name, Help: httpRequests.help,
		}, httpRequests.labels),
		seconds: newHistogram(httpSeconds, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10),
	}
}

// Meter counts and times the requests of one door. It is safe for concurrent
// use.
type Meter struct {
	door    string
	total   *prometheus.CounterVec
	ok      prometheus.Counter // by far the commonest
	seconds prometheus.Observer
}

// Meter gives the meter of a door, whose name must be one of a few fixed words.
func (o *Ops) Meter(door string) *Meter {
	return &Meter{
		door:    door,
		total:   o.requests.total,
		ok:      o.requests.total.WithLabelValues(door, "200"),
		seconds: o.requests.seconds.WithLabelValues(door),
	}
}

// Observe notes a request that was answered with status after took.
func (m *Meter) Observe(status int, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	if status == http.StatusOK {
		m.ok.Inc()
		return
	}
	m.total.WithLabelValues(m.door, strconv.Itoa(status)).Inc()
}

// Measure counts and times the requests that next answers, under the name of
// its door, which must be one of a few fixed words. Do not put it in front of
// WebSockets: their requests last as long as the connection.
func (o *Ops) Measure(door string, next http.Handler) http.Handler {
	meter := o.Meter(door)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		defer func() { meter.Observe(rec.status, time.Since(start)) }()
		next.ServeHTTP(rec, r)
	})
}

// statusRecorder remembers the status that was written.
type statusRecorder struct {
	http.ResponseWriter
	status  int
	written bool
}

func (r *statusRecorder) WriteHeader(status int) {
	if !r.written && status >= 200 {
		r.status, r.written = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Write(p []byte) (int, error) {
	r.written = true
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what is underneath.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
