package server_test

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/queue"
	"github.com/belfryhq/belfry/server"
	"github.com/belfryhq/belfry/test/services"
)

// app gives the test's app, as the settings of another process do.
func (a *application) app(id string) *belfry.App {
	if id == "" || id == appID {
		return testApp()
	}
	return nil
}

func TestPeopleListenToWhatIsTheirs(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, nil)
	seven := ""
	for i := range 7 {
		seven = a.user(string(rune('a'+i))+"@example.test", []string{"viewer", "editor"}[i/6:][:1]...)
	}
	if seven != "7" {
		t.Fatalf("the seventh user has the id %q", seven)
	}
	b, w := a.browser(), a.connect(testApp())
	if status, _ := b.authorize(w, "private-system"); status != http.StatusUnauthorized {
		t.Errorf("a guest got %d for private-system, want 401", status)
	}
	b.signIn("g@example.test")
	for _, channel := range []string{"private-user.7", "private-role.editor", "private-system", "presence-role.editor"} {
		b.listen(w, channel)
	}
	for _, channel := range []string{
		"private-admin", "private-role.viewer", "private-user.1", "private-user.07", "private-user.7abc", "private-user.7.0",
		"private-user.", "private-user.7.x", "private-Admin", "private-other", "private-role.editor.x", "presence-admin",
	} {
		if status, _ := b.authorize(w, channel); status != http.StatusForbidden {
			t.Errorf("user 7 got %d for %s, want 403", status, channel)
		}
	}
	for _, channel := range []string{"private-user. 7", "private-user.7\n", "news", ""} {
		if status, _ := b.authorize(w, channel); status != http.StatusBadRequest {
			t.Errorf("user 7 got %d for %q, want 400", status, channel)
		}
	}
	status, body := a.request(b.http, http.MethodPost, "/broadcasting/auth", "socket_id="+w.id+"&channel_name=private-user.7", "Content-Type", "application/x-www-form-urlencoded")
	if status != 419 {
		t.Errorf("without a CSRF token: %d %s, want 419", status, body)
	}
}

func TestATokenListensWithoutCookies(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, nil)
	id := a.user("a@example.test", "editor")
	token, w := a.token(id, "notifications"), a.connect(testApp())
	status, body := a.request(a.http, http.MethodPost, "/broadcasting/auth", `{"socket_id":"`+w.id+`","channel_name":"private-user.`+id+`"}`,
		"Content-Type", "application/json", "Authorization", "Bearer "+token)
	if status != http.StatusOK || !strings.Contains(body, `"auth":"`+appKey+":") {
		t.Errorf("by a token: %d %s", status, body)
	}
	if status, body = a.request(a.http, http.MethodPost, "/broadcasting/auth", `{}`, "Authorization", "Bearer belfry_9_none"); status != http.StatusUnauthorized {
		t.Errorf("by a false token: %d %s", status, body)
	}
}

func TestQuestionsAreLimited(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) { c.Authorization.PerMinute = 3 })
	b, w := a.browser(), a.connect(testApp())
	for i := range 5 {
		status, _ := b.authorize(w, "private-system")
		if want := map[bool]int{true: http.StatusUnauthorized, false: http.StatusTooManyRequests}[i < 3]; status != want {
			t.Errorf("question %d got %d, want %d", i+1, status, want)
		}
	}
}

// Changes come from another process, as from belfry user:role.
func TestLostRightsTakeEffectOnWhatIsSubscribed(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			a := serveApplication(t, backends[name](t), nil)
			id := a.user("a@example.test", "editor", "viewer")
			people, ctx := a.other.Identity, t.Context()
			b := a.browser()
			b.signIn("a@example.test")

			w := a.connect(testApp())
			b.listen(w, "private-role.editor")
			b.listen(w, "private-system")
			if err := people.SetRoles(ctx, id, []string{"viewer"}); err != nil {
				t.Fatal(err)
			}
			w.expectClose(4200)
			again := a.connect(testApp())
			b.listen(again, "private-system")
			if status, _ := b.authorize(again, "private-role.editor"); status != http.StatusForbidden {
				t.Errorf("the lost channel was authorized again: %d", status)
			}

			// A right that is added takes nothing away.
			if err := people.SetRoles(ctx, id, []string{"viewer", "editor"}); err != nil {
				t.Fatal(err)
			}
			b.listen(again, "private-role.editor")
			a.send(a.token(id, "events"), `{"event":"still","channels":["private-system"],"data":{}}`)
			again.expect("still", "private-system")

			if err := people.SetDisabled(ctx, id, true); err != nil {
				t.Fatal(err)
			}
			again.expectClose(4009)
		})
	}
}

