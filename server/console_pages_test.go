package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/server"
)

// consoleBackends are what the console's own tables and lists rest on.
func consoleBackends(t *testing.T, test func(t *testing.T, cfg server.BackendConfig)) {
	for name, backend := range backends {
		if name != "redis" { // which keeps waiting jobs only
			t.Run(name, func(t *testing.T) { test(t, backend(t)) })
		}
	}
}

type auditLine struct {
	Action, Subject, Error, By, Address string
	User                                struct{ ID, Name string }
}

// audit gives the log of what administrators did, the latest first.
func (c *consoleAdmin) audit() []auditLine {
	c.t.Helper()
	var got struct{ Audit []auditLine }
	c.ask("GET", "audit", "", 200, &got)
	return got.Audit
}

func TestConsoleShowsAndClosesConnections(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, nil)
	c := a.console()
	user := a.user("reader@example.test")
	b := a.browser()
	b.signIn("reader@example.test")
	w := a.connect(testApp())
	b.listen(w, "private-user."+user)
	for range 4 {
		a.connect(testApp())
	}
	type page struct {
		Connections []struct {
			Socket   string `json:"socket_id"`
			App      struct{ ID, Name string }
			User     string    `json:"user_id"`
			Opened   time.Time `json:"opened_at"`
			Channels []string
			Address  string
		}
		Total int
		Next  *string `json:"next_cursor"`
	}
	seen, cursor := map[string]bool{}, ""
	for range 3 {
		var got page
		c.ask("GET", "connections?limit=2&cursor="+url.QueryEscape(cursor), "", 200, &got)
		for _, one := range got.Connections {
			seen[one.Socket] = true
			if one.Opened.IsZero() || one.Address == "" || one.App.ID != appID {
				t.Errorf("%+v", one)
			}
		}
		if got.Total != 5 {
			t.Errorf("%d in all", got.Total)
		}
		if got.Next == nil {
			cursor = "end"
			break
		}
		cursor = *got.Next
	}
	if len(seen) != 5 || cursor != "end" {
		t.Errorf("pages gave %d connections, end %q", len(seen), cursor)
	}
	for _, query := range []string{"user=" + user, "channel=private-user." + user, "q=" + w.id} {
		var got page
		c.ask("GET", "connections?"+query, "", 200, &got)
		if len(got.Connections) != 1 || got.Connections[0].Socket != w.id || got.Connections[0].User != user {
			t.Errorf("%s: %+v", query, got)
		}
	}
	if answer := c.ask("GET", "connections/"+w.id, "", 200, nil); !strings.Contains(answer, `"history":{`) {
		t.Error(answer)
	}
	c.ask("POST", "connections/"+w.id+"/close", `{"code":1000}`, 422, nil)
	c.ask("POST", "connections/"+w.id+"/close", `{"code":4001,"reason":"go away"}`, 200, nil)
	w.expectClose(4001)
	if answer := c.ask("POST", "connections/1.1/close", "", 404, nil); !strings.Contains(answer, "1.1") {
		t.Error(answer)
	}
	log := c.audit()
	if len(log) != 3 || log[0].Error != "not_found" || log[1].Subject != w.id || log[1].Error != "" || log[1].Action != "connection.close" ||
		log[2].Error == "" || !strings.HasPrefix(log[1].By, "token ") || log[1].Address == "" || log[1].User.ID == "" {
		t.Errorf("%+v", log)
	}
}

