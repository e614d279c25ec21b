package webhook_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry/webhook"
)

// receive runs a receiver that verifies with those secrets, then asks answer.
func receive(t *testing.T, secrets []string, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	v := webhook.Verifier{Secrets: secrets}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, err := v.Verify(r.Header, body, time.Now()); err != nil {
			http.Error(w, "wrong\nsignature", http.StatusForbidden)
			return
		}
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

func poster(t *testing.T, cfg webhook.PostConfig) *webhook.Poster {
	t.Helper()
	p, err := webhook.NewPoster(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestPost_IsVerified(t *testing.T) {
	for _, schemes := range [][]webhook.Scheme{nil, {webhook.Plain}, {webhook.Standard}} {
		srv := receive(t, []string{"s3cret"}, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "thanks") })
		p := poster(t, webhook.PostConfig{URL: srv.URL, Secrets: []string{"s3cret"}, Schemes: schemes})
		r, err := p.Post(t.Context(), webhook.Message{Body: body})
		if err != nil || r.Status != 200 || string(r.Answer) != "thanks" {
			t.Errorf("%v: %+v, %v", schemes, r, err)
		}
	}
}

func TestPost_TriesTheOtherSecretWhileRotating(t *testing.T) {
	for _, known := range []string{"old", "new"} {
		var taken atomic.Int32
		srv := receive(t, []string{known}, func(http.ResponseWriter, *http.Request) { taken.Add(1) })
		p := poster(t, webhook.PostConfig{URL: srv.URL, Secrets: []string{"new", "old"}, Schemes: []webhook.Scheme{webhook.Plain}})
		for range 2 {
			if _, err := p.Post(t.Context(), webhook.Message{Body: body}); err != nil {
				t.Errorf("receiver with %s: %v", known, err)
			}
		}
		if taken.Load() != 2 {
			t.Errorf("receiver with %s took %d", known, taken.Load())
		}
	}
}

func TestPost_SaysWhatTheReceiverAnswered(t *testing.T) {
	srv := receive(t, []string{"other"}, nil)
	p := poster(t, webhook.PostConfig{URL: srv.URL + "?token=hidden", Secrets: []string{"s3cret"}})
	_, err := p.Post(t.Context(), webhook.Message{Body: body})
	var e *webhook.PostError
	if !errors.As(err, &e) || e.Status != 403 || e.Final() || err.Error() != "webhook: the receiver answered 403 Forbidden: wrong signature" {
		t.Errorf("%v", err)
	}
}

func TestPost_FollowsNoRedirect(t *testing.T) {
	srv := receive(t, []string{"s3cret"}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
	})
	p := poster(t, webhook.PostConfig{URL: srv.URL, Secrets: []string{"s3cret"}})
	_, err := p.Post(t.Context(), webhook.Message{Body: body})
	var e *webhook.PostError
	if !errors.As(err, &e) || e.Status != 301 {
		t.Errorf("%v", err)
	}
}

func TestPost_NoAnswer(t *testing.T) {
	srv := receive(t, nil, nil)
	address := srv.URL
	srv.Close()
	p := poster(t, webhook.PostConfig{URL: address + "/?token=hidden", Secrets: []string{"s3cret"}})
	_, err := p.Post(t.Context(), webhook.Message{Body: body})
	var e *webhook.PostError
	if !errors.As(err, &e) || e.Status != 0 || strings.Contains(err.Error(), "hidden") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Post(ctx, webhook.Message{Body: body}); !errors.Is(err, context.Canceled) || errors.As(err, &e) {
		t.Errorf("an ended context: %v", err)
	}
}

func TestPost_EndsAtItsTimeLimit(t *testing.T) {
	release := make(chan struct{})
	srv := receive(t, []string{"s3cret"}, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	p := poster(t, webhook.PostConfig{URL: srv.URL, Secrets: []string{"s3cret"}, Timeout: 20 * time.Millisecond})
	_, err := p.Post(t.Context(), webhook.Message{Body: body})
	if err == nil || !strings.Contains(err.Error(), "within 20ms") {
		t.Errorf("%v", err)
	}
}

func TestNewPoster_RefusesWhatItCannotUse(t *testing.T) {
	for _, cfg := range []webhook.PostConfig{
		{Secrets: []string{"x"}},
		{URL: "example.com/path", Secrets: []string{"x"}},
		{URL: "ftp://example.com", Secrets: []string{"x"}},
		{URL: "http://", Secrets: []string{"x"}},
		{URL: "http://user:hidden@ example.com", Secrets: []string{"x"}},
		{URL: "http://example.com", Secrets: []string{" "}},
		{URL: "http://example.com", Secrets: []string{"whsec_hidden!"}},
		{URL: "http://example.com", Secrets: []string{"x"}, Schemes: []webhook.Scheme{"none"}},
	} {
		if _, err := webhook.NewPoster(cfg); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}
