package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/server"
)

// eventState is the answer of GET /api/events/{id}.
type eventState struct {
	trace.Timeline
	Status string
}

// whole asks, as an admin, until the event's timeline has that many steps of
// that kind.
func (a *application) whole(admin, id, what string) (state eventState, text string) {
	a.t.Helper()
	a.eventually("event "+id+" has a step "+what, func() bool {
		status, answer := a.request(a.http, http.MethodGet, "/api/events/"+id, "", "Authorization", "Bearer "+admin)
		if status == http.StatusNotFound {
			return false
		}
		if status != http.StatusOK {
			a.t.Fatalf("event %s: %d %s", id, status, answer)
		}
		text, state = answer, eventState{}
		decode(a.t, answer, &state)
		return state.Has(what)
	})
	return state, text
}

func steps(t trace.Timeline) string {
	var all []string
	for _, s := range t.Steps {
		all = append(all, s.What)
	}
	return strings.Join(all, " ")
}

func TestAnEventsWayIsTraced(t *testing.T) {
	for _, portable := range []bool{false, true} {
		a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) { c.PortableEngine = portable })
		admin := a.token(a.user("root@example.test", belfry.RoleAdmin), "events", "admin")
		w := a.connect(testApp())
		w.subscribe("orders")

		// By the HTTP API.
		status, answer := a.call(testApp(), "POST", "/events", "", map[string]any{"name": "order.paid", "channels": []string{"orders", "empty"},
			"data": `{"card":"hunter2","total":12}`, "socket_id": "1.2", "receipt": true})
		var got struct{ ID string }
		if decode(t, answer, &got); status != 200 {
			t.Fatal(answer)
		}
		state, text := a.whole(admin, got.ID, trace.Accepted)
		if steps(state.Timeline) != "accepted published published" || state.Status != "sent" || state.By != "key "+appKey || state.Address != "127.0.0.1" ||
			!slices.Equal(state.Keys, []string{"card", "total"}) || state.Except != "" && state.Except != "1.2" || state.Size != 29 || state.ChannelCount != 2 {
			t.Errorf("portable %v: %s", portable, text)
		}
		if r, ok := state.Receipt(); !ok || r.Matched != 1 || state.Steps[1].Channel == state.Steps[2].Channel {
			t.Errorf("receipt %+v in %s", r, text)
		}
		noPayload(t, text)

		// Through queue and worker.
		id := a.send(admin, `{"event":"order.paid","channels":["orders"],"data":{"card":"hunter2"}}`)
		state, text = a.whole(admin, id, trace.Sent)
		if steps(state.Timeline) != "accepted queued published sent" || !strings.HasPrefix(state.By, "token ") || state.Address != "127.0.0.1" || !slices.Equal(state.Keys, []string{"card"}) {
			t.Errorf("portable %v: %s", portable, text)
		}
		noPayload(t, text)
		stranger := a.token(a.user("other@example.test"), "events")
		if status, answer := a.request(a.http, http.MethodGet, "/api/events/"+id, "", "Authorization", "Bearer "+stranger); status != http.StatusNotFound {
			t.Errorf("another's event: %d %s", status, answer)
		}
	}
}

// noPayload: what was sent and what signs it is not kept.
func noPayload(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"hunter2", appSecret, "auth_signature", "Bearer"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is kept: %s", secret, text)
		}
	}
}

func TestTracesTellTheClientBehindATrustedProxy(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	admin := a.token(a.user("root@example.test", belfry.RoleAdmin), "events", "admin")
	body := `{"name":"order.paid","channels":["orders"],"data":"x","receipt":true}`
	status, answer := a.request(a.http, http.MethodPost, "/apps/"+appID+"/events?"+faultyQuery(testApp(), strconv.FormatInt(time.Now().Unix(), 10), body), body, "X-Forwarded-For", "198.51.100.7")
	var got struct{ ID string }
	if decode(t, answer, &got); status != 200 {
		t.Fatal(answer)
	}
	if state, text := a.whole(admin, got.ID, trace.Accepted); state.Address != "198.51.100.7" {
		t.Error(text)
	}
}

func TestAWebhookThatFollowsAClientEventIsTraced(t *testing.T) {
	hooked := make(chan string, 4)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hooked <- r.URL.Path }))
	defer endpoint.Close()
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) {
		c.WebhookAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Apps[0].Webhooks = []belfry.Webhook{{URL: endpoint.URL + "/hook?token=hunter2", Events: []string{"client_event"}}}
	})
	admin := a.token(a.user("root@example.test", belfry.RoleAdmin), "events", "admin")
	e := explainingOn(a)
	sender, w := a.connect(testApp()), a.connect(testApp())
	sender.subscribe("private-chat")
	w.subscribe("private-chat")
	sender.emit("client-typing", "private-chat", map[string]any{"card": "hunter2"})
	w.expect("client-typing", "private-chat")
	<-hooked
	id := e.lastEvent(sender.id)
	state, text := a.whole(admin, id, trace.Webhook)
	if steps(state.Timeline) != "published webhook" || state.By != "socket "+sender.id {
		t.Error(text)
	}
	if s := state.Last(trace.Webhook); s.Target != endpoint.URL+"/hook" || s.Status != 200 || s.Code != "delivered" || s.Try != 1 {
		t.Errorf("webhook %+v", s)
	}
	noPayload(t, text)
}

func TestStepsOfAnotherProcessAreTraced(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) { c.NoWorkers = true })
	admin := a.token(a.user("root@example.test", belfry.RoleAdmin), "events", "admin")
	e := &explained{application: a}
	id := a.send(admin, `{"event":"order.paid","channels":["orders"],"data":{"card":"hunter2"},"condition":"occupied"}`)
	defer e.worker("default")()
	state, text := a.whole(admin, id, trace.Skipped)
	if steps(state.Timeline) != "accepted queued skipped" || state.Status != "skipped" {
		t.Error(text)
	}
	noPayload(t, text)
}

func TestNothingIsRememberedWhenTraceIsOff(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) { c.Trace.Off = true })
	admin := a.token(a.user("root@example.test", belfry.RoleAdmin), "events", "admin")
	status, answer := a.call(testApp(), "POST", "/events", "", map[string]any{"name": "e", "channels": []string{"c"}, "data": "x", "receipt": true})
	var got struct{ ID string }
	if decode(t, answer, &got); status != 200 {
		t.Fatal(answer)
	}
	if status, answer := a.request(a.http, http.MethodGet, "/api/events/"+got.ID, "", "Authorization", "Bearer "+admin); status != http.StatusNotFound {
		t.Errorf("%d %s", status, answer)
	}
}

// lastEvent gives the id of the event that a socket sent.
func (e *explained) lastEvent(socket string) (id string) {
	e.t.Helper()
	v := e.says(explain.Excluded, explain.Question{Socket: socket, Event: "client-typing", Channel: "private-chat"})
	return v.Event.ID
}
