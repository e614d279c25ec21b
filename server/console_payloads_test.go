package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/server"
)

// viewer is an administrator's page that looks at the data of events.
type viewer struct {
	*browser
	stream *eventStream
	hidden int // events of unseen
}

func (a *application) viewer(email string) *viewer {
	a.t.Helper()
	b := a.browser()
	b.signIn(email)
	s := a.stream(b.http, "?rate=1000")
	if s.status != http.StatusOK {
		a.t.Fatal(s.status)
	}
	return &viewer{browser: b, stream: s}
}

// begin turns the view on and gives its id.
func (v *viewer) begin(body string, want int) (id, answer string) {
	v.a.t.Helper()
	status, answer := v.a.request(v.http, "POST", "/console/api/payloads", body, "X-XSRF-TOKEN", v.csrf())
	if status != want {
		v.a.t.Fatalf("%s: %d %s, want %d", body, status, answer, want)
	}
	var got struct{ ID string }
	decode(v.a.t, answer, &got)
	return got.ID, answer
}

// shown is an entry of the stream with the data of an event.
type shownData struct {
	Event, Channel, By, Kind string
	Payload                  *struct {
		Data           string
		Cut, Encrypted bool
	}
}

// payload reads until the data of that event.
func (v *viewer) payload(event string) shownData {
	v.a.t.Helper()
	var all []shownData
	for {
		decode(v.a.t, v.stream.until("entry", `"payload":`), &all)
		for _, one := range all {
			if one.Payload != nil && one.Event == event {
				return one
			}
		}
	}
}

// unseen publishes an event that is looked at behind all others, and fails when
// its data or that of one before it comes.
func (v *viewer) unseen(channel string) {
	v.a.t.Helper()
	v.hidden++
	hidden, last := fmt.Sprintf("hidden data %p %d.", v, v.hidden), fmt.Sprintf(`"last %p %d"`, v, v.hidden)
	v.a.publish(testApp(), channel, "hidden", hidden)
	v.a.publish(testApp(), channel, strings.Trim(last, `"`), hidden)
	for {
		name, data := v.stream.next()
		if strings.Contains(data, hidden) {
			v.a.t.Errorf("shown although nobody may look: %s", data)
		}
		if name == "" || name == "entry" && strings.Contains(data, last) {
			return
		}
	}
}

// actions gives what the audit log says of payloads, the oldest first.
func (c *consoleAdmin) actions() (all []string) {
	c.t.Helper()
	var got struct {
		Audit []struct {
			Action, Subject, Error string
			User                   struct{ Name string }
			Details                struct {
				Why, Channel, Of string
				Seconds          int
			}
		}
	}
	c.ask("GET", "audit", "", 200, &got)
	for _, one := range got.Audit {
		if strings.HasPrefix(one.Action, "payloads.") {
			all = append([]string{strings.TrimSpace(strings.Join([]string{one.Action, one.Subject, one.Details.Channel, one.Details.Why, one.Error}, " "))}, all...)
		}
	}
	return all
}

func withPayloads(c *server.Config) { c.ConsolePayloads = true }

func TestConsoleShowsPayloadsOnlyWhereTheSettingSaysSo(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, nil)
	a.user("ada@example.test", belfry.RoleAdmin)
	v := a.viewer("ada@example.test")
	_, answer := v.begin(`{"app":"`+appID+`"}`, 403)
	if !strings.Contains(answer, "console.payloads") {
		t.Error(answer)
	}
	status, answer := a.request(v.http, "POST", "/console/api/payloads/none/end", "", "X-XSRF-TOKEN", v.csrf())
	if status != 403 || !strings.Contains(answer, "console.payloads") {
		t.Error(status, answer)
	}
	if status, answer := a.request(v.http, "GET", "/console/api/payloads", ""); status != 200 || !strings.Contains(answer, `"allowed":false`) {
		t.Error(status, answer)
	}
	v.unseen("room")
	if got := a.console().actions(); len(got) != 2 || !strings.HasSuffix(got[0], " forbidden") || !strings.HasSuffix(got[1], " forbidden") {
		t.Errorf("%q", got)
	}
}

