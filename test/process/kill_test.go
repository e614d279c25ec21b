//go:build unix

package process_test

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/test/pusherclient"
)

// After kill -9 in the middle of the load the server starts again on the same
// folder and port as if nothing had been.
func TestKillAndRestart(t *testing.T) {
	h := newHost(t, "") // with an app that the first start makes
	h.start()
	target := h.printedApp()
	var most float64 // messages that there can have been
	for round := range 3 {
		l := startLoad(h, target, 30, 3)
		l.flows(t, 30)
		h.kill()
		l.wait(t)
		for _, p := range l.publishers {
			most += float64(p.accepted.Load()+1) * (1 + 10) // each goes to ten clients
		}
		for _, li := range l.listeners {
			if li.gap != "" {
				t.Errorf("round %d: a client lost events: %s", round, li.gap)
			}
		}
		if _, err := os.Lstat(filepath.Join(h.dir, "data", "belfry.sock")); err != nil {
			t.Errorf("round %d: the killed server left no control socket behind, so this test proves nothing of it: %v", round, err)
		}

		h.start()
		if strings.Contains(h.stdout.String(), "secret") || strings.Contains(h.log.String(), `"level":"WARN"`) {
			t.Errorf("round %d: the start after a kill is not as any other:\n%s%s", round, h.stdout, h.log)
		}
		if again := h.printed("key"); again != target.Key {
			t.Fatalf("round %d: the app's key is %s, was %s", round, again, target.Key)
		}
		// What the last seconds before the kill counted may be lost, and nothing
		// may be counted that was not.
		if n := h.messagesToday(); n < 0 || n > most {
			t.Errorf("round %d: %v messages are counted for today, but there were %v at most", round, n, most)
		}
		if out, exit := h.run("channels"); exit != 0 {
			t.Errorf("round %d: the control link does not work: %d %s", round, exit, out)
		}
		c := h.connect(target, "private-orders", "presence-room", "cache-prices")
		for _, channel := range []string{"private-orders", "presence-room", "cache-prices"} {
			h.delivers(target, c, channel)
			most += 2
		}
		c.Cut()
	}
	for _, pattern := range []string{".usage-*", ".c*", ".health-*"} {
		if left, err := filepath.Glob(filepath.Join(h.dir, "data", pattern)); err != nil || len(left) > 3 {
			t.Errorf("temporary files pile up: %v %v", left, err)
		}
	}
}

// printed gives a value of what the start prints.
func (h *host) printed(name string) string {
	h.t.Helper()
	found := regexp.MustCompile(`(?m)^ +` + name + ` +(\S+)$`).FindStringSubmatch(h.stdout.String())
	if found == nil {
		h.t.Fatalf("the start does not print the %s:\n%s", name, h.stdout)
	}
	return found[1]
}

// printedApp gives the app that the first start made.
func (h *host) printedApp() pusherclient.Target {
	h.t.Helper()
	return pusherclient.Target{URL: "http://" + h.addr, AppID: h.printed("app id"), Key: h.printed("key"), Secret: h.printed("secret")}
}

// messagesToday reads what counts against messages_per_day.
func (h *host) messagesToday() float64 {
	h.t.Helper()
	resp, err := h.http.Get("http://" + h.metrics + "/metrics")
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^belfry_messages_today\{.*\} (\S+)$`).FindSubmatch(text)
	if found == nil {
		return 0
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}
