package server_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/server"
)

func TestProbeGoesTheWholeWayAndIsNobodysApp(t *testing.T) {
	for name, change := range map[string]func(*server.Config){
		"epoll":       func(*server.Config) {},
		"portable":    func(c *server.Config) { c.PortableEngine = true },
		"prefix":      func(c *server.Config) { c.PathPrefix = "/realtime" },
		"any address": func(c *server.Config) { c.HandshakesPerSecond = 1000 },
	} {
		t.Run(name, func(t *testing.T) {
			a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) {
				c.MetricsListen, c.ProbeEvery = "127.0.0.1:0", 20*time.Millisecond
				change(c)
			})
			count := regexp.MustCompile(`belfry_probe_seconds_count ([2-9]|\d\d)`)
			a.eventually("two probes came back", func() bool { return count.MatchString(a.scrape()) })
			text := a.scrape()
			if !strings.Contains(text, "belfry_probe_failures_total 0") || !strings.Contains(text, `belfry_component_up{component="probe"} 1`) {
				t.Error("a probe failed")
			}
			if strings.Contains(text, `app=" probe"`) {
				t.Error("the metrics have the probe's app")
			}
			a.eventually("the health report tells of it", func() bool { // it is given again for a second
				_, body := get(t, "http://"+a.server.MetricsAddr().String()+"/health", nil)
				return strings.Contains(body, "whole way in")
			})
			for _, file := range []string{"usage.json"} {
				if text, err := os.ReadFile(filepath.Join(a.dir, file)); err == nil && strings.Contains(string(text), "probe") {
					t.Errorf("%s has the probe's app: %s", file, text)
				}
			}
		})
	}
}

func TestProbeGoesThroughTLS(t *testing.T) {
	files, _ := certFiles(t)
	s := run(t, server.Config{TLS: files, ProbeEvery: 20 * time.Millisecond, Apps: []*belfry.App{testApp()}})
	a := &application{host: &host{t: t, server: s}}
	a.eventually("a probe came back", func() bool {
		text := a.scrape()
		return strings.Contains(text, "belfry_probe_seconds_count ") && !strings.Contains(text, "belfry_probe_seconds_count 0")
	})
	if !strings.Contains(a.scrape(), "belfry_probe_failures_total 0") {
		t.Error("a probe failed")
	}
}

func TestProbeThatIsLostDegradesTheHealth(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) {
		c.MetricsListen, c.ProbeEvery = "127.0.0.1:0", 20*time.Millisecond
		c.MaxConnections = 1
		c.Logger = nil
	})
	a.eventually("a probe came back", func() bool { return !strings.Contains(a.scrape(), "belfry_probe_seconds_count 0") })
	w := a.connect(testApp()) // the only one that the server takes
	a.eventually("the health report is degraded", func() bool {
		status, _ := get(t, a.url()+"/health", nil)
		return status == http.StatusServiceUnavailable
	})
	if status, _ := get(t, a.url()+"/ready", nil); status != http.StatusOK {
		t.Errorf("/ready: %d, though only a part is degraded", status)
	}
	c := a.console()
	a.eventually("the banner names it", func() bool {
		return strings.Contains(c.ask("GET", "overview", "", 200, nil), `"part":"probe"`)
	})
	if strings.Contains(a.scrape(), "belfry_probe_failures_total 0\n") {
		t.Error("no failure is counted")
	}
	w.close()
	a.eventually("the health report is good again", func() bool {
		status, _ := get(t, a.url()+"/health", nil)
		return status == http.StatusOK
	})
}