func TestConsoleShowsChannelsAndSendsEvents(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, nil)
	c := a.console()
	w := a.connect(testApp())
	for _, channel := range []string{"orders.1", "orders.2", "other"} {
		w.emit("pusher:subscribe", "", map[string]any{"channel": channel})
		w.expect("pusher_internal:subscription_succeeded", channel)
	}
	var sent struct {
		ID, Status string
		Receipt    belfry.Receipt
	}
	c.ask("POST", "events", `{"app":"1001","channel":"orders.1","event":"moved","data":{"secret":"payload"}}`, 200, &sent)
	if sent.Status != "sent" || sent.Receipt.Matched != 1 {
		t.Errorf("%+v", sent)
	}
	w.expect("moved", "orders.1")
	c.ask("POST", "events", `{}`, 422, nil)
	c.ask("POST", "events", `{"app":"none","channel":"orders.1","event":"moved"}`, 404, nil)
	var list struct {
		Channels []struct {
			Name, Kind  string
			Subscribers int
			Last        struct{ Name, ID string } `json:"last_event"`
		}
		Total int
	}
	c.ask("GET", "channels?app=1001&prefix=orders", "", 200, &list)
	if len(list.Channels) != 2 || list.Channels[0].Name != "orders.1" || list.Channels[0].Subscribers != 1 || list.Channels[0].Kind != "public" ||
		list.Channels[0].Last.ID != sent.ID || list.Channels[1].Last.ID != "" {
		t.Errorf("%+v", list)
	}
	one := c.ask("GET", "channels/1001/orders.1", "", 200, nil)
	if !strings.Contains(one, sent.ID) || strings.Contains(one, "payload") {
		t.Error(one)
	}
	if near := c.ask("GET", "channels/1001/order.1", "", 404, nil); !strings.Contains(near, "orders.1") {
		t.Errorf("an unknown channel: %s", near)
	}
	if near := c.ask("GET", "channels?app=1002", "", 404, nil); !strings.Contains(near, "1001") {
		t.Errorf("an unknown app: %s", near)
	}
	event := c.ask("GET", "events/"+sent.ID, "", 200, nil)
	if !strings.Contains(event, `"published"`) || !strings.Contains(event, "console, user ") || strings.Contains(event, "payload") {
		t.Error(event)
	}
	c.ask("GET", "events/none", "", 404, nil)
	if said := c.ask("GET", "explain?id="+sent.ID, "", 200, nil); !strings.Contains(said, `"delivered"`) {
		t.Error(said)
	}
	entries := c.ask("GET", "log?kinds=event,subscription&q=orders.1&limit=10", "", 200, nil)
	if !strings.Contains(entries, sent.ID) || !strings.Contains(entries, `"subscribed"`) || strings.Contains(entries, "orders.2") || strings.Contains(entries, "payload") {
		t.Error(entries)
	}
}

