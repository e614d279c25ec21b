package gate_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
)

func TestKindsOfCallers(t *testing.T) {
	f := open(t, gate.Config{})
	s := f.login("plain@example.test")
	cookie := "belfry_session=" + s.Cookie
	plain, token, err := f.identity.AddToken(t.Context(), identity.NewToken{UserID: s.User.ID, Scopes: []string{"events"}})
	must(t, err)
	foreign, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "app", "aud": "belfry", "sub": 7, "exp": f.time().Add(time.Minute).Unix()}).SignedString([]byte(jwtSecret))
	must(t, err)
	for _, c := range []struct {
		name      string
		headers   []string
		kind      gate.Kind
		user      string
		sessionID string
		code      belfry.Code
	}{
		{"nothing", nil, gate.Guest, "", "", ""},
		{"a session", []string{"Cookie", cookie}, gate.Session, s.User.ID, s.ID, ""},
		{"a session over the cookie of https", []string{"Cookie", "__Host-" + cookie}, gate.Guest, "", "", ""},
		{"a dead session", []string{"Cookie", "belfry_session=sAAAA"}, gate.Guest, "", "", ""},
		{"a token", []string{"Authorization", "Bearer " + plain}, gate.Token, s.User.ID, token.SessionID(), ""},
		{"a token in small letters", []string{"Authorization", "bearer " + plain}, gate.Token, s.User.ID, token.SessionID(), ""},
		{"a wrong token", []string{"Authorization", "Bearer " + plain + "x"}, gate.Guest, "", "", belfry.CodeUnauthenticated},
		{"a wrong token beside a good cookie", []string{"Authorization", "Bearer null", "Cookie", cookie}, gate.Guest, "", "", belfry.CodeUnauthenticated},
		{"an empty token", []string{"Authorization", "Bearer", "Cookie", cookie}, gate.Guest, "", "", belfry.CodeUnauthenticated},
		{"a JWT beside a cookie", []string{"Authorization", "Bearer " + foreign, "Cookie", cookie}, gate.JWT, "app:7", "", ""},
		{"another scheme", []string{"Authorization", "Basic Zm9v", "Cookie", cookie}, gate.Session, s.User.ID, s.ID, ""},
	} {
		got, err := f.Caller(request("GET", "/who", "", c.headers...))
		if belfry.CodeOf(err) != c.code || got.Kind != c.kind || got.SessionID() != c.sessionID || (got.User == nil) != (c.user == "") || got.User != nil && got.User.ID != c.user {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
		if got.Address.String() != "192.0.2.1" {
			t.Errorf("%s: address %v", c.name, got.Address)
		}
	}
}

func TestCSRF(t *testing.T) {
	f := open(t, gate.Config{})
	s, other := f.login("plain@example.test"), f.login("plain@example.test")
	guest, err := f.identity.StartSession(t.Context())
	must(t, err)
	form := []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}
	for _, c := range []struct {
		name, method, body string
		session            *identity.Session
		headers            []string
		code               belfry.Code
	}{
		{"reading", "GET", "", s, nil, ""},
		{"asking for the head", "HEAD", "", s, nil, ""},
		{"no token", "POST", "", s, nil, gate.CodeCSRF},
		{"no token, another method", "DELETE", "", s, nil, gate.CodeCSRF},
		{"an unknown method", "BREW", "", s, nil, gate.CodeCSRF},
		{"a guest without a token", "POST", "", guest, nil, gate.CodeCSRF},
		{"a guest", "POST", "", guest, []string{"X-CSRF-TOKEN", guest.CSRF}, ""},
		{"Laravel's header", "POST", "", s, []string{"X-CSRF-TOKEN", s.CSRF}, ""},
		{"axios's header", "PUT", "", s, []string{"X-XSRF-TOKEN", s.CSRF}, ""},
		{"axios's header, escaped", "PATCH", "", s, []string{"X-XSRF-TOKEN", strings.ReplaceAll(s.CSRF, s.CSRF[:1], "%"+hex(s.CSRF[0]))}, ""},
		{"another session's", "POST", "", s, []string{"X-CSRF-TOKEN", other.CSRF}, gate.CodeCSRF},
		{"a form's field", "POST", "a=b&_token=" + s.CSRF, s, form, ""},
		{"a form's wrong field", "POST", "_token=" + other.CSRF, s, form, gate.CodeCSRF},
		{"a field in the address", "POST", "", s, nil, gate.CodeCSRF},
		{"a field in plain text", "POST", "_token=" + s.CSRF, s, []string{"Content-Type", "text/plain"}, gate.CodeCSRF},
		{"a form too large", "POST", "_token=" + s.CSRF + "&x=" + strings.Repeat("x", 300<<10), s, form, belfry.CodeTooLarge},
		{"the session's id", "POST", "", s, []string{"X-CSRF-TOKEN", s.ID}, gate.CodeCSRF},
		{"the cookie itself", "POST", "", s, []string{"X-CSRF-TOKEN", s.Cookie}, gate.CodeCSRF},
	} {
		r := request(c.method, "/who?_token="+s.CSRF, c.body, append(c.headers, "Cookie", "belfry_session="+c.session.Cookie)...)
		got, err := f.Caller(r)
		if belfry.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
		}
		if err != nil && got.User != nil {
			t.Errorf("%s: refused, and names the user %v", c.name, got.User)
		}
		if c.name == "a form's field" && r.PostForm.Get("a") != "b" {
			t.Errorf("the form is lost: %v", r.PostForm)
		}
	}
}