func TestSigningOutEndsWhatStoodOnTheSession(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, nil)
	id := a.user("a@example.test")
	here, there := a.browser(), a.browser()
	here.signIn("a@example.test")
	there.signIn("a@example.test")
	w, other := a.connect(testApp()), a.connect(testApp())
	here.listen(w, "private-user."+id)
	there.listen(other, "private-user."+id)
	if status, body := here.post("/logout", nil); status != http.StatusNoContent {
		t.Fatalf("logout: %d %s", status, body)
	}
	w.expectClose(4200)
	if status, _ := here.authorize(other, "private-user."+id); status != http.StatusUnauthorized {
		t.Errorf("signed out, and got %d", status)
	}
	if err := a.other.Identity.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	other.expectClose(4009)
}

func TestASignedInConnectionEndsWithItsUser(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, nil)
	id := a.user("a@example.test")
	b, w := a.browser(), a.connect(testApp())
	b.signIn("a@example.test")
	status, body := b.post("/broadcasting/user-auth", url.Values{"socket_id": {w.id}})
	if status != http.StatusOK {
		t.Fatalf("user-auth: %d %s", status, body)
	}
	var answer authAnswer
	decode(t, body, &answer)
	w.emit("pusher:signin", "", map[string]any{"auth": answer.Auth, "user_data": answer.UserData})
	w.expect("pusher:signin_success", "")
	if err := a.other.Identity.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.expectClose(4009)
}

func TestEventsReachSubscribersThroughQueueAndWorker(t *testing.T) {
	eachBackend(t, func(t *testing.T, cfg server.BackendConfig) {
		a := serveApplication(t, cfg, nil)
		token := a.token(a.user("a@example.test", "admin"), "events")
		w := a.connect(testApp())
		w.subscribe("private-news")
		id := a.send(token, `{"event":"published","channels":["private-news"],"data":{"n":1},"with_id":true}`)
		got := w.expect("published", "private-news").text(t)
		if !strings.Contains(got, `"n":1`) || !strings.Contains(got, id) {
			t.Errorf("the event has the data %s, want its id %s in it", got, id)
		}
	})
}

func TestEventsReachSubscribersThroughAWorkerInAnotherProcess(t *testing.T) {
	eachBackend(t, func(t *testing.T, cfg server.BackendConfig) {
		a := serveApplication(t, cfg, func(c *server.Config) { c.NoWorkers = true })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := a.other.Queue.Work(ctx, queue.Worker{Concurrency: 4})
			ended <- err
		}()
		defer func() {
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		token := a.token(a.user("a@example.test", "admin"), "events")
		w := a.connect(testApp())
		w.subscribe("private-news")
		a.send(token, `{"event":"published","channels":["private-news"],"data":{"n":1}}`)
		w.expectText(`{"event":"published","channel":"private-news","data":"{\"n\":1}"}`)
	})
}

func TestEventsReachTheSubscribersOfAnotherBelfry(t *testing.T) {
	target := serve(t, testApp())
	host, port, _ := strings.Cut(target.addr, ":")
	a := serveApplication(t, server.BackendConfig{Broadcaster: "pusher", Target: server.Target{
		AppID: appID, Key: appKey, Secret: appSecret, Scheme: "http", Host: host, Port: number(t, port),
	}}, nil)
	token := a.token(a.user("a@example.test", "admin"), "events")
	w := target.connect(testApp())
	w.subscribe("private-news")
	a.send(token, `{"event":"published","channels":["private-news"],"data":"text"}`)
	w.expectText(`{"event":"published","channel":"private-news","data":"text"}`)
}

func TestPostgresAwayAtTheStartComesBack(t *testing.T) {
	db := services.OwnPostgres(t)
	cfg := server.BackendConfig{DatabaseURL: db.Database(t)}
	db.Stop()
	a := &application{dir: t.TempDir()}
	a.host = serveWith(t, func(c *server.Config) { c.DataDir, c.Backend = a.dir, cfg }, testApp())

	w := a.connect(testApp()) // realtime needs no database
	w.subscribe("news")
	if status, body := a.request(a.http, http.MethodPost, "/broadcasting/auth", "socket_id=1.2&channel_name=private-a", "Content-Type", "application/x-www-form-urlencoded"); status != http.StatusServiceUnavailable || !strings.Contains(body, "database") {
		t.Errorf("authorization without a database: %d %s", status, body)
	}
	if status, _ := a.request(a.http, http.MethodGet, "/ready", ""); status != http.StatusOK {
		t.Errorf("/ready = %d without a database, want 200", status)
	}
	if status, body := a.request(a.http, http.MethodGet, "/health", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, `"database":"down"`) {
		t.Errorf("/health = %d %s", status, body)
	}
	db.Start()
	a.eventually("healthy", func() bool {
		status, _ := a.request(a.http, http.MethodGet, "/health", "")
		return status == http.StatusOK
	})
	a.other = a.process(cfg)
	a.send(a.token(a.user("a@example.test", "admin"), "events"), `{"event":"published","channels":["news"],"data":{}}`)
	w.expect("published", "news")
}

