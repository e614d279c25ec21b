package docs_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/web"
	"github.com/belfryhq/belfry/server"
	"github.com/belfryhq/belfry/webhook"
)

// noted are dashboards that are only told of changes.
type noted struct{ changes chan string }

func (noted) Resolve(dashboard, rangeName string) (string, string, error) {
	return "default", rangeName, nil
}

func (n noted) Changed(dashboard, rangeName, reason string) error {
	n.changes <- dashboard + " " + rangeName + " " + reason
	return nil
}

// The three ways to sign give the same signature, and the call is taken.
func TestGuide_SigningAWebhook(t *testing.T) {
	const secret, want = "a-secret-of-more-than-sixteen", "default this_week checkin created"
	told := noted{make(chan string, 9)}
	s := receiver(t, told, secret)
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
			cmd.Env = append(cmd.Env, "SERVICES_WEBHOOK_SHARED_SECRET="+secret)
			header, answer, _ := strings.Cut(finish(t, cmd), "\n")
			if header != "X-Webhook-Signature: "+webhook.Sign(secret, body) {
				t.Errorf("it prints %s", header)
			}
			var result ingest.Result
			if err := json.Unmarshal([]byte(answer), &result); err != nil || result.Status != ingest.StatusOK {
				t.Errorf("the answer is %s", answer)
			}
			select {
			case got := <-told.changes:
				if got != want {
					t.Errorf("told of %q, want %q", got, want)
				}
			default:
				t.Error("no dashboard is told")
			}
		})
	}
}

// receiver is a server's door for signed webhooks.
func receiver(t *testing.T, boards ingest.Dashboards, secret string) *site {
	t.Helper()
	db, err := store.Open(store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	in := ingest.New(ingest.Config{DB: db, Dashboards: boards})
	in.SetSecrets([]string{secret})
	door := httptest.NewServer(web.NewIngest(web.IngestConfig{Take: in.Take, Address: func(*http.Request) netip.Addr { return netip.Addr{} }}))
	t.Cleanup(door.Close)
	_, port, err := net.SplitHostPort(door.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, port: port, dir: t.TempDir()}
}

func refusingWebhooks(t *testing.T, hears func(name, text string)) {
	t.Helper()
	const secret = "a-secret-of-more-than-sixteen"
	quiet := func(secrets ...string) *site {
		return serveWith(t, nil, func(c *server.Config) {
			c.WebhookSecrets = secrets
			c.Logger = nil // it says what this test provokes
		})
	}
	s := quiet(secret)
	v := &visitor{s: s}
	headers := func(scheme webhook.Scheme, at time.Time) (list []string) {
		h := http.Header{}
		if err := webhook.SetHeaders(h, []webhook.Scheme{scheme}, []string{secret}, "msg_1", at, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		for name := range h {
			list = append(list, name, h.Get(name))
		}
		return list
	}
	hears("no secret", (&visitor{s: quiet()}).asks(t, web.IngestPath, "{}", headers(webhook.Plain, time.Now())...))
	hears("missing", v.asks(t, web.IngestPath, "{}"))
	hears("wrong", v.asks(t, web.IngestPath, "{ }", headers(webhook.Plain, time.Now())...))
	hears("malformed", v.asks(t, web.IngestPath, "{}", webhook.HeaderSignature, "sha256=1"))
	hears("old", v.asks(t, web.IngestPath, "{}", headers(webhook.Standard, time.Now().Add(-time.Hour))...))
	refused := ""
	within(t, func() bool {
		refused = v.asks(t, web.IngestPath, "{}")
		return strings.Contains(refused, "a minute")
	}, "nobody is told to wait")
	hears("limited", refused)
	hears("replayed", toldOnce(t, secret, false))
	hears("no ids", toldOnce(t, secret, true))
}

// toldOnce is what a message with the id of another is answered with, or, when
// the database is away, any message.
func toldOnce(t *testing.T, secret string, away bool) string {
	t.Helper()
	db, err := store.Open(store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if !away {
		if _, err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	in := ingest.New(ingest.Config{DB: db, Dashboards: noted{make(chan string, 9)}})
	in.SetSecrets([]string{secret})
	for _, body := range []string{"{}", "{ }"} {
		h := http.Header{}
		if err = webhook.SetHeaders(h, []webhook.Scheme{webhook.Standard}, []string{secret}, "msg_1", time.Now(), []byte(body)); err != nil {
			t.Fatal(err)
		}
		_, err = in.Take(t.Context(), ingest.Received{Header: h, Body: []byte(body)})
	}
	refusal, ok := errors.AsType[*belfry.Error](err)
	if !ok {
		t.Fatalf("the second answer is %v", err)
	}
	return refusal.Message + "; " + refusal.Hint
}
