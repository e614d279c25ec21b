package server_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/notify"
	"github.com/belfryhq/belfry/server"
)

// page is a window of a signed-in user that listens to their notifications.
type page struct {
	*browser
	wire *wire
	user string
}

func (a *application) page(email, user string) *page {
	a.t.Helper()
	p := &page{a.browser(), a.connect(testApp()), user}
	p.signIn(email)
	p.listen(p.wire, "private-user."+user)
	return p
}

// ask sends JSON as the page's script does.
func (p *page) ask(method, path, body string) (status int, answer string) {
	p.a.t.Helper()
	return p.a.request(p.http, method, path, body, "Content-Type", "application/json", "X-XSRF-TOKEN", p.csrf(), "X-Socket-ID", p.wire.id)
}

// told gives what the page's next event says.
func (p *page) told(event string) (e toldOf) {
	p.a.t.Helper()
	m := p.wire.expect(event, "private-user."+p.user)
	var text string
	if json.Unmarshal(m.Data, &text) != nil {
		text = string(m.Data)
	}
	decode(p.a.t, text, &e)
	return e
}

type toldOf struct {
	ID, Title string
	HTML      string   `json:"message_html"`
	IDs       []string `json:"ids"`
	Change    string
	User      string `json:"user_id"`
	Unread    int    `json:"unread_count"`
	State     int64  `json:"state_version"`
}

type managed struct {
	ID, Status string
	Revision   int64
	Stats      notify.Counts
}

