package server_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/server"
)

// consoleRoutes reads every path of the console from its table, so that none is
// forgotten.
func consoleRoutes(t *testing.T) [][2]string {
	t.Helper()
	source, err := os.ReadFile("../internal/console/route.go")
	if err != nil {
		t.Fatal(err)
	}
	all := [][2]string{{"GET", "stream"}, {"GET", ""}, {"GET", "none"}, {"POST", "overview"}, {"DELETE", "failed"}, {"PUT", "apps"}}
	for _, m := range regexp.MustCompile(`\{"([A-Z]+)", "([a-z{}/]+)", "`).FindAllStringSubmatch(string(source), -1) {
		all = append(all, [2]string{m[1], regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(m[2], "1001")})
	}
	if len(all) < 35 {
		t.Fatalf("only %d routes found", len(all))
	}
	return all
}

func TestConsoleIsForAdministratorsAlone(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, nil)
	admin := a.user("admin@example.test", belfry.RoleAdmin)
	a.user("manager@example.test", belfry.RoleManager)
	a.user("nobody@example.test")
	page := a.browser()
	page.signIn("manager@example.test")
	nobody := a.browser()
	nobody.signIn("nobody@example.test")
	narrow := a.token(admin, "events", "notifications", "notifications:manage", "dashboard")
	former := a.user("former@example.test", belfry.RoleAdmin)
	taken := a.token(former, identity.ScopeAdmin)
	if err := a.other.Identity.SetRoles(t.Context(), former, []string{belfry.RoleManager}); err != nil {
		t.Fatal(err)
	}
	for _, c := range consoleRoutes(t) {
		method, path := c[0], "/console/api/"+c[1]
		for _, who := range []struct {
			name    string
			client  *http.Client
			headers []string
			want    int
		}{
			{"a guest", a.http, nil, 401},
			{"no token", a.http, []string{"Authorization", "Bearer belfry_none"}, 401},
			{"a manager's page", page.http, []string{"X-XSRF-TOKEN", page.csrf()}, 403},
			{"a page without a role", nobody.http, []string{"X-XSRF-TOKEN", nobody.csrf()}, 403},
			{"an administrator's token without the scope", a.http, []string{"Authorization", "Bearer " + narrow}, 403},
			{"a former administrator's token", a.http, []string{"Authorization", "Bearer " + taken}, 403},
		} {
			if status, body := a.request(who.client, method, path, "", who.headers...); status != who.want {
				t.Errorf("%s: %s %s gives %d %s, want %d", who.name, method, path, status, body, who.want)
			}
		}
	}
	// A page without its CSRF token changes nothing.
	root := a.browser()
	root.signIn("admin@example.test")
	if status, _ := a.request(root.http, "POST", "/console/api/queues/restart", ""); status != 419 {
		t.Errorf("without the CSRF token: %d", status)
	}
	if status, _ := a.request(root.http, "GET", "/console/api/audit", ""); status != 200 {
		t.Errorf("an administrator's page: %d", status)
	}
}

// admin asks the console as an administrator.
type consoleAdmin struct {
	*application
	token string
}

func (a *application) console() *consoleAdmin {
	a.t.Helper()
	return &consoleAdmin{a, a.token(a.user("root@example.test", belfry.RoleAdmin), identity.ScopeAdmin)}
}

// ask sends a request, wants a status, and decodes the answer.
func (c *consoleAdmin) ask(method, path, body string, want int, into any) string {
	c.t.Helper()
	status, answer := c.request(c.http, method, "/console/api/"+path, body, "Authorization", "Bearer "+c.token)
	if status != want {
		c.t.Fatalf("%s %s: %d %s, want %d", method, path, status, answer, want)
	}
	if into != nil {
		decode(c.t, answer, into)
	}
	return answer
}

// eventStream reads server-sent events.
type eventStream struct {
	t      testing.TB
	body   *bufio.Reader
	status int
}

func (a *application) stream(client *http.Client, path string, headers ...string) *eventStream {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute) // so that a stream that brings nothing fails the test
	a.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+a.addr+"/console/api/stream"+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	endless := *client
	endless.Timeout = 0
	resp, err := endless.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { resp.Body.Close() })
	return &eventStream{a.t, bufio.NewReader(resp.Body), resp.StatusCode}
}

