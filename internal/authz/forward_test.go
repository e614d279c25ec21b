package authz_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/pusher"
)

// application serves one handler as the application's own URL.
func application(t *testing.T, handler http.HandlerFunc) authz.Forward {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	t.Cleanup(s.Client().CloseIdleConnections)
	return authz.Forward{ChannelURL: s.URL + "/broadcasting/auth", UserURL: s.URL + "/broadcasting/user-auth", Client: s.Client()}
}

func TestForwardPassesOnWhatThePageSent(t *testing.T) {
	var got *http.Request
	a := newAuthorizer(t, authz.Config{Rules: compile(t), Forward: application(t, func(_ http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		got = r
	})})
	if !a.Forwards() {
		t.Error("Forwards says no")
	}
	header := http.Header{}
	for _, pair := range []string{"Cookie: a=1; b=2", "Authorization: Bearer x", "X-CSRF-TOKEN: c", "X-XSRF-TOKEN: d", "Origin: https://app.test",
		"X-Forwarded-For: 10.0.0.1", "Host: evil.test", "X-Other: y", "Content-Length: 99999", "Accept-Encoding: br"} {
		name, value, _ := strings.Cut(pair, ": ")
		header.Set(name, value)
	}
	form := url.Values{"_token": {"t"}, "socket_id": {"forged"}, "channel_name": {"private-forged", "private-other"}, "extra": {"1", "2"}}
	answer, d, err := a.Channel(t.Context(), authz.Ask{App: app(), SocketID: socket, Channel: "private-x", User: user("7"), Header: header, Form: form})
	if err != nil || !d.Allowed || !holds(answer.Auth, pusher.ChannelText(socket, "private-x", answer.ChannelData, true)) {
		t.Fatalf("%+v %+v %v", answer, d, err)
	}
	if got.Method != http.MethodPost || got.URL.Path != "/broadcasting/auth" || strings.Contains(got.Host, "evil") {
		t.Errorf("asked %s %s of %s", got.Method, got.URL, got.Host)
	}
	for name, want := range map[string]string{"Cookie": "a=1; b=2", "Authorization": "Bearer x", "X-Csrf-Token": "c", "X-Xsrf-Token": "d", "Origin": "https://app.test",
		"X-Forwarded-For": "", "X-Other": "", "Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"} {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
	want := url.Values{"_token": {"t"}, "socket_id": {socket}, "channel_name": {"private-x"}, "extra": {"1", "2"}}
	if got.PostForm.Encode() != want.Encode() {
		t.Errorf("the form is %v", got.PostForm)
	}
	if form.Get("socket_id") != "forged" {
		t.Error("the caller's form was changed")
	}
}

func TestForwardedAnswers(t *testing.T) {
	status, body := 200, ""
	a := newAuthorizer(t, authz.Config{Forward: application(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		io.WriteString(w, body)
	})})
	for _, c := range []struct {
		status  int
		body    string
		channel string
		who     *belfry.User
		code    belfry.Code
		member  string // the channel_data but for the token
	}{
		{200, "", "private-x", nil, "", ""},
		{204, "", "private-x", user("7"), "", ""},
		{200, "OK", "private-encrypted-x", nil, "", ""},
		{401, "", "private-x", user("7"), belfry.CodeUnauthenticated, ""},
		{403, "", "private-user.7", user("7"), belfry.CodeForbidden, ""},
		{302, "", "private-x", user("7"), belfry.CodeUnavailable, ""},
		{404, "", "private-x", user("7"), belfry.CodeUnavailable, ""},
		{419, "", "private-x", user("7"), belfry.CodeUnavailable, ""},
		{500, "", "private-x", user("7"), belfry.CodeUnavailable, ""},
		{200, strings.Repeat(" ", 65<<10), "private-x", user("7"), belfry.CodeUnavailable, ""},
		{200, `{"auth":"k:s","channel_data":"{\"user_id\":12,\"user_info\":{\"a\": 1}}"}`, "presence-x", nil, "", `{"user_id":"12","user_info":{"a":1}`},
		{200, `{"channel_data":{"user_id":"u","user_info":{"a":1}}}`, "presence-x", user("7"), "", `{"user_id":"u","user_info":{"a":1}`},
		{200, `{"user_id":"u","user_info":[1]}`, "presence-x", nil, "", `{"user_id":"u","user_info":[1]`},
		{200, ` {"user_id":"u"}`, "presence-x", nil, "", `{"user_id":"u"`},
		{200, `{"user_info":{"n":2}}`, "presence-x", user("7"), "", `{"user_id":"7","user_info":{"n":2}`},
		{200, `{"channel_data":null}`, "presence-x", user("7"), "", `{"user_id":"7","user_info":{"id":"7","name":"User 7"}`},
		{200, `yes`, "presence-x", user("7"), "", `{"user_id":"7","user_info":{"id":"7","name":"User 7"}`},
		{200, `yes`, "presence-x", nil, belfry.CodeUnavailable, ""},
		{200, `{"channel_data":"nonsense"}`, "presence-x", user("7"), belfry.CodeUnavailable, ""},
		{200, `{"channel_data":{"user_info":1}}`, "presence-x", user("7"), belfry.CodeUnavailable, ""},
		{200, `{"user_id":"` + strings.Repeat("u", 200) + `"}`, "presence-x", nil, belfry.CodeTooLarge, ""},
	} {
		status, body = c.status, c.body
		answer, d, err := a.Channel(t.Context(), authz.Ask{App: app(), SocketID: socket, Channel: c.channel, User: c.who})
		if belfry.CodeOf(err) != c.code || d.Allowed != (c.code == "") || !strings.HasPrefix(answer.ChannelData, c.member) {
			t.Errorf("%d %.60q on %s: %+v %+v %v", c.status, c.body, c.channel, answer, d, err)
		}
		if c.code != "" {
			continue
		}
		data := answer.ChannelData
		if !holds(answer.Auth, pusher.ChannelText(socket, c.channel, data, data != "")) {
			t.Errorf("%d %.60q: %+v is not signed", c.status, c.body, answer)
		}
		who, _, _, ok := a.Principal(app().ID, socket, c.channel, data)
		if ok != (c.who != nil) || ok && who != "7" {
			t.Errorf("%d %.60q: the principal is %q %v", c.status, c.body, who, ok)
		}
	}
}