func TestTwoWindowsOfOneUserAgree(t *testing.T) {
	eachBackend(t, func(t *testing.T, cfg server.BackendConfig) {
		a := serveApplication(t, cfg, nil)
		a.user("manager@example.test", belfry.RoleManager)
		reader, other := a.user("reader@example.test", "editor"), a.user("other@example.test")
		manager := a.page("manager@example.test", "1")
		first, second := a.page("reader@example.test", reader), a.page("reader@example.test", reader)
		outside := a.page("other@example.test", other)

		began := time.Now()
		status, answer := manager.ask("POST", "/api/notifications", `{"title":"Hi","message":"<b>1 & 2</b>","target":{"type":"roles","roles":["editor"]},"send":true}`)
		var made managed
		decode(t, answer, &made)
		if status != http.StatusCreated || made.Status != notify.StatusSending {
			t.Fatalf("create: %d %s", status, answer)
		}
		for _, p := range []*page{first, second} {
			if e := p.told("notification.sent"); e.ID != made.ID || e.Title != "Hi" || e.HTML != "&lt;b&gt;1 &amp; 2&lt;/b&gt;" || e.Unread != 1 || e.State != 1 || e.User != reader {
				t.Errorf("sent: %+v", e)
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		status, answer = first.ask("POST", "/api/user/notifications/"+made.ID+"/read", "")
		var marked notify.State
		decode(t, answer, &marked)
		if status != http.StatusOK || marked != (notify.State{Unread: 0, Version: 2}) {
			t.Errorf("read: %d %s", status, answer)
		}
		if e := second.told("notification.read"); e.Change != "read" || len(e.IDs) != 1 || e.IDs[0] != made.ID || e.Unread != 0 || e.State != 2 {
			t.Errorf("the other window: %+v", e)
		}
		a.eventually("delivered_live is counted", func() bool {
			_, answer := manager.ask("GET", "/api/notifications/"+made.ID, "")
			var m managed
			decode(t, answer, &m)
			return m.Status == notify.StatusSent && m.Stats == notify.Counts{Recipients: 1, Live: 1, Read: 1}
		})
		if status, answer := manager.ask("POST", "/api/notifications/preview", `{"target":{"type":"all"}}`); status != http.StatusOK {
			t.Errorf("preview: %d %s", status, answer)
		} else {
			var p notify.Preview
			decode(t, answer, &p)
			if p.Recipients != 3 || p.Online != 3 {
				t.Errorf("preview: %+v", p)
			}
		}
		if status, answer := manager.ask("POST", "/api/notifications/"+made.ID+"/cancel", ""); status != http.StatusOK {
			t.Errorf("cancel: %d %s", status, answer)
		}
		for _, p := range []*page{first, second} {
			if e := p.told("notification.expired"); e.IDs[0] != made.ID || e.State != 3 {
				t.Errorf("taken back: %+v", e)
			}
		}
		if status, _ := outside.ask("POST", "/api/user/notifications/"+made.ID+"/read", ""); status != http.StatusNotFound {
			t.Errorf("another's: %d", status)
		}
		outside.wire.quiet()
	})
}

func TestWhoMayDoWhatWithNotifications(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, nil)
	manager := a.user("manager@example.test", belfry.RoleManager)
	reader := a.user("reader@example.test")
	tokens := map[string]string{
		"own":     a.token(reader, identity.ScopeNotifications),
		"manager": a.token(manager, identity.ScopeManageNotifications),
		"events":  a.token(manager, identity.ScopeNotifications),
		"nobody":  "x",
	}
	for _, c := range []struct {
		as, method, path string
		status           int
	}{
		{"own", "GET", "/api/user/notifications", 200},
		{"own", "GET", "/api/user/notifications/unread-count", 200},
		{"own", "POST", "/api/user/notifications/read-all", 200},
		{"own", "GET", "/api/user/notifications?since=0", 200},
		{"own", "GET", "/api/user/notifications?since=x&limit=y", 422},
		{"own", "PUT", "/api/user/notifications", 405},
		{"own", "GET", "/api/notifications", 403},
		{"own", "POST", "/api/notifications/preview", 403},
		{"manager", "GET", "/api/notifications", 200},
		{"manager", "GET", "/api/notifications/stats", 200},
		{"manager", "GET", "/api/notifications/x", 404},
		{"manager", "GET", "/api/user/notifications", 403},
		{"events", "GET", "/api/notifications", 403},
		{"nobody", "GET", "/api/user/notifications", 401},
		{"nobody", "DELETE", "/api/notifications/x", 401},
	} {
		status, answer := a.request(a.http, c.method, c.path, "", "Authorization", "Bearer "+tokens[c.as])
		if status != c.status {
			t.Errorf("%s: %s %s: %d %s, want %d", c.as, c.method, c.path, status, answer, c.status)
		}
	}
}

func TestAScheduledOneGoesOutInTime(t *testing.T) {
	eachBackend(t, func(t *testing.T, cfg server.BackendConfig) {
		a := serveApplication(t, cfg, nil)
		reader := a.user("reader@example.test")
		p := a.page("reader@example.test", reader)
		title, message, at := "Later", "now", time.Now().Add(400*time.Millisecond)
		// by another process, as a command does
		_, _, err := a.other.Notify.Create(t.Context(), notify.Person{}, notify.Draft{Title: &title, Message: &message, Scheduled: &at,
			Target: &notify.Target{Type: notify.TargetAll}}, notify.Key{})
		if err != nil {
			t.Fatal(err)
		}
		if e := p.told("notification.sent"); e.Title != title {
			t.Errorf("%+v", e)
		}
		if late := time.Since(at); late < 0 || late > 3*time.Second {
			t.Errorf("it came %s after its time", late)
		}
	})
}

// Without a worker, jobs run where they are enqueued.
func TestNotificationsGoOutWithoutAQueue(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{Queue: "sync"}, nil)
	reader := a.user("reader@example.test")
	a.user("manager@example.test", belfry.RoleManager)
	manager, p := a.page("manager@example.test", "2"), a.page("reader@example.test", reader)
	status, answer := manager.ask("POST", "/api/notifications", `{"title":"Hi","message":"m","target":{"type":"users","users":["`+reader+`"]},"send":true}`)
	if status != http.StatusCreated {
		t.Fatalf("create: %d %s", status, answer)
	}
	if e := p.told("notification.sent"); e.Title != "Hi" || e.Unread != 1 {
		t.Errorf("%+v", e)
	}
}
