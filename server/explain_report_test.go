package server_test

import (
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/server"
)

// report has the page of a connection say what it has handlers for.
func (e *explained) report(w *wire, path, body string) (status int) {
	e.t.Helper()
	body = strings.ReplaceAll(body, "SOCKET", w.id)
	status, _ = e.request(e.http, "POST", path, body, "Content-Type", "text/plain")
	return status
}

func TestExplainNamesAnEventThatPagesDoNothingWith(t *testing.T) {
	for name, portable := range map[string]bool{"shards": false, "portable": true} {
		t.Run(name, func(t *testing.T) {
			e := explaining(t, server.BackendConfig{}, func(c *server.Config) { c.PortableEngine, c.PathPrefix = portable, "realtime" })
			w := e.dial(testApp(), "/realtime/app/"+testApp().Keys[0].Key+"?protocol=7&client=js&version=8.6.0")
			w.established()
			w.subscribe("orders")
			path := "/realtime/app/" + testApp().Keys[0].Key + "/report"
			id := e.published("orders")
			question := explain.Question{ID: id}
			e.says(explain.Delivered, question, "1 subscriber") // nothing is known of the page
			if status := e.report(w, path, `{"socket_id":"SOCKET","handlers":{"orders":[".order.paid"]}}`); status != 204 {
				t.Fatalf("report: %d", status)
			}
			id = e.published("orders")
			question = explain.Question{ID: id}
			e.says(explain.OtherName, question, "One socket got the event", `nearest that is bound is ".order.paid"`)
			e.report(w, path[len("/realtime"):], `{"socket_id":"SOCKET","handlers":{"orders":["order.paid"]},"errors":[{"channel":"orders","event":"order.paid","error":"TypeError: x"}]}`)
			e.says(explain.HandlerFailed, question, "TypeError: x")

			// Bound, but on another channel.
			elsewhere := e.dial(testApp(), "/realtime/app/"+testApp().Keys[0].Key+"?protocol=7&client=js&version=8.6.0")
			elsewhere.established()
			elsewhere.subscribe("news")
			e.report(elsewhere, path, `{"socket_id":"SOCKET","handlers":{"news":[],"orders":["order.paid"]}}`)
			e.says(explain.OtherName, explain.Question{ID: e.published("news")}, `none has a handler for "order.paid" there`, "it is bound on orders")
			elsewhere.expect("order.paid", "news")
			elsewhere.close()

			// What was said is remembered when the page is gone, and no more is taken.
			w.expect("order.paid", "orders")
			w.expect("order.paid", "orders")
			w.close()
			e.eventually("gone", func() bool { return e.report(w, path, `{"socket_id":"SOCKET"}`) == 404 })
			e.says(explain.HandlerFailed, question, "TypeError: x")
		})
	}
}

func TestNothingIsReportedWhereNothingIsRemembered(t *testing.T) {
	e := explaining(t, server.BackendConfig{}, func(c *server.Config) { c.Trace.Off = true })
	w := e.connect(testApp())
	if status := e.report(w, "/app/"+testApp().Keys[0].Key+"/report", `{"socket_id":"SOCKET"}`); status < 400 || status >= 500 {
		t.Errorf("report: %d", status)
	}
}
