package docs_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/internal/web"
	"github.com/belfryhq/belfry/server"
	"github.com/belfryhq/belfry/webhook"
)

const webhookSecret = "a-secret-of-more-than-sixteen"

// receives gives a server a public dashboard, and the secret that tells of its
// changes.
func receives(t *testing.T, c *server.Config) {
	t.Helper()
	set, err := dashboard.Compile([]dashboard.Spec{{
		Name: dashboard.Default, Public: true, Database: dashboard.Own,
		Figures: []dashboard.FigureSpec{{Name: "people", Kind: dashboard.KindNumber, SQL: "SELECT count(*) FROM users"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.Dashboards, c.WebhookSecrets = set, []string{webhookSecret}
	c.Logger = nil // it says what these tests provoke
}

// The three ways to sign give the same signature, and pages are told.
func TestGuide_SigningAWebhook(t *testing.T) {
	s := serveWith(t, nil, func(c *server.Config) { receives(t, c) })
	page := s.connect(t, "dashboard")
	body := []byte(`{"reason": "checkin created", "stats": null, "range": "this_week"}`)
	for name, command := range map[string]func(text string) *exec.Cmd{
		"sign-belfry":  func(text string) *exec.Cmd { return s.shell(t, text) },
		"sign-openssl": func(text string) *exec.Cmd { return shell(t, text) },
		"sign-python":  func(text string) *exec.Cmd { return python(t, text) },
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(s.snippet(guide, name))
			if cmd.Env == nil {
				cmd.Env = os.Environ()
			}
			cmd.Env = append(cmd.Env, "SERVICES_WEBHOOK_SHARED_SECRET="+webhookSecret)
			header, answer, _ := strings.Cut(finish(t, cmd), "\n")
			if header != "X-Webhook-Signature: "+webhook.Sign(webhookSecret, body) {
				t.Errorf("it prints %s", header)
			}
			var result ingest.Result
			if err := json.Unmarshal([]byte(answer), &result); err != nil || result.Status != ingest.StatusOK {
				t.Errorf("the answer is %s", answer)
			}
			m, err := page.Await(limited(t), dashboard.EventName, "dashboard")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(m.Text(), `"reason":"checkin created"`) {
				t.Errorf("the page is told %s", m.Text())
			}
		})
	}
}

func refusingWebhooks(t *testing.T, hears func(name, text string)) {
	t.Helper()
	v := &visitor{s: serveWith(t, nil, func(c *server.Config) { receives(t, c) })}
	headers := func(scheme webhook.Scheme, at time.Time, body string) (list []string) {
		h := http.Header{}
		if err := webhook.SetHeaders(h, []webhook.Scheme{scheme}, []string{webhookSecret}, "msg_1", at, []byte(body)); err != nil {
			t.Fatal(err)
		}
		for name := range h {
			list = append(list, name, h.Get(name))
		}
		return list
	}
	now := time.Now()
	hears("missing", v.asks(t, web.IngestPath, "{}"))
	hears("wrong", v.asks(t, web.IngestPath, "{ }", headers(webhook.Plain, now, "{}")...))
	hears("malformed", v.asks(t, web.IngestPath, "{}", webhook.HeaderSignature, "sha256=1"))
	hears("old", v.asks(t, web.IngestPath, "{}", headers(webhook.Standard, now.Add(-time.Hour), "{}")...))
	v.send(t, http.MethodPost, web.IngestPath, "{}", headers(webhook.Standard, now, "{}")...).Body.Close()
	hears("replayed", v.asks(t, web.IngestPath, "{ }", headers(webhook.Standard, now, "{ }")...))
	refused := ""
	within(t, func() bool {
		refused = v.asks(t, web.IngestPath, "{}")
		return strings.Contains(refused, "a minute")
	}, "nobody is told to wait")
	hears("limited", refused)

	none := &visitor{s: serveWith(t, nil, func(c *server.Config) { c.Logger = nil })}
	hears("no secret", none.asks(t, web.IngestPath, "{}", headers(webhook.Plain, now, "{}")...))
	away := &visitor{s: serveWith(t, nil, func(c *server.Config) {
		receives(t, c)
		c.Backend.DatabaseURL = "postgres://belfry:none@127.0.0.1:1/belfry"
	})}
	hears("no ids", away.asks(t, web.IngestPath, "{}", headers(webhook.Standard, now, "{}")...))
}