func TestForwardedSignIn(t *testing.T) {
	status, body := 200, ""
	a := newAuthorizer(t, authz.Config{Forward: application(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/broadcasting/user-auth" || r.PostFormValue("channel_name") != "" || r.PostFormValue("socket_id") != socket {
			t.Errorf("asked %s with %v", r.URL, r.PostForm)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	})})
	for _, c := range []struct {
		status int
		body   string
		who    *belfry.User
		code   belfry.Code
		data   string
	}{
		{200, `{"auth":"k:s","user_data":"{\"id\":\"u\",\"watchlist\":[\"a\"]}"}`, nil, "", `{"id":"u","watchlist":["a"]}`},
		{200, `{"user_data":{"id":"u"}}`, user("7"), "", `{"id":"u"}`},
		{200, ``, user("7"), "", `{"id":"7","user_info":{"name":"User 7"}}`},
		{200, ``, nil, belfry.CodeUnavailable, ""},
		{200, `{"user_data":{"id":"a b"}}`, nil, belfry.CodeInvalid, ""},
		{401, ``, user("7"), belfry.CodeUnauthenticated, ""},
		{403, ``, user("7"), belfry.CodeForbidden, ""},
		{502, ``, user("7"), belfry.CodeUnavailable, ""},
	} {
		status, body = c.status, c.body
		answer, err := a.User(t.Context(), authz.Ask{App: app(), SocketID: socket, User: c.who})
		if belfry.CodeOf(err) != c.code || !strings.HasPrefix(answer.UserData, strings.TrimSuffix(c.data, "}")) || (answer.UserData == "") != (c.data == "") ||
			c.code == "" && !holds(answer.Auth, pusher.UserText(socket, answer.UserData)) {
			t.Errorf("%d %q: %+v %v", c.status, c.body, answer, err)
		}
	}
}

func TestForwardGivesUp(t *testing.T) {
	release := make(chan struct{})
	f := application(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	f.Timeout = 30 * time.Millisecond
	f.Concurrent = 1
	a := newAuthorizer(t, authz.Config{Forward: f})
	ask := authz.Ask{App: app(), SocketID: socket, Channel: "private-x", User: user("7")}
	if _, d, err := a.Channel(t.Context(), ask); belfry.CodeOf(err) != belfry.CodeUnavailable || d.Result != authz.Unavailable || strings.Contains(err.Error(), "http://") || strings.Contains(d.Reason, "http://") {
		t.Errorf("%+v %v", d, err)
	}
	close(release)
	if _, _, err := a.Channel(t.Context(), ask); err != nil {
		t.Errorf("the slot was not given back: %v", err)
	}
}

func TestForwardBoundsQuestions(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	f := application(t, func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-release
	})
	f.Concurrent, f.Timeout = 1, time.Minute
	a := newAuthorizer(t, authz.Config{Forward: f})
	ask := authz.Ask{App: app(), SocketID: socket, Channel: "private-x", User: user("7")}
	done := make(chan error)
	go func() {
		_, _, err := a.Channel(t.Context(), ask)
		done <- err
	}()
	<-entered
	if _, d, err := a.Channel(t.Context(), ask); belfry.CodeOf(err) != belfry.CodeUnavailable || !strings.Contains(d.Reason, "1 questions wait") {
		t.Errorf("%+v %v", d, err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestForwardSettings(t *testing.T) {
	client := &http.Client{}
	for _, f := range []authz.Forward{
		{ChannelURL: "ftp://x", Client: client}, {ChannelURL: "/x", Client: client}, {UserURL: "http://", Client: client}, {ChannelURL: "http://x.test/"},
	} {
		if _, err := authz.New(authz.Config{Key: key(), Forward: f}); err == nil {
			t.Errorf("%+v is taken", f)
		}
	}
	a := newAuthorizer(t, authz.Config{Forward: authz.Forward{UserURL: "http://x.test/", Client: client}})
	if a.Forwards() {
		t.Error("channels are forwarded without a URL")
	}
	if answer, err := json.Marshal(authz.Answer{Auth: "a"}); err != nil || string(answer) != `{"auth":"a"}` {
		t.Errorf("%s %v", answer, err)
	}
}
