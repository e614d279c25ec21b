package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/server"
)

// page is a user's page: a signed-in browser with a connection.
func (e *explained) page(email string) (*browser, *wire) {
	e.t.Helper()
	b := e.browser()
	b.signIn(email)
	return b, e.connect(testApp())
}

func TestExplainNamesWhyAUserDidNotGetAnEvent(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) { explainUser(t, backends[name](t)) })
	}
}

func explainUser(t *testing.T, cfg server.BackendConfig) {
	rules, err := authz.Compile([]authz.Rule{{Name: "user.{userId}", Allow: "user.id == userId"}, {Name: "staff", Allow: "'staff' in user.roles"}, {Name: "system", Allow: "true"}})
	if err != nil {
		t.Fatal(err)
	}
	e := explaining(t, cfg, func(c *server.Config) { c.Rules = rules })
	ada := e.user("ada@example.test")
	own := "private-user." + ada
	about := func(channel string) explain.Question {
		return explain.Question{User: "ada@example.test", Event: "order.paid", Channel: channel}
	}

	e.paid(own)
	e.says(explain.NotConnected, about(own), "User "+ada+" has no connection")

	b, w := e.page("ada@example.test")
	b.listen(w, own)
	v := e.says(explain.ConnectedAfter, about(own), "connected after the event", w.id)
	if len(v.Connections) != 1 || v.Connections[0].Address != "127.0.0.1" {
		t.Errorf("connections %+v", v.Connections)
	}
	e.paid(own)
	e.says(explain.Delivered, about(own), "delivered to user "+ada, w.id)
	w.expect("order.paid", own)

	// Another channel: never asked for, asked for too late, denied.
	e.paid("private-system")
	e.says(explain.NotSubscribed, about("private-system"), "did not subscribe to private-system")
	b.listen(w, "private-system")
	e.says(explain.SubscribedAfter, about("private-system"), "after the event")
	e.paid("private-staff")
	v = e.says(explain.Denied, about("private-staff"), `rule "staff"`)
	if !strings.Contains(strings.Join(v.Evidence, "\n"), "did not subscribe") {
		t.Errorf("evidence %q", v.Evidence)
	}
	if status, _ := b.authorize(w, "private-staff"); status != http.StatusForbidden {
		t.Fatalf("authorized: %d", status)
	}
	e.says(explain.Denied, about("private-staff"), "was denied to user "+ada, `rule "staff"`)
	e.paid("private-nothing")
	if status, _ := b.authorize(w, "private-nothing"); status != http.StatusForbidden {
		t.Fatalf("authorized: %d", status)
	}
	e.says(explain.Denied, about("private-nothing"), "no rule is for this channel")

	// A near miss of this user's.
	e.paid("private-user.0" + ada)
	e.says(explain.NearMiss, about("private-user.0"+ada), own)

	// Gone before.
	w.unsubscribe("private-system")
	e.eventually("unsubscribed", func() bool { return !strings.Contains(e.state(testApp(), "", ""), "private-system") })
	e.paid("private-system")
	e.says(explain.LeftBefore, about("private-system"), "unsubscribed from private-system")
	w.close()
	e.eventually("gone", func() bool { return !strings.Contains(e.state(testApp(), "", ""), own) })
	e.paid(own)
	e.says(explain.ClosedBefore, about(own), "before the event", "closed with 1000")
}

func TestExplainNamesAConnectionToAnotherApp(t *testing.T) {
	second := testApp(func(a *belfry.App) {
		a.ID, a.Keys = "1002", []belfry.Credential{{Key: "second", Secret: "second-secret"}}
	})
	e := explaining(t, server.BackendConfig{}, func(c *server.Config) { c.Apps = append(c.Apps, second) })
	ada := e.user("ada@example.test")
	b := e.browser()
	b.signIn("ada@example.test")
	w := e.connect(second)
	b.listen(w, "private-user."+ada)
	e.paid("private-user." + ada)
	e.says(explain.OtherApp, explain.Question{User: ada, Event: "order.paid", Channel: "private-user." + ada}, "connected to app 1002", "published in app 1001")
	e.says(explain.OtherApp, explain.Question{Socket: w.id, Event: "order.paid", App: "1002", Channel: "private-user." + ada}, "published in app 1001, not in app 1002")
}