func TestConsoleShowsTheWholeServer(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) { c.ProbeEvery = 20 * time.Millisecond })
	if err := os.Chmod(a.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := a.console()
	w := a.connect(testApp())
	b := a.browser()
	if status, _ := b.authorize(w, "private-secret"); status == 200 {
		t.Fatal("a guest may listen")
	}
	var view struct {
		Ready    bool
		Degraded []struct{ Part, Problem string }
		Totals   struct{ Connections, Apps int }
		Latency  struct {
			Probe *float64 `json:"probe_ms"`
		}
		Queues struct{ Workers *int }
		Series struct{ Points []any }
	}
	a.eventually("the overview is full", func() bool {
		c.ask("GET", "overview", "", 200, &view)
		return view.Latency.Probe != nil && view.Queues.Workers != nil && *view.Queues.Workers == 1 && len(view.Series.Points) > 0
	})
	// The probe's own app and connections are nobody's.
	if view.Totals.Connections != 1 || view.Totals.Apps != 1 || !view.Ready || len(view.Degraded) != 0 {
		t.Errorf("%+v", view)
	}
	for _, path := range []string{"connections", "channels", "usage", "apps", "log", "overview"} {
		if answer := c.ask("GET", path, "", 200, nil); strings.Contains(answer, "probe-") || strings.Contains(answer, `" probe"`) {
			t.Errorf("%s shows the probe: %s", path, answer)
		}
	}
	a.eventually("the denial is in the audit log", func() bool {
		return strings.Contains(c.ask("GET", "denials?channel=private-secret", "", 200, nil), "not_signed_in")
	})
	if health := c.ask("GET", "health", "", 200, nil); !strings.Contains(health, `"name":"probe","state":"ok"`) || !strings.Contains(health, `"ms":`) {
		t.Error(health)
	}
	var doctor struct {
		Failed int
		Checks []struct{ Name, Result, Seen, Fix string }
	}
	for _, want := range []int{1, 0} { // the test's folder is open to others at first
		c.ask("POST", "doctor", "", 200, &doctor)
		if len(doctor.Checks) < 8 || doctor.Failed != want {
			t.Errorf("%+v", doctor)
		}
		if err := os.Chmod(a.dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var usage struct {
		Usage []struct {
			App    string
			Limits []struct {
				Limit     string
				Used, Max *int64
			}
		}
	}
	c.ask("GET", "usage", "", 200, &usage)
	if len(usage.Usage) != 1 || usage.Usage[0].App != appID || usage.Usage[0].Limits[0].Limit != "connections" || *usage.Usage[0].Limits[0].Used != 1 {
		t.Errorf("%+v", usage)
	}
}

func TestConsoleWorksOnQueuesAndFailedJobs(t *testing.T) {
	consoleBackends(t, func(t *testing.T, cfg server.BackendConfig) {
		var works atomic.Bool
		target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if !works.Load() {
				http.Error(w, "nothing for order 17", http.StatusBadRequest)
				return
			}
			w.Write([]byte("{}"))
		}))
		t.Cleanup(target.Close)
		at, _ := url.Parse(target.URL)
		cfg.Broadcaster = "pusher"
		cfg.Target = server.Target{AppID: "7", Key: "key", Secret: "secret", Host: at.Hostname(), Port: number(t, at.Port()), Scheme: "http"}
		a := serveApplication(t, cfg, nil)
		c := a.console()
		sender := a.token(a.user("sender@example.test", belfry.RoleAdmin), "events")
		for range 5 {
			a.send(sender, `{"event":"moved","channels":["orders.1"],"data":{"who":"somebody"}}`)
		}
		type page struct {
			Failed []struct {
				ID, Event, Error, Group string
				Attempts                int
				PayloadUntil            *time.Time `json:"payload_until"`
			}
			Next *string `json:"next_cursor"`
		}
		var got page
		a.eventually("the jobs have failed", func() bool {
			got = page{}
			c.ask("GET", "failed", "", 200, &got)
			return len(got.Failed) == 5
		})
		if one := got.Failed[0]; one.Event != "moved" || one.Error == "" || one.PayloadUntil == nil || one.Attempts == 0 {
			t.Errorf("%+v", one)
		}
		if list := c.ask("GET", "failed", "", 200, nil); strings.Contains(list, "somebody") {
			t.Errorf("the list shows payloads: %s", list)
		}
		seen, path := map[string]bool{}, "failed?limit=2"
		for range 3 {
			var part page
			c.ask("GET", path, "", 200, &part)
			for _, job := range part.Failed {
				seen[job.ID] = true
			}
			if part.Next == nil {
				break
			}
			path = "failed?limit=2&cursor=" + url.QueryEscape(*part.Next)
		}
		if len(seen) != 5 {
			t.Errorf("pages gave %d jobs", len(seen))
		}
		var groups struct {
			Groups []struct {
				Error, Queue string
				Count        int
				Example      string `json:"example_id"`
			}
		}
		c.ask("GET", "failed/groups", "", 200, &groups)
		if len(groups.Groups) != 1 || groups.Groups[0].Count != 5 || strings.ContainsAny(groups.Groups[0].Error, "0123456789") {
			t.Errorf("%+v", groups)
		}
		if one := c.ask("GET", "failed/"+groups.Groups[0].Example, "", 200, nil); !strings.Contains(one, "somebody") {
			t.Errorf("one job is without its payload: %s", one)
		}
		if banner := c.ask("GET", "overview", "", 200, nil); !strings.Contains(banner, "5 jobs failed") {
			a.eventually("the banner speaks of failed jobs", func() bool { return strings.Contains(c.ask("GET", "overview", "", 200, nil), "5 jobs failed") })
		}
		c.ask("POST", "failed/retry", `{}`, 422, nil)
		c.ask("POST", "failed/retry", `{"ids":["none"]}`, 404, nil)
		c.ask("POST", "failed/forget", `{"ids":["`+got.Failed[0].ID+`"]}`, 200, nil)
		works.Store(true)
		c.ask("POST", "failed/retry", `{"ids":["`+got.Failed[1].ID+`"]}`, 200, nil)
		var changed struct{ Changed int }
		c.ask("POST", "failed/retry", asJSON(t, map[string]any{"all": true, "queue": groups.Groups[0].Queue, "error": groups.Groups[0].Error}), 200, &changed)
		if changed.Changed != 3 {
			t.Errorf("%+v", changed)
		}
		a.eventually("nothing failed any more", func() bool {
			return strings.Contains(c.ask("GET", "failed", "", 200, nil), `"failed":[]`)
		})

		c.ask("POST", "queues/default/pause", "", 200, nil)
		a.eventually("the queue is paused", func() bool {
			return strings.Contains(c.ask("GET", "queues", "", 200, nil), `"paused":true`)
		})
		id := a.send(sender, `{"event":"moved","channels":["orders.1"],"data":{}}`)
		if said := c.ask("GET", "explain?id="+id, "", 200, nil); !strings.Contains(said, "queue_paused") {
			t.Error(said)
		}
		c.ask("POST", "queues/default/clear", "", 200, nil)
		c.ask("POST", "queues/default/continue", "", 200, nil)
		if near := c.ask("POST", "queues/defalt/pause", "", 404, nil); !strings.Contains(near, "default") {
			t.Error(near)
		}
		c.ask("POST", "queues/restart", "", 200, nil)
		actions := map[string]int{}
		for _, line := range c.audit() {
			actions[line.Action]++
		}
		for action, n := range map[string]int{"failed.retry": 4, "failed.forget": 1, "queue.pause": 2, "queue.clear": 1, "queue.continue": 1, "queue.restart": 1} {
			if actions[action] != n {
				t.Errorf("%s stands %d times in the log, want %d", action, actions[action], n)
			}
		}
	})
}