func TestPostgresAwayInMidRunComesBack(t *testing.T) {
	db := services.OwnPostgres(t)
	a := serveApplication(t, server.BackendConfig{DatabaseURL: db.Database(t)}, nil)
	token := a.token(a.user("a@example.test", "admin"), "events")
	w := a.connect(testApp())
	w.subscribe("news")
	a.send(token, `{"event":"before","channels":["news"],"data":{}}`)
	w.expect("before", "news")
	db.Stop()
	status, body := a.request(a.http, http.MethodPost, "/api/events", `{"event":"lost","channels":["news"],"data":{}}`, "Authorization", "Bearer "+token)
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "database") {
		t.Errorf("an event without a database: %d %s", status, body)
	}
	db.Start()
	a.eventually("an event is accepted", func() bool {
		status, _ = a.request(a.http, http.MethodPost, "/api/events", `{"event":"after","channels":["news"],"data":{}}`, "Authorization", "Bearer "+token)
		return status == http.StatusAccepted
	})
	w.expect("after", "news")
}

func TestRedisAwayInMidRunComesBack(t *testing.T) {
	redis := services.OwnRedis(t, "--appendonly", "yes")
	a := serveApplication(t, server.BackendConfig{Queue: "redis", Redis: server.Redis{URL: "redis://" + redis.Addr + "/0"}}, nil)
	token := a.token(a.user("a@example.test", "admin"), "events")
	w := a.connect(testApp())
	w.subscribe("news")
	redis.Stop()
	status, body := a.request(a.http, http.MethodPost, "/api/events", `{"event":"lost","channels":["news"],"data":{}}`, "Authorization", "Bearer "+token)
	if status != http.StatusServiceUnavailable {
		t.Errorf("an event without Redis: %d %s", status, body)
	}
	redis.Start()
	a.eventually("an event is accepted", func() bool {
		status, _ = a.request(a.http, http.MethodPost, "/api/events", `{"event":"after","channels":["news"],"data":{}}`, "Authorization", "Bearer "+token)
		return status == http.StatusAccepted
	})
	w.expect("after", "news")
}

// Events that are sent one after another to one channel arrive in that order,
// as fast as they can be sent.
func TestEventsOfAChannelKeepTheirOrder(t *testing.T) {
	const events = 1500
	eachBackend(t, func(t *testing.T, cfg server.BackendConfig) {
		a := serveApplication(t, cfg, func(c *server.Config) { c.PingAfter = time.Hour }) // this client is not asked
		token := a.token(a.user("a@example.test", "admin"), "events")
		w := a.connect(testApp())
		for _, channel := range []string{"one", "two"} {
			w.subscribe(channel)
		}
		posted := make(chan struct{})
		go func() {
			defer close(posted)
			for i := range events { // alternately to one, to two, and to both
				channels := []string{`"one"`, `"two"`, `"one","two"`}[i%3]
				body := `{"event":"n","channels":[` + channels + `],"data":` + strconv.Itoa(i) + `}`
				status, answer := a.request(a.http, http.MethodPost, "/api/events", body, "Authorization", "Bearer "+token)
				if status != http.StatusAccepted {
					t.Errorf("event %d: %d %s", i, status, answer)
					return
				}
			}
		}()
		last := map[string]int{"one": -1, "two": -1}
		for range events / 3 * 4 {
			m := w.next()
			if n := number(t, m.text(t)); n <= last[m.Channel] {
				t.Fatalf("on channel %s event %d came after %d", m.Channel, n, last[m.Channel])
			} else {
				last[m.Channel] = n
			}
		}
		<-posted // the last answer may come behind its event
	})
}

// settings is a configuration whose reload brings other rules.
type settings struct{ next server.Reloaded }

func (*settings) Effective() []server.Setting                        { return nil }
func (*settings) Diff(context.Context) ([]server.Change, error)      { return nil, nil }
func (s *settings) Reload(context.Context) (*server.Reloaded, error) { return &s.next, nil }

func TestRulesThatAreReloadedHoldForWhatIsSubscribed(t *testing.T) {
	written := &settings{next: server.Reloaded{Apps: []*belfry.App{testApp()}}}
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) { c.Settings = written })
	id := a.user("a@example.test")
	b := a.browser()
	b.signIn("a@example.test")
	w := a.connect(testApp())
	b.listen(w, "private-system")
	rules, err := authz.Compile([]authz.Rule{{Name: "user.{userId}", Allow: "user.id == userId"}})
	if err != nil {
		t.Fatal(err)
	}
	written.next.Rules = rules
	if _, err := a.server.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.expectClose(4200)
	again := a.connect(testApp())
	b.listen(again, "private-user."+id)
	if status, _ := b.authorize(again, "private-system"); status != http.StatusForbidden {
		t.Errorf("got %d for a channel that no rule allows any more", status)
	}
}
