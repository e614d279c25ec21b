package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"crypto/x509"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/control"
)

const farToken = "belfry_7_secretsecretsecret"

// Every request of the link is decided on for other machines.
func TestRemote_EveryRequestIsDecidedOn(t *testing.T) {
	if have, decided := control.Patterns(), control.Offers(); !slices.Equal(have, decided) {
		t.Errorf("the link has %v,\ndecided on are %v", have, decided)
	}
	for _, pattern := range []string{"POST /v1/events", "POST /v1/trace", "POST /v1/queue/poke", "GET /v1/queue/pokes"} {
		if control.Refused(pattern) == "" {
			t.Errorf("%s is offered to other machines", pattern)
		}
	}
}

// Nothing is sent to an address that is none or that would show the token, and
// nothing that is no token.
func TestDialElsewhere_SendsNothing(t *testing.T) {
	for name, e := range map[string]control.Elsewhere{
		"http elsewhere":      {URL: "http://ws.example.com", Token: farToken},
		"http to an address":  {URL: "http://192.0.2.7:6001", Token: farToken},
		"a name like ours":    {URL: "http://localhost.example.com", Token: farToken},
		"a name of numbers":   {URL: "http://127.0.0.1.example.com", Token: farToken},
		"no scheme":           {URL: "ws.example.com", Token: farToken},
		"another scheme":      {URL: "ws://localhost:6001", Token: farToken},
		"a password":          {URL: "https://ann:hunter2@localhost", Token: farToken},
		"a query":             {URL: "https://localhost/?token=hunter2", Token: farToken},
		"no host":             {URL: "https:///x", Token: farToken},
		"no address at all":   {URL: "", Token: farToken},
		"no token":            {URL: "http://localhost:1", Token: ""},
		"no token of ours":    {URL: "http://localhost:1", Token: "hunter2"},
		"a token with a line": {URL: "http://localhost:1", Token: farToken + "\r\nX: hunter2"},
		"a token too long":    {URL: "http://localhost:1", Token: "belfry_" + strings.Repeat("x", 300)},
	} {
		_, err := control.DialElsewhere(t.Context(), e)
		coded, ok := errors.AsType[*belfry.Error](err)
		if !ok || coded.Code != belfry.CodeInvalid || coded.Hint == "" {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text := coded.Message + coded.Hint; strings.Contains(text, "hunter2") || strings.Contains(text, farToken) {
			t.Errorf("%s: the error shows a secret: %s", name, text)
		}
	}
}

// own answers as a server does.
func own(f http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Belfry-Version", "v9")
		f(w, r)
	}
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// What goes wrong is told so that an operator knows what to do.
func TestDialElsewhere_SaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   belfry.Code
		want   string // in message and hint
	}{
		"an older server":     {says(404, `{"error":"nothing is served at this path","code":"not_found"}`), belfry.CodeNotFound, "older server"},
		"another program":     {says(404, `<html>`), belfry.CodeNotFound, "a path that a proxy wants"},
		"a page":              {says(200, `<html>`), belfry.CodeUnavailable, "not from a Belfry server"},
		"a proxy's sign-in":   {says(401, `<html>`), belfry.CodeUnavailable, "a sign-in of its own"},
		"a proxy without us":  {says(502, `<html>`), belfry.CodeUnavailable, "look at the proxy"},
		"an unknown token":    {own(says(401, `{"error":"the API token is unknown, revoked or expired","code":"unauthenticated"}`)), belfry.CodeUnauthenticated, "unknown, revoked or expired"},
		"no administrator":    {own(says(403, `{"error":"the API token lacks the scope admin","code":"forbidden"}`)), belfry.CodeForbidden, "lacks the scope"},
		"a command not known": {own(says(501, `{"error":"?","code":"not_found"}`)), belfry.CodeNotFound, "it is version v9, and this program v1"},
		"another body":        {own(says(400, `{"error":"the request's body is not understood","code":"invalid"}`)), belfry.CodeInvalid, "the server is version v9"},
		"no answer of ours":   {own(says(500, `oops`)), belfry.CodeInternal, "500"},
		"cut off":             {own(says(200, `{"version":`)), "", "read the server's answer"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.answer)
			defer s.Close()
			_, err := control.DialElsewhere(t.Context(), control.Elsewhere{URL: s.URL, Token: farToken, Version: "v1"})
			if err == nil {
				t.Fatal("no error")
			}
			text := err.Error()
			coded, ok := errors.AsType[*belfry.Error](err)
			if ok {
				text += " " + coded.Hint
			}
			if ok != (c.code != "") || ok && coded.Code != c.code || !strings.Contains(text, c.want) || strings.Contains(text, farToken) {
				t.Errorf("%q, %v", text, coded)
			}
		})
	}
}

