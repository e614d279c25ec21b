package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/netip"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/webpush/webpushtest"
	"github.com/belfryhq/belfry/server"
)

// trusting are the settings under which a push service on loopback is reached.
func trusting(service *webpushtest.Service) *server.Push {
	roots := x509.NewCertPool()
	roots.AddCert(service.Certificate())
	return &server.Push{Subject: "mailto:ops@example.test", TLS: &tls.Config{RootCAs: roots},
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

func TestAClosedBrowserIsReached(t *testing.T) {
	eachBackend(t, func(t *testing.T, cfg server.BackendConfig) {
		service := webpushtest.Start(t)
		cfg.Push = trusting(service)
		a := serveApplication(t, cfg, nil)
		a.user("manager@example.test", belfry.RoleManager)
		reader := a.user("reader@example.test", "editor")
		p := a.page("reader@example.test", reader)
		closed, dead := service.Subscribe(), service.Subscribe()
		service.Answer(func(b *webpushtest.Browser) (int, string) {
			if b == dead {
				return http.StatusGone, ""
			}
			return 0, ""
		})
		status, answer := p.ask("GET", "/api/push-key", "")
		var key struct {
			Public string `json:"public_key"`
		}
		decode(t, answer, &key)
		if status != http.StatusOK || key.Public == "" {
			t.Fatalf("key: %d %s", status, answer)
		}
		for _, b := range []*webpushtest.Browser{closed, dead} {
			if status, answer := p.ask("POST", "/api/user/push-subscriptions", b.JSON()); status != http.StatusOK {
				t.Fatalf("subscribe: %d %s", status, answer)
			}
		}
		manager := a.page("manager@example.test", "1")
		status, answer = manager.ask("POST", "/api/notifications", `{"title":"<b>Hi</b>","message":"m","action_url":"/orders/7","target":{"type":"roles","roles":["editor"]},"send":true}`)
		if status != http.StatusCreated {
			t.Fatalf("create: %d %s", status, answer)
		}
		p.told("notification.sent")
		a.eventually("the browser is reached, and the dead one forgotten", func() bool {
			left, err := a.other.Notify.Subscriptions(t.Context(), reader)
			return err == nil && len(left) == 1 && len(closed.Messages()) == 1
		})
		m := closed.Messages()[0]
		var got struct {
			Title  string
			URL    string `json:"action_url"`
			Unread int    `json:"unread_count"`
		}
		if err := json.Unmarshal([]byte(m.Payload), &got); err != nil || got.Title != "<b>Hi</b>" || got.URL != "/orders/7" || got.Unread != 1 || m.Key != key.Public {
			t.Errorf("%+v", m)
		}
		if status, answer := p.ask("DELETE", "/api/user/push-subscriptions", closed.JSON()); status != http.StatusNoContent {
			t.Errorf("unsubscribe: %d %s", status, answer)
		}
	})
}
