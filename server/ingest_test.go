package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/server"
	"github.com/belfryhq/belfry/webhook"
)

const (
	webhookSecret = "a-secret-of-more-than-sixteen"
	webhookPath   = "/api/dashboard/notify-update"
)

// webhookAnswer is what a signed call is answered with.
type webhookAnswer struct {
	Status, Dashboard, Range, ID string
	Error, Code                  string
	status                       int
}

// signed posts a webhook signed with a secret, in the standard scheme when it
// has an id.
func (a *application) signed(secret, id, body string) (answer webhookAnswer) {
	a.t.Helper()
	scheme := webhook.Plain
	if id != "" {
		scheme = webhook.Standard
	}
	h := http.Header{}
	if err := webhook.SetHeaders(h, []webhook.Scheme{scheme}, []string{secret}, id, time.Now(), []byte(body)); err != nil {
		a.t.Fatal(err)
	}
	var headers []string
	for name := range h {
		headers = append(headers, name, h.Get(name))
	}
	return a.webhook(body, headers...)
}

func (a *application) webhook(body string, headers ...string) (answer webhookAnswer) {
	a.t.Helper()
	status, text := a.request(a.http, http.MethodPost, webhookPath, body, headers...)
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		a.t.Fatalf("%d %s: %v", status, text, err)
	}
	answer.status = status
	return answer
}

func TestSignedWebhooksAreRefusedForWhatIsWrong(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) { c.WebhookSecrets = []string{webhookSecret} })
	for _, c := range []struct {
		name   string
		answer webhookAnswer
		status int
		code   string
	}{
		{"no signature", a.webhook("{}"), 403, "signature_missing"},
		{"a page of another origin", a.webhook("{}", "Origin", "https://elsewhere.test", "Sec-Fetch-Site", "cross-site"), 403, "signature_missing"},
		{"other secret", a.signed("another-secret-altogether", "", "{}"), 403, "signature_wrong"},
		{"the app's secret", a.signed(testApp().Keys[0].Secret, "", "{}"), 403, "signature_wrong"},
		{"not JSON", a.signed(webhookSecret, "", "x"), 400, "invalid"},
		{"too large", a.signed(webhookSecret, "", strings.Repeat(" ", webhook.MaxBody+1)), 413, "too_large"},
	} {
		if c.answer.status != c.status || c.answer.Code != c.code || c.answer.Error == "" || strings.Contains(c.answer.Error, "app 1") {
			t.Errorf("%s: %+v", c.name, c.answer)
		}
	}
}

func TestSignedWebhooksNeedASecret(t *testing.T) {
	written := &settings{next: server.Reloaded{Apps: []*belfry.App{testApp()}, WebhookSecrets: []string{webhookSecret}}}
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) { c.Settings, c.Logger = written, nil })
	if got := a.signed(webhookSecret, "", "x"); got.status != 500 || got.Code != "no_secret" || !strings.Contains(got.Error, "SERVICES_WEBHOOK_SHARED_SECRET") {
		t.Errorf("without a secret: %+v", got)
	}
	if _, err := a.server.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := a.signed(webhookSecret, "", "x"); got.status != 400 {
		t.Errorf("with one: %+v", got)
	}
	written.next.WebhookSecrets = []string{"the-secret-that-comes-after-it", webhookSecret}
	if _, err := a.server.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, secret := range written.next.WebhookSecrets {
		if got := a.signed(secret, "", "x"); got.status != 400 {
			t.Errorf("while one replaces the other: %+v", got)
		}
	}
}

func TestWrongWebhooksAreLimitedAndRightOnesAreNot(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) { c.WebhookSecrets, c.Logger = []string{webhookSecret}, nil })
	for n := 0; ; n++ {
		got := a.signed("another-secret-altogether", "", "{}")
		if got.status == http.StatusTooManyRequests && got.Code == "rate_limited" {
			if n < 60 {
				t.Errorf("limited after %d", n)
			}
			break
		}
		if got.status != http.StatusForbidden || n > 1000 {
			t.Fatalf("call %d: %+v", n, got)
		}
	}
	if got := a.signed(webhookSecret, "", "x"); got.status != http.StatusBadRequest {
		t.Errorf("a right one: %+v", got)
	}
}