func TestDialElsewhere_FollowsNoRedirect(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the redirect was followed, with %v", r.Header)
	}))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL+"/elsewhere?token=hunter2", http.StatusTemporaryRedirect))
	defer s.Close()
	_, err := control.DialElsewhere(t.Context(), control.Elsewhere{URL: s.URL, Token: farToken})
	if belfry.CodeOf(err) != belfry.CodeUnavailable || !strings.Contains(err.Error(), other.URL+"/elsewhere") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error: %v", err)
	}
}

func TestDialElsewhere_Certificates(t *testing.T) {
	var sent []string
	s := httptest.NewUnstartedServer(own(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Header.Get("Authorization"))
		json.NewEncoder(w).Encode(control.Status{Version: "v9"})
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	_, err := control.DialElsewhere(t.Context(), control.Elsewhere{URL: s.URL, Token: farToken})
	if belfry.CodeOf(err) != belfry.CodeUnavailable || !strings.Contains(err.Error(), "certificate is not trusted") || len(sent) > 0 {
		t.Errorf("an unknown authority: %v, sent %v", err, sent)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c, err := control.DialElsewhere(t.Context(), control.Elsewhere{URL: s.URL + "/", Token: farToken, Roots: roots})
	if err != nil || len(sent) != 1 || sent[0] != "Bearer "+farToken {
		t.Fatalf("a known one: %v, sent %v", err, sent)
	}
	c.Close()
	_, err = control.DialElsewhere(t.Context(), control.Elsewhere{URL: strings.Replace(s.URL, "127.0.0.1", "localhost", 1), Token: farToken, Roots: roots})
	if !strings.Contains(err.Error(), "certificate is not trusted") {
		t.Errorf("another name: %v", err)
	}
	_, err = control.DialElsewhere(t.Context(), control.Elsewhere{URL: "http" + strings.TrimPrefix(s.URL, "https"), Token: farToken})
	if coded, ok := errors.AsType[*belfry.Error](err); !ok || !strings.Contains(coded.Hint, "https") {
		t.Errorf("http to TLS: %v", err)
	}
	plain := httptest.NewServer(own(says(200, `{}`)))
	defer plain.Close()
	_, err = control.DialElsewhere(t.Context(), control.Elsewhere{URL: "https" + strings.TrimPrefix(plain.URL, "http"), Token: farToken})
	if !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("TLS to http: %v", err)
	}
}

func TestDialElsewhere_NoWayThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for address, want := range map[string]string{
		"http://" + l.Addr().String(): "refused",
		"https://nowhere.invalid":     `no address is known for the host "nowhere.invalid"`,
	} {
		_, err := control.DialElsewhere(t.Context(), control.Elsewhere{URL: address, Token: farToken})
		if belfry.CodeOf(err) != belfry.CodeUnavailable || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), address) != 1 {
			t.Errorf("%s: %v", address, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := control.DialElsewhere(ctx, control.Elsewhere{URL: "http://127.0.0.1:1", Token: farToken}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

// A stream ends with the server's word; an empty line is none.
func TestDialElsewhere_Streams(t *testing.T) {
	s := httptest.NewServer(own(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ws" + control.Path + "/v1/status":
			io.WriteString(w, "{}")
		case "/ws" + control.Path + "/v1/subscribe":
			io.WriteString(w, "\n{\"event\":\"a\",\"data\":\"1\"}\n\n{\"time\":\"2030-01-01T00:00:00Z\",\"data\":\"\",\"end\":\"the token holds no more\"}\n")
		default:
			t.Errorf("asked for %s", r.URL.Path)
		}
	}))
	defer s.Close()
	c, err := control.DialElsewhere(t.Context(), control.Elsewhere{URL: s.URL + "/ws//", Token: farToken})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got []string
	err = c.Subscribe(t.Context(), "", nil, nil, func(m control.Message) error { got = append(got, m.Event); return nil })
	if belfry.CodeOf(err) != belfry.CodeForbidden || !strings.Contains(err.Error(), "holds no more") || !slices.Equal(got, []string{"a"}) {
		t.Errorf("%v, %v", got, err)
	}
}
