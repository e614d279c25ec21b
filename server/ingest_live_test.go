package server_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/server"
	"github.com/belfryhq/belfry/webhook"
)

// checkins is a service's own database, which a dashboard counts.
type checkins struct {
	t    *testing.T
	db   *store.DB
	made int
}

// newCheckins makes one, with the dashboards on it.
func newCheckins(t *testing.T) (*checkins, *server.Dashboards) {
	t.Helper()
	address := "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "checkins.db"))
	db, err := store.Open(store.Config{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec(t.Context(), `CREATE TABLE checkins (at TEXT NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	count := dashboard.FigureSpec{Name: "checkins", Kind: dashboard.KindNumber, SQL: `SELECT count(*) FROM checkins WHERE at >= @start AND at < @end`}
	set, err := dashboard.Compile([]dashboard.Spec{
		{Name: dashboard.Default, Database: address, Figures: []dashboard.FigureSpec{count}},
		{Name: "lobby", Database: address, Public: true, Figures: []dashboard.FigureSpec{count}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &checkins{t: t, db: db}, set
}

// add commits one.
func (c *checkins) add() {
	c.t.Helper()
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	if _, err := c.db.Exec(c.t.Context(), `INSERT INTO checkins (at) VALUES ($1)`, now); err != nil {
		c.t.Fatal(err)
	}
	c.made++
}

// update is a DashboardUpdated as a page gets it.
type update struct {
	Type, Dashboard, Reason, Range, ID string
	Stats                              struct {
		Checkins *int
		Range    string
	}
}

// updated gives a channel's next update.
func updated(t *testing.T, w *wire, channel string) (u update) {
	t.Helper()
	decode(t, w.expect(dashboard.EventName, channel).text(t), &u)
	return u
}

func TestSignedWebhooksUpdateOpenDashboards(t *testing.T) {
	eachBackend(t, func(t *testing.T, cfg server.BackendConfig) {
		service, set := newCheckins(t)
		a := serveApplication(t, cfg, func(c *server.Config) { c.Dashboards, c.WebhookSecrets = set, []string{webhookSecret} })
		a.user("admin@example.test", belfry.RoleAdmin)
		page, lobby := a.connect(testApp()), a.connect(testApp())
		counselor := a.browser()
		counselor.signIn("admin@example.test")
		counselor.listen(page, "private-dashboard")
		lobby.emit("pusher:subscribe", "", map[string]any{"channel": "dashboard.lobby"})
		lobby.expect("pusher_internal:subscription_succeeded", "dashboard.lobby")

		service.add()
		taken := a.signed(webhookSecret, "", `{"reason": "checkin created", "stats": {"checkins": 99}, "range": "last_7_days"}`)
		if taken.status != 200 || taken.Status != "ok" || taken.Dashboard != "default" || taken.Range != "last_7_days" || taken.ID == "" {
			t.Fatalf("the call: %+v", taken)
		}
		u := updated(t, page, "private-dashboard")
		if u.Type != "stats_update" || u.Dashboard != "default" || u.Reason != "checkin created" || u.Range != "last_7_days" || u.Stats.Range != "last_7_days" || u.ID == "" {
			t.Errorf("the page gets %+v", u)
		}
		if u.Stats.Checkins == nil || *u.Stats.Checkins != 1 {
			t.Errorf("the figure is %v", u.Stats.Checkins)
		}

		// What is refused, and what came before, changes nothing.
		service.add()
		body := `{"reason": "second", "range": "last_7_days"}`
		if first := a.signed(webhookSecret, "msg_1", body); first.Status != "ok" {
			t.Fatalf("the second call: %+v", first)
		}
		if u := updated(t, page, "private-dashboard"); u.Reason != "second" || u.Stats.Checkins == nil || *u.Stats.Checkins != 2 {
			t.Errorf("the page gets %+v", u)
		}
		for code, got := range map[string]webhookAnswer{
			"":                  a.signed(webhookSecret, "msg_1", body),
			"replayed":          a.signed(webhookSecret, "msg_1", `{"reason": "another", "range": "last_7_days"}`),
			"signature_wrong":   a.signed("another-secret-altogether", "", body),
			"signature_missing": a.webhook(body),
			"invalid":           a.signed(webhookSecret, "msg_2", `{"range": "this_century"}`),
			"not_found":         a.signed(webhookSecret, "msg_3", `{"dashboard": "nope"}`),
		} {
			if got.Code != code || code == "" && got.Status != "duplicate" {
				t.Errorf("%s: %+v", code, got)
			}
		}
		service.add()
		if got := a.signed(webhookSecret, "msg_2", `{"reason": "corrected", "range": "last_7_days"}`); got.Status != "ok" {
			t.Errorf("a corrected message with the id of a refused one: %+v", got)
		}
		if u := updated(t, page, "private-dashboard"); u.Reason != "corrected" || *u.Stats.Checkins != 3 {
			t.Errorf("after what was refused the page gets %+v", u)
		}

		a.signed(webhookSecret, "", `{"reason": "for the lobby", "range": "last_7_days", "dashboard": "lobby"}`)
		if u := updated(t, lobby, "dashboard.lobby"); u.Dashboard != "lobby" || *u.Stats.Checkins != 3 {
			t.Errorf("the lobby gets %+v", u)
		}
		page.quiet()
	})
}

// The Go sender and the server understand each other, also while the server's
// secret is being replaced.
func TestTheSenderUpdatesOpenDashboards(t *testing.T) {
	service, set := newCheckins(t)
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) {
		c.Dashboards, c.WebhookSecrets = set, []string{"the-secret-that-comes-after-it", webhookSecret}
	})
	lobby := a.connect(testApp())
	lobby.emit("pusher:subscribe", "", map[string]any{"channel": "dashboard.lobby"})
	lobby.expect("pusher_internal:subscription_succeeded", "dashboard.lobby")
	post, err := webhook.NewPoster(webhook.PostConfig{URL: "http://" + a.addr + webhookPath, Secrets: []string{"a-secret-of-another-service", webhookSecret}, Client: a.http})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 3; n++ {
		service.add()
		m := webhook.Message{ID: webhook.NewID(), Body: []byte(`{"reason": "checkin created", "dashboard": "lobby", "range": "last_7_days"}`)}
		for _, want := range []string{"ok", "duplicate"} { // an answer that was lost: the sender posts again
			result, err := post.Post(context.WithoutCancel(t.Context()), m)
			var answer webhookAnswer
			if err != nil || json.Unmarshal(result.Answer, &answer) != nil || answer.Status != want {
				t.Fatalf("post %d: %s, %v; want %s", n, result.Answer, err, want)
			}
		}
		if u := updated(t, lobby, "dashboard.lobby"); *u.Stats.Checkins != n {
			t.Errorf("post %d: the page gets %+v", n, u)
		}
	}
	lobby.quiet()
}