func TestExplainKnowsThatApplicationsHaveUsersOfTheirOwn(t *testing.T) {
	e := explaining(t, server.BackendConfig{}, nil)
	w := e.connect(testApp())
	w.subscribe("private-orders") // signed by the application: nobody says for whom
	e.paid("private-orders")
	w.expect("order.paid", "private-orders")
	about := explain.Question{User: "customer-7", Event: "order.paid", Channel: "private-orders"}
	v := e.says(explain.UserNotKnown, about, "signs its own channels")
	if !strings.Contains(v.Fix, "--socket") {
		t.Errorf("fix %q", v.Fix)
	}
	e.says(explain.Delivered, explain.Question{Socket: w.id, Event: "order.paid", Channel: "private-orders"}, "socket "+w.id)
	member := e.connect(testApp()) // a presence channel names its members
	member.join("presence-room", `{"user_id":"customer-7"}`)
	e.paid("presence-room")
	e.says(explain.Delivered, explain.Question{User: "customer-7", Event: "order.paid", Channel: "presence-room"}, member.id)
}

func TestExplainNamesWhyAPageIsNotLetIn(t *testing.T) {
	e := explaining(t, server.BackendConfig{}, nil)
	ada := e.user("ada@example.test")
	own := "private-user." + ada
	e.paid(own)
	about := explain.Question{User: ada, Event: "order.paid", Channel: own}
	wrong := e.dial(testApp(), "/app/wrong-key?protocol=7&client=js&version=8.6.0")
	wrong.expectError(4001)
	v := e.says(explain.NoSuchKey, about, "refused with 4001")
	if !strings.Contains(strings.Join(v.Evidence, "\n"), `"wrong-key"`) {
		t.Errorf("evidence %q", v.Evidence)
	}

	b := e.browser() // nobody is signed in
	w := e.connect(testApp())
	if status, _ := b.authorize(w, "private-system"); status != http.StatusUnauthorized {
		t.Fatalf("authorized: %d", status)
	}
	question := explain.Question{ID: e.published("private-system")}
	e.eventually("the denial is in the evidence", func() bool { // it is written in the background
		return strings.Contains(strings.Join(e.says(explain.NobodyThere, question).Evidence, "\n"), "nobody is signed in")
	})

	// The application signs with another secret.
	other := testApp(func(a *belfry.App) { a.Keys[0].Secret = "other" })
	w.app = other
	w.ask("private-orders")
	w.app = testApp()
	w.expectRefusal("private-orders", "AuthError", 401, 4009)
	e.paid("private-orders")
	e.says(explain.BadSignature, explain.Question{Socket: w.id, Event: "order.paid", Channel: "private-orders"}, "invalid signature")
}

func TestExplainNamesAConnectionThatReadsTooSlowly(t *testing.T) {
	e := explaining(t, server.BackendConfig{}, func(c *server.Config) {
		c.SendBuffer = 64 << 10
		c.Apps[0].Limits.EventData = 1 << 20
	})
	w := e.connect(testApp())
	w.subscribe("orders")
	large := strings.Repeat("x", 512<<10)
	e.eventually("the connection is closed", func() bool { // it reads nothing
		e.publish(testApp(), "orders", "order.paid", large)
		return !strings.Contains(e.state(testApp(), "", ""), `"orders"`)
	})
	v := e.says(explain.TooSlow, explain.Question{Socket: w.id, Event: "order.paid", Channel: "orders"}, "too slowly", "4100")
	if v.Connections[0].Code != 4100 {
		t.Errorf("connections %+v", v.Connections)
	}
}

