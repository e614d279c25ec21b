package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/server"
)

// BenchmarkTrace publishes to one subscriber, the case in which tracing weighs
// most, without a trace, with the default one, and with every event traced.
func BenchmarkTrace(b *testing.B) {
	for name, cfg := range map[string]server.Trace{"off": {Off: true}, "default": {}, "all": {Rate: -1}} {
		b.Run(name, func(b *testing.B) {
			h := serveWith(b, func(c *server.Config) { c.Trace = cfg }, testApp())
			w := h.connect(testApp())
			w.subscribe("orders")
			w.conn.SetReadDeadline(time.Time{})
			go io.Copy(io.Discard, w.r)
			body := `{"name":"order.paid","channels":["orders"],"data":"{\"order\":12,\"text\":\"` + strings.Repeat("x", 200) + `\"}"}`
			target := eventsPath + "?" + signedQuery(eventsPath, []byte(body))
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
				a := httptest.NewRecorder()
				h.server.Handler().ServeHTTP(a, r)
				if a.Code != http.StatusOK {
					b.Fatalf("%d %s", a.Code, a.Body)
				}
			}
		})
	}
}
