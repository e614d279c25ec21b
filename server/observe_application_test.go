package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/server"
	"github.com/belfryhq/belfry/test/services"
)

func withMetrics(c *server.Config) { c.MetricsListen = "127.0.0.1:0" }

// scrape reads Belfry's own metrics, each a line between line breaks.
func (a *application) scrape() string {
	a.t.Helper()
	began := time.Now()
	status, body := get(a.t, "http://"+a.server.MetricsAddr().String()+"/metrics", nil)
	if status != http.StatusOK || time.Since(began) > patience/2 {
		a.t.Fatalf("a scrape: %d after %s: %s", status, time.Since(began), body)
	}
	var lines strings.Builder
	lines.WriteString("\n")
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "belfry_") && !strings.Contains(line, "_bucket{") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

// shows waits until a scrape has all these lines.
func (a *application) shows(lines ...string) {
	a.t.Helper()
	var missing, body string
	deadline := time.Now().Add(patience)
	for {
		missing, body = "", a.scrape()
		for _, line := range lines {
			if !strings.Contains(body, "\n"+line+"\n") {
				missing += line + "\n"
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("the metrics do not show\n%sbut\n%s", missing, body)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// part is a component of the detailed health report.
type part struct{ Status, Error, Note string }

func (a *application) health() (status int, parts map[string]part) {
	a.t.Helper()
	status, body := get(a.t, "http://"+a.server.MetricsAddr().String()+"/health", nil)
	var report struct{ Components map[string]part }
	if err := json.Unmarshal([]byte(body), &report); err != nil {
		a.t.Fatalf("%v in %s", err, body)
	}
	return status, report.Components
}

// worker runs a worker of another process until the test ends.
func worker(t *testing.T, b *server.Backend) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := b.Queue.Work(ctx, queue.Worker{Concurrency: 3})
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAScrapeShowsWhatWentThroughTheQueue(t *testing.T) {
	hooked := make(chan struct{}, 10)
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hooked <- struct{}{} }))
	t.Cleanup(endpoint.Close)
	eachBackend(t, func(t *testing.T, cfg server.BackendConfig) {
		app := testApp(func(app *belfry.App) {
			app.Webhooks = []belfry.Webhook{{URL: endpoint.URL, Events: []string{"channel_occupied"}, ChannelPrefix: "news"}}
		})
		a := serveApplication(t, cfg, func(c *server.Config) {
			withMetrics(c)
			c.Apps, c.WebhookAllow = []*belfry.App{app}, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		})
		id := a.user("a@example.test", "admin")
		token := a.token(id, "events")
		w := a.connect(testApp())
		w.subscribe("news") // occupies it, which is told to the endpoint
		for range 3 {
			a.send(token, `{"event":"published","channels":["news"],"data":{"n":1}}`)
		}
		for range 3 {
			w.expect("published", "news")
		}
		if _, err := a.other.Queue.Enqueue(t.Context(), nil, belfry.Job{Kind: "nobody's", Queue: "notifications", Payload: []byte("{}"), Tries: 1}); err != nil {
			t.Fatal(err)
		}
		a.shows(`belfry_queue_tries_total{queue="notifications",result="failed"} 1`)
		if err := a.other.Queue.Pause(t.Context(), "notifications"); err != nil {
			t.Fatal(err)
		}
		if _, err := a.other.Queue.Enqueue(t.Context(), nil, belfry.Job{Kind: "nobody's", Payload: []byte("{}"), RunAt: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		b := a.browser()
		b.signIn("a@example.test")
		b.listen(a.connect(testApp()), "private-user."+id)
		select {
		case <-hooked:
		case <-time.After(patience):
			t.Fatal("the endpoint was not told")
		}
		a.shows(
			`belfry_broadcast_accepted_total{driver="local"} 3`,
			`belfry_broadcast_events_total{driver="local",result="sent"} 3`,
			`belfry_broadcast_circuit_open{driver="local"} 0`,
			`belfry_event_delivery_seconds_count{app="`+appID+`"} 3`,
			`belfry_queue_enqueued_total{queue="default"} 3`,
			`belfry_queue_tries_total{queue="default",result="done"} 3`,
			`belfry_queue_wait_seconds_count{queue="default"} 3`,
			`belfry_queue_run_seconds_count{queue="default"} 3`,
			`belfry_queue_tries_total{queue="notifications",result="failed"} 1`,
			`belfry_queue_depth{queue="notifications",state="failed"} 1`,
			`belfry_queue_depth{queue="default",state="delayed"} 1`,
			`belfry_queue_depth{queue="default",state="waiting"} 0`,
			`belfry_queue_paused{queue="notifications"} 1`,
			`belfry_queue_paused{queue="default"} 0`,
			`belfry_workers{version="dev"} 1`,
			`belfry_workers_of_other_build 0`,
			`belfry_logins_total{result="ok"} 1`,
			`belfry_channel_authorizations_total{result="allowed"} 1`,
			`belfry_webhook_request_seconds_count{app="`+appID+`",result="ok"} 1`,
			`belfry_http_requests_total{code="202",door="web"} 3`,
			`belfry_component_up{component="queue"} 1`,
		)
		a.eventually("the health report speaks of both", func() bool { // it rests on counts that are given again for a second
			status, parts := a.health()
			note := parts["queue"].Note
			return status == http.StatusOK && strings.Contains(note, "failed jobs: 1") && strings.Contains(note, "notifications is paused")
		})
	})
}

func TestHealthSpeaksOfWorkers(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) {
		withMetrics(c)
		c.NoWorkers = true
	})
	status, parts := a.health()
	if p := parts["workers"]; status != http.StatusServiceUnavailable || p.Status != "down" || !strings.Contains(p.Error, "broadcast:start") {
		t.Errorf("without a worker: %d %+v", status, parts)
	}
	worker(t, a.process(server.BackendConfig{Version: "v0.0.1"}))
	a.eventually("the worker is seen", func() bool { status, parts = a.health(); return status == http.StatusOK })
	if note := parts["workers"].Note; !strings.Contains(note, "1 of 1") || !strings.Contains(note, "v0.0.1") {
		t.Errorf("with a worker of another build: %+v", parts["workers"])
	}
	a.shows(`belfry_workers{version="dev"} 0`, `belfry_workers{version="v0.0.1"} 1`, `belfry_workers_of_other_build 1`, `belfry_worker_slots 3`)
}

// What is away is named; what it held is not shown any more; it comes back.
func TestScrapesAndHealthWhileSomethingIsAway(t *testing.T) {
	for name, place := range map[string]func(t *testing.T) (cfg server.BackendConfig, stop, start func(), down []string){
		"postgres": func(t *testing.T) (server.BackendConfig, func(), func(), []string) {
			db := services.OwnPostgres(t)
			return server.BackendConfig{DatabaseURL: db.Database(t)}, db.Stop, db.Start, []string{"database", "queue", "workers"}
		},
		"redis": func(t *testing.T) (server.BackendConfig, func(), func(), []string) {
			redis := services.OwnRedis(t, "--appendonly", "yes")
			return server.BackendConfig{Queue: "redis", Redis: server.Redis{URL: "redis://" + redis.Addr + "/0"}}, redis.Stop, redis.Start, []string{"queue"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, stop, start, down := place(t)
			a := serveApplication(t, cfg, withMetrics)
			a.shows(`belfry_queue_depth{queue="default",state="waiting"} 0`, `belfry_component_up{component="queue"} 1`)
			stop()
			var missed []string
			for _, part := range down {
				missed = append(missed, `belfry_component_up{component="`+part+`"} 0`)
			}
			a.shows(append(missed, `belfry_component_up{component="realtime"} 1`, "belfry_ready 1")...)
			a.eventually("the depth is left out", func() bool { return !strings.Contains(a.scrape(), "\nbelfry_queue_depth") })
			status, parts := a.health()
			if status != http.StatusServiceUnavailable || parts["queue"].Error == "" {
				t.Errorf("health %d %+v", status, parts)
			}
			if name == "redis" && parts["database"].Status != "up" {
				t.Errorf("the database is blamed for Redis: %+v", parts["database"])
			}
			start()
			a.eventually("healthy", func() bool { status, _ := a.health(); return status == http.StatusOK })
			a.shows(`belfry_queue_depth{queue="default",state="waiting"} 0`)
		})
	}
}

func TestRedisAwayAtTheStartIsNamed(t *testing.T) {
	redis := services.OwnRedis(t)
	redis.Stop()
	a := &application{dir: t.TempDir()}
	a.host = serveWith(t, func(c *server.Config) {
		withMetrics(c)
		c.DataDir, c.Backend = a.dir, server.BackendConfig{Queue: "redis", Redis: server.Redis{URL: "redis://" + redis.Addr + "/0"}}
	}, testApp())
	status, parts := a.health()
	if status != http.StatusServiceUnavailable || parts["database"].Status != "up" || parts["queue"].Status != "down" || !strings.Contains(parts["queue"].Error, "edis") {
		t.Errorf("health %d %+v", status, parts)
	}
	redis.Start()
	a.eventually("healthy", func() bool { status, _ := a.health(); return status == http.StatusOK })
}