func TestConsoleKeepsAppsAndTheirSecrets(t *testing.T) {
	consoleBackends(t, func(t *testing.T, cfg server.BackendConfig) {
		a := serveApplication(t, cfg, nil)
		c := a.console()
		type credentials struct{ ID, Key, Secret string }
		var made, rotated credentials
		c.ask("POST", "apps", `{"name":""}`, 422, nil)
		c.ask("POST", "apps", `{"name":"Till"}`, 201, &made)
		c.ask("POST", "apps/"+made.ID+"/rotate", `{"keep":true}`, 200, &rotated)
		if made.Secret == "" || rotated.Secret == "" || rotated.Secret == made.Secret || rotated.Key != made.Key {
			t.Fatal("the answers do not hold new secrets")
		}
		works := func(secret string) bool {
			app := testApp(func(app *belfry.App) {
				app.ID, app.Keys = made.ID, []belfry.Credential{{Key: made.Key, Secret: secret}}
			})
			status, _ := a.call(app, "GET", "/channels", "", nil)
			return status == 200
		}
		if !works(made.Secret) || !works(rotated.Secret) {
			t.Error("both secrets should hold while one is rotated out")
		}
		if list := c.ask("GET", "apps", "", 200, nil); !strings.Contains(list, `"secrets":2`) || !strings.Contains(list, `"from":"database"`) {
			t.Error(list)
		}
		c.ask("POST", "apps/"+made.ID+"/retire", "", 200, nil)
		if works(made.Secret) || !works(rotated.Secret) {
			t.Error("only the new secret should hold now")
		}
		c.ask("POST", "apps/1001/rotate", "", 409, nil) // the configuration's
		// Secrets are nowhere else.
		for _, path := range []string{"overview", "apps", "usage", "audit", "log", "health", "connections", "channels", "queues", "failed", "webhooks/in", "webhooks/out"} {
			answer := c.ask("GET", path, "", 200, nil)
			for _, secret := range []string{made.Secret, rotated.Secret, appSecret, c.token} {
				if strings.Contains(answer, secret) {
					t.Errorf("%s shows a secret", path)
				}
			}
		}
		c.ask("DELETE", "apps/"+made.ID, "", 200, nil)
		c.ask("POST", "apps/"+made.ID+"/rotate", "", 404, nil)
		log := c.audit()
		if len(log) < 6 || log[0].Action != "app.rotate" || log[0].Error == "" || log[1].Action != "app.remove" || log[1].Subject != made.ID {
			t.Errorf("%+v", log)
		}
	})
}

// sentCall is a webhook as the console shows it.
type sentCall struct {
	ID, URL, Outcome, Error string
	Events, Channels        []string
	Tries                   []struct{ Status int }
	Body                    bool
	Resent                  *time.Time `json:"resent_at"`
	ResentAs                string     `json:"resent_as"`
}

func (c *consoleAdmin) sent(query string) []sentCall {
	c.t.Helper()
	var got struct{ Calls []sentCall }
	c.ask("GET", "webhooks/out"+query, "", 200, &got)
	return got.Calls
}

