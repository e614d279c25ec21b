//go:build unix

package process_test

import (
	"regexp"
	"strings"
	"testing"
)

// explained asks as an operator does and gives all that is said.
func (h *host) explained(exit int, args ...string) string {
	h.t.Helper()
	out, got := h.run(append([]string{"explain"}, args...)...)
	if got != exit {
		h.t.Fatalf("explain %s: exit %d, want %d:\n%s", strings.Join(args, " "), got, exit, out)
	}
	return out
}

// handIn queues an event by command and gives its id.
func (h *host) handIn(channel, event string) (id string) {
	h.t.Helper()
	out, exit := h.run("event:send", channel, event, `{"card":"hunter2"}`)
	found := regexp.MustCompile(`(?m)^event +(\w+)$`).FindStringSubmatch(out)
	if exit != 0 || found == nil {
		h.t.Fatalf("event:send: exit %d:\n%s", exit, out)
	}
	return found[1]
}

func mustSay(t *testing.T, said string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("this does not say %q:\n%s", word, said)
		}
	}
	if strings.Contains(said, "hunter2") || strings.Contains(said, appSecret) {
		t.Errorf("this tells a secret:\n%s", said)
	}
}

// After kill -9 explain says what it knows and what it does not: an event that
// waits is still known, one that was sent or cleared before is not.
func TestExplainKnowsOfAKill(t *testing.T) {
	h := newHost(t, configuration)
	h.serve = []string{"--no-workers"}
	h.start()
	waits := h.handIn("orders", "order.paid")
	mustSay(t, h.explained(1, waits), "(no_worker)", "no worker takes jobs from it", "No worker is alive at all", "handed over by event:send")
	h.kill()
	h.start()
	mustSay(t, h.explained(1, waits), "(no_worker)")

	// Cleared while the server remembers that it was queued, and after.
	cleared := h.handIn("orders", "order.paid")
	if out, exit := h.run("queue:clear"); exit != 0 {
		t.Fatalf("queue:clear: %d %s", exit, out)
	}
	mustSay(t, h.explained(1, cleared), "(lost)", "is in no queue any more")
	h.kill()
	h.start()
	for _, id := range []string{waits, cleared} {
		mustSay(t, h.explained(1, id), "(unknown_event)", "before what is remembered", "The server was started at", "No queue has it either")
	}

	// What a worker process sends, the server knows.
	c := h.connect(h.target(), "orders")
	id := h.handIn("orders", "order.paid")
	mustSay(t, h.explained(1, id), "(no_worker)")
	worker := h.command("broadcast:start", "--stop-when-empty")
	if out, err := worker.CombinedOutput(); err != nil {
		t.Fatalf("the worker ended with %v:\n%s", err, out)
	}
	mustSay(t, h.explained(0, id), "(delivered)", "delivered to 1 subscriber")
	mustSay(t, h.explained(0, "--socket", c.ID, "--event", "order.paid", "--channel", "orders"), "(delivered)", "socket "+c.ID)
}
