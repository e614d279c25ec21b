package web_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/web"
	"github.com/belfryhq/belfry/internal/webpush/webpushtest"
)

// pushBoard is a board whose server reaches closed browsers.
func pushBoard(t *testing.T) (*board, *webpushtest.Service) {
	t.Helper()
	db, err := store.Open(store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	service := webpushtest.Start(t)
	b := &board{t: t, jobs: &jobs{}}
	b.engine = notify.New(notify.Config{DB: db, Jobs: b.jobs, Broadcast: silence{}, Recipients: household{}, Push: &notify.Push{
		Subject: "https://example.test", Client: service.Client(), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
	b.handler = web.NewNotifications(web.NotificationsConfig{Gate: boardGate{}, Notify: b.engine})
	return b, service
}

func TestBrowsersSubscribe(t *testing.T) {
	b, service := pushBoard(t)
	const path = "/api/user/push-subscriptions"
	key := b.ask("person", "GET", "/api/push-key", "")
	if text, _ := key.body["public_key"].(string); key.status != http.StatusOK || len(text) != 87 {
		t.Errorf("key: %d %s", key.status, key.text)
	}
	phone, laptop := service.Subscribe(), service.Subscribe()
	for i, one := range []*webpushtest.Browser{phone, laptop, phone} {
		r := b.ask("own", "POST", path, one.JSON(), "User-Agent", "Browser/"+fmt.Sprint(i))
		if want := float64(min(i+1, 2)); r.status != http.StatusOK || r.body["subscriptions"] != want {
			t.Errorf("subscribe: %d %s", r.status, r.text)
		}
	}
	all, err := b.engine.Subscriptions(t.Context(), "7")
	if err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	if r := b.ask("manager", "DELETE", path, `{"endpoint":"`+phone.Endpoint+`"}`); r.status != http.StatusNoContent {
		t.Errorf("another's: %d %s", r.status, r.text)
	}
	if all, _ := b.engine.Subscriptions(t.Context(), "7"); len(all) != 2 {
		t.Error("another's browser was forgotten")
	}
	if r := b.ask("person", "DELETE", path, phone.JSON()); r.status != http.StatusNoContent || r.text != "" {
		t.Errorf("unsubscribe: %d %s", r.status, r.text)
	}
	if all, _ := b.engine.Subscriptions(t.Context(), "7"); len(all) != 1 {
		t.Errorf("%d are left", len(all))
	}
}

func TestWhatIsNoSubscription(t *testing.T) {
	b, service := pushBoard(t)
	const path = "/api/user/push-subscriptions"
	good := service.Subscribe()
	for body, want := range map[string]string{
		`{}`: "endpoint keys.auth keys.p256dh",
		`{"endpoint":5,"keys":{"p256dh":null,"auth":[]}}`:                  "endpoint keys.auth keys.p256dh",
		`{"endpoint":"` + good.Endpoint + `","keys":[]}`:                   "keys",
		strings.Replace(good.JSON(), "https:", "http:", 1):                 "endpoint",
		strings.Replace(good.JSON(), "127.0.0.1", "10.0.0.1", 1):           "endpoint",
		strings.Replace(good.JSON(), good.Endpoint, "javascript:alert", 1): "endpoint",
		strings.Replace(good.JSON(), good.Auth, good.P256DH, 1):            "keys.auth",
	} {
		if r := b.ask("person", "POST", path, body); r.status != http.StatusUnprocessableEntity || r.fields() != want {
			t.Errorf("%s: %d %s, want faults of %s", body, r.status, r.text, want)
		}
	}
	for _, c := range []struct {
		as, method, path, body string
		status                 int
	}{
		{"person", "POST", path, "nonsense", 400},
		{"person", "POST", path, "[]", 400},
		{"person", "POST", path, `{"endpoint":"` + strings.Repeat("x", 20_000) + `"}`, 413},
		{"person", "DELETE", path, `{}`, 422},
		{"person", "GET", path, "", 405},
		{"wrong", "POST", path, good.JSON(), 403},
		{"wrong", "GET", "/api/push-key", "", 403},
		{"nobody", "GET", "/api/push-key", "", 401},
		{"nobody", "DELETE", path, good.JSON(), 401},
	} {
		if r := b.ask(c.as, c.method, c.path, c.body); r.status != c.status {
			t.Errorf("%s: %s %s %.40s: %d %s, want %d", c.as, c.method, c.path, c.body, r.status, r.text, c.status)
		}
	}
	if all, _ := b.engine.Subscriptions(t.Context(), "7"); len(all) != 0 {
		t.Errorf("kept: %+v", all)
	}
	off := newBoard(t)
	for _, c := range []struct{ method, path string }{{"GET", "/api/push-key"}, {"POST", path}} {
		if r := off.ask("person", c.method, c.path, good.JSON()); r.status != http.StatusNotFound || !strings.Contains(r.text, "turned off") {
			t.Errorf("turned off: %d %s", r.status, r.text)
		}
	}
}
