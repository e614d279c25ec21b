package explain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/report"
	"github.com/belfryhq/belfry/internal/trace"
)

// listening is a world in which three sockets of a user got an event.
func listening() (w *world, id string) {
	w = newWorld()
	for _, socket := range []string{"1.1", "2.2", "3.3"} {
		w.Connected(now.Add(-time.Minute), "1", socket, "192.0.2.1")
		w.Subscribed(now.Add(-time.Minute), "1", socket, "orders", "7")
	}
	return w, w.event(trace.Step{What: trace.Published, Channel: "orders", Receipt: &belfry.Receipt{Matched: 3, Written: 3}})
}

// binds says what the page of a socket has handlers for on the event's channel.
func (w *world) binds(socket string, names ...string) {
	w.pages.Take(report.Report{Socket: socket, Handlers: map[string][]string{"orders": names}})
}

// fails says that the page's handler for the event failed.
func (w *world) fails(socket, text string) {
	w.pages.Take(report.Report{Socket: socket, Handlers: map[string][]string{"orders": {"order.paid"}},
		Failures: []report.Failure{{Channel: "orders", Event: "other", Error: "another"}, {Channel: "orders", Event: "order.paid", Error: text}}})
}

// evidence fails unless the verdict shows the words.
func evidence(t *testing.T, v explain.Verdict, words string) {
	t.Helper()
	if !strings.Contains(strings.Join(v.Evidence, "\n"), words) {
		t.Errorf("evidence %q does not show %q", v.Evidence, words)
	}
}

// Pages that report what they have handlers for say more.
func TestAnEventThatNoPageListensFor(t *testing.T) {
	w, id := listening()
	all, user := explain.Question{ID: id}, explain.Question{User: "7", Event: "order.paid", Channel: "orders"}
	w.says(t, explain.Delivered, all, "3 subscribers")
	w.binds("1.1", ".order.paid")
	w.binds("2.2", "App\\Events\\order.paid", "other")
	v := w.says(t, explain.Delivered, all) // the third did not report
	evidence(t, v, "The pages of 2 sockets have no handler for it")
	evidence(t, v, `nearest that is bound is ".order.paid"`)
	evidence(t, v, "Of 1 page nothing is known")
	w.binds("3.3", "Order.Paid")
	v = w.says(t, explain.OtherName, all, "3 sockets got the event, and none has a handler", `nearest that is bound is`)
	if !slices.Contains(v.Near, ".order.paid") || !strings.Contains(v.Fix, ".listen('.order.paid'") {
		t.Errorf("near %q, fix %q", v.Near, v.Fix)
	}
	w.says(t, explain.OtherName, user, "3 sockets")
	w.says(t, explain.OtherName, explain.Question{Socket: "3.3", Event: "order.paid", Channel: "orders"}, "One socket", `"Order.Paid"`)

	w, id = listening()
	w.binds("1.1", "other")
	w.binds("2.2", "other")
	w.binds("3.3", report.Every)
	evidence(t, w.says(t, explain.Delivered, explain.Question{ID: id}), "2 sockets have no handler")
	evidence(t, w.says(t, explain.Delivered, user), "2 sockets have no handler")

	w, id = listening()
	for _, socket := range []string{"1.1", "2.2", "3.3"} {
		w.binds(socket)
	}
	evidence(t, w.says(t, explain.OtherName, explain.Question{ID: id}), "no handlers at all")
}

func TestAnEventThatPagesListenForElsewhere(t *testing.T) {
	w, id := listening()
	for _, socket := range []string{"1.1", "2.2", "3.3"} {
		w.pages.Take(report.Report{Socket: socket, Handlers: map[string][]string{"private-user.7": {"order.paid"}, "orders": {}}})
	}
	v := w.says(t, explain.OtherName, explain.Question{ID: id}, "none has a handler", "it is bound on private-user.7")
	evidence(t, v, "On other channels they have handlers for: order.paid")
	if !strings.Contains(v.Fix, "publish it on private-user.7") {
		t.Errorf("fix %q", v.Fix)
	}
}

func TestAnEventWhoseHandlersFailed(t *testing.T) {
	w, id := listening()
	w.fails("1.1", "TypeError: total is undefined")
	one := explain.Question{Socket: "1.1", Event: "order.paid", Channel: "orders"}
	w.says(t, explain.HandlerFailed, one, "One socket got the event", "TypeError: total is undefined.")
	evidence(t, w.says(t, explain.Delivered, explain.Question{ID: id}), "TypeError: total is undefined")
	w.fails("2.2", "TypeError: total is undefined")
	w.binds("3.3", "other")
	v := w.says(t, explain.HandlerFailed, explain.Question{ID: id}, "2 sockets got the event", "failed")
	evidence(t, v, "The page of socket 3.3 has no handler for it")
	w.says(t, explain.HandlerFailed, explain.Question{ID: id, Socket: "1.1"}, "One socket")
}