func hex(c byte) string {
	const digits = "0123456789ABCDEF"
	return string([]byte{digits[c>>4], digits[c&15]})
}

func TestOrigins(t *testing.T) {
	cfg := gate.Config{URL: "https://ws.example.test/", Origins: []string{"https://App.example.test:443", "http://localhost:5173"}, TrustedProxies: prefixes("192.0.2.1/32")}
	f := open(t, cfg)
	s := f.login("plain@example.test")
	for _, c := range []struct {
		name    string
		headers []string
		ok      bool
	}{
		{"none", nil, true},
		{"none, from another site", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"none, from this site", []string{"Sec-Fetch-Site", "same-origin"}, true},
		{"the public address's", []string{"Origin", "https://ws.example.test"}, true},
		{"the same over http", []string{"Origin", "http://ws.example.test"}, false},
		{"a listed one", []string{"Origin", "https://app.example.test"}, true},
		{"a listed one with its port", []string{"Origin", "http://localhost:5173"}, true},
		{"a listed host on another port", []string{"Origin", "http://localhost:5174"}, false},
		{"a subdomain of a listed one", []string{"Origin", "https://x.app.example.test"}, false},
		{"a listed one as a beginning", []string{"Origin", "https://app.example.test.evil.test"}, false},
		{"null", []string{"Origin", "null"}, false},
		{"an empty one", []string{"Origin", ""}, false},
		{"two", []string{"Origin", "https://app.example.test", "Origin", "https://evil.test"}, false},
		{"the host's", []string{"Host", "inner.test:6001", "Origin", "http://inner.test:6001"}, true},
		{"the host's, by another port", []string{"Host", "inner.test:6001", "Origin", "http://inner.test"}, false},
		{"the host's, by its own port", []string{"Host", "inner.test:80", "Origin", "http://inner.test"}, true},
		{"the host that the proxy was asked for", []string{"X-Forwarded-Host", "front.test", "X-Forwarded-Proto", "https", "Origin", "https://front.test"}, true},
		{"the same over http", []string{"X-Forwarded-Host", "front.test", "X-Forwarded-Proto", "https", "Origin", "http://front.test"}, false},
		{"another's", []string{"Origin", "https://evil.test"}, false},
	} {
		headers := append(c.headers, "Cookie", "__Host-belfry_session="+s.Cookie, "X-CSRF-TOKEN", s.CSRF)
		_, err := f.Caller(request("POST", "http://example.com/who", "", headers...))
		if c.ok && err != nil || !c.ok && belfry.CodeOf(err) != belfry.CodeForbidden {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestScopesOfCallers(t *testing.T) {
	f := open(t, gate.Config{})
	admin := gate.Caller{Kind: gate.Session, User: &belfry.User{ID: "1", Roles: []string{"admin"}}}
	manager := gate.Caller{Kind: gate.Session, User: &belfry.User{ID: "2", Roles: []string{"manager"}}}
	plain := gate.Caller{Kind: gate.JWT, User: &belfry.User{ID: "3"}}
	token := gate.Caller{Kind: gate.Token, User: admin.User, Token: &identity.Token{ID: "1", User: admin.User, Scopes: []string{"events"}}}
	const no = belfry.CodeForbidden
	for _, c := range []struct {
		scope                        string
		admin, manager, plain, token belfry.Code
	}{
		{identity.ScopeNotifications, "", "", "", no},
		{identity.ScopeDashboard, "", "", "", no},
		{identity.ScopeManageNotifications, "", "", no, no},
		{identity.ScopeEvents, "", no, no, ""},
		{identity.ScopeAdmin, "", no, no, no},
		{"unheard of", "", no, no, no},
	} {
		wantCode(t, admin.Require(c.scope), c.admin)
		wantCode(t, manager.Require(c.scope), c.manager)
		wantCode(t, plain.Require(c.scope), c.plain)
		wantCode(t, token.Require(c.scope), c.token)
		wantCode(t, gate.Caller{}.Require(c.scope), belfry.CodeUnauthenticated)
	}
	_ = f
}

// A browser signs in, acts and signs out, with what its cookies give it.
func TestABrowser(t *testing.T) {
	f := open(t, gate.Config{})
	server := httptest.NewTLSServer(f.door())
	defer server.Close()
	b := &browser{t: t, client: server.Client(), base: server.URL, cookies: map[string]*http.Cookie{}}
	credentials := url.Values{"email": {"plain@example.test"}, "password": {password}}

	b.want("GET", "/who", nil, 401)
	b.want("POST", "/login", credentials, 419)
	b.want("GET", "/csrf", nil, 200)
	guest := *b.cookies["__Host-belfry_session"]
	if !guest.HttpOnly || !guest.Secure || guest.SameSite != http.SameSiteLaxMode || guest.Path != "/" || guest.Domain != "" || guest.MaxAge < 3600 {
		t.Errorf("the session's cookie is %v", &guest)
	}
	if c := b.cookies["XSRF-TOKEN"]; c == nil || c.HttpOnly || !c.Secure || c.Path != "/" {
		t.Errorf("the token's cookie is %v", c)
	}
	b.want("POST", "/login", url.Values{"email": {"plain@example.test"}, "password": {"wrong password"}}, 401)
	b.want("POST", "/login", credentials, 200)
	if b.cookies["__Host-belfry_session"].Value == guest.Value {
		t.Error("signing in kept the session's id")
	}
	b.want("GET", "/who", nil, 200)
	b.want("POST", "/who", nil, 200)
	signedIn := *b.cookies["__Host-belfry_session"]
	b.want("POST", "/logout", nil, 200)
	b.want("GET", "/who", nil, 401)
	b.cookies["__Host-belfry_session"] = &signedIn
	b.want("GET", "/who", nil, 401) // the old cookie opens nothing
	b.want("GET", "/csrf", nil, 200)
	b.want("POST", "/login", credentials, 200)
	server.Client().CloseIdleConnections()
}

type browser struct {
	t       *testing.T
	client  *http.Client
	base    string
	cookies map[string]*http.Cookie
}

func (b *browser) want(method, path string, form url.Values, status int) {
	b.t.Helper()
	r, err := http.NewRequest(method, b.base+path, strings.NewReader(form.Encode()))
	must(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.base)
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	if c := b.cookies["XSRF-TOKEN"]; c != nil {
		r.Header.Set("X-XSRF-TOKEN", c.Value)
	}
	response, err := b.client.Do(r)
	must(b.t, err)
	response.Body.Close()
	for _, c := range response.Cookies() {
		b.cookies[c.Name] = c
	}
	if response.StatusCode != status {
		b.t.Errorf("%s %s: %s, want %d", method, path, response.Status, status)
	}
}

func TestCookiesOverPlainHTTP(t *testing.T) {
	f := open(t, gate.Config{})
	w := httptest.NewRecorder()
	s, err := f.Begin(w, request("GET", "/csrf", ""))
	must(t, err)
	cookies := w.Result().Cookies()
	if len(cookies) != 2 || cookies[0].Name != "belfry_session" || cookies[0].Secure || cookies[0].Value != s.Cookie || cookies[1].Value != s.CSRF {
		t.Errorf("cookies %v", cookies)
	}
	w = httptest.NewRecorder()
	again, err := f.Begin(w, request("GET", "/csrf", "", "Cookie", "belfry_session="+s.Cookie))
	must(t, err)
	if again.ID != s.ID || len(w.Result().Cookies()) != 1 {
		t.Errorf("a guest who comes again gets %v", w.Result().Cookies())
	}
	f.pass(13 * time.Hour)
	again, err = f.Begin(httptest.NewRecorder(), request("GET", "/csrf", "", "Cookie", "belfry_session="+s.Cookie))
	must(t, err)
	if again.ID == s.ID {
		t.Error("a guest's session is not renewed")
	}
}