// hooked is a server whose only app has a webhook to a receiver.
func hooked(t *testing.T, dir, receiver string) *application {
	a := &application{dir: dir}
	a.host = serveWith(t, func(c *server.Config) {
		c.DataDir, c.WebhookAllow = a.dir, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.DrainWindow, c.ShutdownGrace = -1, time.Second
	}, testApp(func(app *belfry.App) { app.Webhooks = []belfry.Webhook{{URL: receiver + "/hook?token=hidden"}} }))
	a.other = a.process(server.BackendConfig{})
	return a
}

func TestConsoleSendsWebhooksAgain(t *testing.T) {
	bodies := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		bodies <- r.Header.Get("X-Pusher-Signature")
	}))
	t.Cleanup(receiver.Close)
	a := hooked(t, t.TempDir(), receiver.URL)
	c := a.console()
	w := a.connect(testApp())
	w.emit("pusher:subscribe", "", map[string]any{"channel": "room"})
	first := <-bodies
	a.eventually("the webhook is shown", func() bool { return len(c.sent("")) == 1 })
	one := c.sent("")[0]
	if one.Outcome != "delivered" || strings.Contains(one.URL, "hidden") || len(one.Tries) != 1 || one.Channels[0] != "room" {
		t.Errorf("%+v", one)
	}
	c.ask("POST", "webhooks/out/"+one.ID+"/resend", "", 200, nil)
	if again := <-bodies; again != first {
		t.Error("the webhook came again with another body")
	}
	c.ask("POST", "webhooks/out/none/resend", "", 404, nil)
	c.ask("POST", "webhooks/out/resend", "{}", 422, nil)
	c.ask("GET", "webhooks/in", "", 200, nil)
}

// TestConsoleSendsFailedWebhooksAgainAfterARestart stops the server while its
// webhooks fail, and sends them again from the one that comes after it.
func TestConsoleSendsFailedWebhooksAgainAfterARestart(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	bodies := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
	}))
	t.Cleanup(receiver.Close)
	dir := t.TempDir()
	rooms := []string{"room-1", "room-2", "hall"}
	t.Run("before", func(t *testing.T) {
		a := hooked(t, dir, receiver.URL)
		c := a.console()
		w := a.connect(testApp())
		for _, room := range rooms {
			w.emit("pusher:subscribe", "", map[string]any{"channel": room})
		}
		a.eventually("all were tried", func() bool { return len(c.sent("?outcome=retrying")) == len(rooms) })
	})
	down.Store(false)
	a := hooked(t, dir, receiver.URL)
	c := &consoleAdmin{a, a.token(a.user("second@example.test", belfry.RoleAdmin), "admin")}
	failed := c.sent("?outcome=dropped&q=channel_occupied")
	if len(failed) != len(rooms) {
		t.Fatalf("after the restart: %+v", failed)
	}
	for _, one := range failed {
		if one.Error == "" || len(one.Tries) == 0 || one.Tries[0].Status != 503 || !one.Body || one.Resent != nil || strings.Contains(one.URL, "hidden") {
			t.Errorf("%+v", one)
		}
	}
	hall := failed[slices.IndexFunc(failed, func(one sentCall) bool { return one.Channels[0] == "hall" })]
	c.ask("POST", "webhooks/out/"+hall.ID+"/resend", "", 200, nil)
	if body := <-bodies; !strings.Contains(body, `"channel":"hall"`) {
		t.Error(body)
	}
	for _, one := range c.sent("?outcome=dropped") {
		if (one.ID == hall.ID) != (one.Resent != nil && one.ResentAs != "") {
			t.Errorf("%+v", one)
		}
	}
	var done struct {
		Sent     int
		Complete bool
		Left     string
	}
	c.ask("POST", "webhooks/out/resend", `{"all":true,"q":"channel_occupied"}`, 200, &done)
	if done.Sent != 2 || !done.Complete || done.Left != "" {
		t.Errorf("%+v", done)
	}
	if got := <-bodies + <-bodies; !strings.Contains(got, "room-1") || !strings.Contains(got, "room-2") {
		t.Error(got)
	}
	log := c.audit()
	if log[0].Action != "webhook.resend" || log[1].Subject != hall.ID {
		t.Errorf("%+v", log[:2])
	}
}
