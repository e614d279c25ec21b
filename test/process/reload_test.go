//go:build unix

package process_test

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/belfryhq/belfry/test/pusherclient"
)

const secondApp = `
  - id: "1002"
    key: second-key
    secret: second-secret
`

// A reload takes on a new app, by signal and by command, and drops nobody.
func TestReloadKeepsConnections(t *testing.T) {
	for name, reload := range map[string]func(*host){
		"SIGHUP": func(h *host) {
			h.signal(syscall.SIGHUP)
			h.logged(`"msg":"configuration reloaded"`)
		},
		"config reload": func(h *host) {
			if out, exit := h.run("config", "reload"); exit != 0 || !strings.Contains(out, "1002") {
				h.t.Fatalf("config reload: %d %s", exit, out)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, configuration)
			h.start()
			second := h.target()
			second.AppID, second.Key, second.Secret = "1002", "second-key", "second-secret"
			h.refuses(second, 4001)
			c := h.connect(h.target(), "private-orders", "presence-room")
			l := startLoad(h, h.target(), 20, 2)
			l.flows(t, 20)

			h.configure(configuration + secondApp)
			reload(h)

			other := h.connect(second, "news")
			h.delivers(second, other, "news")
			h.delivers(h.target(), c, "private-orders")
			h.delivers(h.target(), c, "presence-room")
			l.flows(t, 20)
			accepted := l.accepted()
			l.stop()
			l.wait(t)
			for _, li := range l.listeners {
				if pusherclient.CloseCode(li.end) != 0 || li.gap != "" {
					t.Errorf("a client was disturbed by the reload: %v %s", li.end, li.gap)
				}
			}
			for p, n := range accepted {
				if n == 0 {
					t.Errorf("nothing was accepted on %s", p.channel)
				}
			}
		})
	}
}

// An app that a reload takes out is closed for its clients, and for them alone.
func TestReloadRemovesAnApp(t *testing.T) {
	h := newHost(t, configuration+secondApp)
	h.start()
	second := h.target()
	second.AppID, second.Key, second.Secret = "1002", "second-key", "second-secret"
	gone, stays := h.connect(second, "news"), h.connect(h.target(), "news")
	h.configure(configuration)
	h.signal(syscall.SIGHUP)
	h.logged(`"msg":"configuration reloaded"`)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := gone.Await(ctx, "never", ""); pusherclient.CloseCode(err) < 4000 || pusherclient.CloseCode(err) > 4099 {
		t.Errorf("a client of the app that is gone: %v, want a close code that keeps it away", err)
	}
	h.refuses(second, 4001)
	h.delivers(h.target(), stays, "news")
}

// A file that does not hold changes nothing and says why.
func TestReloadOfABrokenFileChangesNothing(t *testing.T) {
	h := newHost(t, configuration)
	h.start()
	c := h.connect(h.target(), "news")
	h.configure(configuration + secondApp + "\nappz: []\n")
	h.signal(syscall.SIGHUP)
	h.logged(`"level":"ERROR"`)
	for _, want := range []string{"nothing was changed", "belfry.yaml:", "appz"} {
		if !strings.Contains(h.log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, h.log)
		}
	}
	out, exit := h.run("--data-dir", "data", "config", "reload")
	if exit != 1 || !strings.Contains(out, "appz") {
		t.Errorf("config reload: %d %s", exit, out)
	}
	if strings.Contains(h.log.String()+out, "second-secret") {
		t.Error("a secret is shown")
	}
	second := h.target()
	second.Key = "second-key"
	h.refuses(second, 4001)
	h.delivers(h.target(), c, "news")
	h.delivers(h.target(), h.connect(h.target(), "news"), "news")
}

// refuses proves that a connection is refused with that code.
func (h *host) refuses(target pusherclient.Target, code int) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := pusherclient.Dial(ctx, target, nil)
	if err == nil {
		c.Cut()
	}
	if pusherclient.CloseCode(err) != code {
		h.t.Errorf("connecting with key %s: %v, want close code %d", target.Key, err, code)
	}
}
