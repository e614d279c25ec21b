package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/api"
	"github.com/belfryhq/belfry/internal/hub"
)

// BenchmarkPublish is the handler's share of a publish, without the network.
func BenchmarkPublish(b *testing.B) {
	h := hub.New(hub.Config{})
	h.SetApps([]*belfry.App{demoApp()})
	handler := api.New(api.Config{Hub: h, Now: func() time.Time { return now }})
	body := `{"name":"order.shipped","channels":["private-orders.42"],"data":"{\"id\":42,\"note\":\"` + strings.Repeat("x", 200) + `\"}"}`
	target := signed("POST", base+"/events", body, now)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
