package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
	"github.com/belfryhq/belfry/internal/ingest"
	"github.com/belfryhq/belfry/internal/web"
	"github.com/belfryhq/belfry/webhook"
)

func TestIngest_AnswersWithWhatBecameOfACall(t *testing.T) {
	var got ingest.Received
	var result ingest.Result
	var err error
	door := web.NewIngest(web.IngestConfig{
		Address: func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.9") },
		Take: func(_ context.Context, r ingest.Received) (ingest.Result, error) {
			got = r
			return result, err
		},
	})
	ask := func(method, body string) (*httptest.ResponseRecorder, map[string]string) {
		t.Helper()
		r := httptest.NewRequest(method, web.IngestPath, strings.NewReader(body))
		r.Header.Set(webhook.HeaderSignature, "abc")
		r.Header.Set("Origin", "https://elsewhere.test") // no browser's cookie counts here
		r.Header.Set("Cookie", "belfry_session=x")
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		var members map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil {
			t.Fatalf("%s: %v", w.Body, err)
		}
		return w, members
	}
	result = ingest.Result{Status: "ok", Dashboard: "default", Range: "today", ID: "1"}
	w, members := ask("POST", ` {"a":1} `)
	if w.Code != 200 || members["status"] != "ok" || members["range"] != "today" || members["dashboard"] != "default" || members["id"] != "1" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if string(got.Body) != ` {"a":1} ` || got.From.String() != "192.0.2.9" || got.Header.Get(webhook.HeaderSignature) != "abc" {
		t.Errorf("handed on %+v", got)
	}
	if w, _ := ask("GET", ""); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", w.Code, w.Header())
	}
	if ask("POST", strings.Repeat("x", 1<<20)); len(got.Body) != webhook.MaxBody+1 {
		t.Errorf("read %d bytes", len(got.Body))
	}
	coded := func(code belfry.Code) error {
		return &belfry.Error{Code: code, Message: "what is wrong", Hint: "what to do", Err: errors.New("the cause")}
	}
	for _, c := range []struct {
		err    error
		status int
		code   string
		after  string
	}{
		{coded(ingest.CodeMissing), 403, "signature_missing", ""},
		{coded(ingest.CodeWrong), 403, "signature_wrong", ""},
		{coded(ingest.CodeOld), 403, "signature_old", ""},
		{coded(ingest.CodeReplayed), 403, "replayed", ""},
		{coded(ingest.CodeNoSecret), 500, "no_secret", ""},
		{coded(belfry.CodeInvalid), 400, "invalid", ""},
		{coded(belfry.CodeNotFound), 404, "not_found", ""},
		{coded(belfry.CodeTooLarge), 413, "too_large", ""},
		{coded(belfry.CodeUnavailable), 503, "unavailable", "1"},
		{&identity.LimitError{After: 6500 * time.Millisecond, Err: coded(belfry.CodeRateLimited)}, 429, "rate_limited", "7"},
		{coded(belfry.CodeInternal), 500, "internal", ""},
		{errors.New("the cause"), 500, "internal", ""},
	} {
		err = c.err
		w, members := ask("POST", "{}")
		if w.Code != c.status || members["code"] != c.code || w.Header().Get("Retry-After") != c.after || strings.Contains(w.Body.String(), "the cause") {
			t.Errorf("%v: %d %v %s", c.err, w.Code, w.Header(), w.Body)
		}
		if c.code != "internal" && members["error"] != "what is wrong; what to do" {
			t.Errorf("%s says %q", c.code, members["error"])
		}
	}
}

// A body that ends early, or is late, is no call.
func TestIngest_RefusesABodyThatDoesNotCome(t *testing.T) {
	door := web.NewIngest(web.IngestConfig{Take: func(context.Context, ingest.Received) (ingest.Result, error) {
		t.Error("taken")
		return ingest.Result{}, nil
	}})
	for status, fault := range map[int]error{400: io.ErrUnexpectedEOF, 408: os.ErrDeadlineExceeded} {
		w := httptest.NewRecorder()
		door.ServeHTTP(w, httptest.NewRequest("POST", web.IngestPath, io.MultiReader(strings.NewReader("{"), broken{fault})))
		if w.Code != status || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%v: %d %s", fault, w.Code, w.Body)
		}
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
