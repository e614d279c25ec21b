package docs_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/belfryhq/belfry/internal/control"
)

// commandsElsewhere provokes what goes wrong on the way to another machine.
func commandsElsewhere(t *testing.T, hears func(name, text string)) {
	t.Helper()
	told := func(name, address, token string) {
		t.Helper()
		c, err := control.DialElsewhere(t.Context(), control.Elsewhere{URL: address, Token: token, Version: "v1"})
		if err == nil {
			c.Close()
			t.Fatalf("%s: no error", name)
		}
		hears(name, err.Error())
	}
	const unknown = "belfry_1_aaaaaaaaaaaaaaaa"
	stranger := func(h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	told("no way there", "https://nowhere.invalid", unknown)
	told("http", "http://ws.example.com", unknown)
	told("no door", stranger(http.NotFoundHandler()), unknown)
	told("a redirect", stranger(http.RedirectHandler("https://example.com/", http.StatusMovedPermanently)), unknown)
	told("an older server", stranger(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Belfry-Version", "v0")
		w.WriteHeader(http.StatusNotImplemented)
	})), unknown)

	s := serve(t, nil)
	s.person(t, "root@example.com", "--role", "admin")
	server := "http://127.0.0.1:" + s.port
	told("an unknown token", server, unknown)
	told("another scope", server, s.token(t, "root@example.com", "events"))
	told("some channels", server, s.token(t, "root@example.com", "admin --channels news"))
}