func TestExplainSaysWhatIsUnknownAndWhatIsNear(t *testing.T) {
	e := explaining(t, server.BackendConfig{}, nil)
	ada := e.user("ada@example.test")
	w := e.connect(testApp())
	w.subscribe("orders.new")
	w.subscribe("weather.today")
	status, answer := e.call(testApp(), "POST", "/events", "", map[string]any{"name": `App\Events\OrderPaid`, "channels": []string{"orders.new"}, "data": payload, "receipt": true})
	var got struct{ ID string }
	if decode(t, answer, &got); status != 200 {
		t.Fatal(answer)
	}
	near := func(v explain.Verdict, want string) {
		t.Helper()
		if !slices.Contains(v.Near, want) {
			t.Errorf("%s: near %q, want %q", v.Code, v.Near, want)
		}
	}
	slip := []byte(got.ID)
	slip[20], slip[21] = slip[21], slip[20]
	if string(slip) == got.ID {
		slip[20] = 'z'
	}
	near(e.says(explain.UnknownEvent, explain.Question{ID: string(slip)}, "No event with the id"), got.ID)
	e.says(explain.UnknownEvent, explain.Question{ID: "01aaaaaaaaaaaaaaaaaaaaaaaa"}, "before what is remembered")
	e.says(explain.UnknownEvent, explain.Question{ID: "<b>"})
	near(e.says(explain.UnknownUser, explain.Question{User: "adda@example.test", Event: "x", Channel: "orders.new"}, `"adda@example.test"`), "ada@example.test")
	near(e.says(explain.UnknownUser, explain.Question{User: "Ada", Event: "x", Channel: "orders.new"}, `"Ada"`), "ada@example.test")
	near(e.says(explain.UnknownUser, explain.Question{User: "adda", Event: "x", Channel: "orders.new"}, `"adda"`), "ada@example.test")
	if v := e.says(explain.UnknownUser, explain.Question{User: "9", Event: "x", Channel: "orders.new"}); len(v.Near) != 0 {
		t.Errorf("near 9: %q", v.Near) // user 1 is another
	}
	near(e.says(explain.UnknownChannel, explain.Question{User: ada, Channel: "weather.todey"}, "weather.todey"), "weather.today")
	near(e.says(explain.NearMiss, explain.Question{User: ada, Channel: "order.new"}, "but one was on orders.new"), "orders.new")
	near(e.says(explain.NoSuchApp, explain.Question{User: ada, Channel: "orders.new", App: "101"}, `"101"`), appID)
	near(e.says(explain.OtherName, explain.Question{Socket: w.id, Event: "OrderPaid", Channel: "orders.new"}, "was published"), `App\Events\OrderPaid`)
	e.says(explain.UnknownEvent, explain.Question{Socket: w.id, Event: "something.else", Channel: "orders.new"}, "No event")
	near(e.says(explain.UnknownSocket, explain.Question{Socket: w.id + "1", Channel: "orders.new"}, w.id+"1"), w.id)
	near(e.says(explain.NearMiss, explain.Question{Socket: w.id, Event: `App\Events\OrderPaid`, Channel: "private-orders.new"}), "orders.new")
	for _, q := range []explain.Question{{}, {User: ada}} {
		if _, err := e.link.Explain(t.Context(), q); belfry.CodeOf(err) != belfry.CodeInvalid {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func TestExplainAuthNamesTheRule(t *testing.T) {
	e := explaining(t, server.BackendConfig{}, nil)
	ada := e.user("ada@example.test", "editor")
	for _, c := range []struct {
		user, channel string
		result        authz.Result
		rule, says    string
	}{
		{ada, "private-role.editor", authz.Allowed, "role.{roleName}", "allows it (roleName in user.roles)"},
		{"ada@example.test", "presence-admin", authz.Refused, "admin", "may not listen"},
		{ada, "private-rolle.editor", authz.NoRule, "", "no rule is for that channel"},
		{"", "private-system", authz.NotSignedIn, "", "signed-in user"},
		{ada, "news", authz.Allowed, "", "is public"},
	} {
		v, err := e.link.ExplainAuth(t.Context(), explain.AuthQuestion{User: c.user, Channel: c.channel})
		if err != nil {
			t.Fatal(err)
		}
		if v.Result != c.result || v.Rule != c.rule || v.Allowed != (c.result == authz.Allowed) || !strings.Contains(v.Sentence, c.says) || len(v.Trials) != 6 {
			t.Errorf("%s on %s: %+v", c.user, c.channel, v)
		}
	}
	if v, err := e.link.ExplainAuth(t.Context(), explain.AuthQuestion{User: ada, Channel: "private-rolle.editor"}); err != nil || !strings.Contains(v.Fix, `"role.{roleName}"`) {
		t.Errorf("fix %q, %v", v.Fix, err)
	}
	_, err := e.link.ExplainAuth(t.Context(), explain.AuthQuestion{User: "bob", Channel: "private-system"})
	if belfry.CodeOf(err) != belfry.CodeNotFound {
		t.Errorf("an unknown user: %v", err)
	}
}
