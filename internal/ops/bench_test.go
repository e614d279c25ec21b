package ops_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/ops"
)

// BenchmarkMeter is what counting and timing one request costs. The hub counts
// messages in the fields that limits and usage need too.
func BenchmarkMeter(b *testing.B) {
	m := ops.New(ops.Config{}).Meter("api")
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(http.StatusOK, time.Millisecond)
	}
}

// BenchmarkScrape is what one look of Prometheus at the metrics costs.
func BenchmarkScrape(b *testing.B) {
	o := ops.New(ops.Config{})
	happen(o)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.RemoteAddr = "127.0.0.1:4000"
		if o.Private().ServeHTTP(w, r); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