func TestConsoleShowsPayloadsForAWhile(t *testing.T) {
	var logged lockedBuffer
	a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) {
		c.ConsolePayloads = true
		c.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	a.user("ada@example.test", belfry.RoleAdmin)
	a.user("bob@example.test", belfry.RoleAdmin)
	ada, bob := a.viewer("ada@example.test"), a.viewer("bob@example.test")
	for body, field := range map[string]string{
		`{"app":"none"}`: "app", `{}`: "app", `{"app":"` + appID + `","seconds":4}`: "seconds", `{"app":"` + appID + `","seconds":901}`: "seconds",
		`{"app":"` + appID + `","channel":"` + strings.Repeat("x", 201) + `"}`: "channel",
	} {
		if _, answer := ada.begin(body, 422); !strings.Contains(answer, `"`+field+`"`) {
			t.Errorf("%s: %s", body, answer)
		}
	}
	a.publish(testApp(), "room", "before", `"s3cret-before"`)
	id, answer := ada.begin(`{"app":"`+appID+`"}`, 201)
	if !strings.Contains(answer, `"own":true`) || !strings.Contains(answer, `"until"`) {
		t.Error(answer)
	}
	ada.stream.until("payloads", `"own":true`)
	bob.stream.until("payloads", `"own":false`) // and who it is
	w := a.connect(testApp())
	w.subscribe("private-room")
	for _, one := range []struct{ name, data, want string }{
		{"object", `{"text":"<b>s3cret</b> \"ü\""}`, `{"text":"<b>s3cret</b> \"ü\""}`},
		{"text", `s3cret \u0041`, `s3cret \u0041`},
	} {
		a.publish(testApp(), "private-room", one.name, one.data)
		got := ada.payload(one.name)
		if got.Kind != "payload" || got.Channel != "private-room" || got.Payload.Data != one.want || got.Payload.Cut {
			t.Errorf("%+v, want %s", got, one.want)
		}
	}
	long := strings.Repeat("ö", 4000)
	a.publish(testApp(), "private-room", "long", long)
	if got := ada.payload("long").Payload; !got.Cut || len(got.Data) > 4096 || len(got.Data) < 4000 || !strings.HasPrefix(long, got.Data) {
		t.Errorf("%d bytes, cut %v", len(got.Data), got.Cut)
	}
	w.emit("client-typed", "private-room", map[string]any{"key": "s3cret"})
	if got := ada.payload("client-typed"); got.By != "socket "+w.id || got.Payload.Data != `{"key":"s3cret"}` {
		t.Errorf("%+v", got)
	}
	a.publish(testApp(), "private-encrypted-room", "sealed", `{"nonce":"x","ciphertext":"s3cret"}`)
	if got := ada.payload("sealed").Payload; !got.Encrypted || got.Data != "" {
		t.Errorf("%+v", got)
	}

	// Another administrator sees who looks, not what, and may end it.
	status, answer := a.request(bob.http, "POST", "/console/api/payloads/"+id+"/end", "", "X-XSRF-TOKEN", bob.csrf())
	if status != 200 {
		t.Error(status, answer)
	}
	ada.stream.until("payloads", `"views":[]`)
	ada.unseen("private-room")
	bob.unseen("private-room")

	// Nothing of it is kept.
	for _, path := range []string{"log?limit=500", "events", "audit"} {
		if _, body := a.request(ada.http, "GET", "/console/api/"+path, ""); strings.Contains(body, "s3cret") {
			t.Errorf("%s has the data: %s", path, body)
		}
	}
	if strings.Contains(logged.String(), "s3cret") {
		t.Error("the log has the data")
	}
	if err := filepath.WalkDir(a.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte("s3cret")) {
			t.Errorf("%s has the data", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	actions := a.console().actions()
	if last := actions[len(actions)-2:]; last[0] != "payloads.begin "+appID || !strings.HasPrefix(last[1], "payloads.end "+appID) || !strings.Contains(last[1], "by hand") {
		t.Errorf("%q", actions)
	}
}

// lockedBuffer is a buffer to log into.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestConsoleShowsPayloadsOfOneChannelToOneSession(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, withPayloads)
	admin := a.user("ada@example.test", belfry.RoleAdmin)
	ada, elsewhere := a.viewer("ada@example.test"), a.viewer("ada@example.test")
	ada.begin(`{"app":"`+appID+`","channel":"one"}`, 201)
	a.publish(testApp(), "two", "other", "2")
	a.publish(testApp(), "one", "wanted", "1")
	if got := ada.payload("wanted"); got.Payload.Data != "1" {
		t.Errorf("%+v", got)
	}
	ada.unseen("two")
	elsewhere.unseen("one")
	ada.begin(`{"app":"`+appID+`","channel":"two"}`, 201) // in the place of the first
	ada.unseen("one")
	// A token may look too, by its own stream.
	token := a.token(admin, identity.ScopeAdmin)
	bearer := []string{"Authorization", "Bearer " + token}
	s := &viewer{browser: ada.browser, stream: a.stream(a.http, "?rate=1000", bearer...)}
	if status, answer := a.request(a.http, "POST", "/console/api/payloads", `{"app":"`+appID+`"}`, bearer...); status != 201 {
		t.Fatal(status, answer)
	}
	a.publish(testApp(), "one", "again", "2")
	s.payload("again")
}

func TestConsolePayloadsEnd(t *testing.T) {
	written := &settings{next: server.Reloaded{Apps: []*belfry.App{testApp()}}}
	for name, one := range map[string]struct {
		body string
		take func(a *application, user string, v *viewer) error
		bye  bool // the stream ends too
		why  string
	}{
		"time": {`,"seconds":5`, func(*application, string, *viewer) error { return nil }, false, "its time was over"},
		"role": {"", func(a *application, user string, _ *viewer) error {
			return a.other.Identity.SetRoles(a.t.Context(), user, []string{belfry.RoleManager})
		}, true, "signed out, or no administrator any more"},
		"sign-out": {"", func(a *application, _ string, v *viewer) error {
			if status, body := v.post("/logout", url.Values{}); status >= 300 {
				return fmt.Errorf("logout: %d %s", status, body)
			}
			return nil
		}, true, "signed out, or no administrator any more"},
		"setting": {"", func(a *application, _ string, _ *viewer) error {
			_, err := a.server.Reload(a.t.Context())
			return err
		}, false, "the setting console.payloads was taken away"},
	} {
		t.Run(name, func(t *testing.T) {
			a := serveApplication(t, server.BackendConfig{}, func(c *server.Config) { c.ConsolePayloads, c.Settings = true, written })
			a.user("other@example.test", belfry.RoleAdmin) // the last one cannot be taken away
			user := a.user("ada@example.test", belfry.RoleAdmin)
			watch := a.viewer("other@example.test")
			v := a.viewer("ada@example.test")
			v.begin(`{"app":"`+appID+`"`+one.body+`}`, 201)
			watch.stream.until("payloads", `"app":"`+appID+`"`)
			a.publish(testApp(), "room", "seen", "1")
			v.payload("seen")
			if err := one.take(a, user, v); err != nil {
				t.Fatal(err)
			}
			watch.stream.until("payloads", `"views":[]`)
			if one.bye {
				v.stream.until("bye", `"role"`)
			}
			v.unseen("room")
			c := a.console()
			a.eventually("its end is written down", func() bool {
				all := c.actions()
				return len(all) == 2 && all[0] == "payloads.begin "+appID && all[1] == "payloads.end "+appID+"  "+one.why
			})
			if name == "setting" {
				if status, answer := a.request(v.http, "POST", "/console/api/payloads", `{"app":"`+appID+`"}`, "X-XSRF-TOKEN", v.csrf()); status != 403 || !strings.Contains(answer, "console.payloads") {
					t.Error(status, answer)
				}
			}
		})
	}
}

// TestConsolePayloadsAreWhole reads what is shown of data of many lengths, whose
// escapes are cut anywhere.
func TestConsolePayloadsAreWhole(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, withPayloads)
	a.user("ada@example.test", belfry.RoleAdmin)
	v := a.viewer("ada@example.test")
	v.begin(`{"app":"`+appID+`"}`, 201)
	for n := range 14 {
		data, err := json.Marshal(strings.Repeat("a", n) + strings.Repeat("\\\"\n\u2028\u00e4\U0001F514", 700))
		if err != nil {
			t.Fatal(err)
		}
		var text string
		decode(t, string(data), &text)
		event := fmt.Sprint("event-", n)
		a.publish(testApp(), "room", event, text)
		if got := v.payload(event).Payload; !got.Cut || got.Data == "" || len(got.Data) > 4096 || !strings.HasPrefix(text, got.Data) {
			t.Errorf("%d: %d bytes, cut %v: %.60q", n, len(got.Data), got.Cut, got.Data)
		}
	}
}