// next gives the next event; "" at the end of the stream.
func (s *eventStream) next() (name, data string) {
	for {
		line, err := s.body.ReadString('\n')
		if err != nil {
			return "", ""
		}
		line = strings.TrimSuffix(line, "\n")
		if value, ok := strings.CutPrefix(line, "event: "); ok {
			name = value
		} else if value, ok := strings.CutPrefix(line, "data: "); ok {
			data = value
		} else if line == "" && name != "" {
			return name, data
		}
	}
}

// until reads until an event with that name whose data holds a text.
func (s *eventStream) until(name, text string) string {
	s.t.Helper()
	for {
		got, data := s.next()
		if got == name && strings.Contains(data, text) {
			return data
		}
		if got == "" {
			s.t.Fatalf("the stream ended before %s with %q", name, text)
		}
	}
}

func TestConsoleStreamEndsWithTheRole(t *testing.T) {
	for name, take := range map[string]func(a *application, user string, b *browser) error{
		"role": func(a *application, user string, _ *browser) error {
			return a.other.Identity.SetRoles(a.t.Context(), user, nil)
		},
		"session": func(a *application, _ string, b *browser) error {
			if status, body := b.post("/logout", url.Values{}); status >= 300 {
				a.t.Errorf("logout: %d %s", status, body)
			}
			return nil
		},
		"disabled": func(a *application, user string, _ *browser) error {
			return a.other.Identity.SetDisabled(a.t.Context(), user, true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := serveApplication(t, server.BackendConfig{}, nil)
			a.user("other@example.test", belfry.RoleAdmin) // the last one cannot be taken away
			user := a.user("admin@example.test", belfry.RoleAdmin)
			b := a.browser()
			b.signIn("admin@example.test")
			s := a.stream(b.http, "?overview=1")
			if s.status != http.StatusOK {
				t.Fatal(s.status)
			}
			s.until("overview", `"version"`)
			if err := take(a, user, b); err != nil {
				t.Fatal(err)
			}
			s.until("bye", `"role"`)
			if name, _ := s.next(); name != "" {
				t.Errorf("after bye comes %s", name)
			}
			if again := a.stream(b.http, ""); again.status != 403 && again.status != 401 {
				t.Errorf("opened again: %d", again.status)
			}
		})
	}
}

func TestConsoleStreamShowsWhatHappensAndSamples(t *testing.T) {
	a := serveApplication(t, server.BackendConfig{}, nil)
	c := a.console()
	bearer := []string{"Authorization", "Bearer " + c.token}
	s := a.stream(a.http, "?kinds=event,denial&rate=10", bearer...)
	w := a.connect(testApp())
	w.emit("pusher:subscribe", "", map[string]any{"channel": "private-none", "auth": "app-key:wrong"})
	s.until("entry", `"denied"`)
	for range 100 {
		a.publish(testApp(), "busy", "moved", "{}")
	}
	data := s.until("sampled", `"seen"`)
	var said struct {
		Shown, Seen int
		OneIn       float64 `json:"one_in"`
	}
	decode(t, data, &said)
	if said.Seen <= said.Shown || said.OneIn <= 1 {
		t.Errorf("sampled: %s", data)
	}
	if bad := a.stream(a.http, "?kinds=none", bearer...); bad.status != 422 {
		t.Errorf("an unknown kind: %d", bad.status)
	}
	if bad := a.stream(a.http, "?rate=0", bearer...); bad.status != 422 {
		t.Errorf("no rate: %d", bad.status)
	}
}

func TestConsoleStreamEndsWithTheServer(t *testing.T) {
	dir := t.TempDir()
	s, err := server.New(server.Config{Listen: "127.0.0.1:0", MetricsListen: "off", DataDir: dir, ProbeEvery: -1, DrainWindow: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	a := &application{host: &host{t: t, server: s, addr: s.Addr().String(), http: &http.Client{Transport: &http.Transport{}}}, dir: dir}
	a.other = a.process(server.BackendConfig{})
	c := a.console()
	stream := a.stream(a.http, "?overview=1", "Authorization", "Bearer "+c.token)
	if stream.status != http.StatusOK {
		t.Fatal(stream.status)
	}
	stream.until("overview", `"version"`)
	a.http.CloseIdleConnections()
	stop()
	stream.until("bye", `"shutdown"`)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
