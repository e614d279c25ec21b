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
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: httpSeconds.name, Help: httpSeconds.help,
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, httpSeconds.labels),
	}
}

// Measure counts and times the requests that next answers, under the name of
// its door, which must be one of a few fixed words. Do not put it in front of
// WebSockets: their requests last as long as the connection.
func (o *Ops) Measure(door string, next http.Handler) http.Handler {
	seconds := o.requests.seconds.WithLabelValues(door)
	ok := o.requests.total.WithLabelValues(door, "200") // by far the commonest
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			seconds.Observe(time.Since(start).Seconds())
			if rec.status == http.StatusOK {
				ok.Inc()
			} else {
				o.requests.total.WithLabelValues(door, strconv.Itoa(rec.status)).Inc()
			}
		}()
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
