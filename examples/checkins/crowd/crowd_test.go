package crowd_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/examples/checkins/crowd"
	"github.com/belfryhq/belfry/examples/checkins/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every kind of doing happens, and the service takes each.
func TestTheServiceTakesAllThatTheCrowdDoes(t *testing.T) {
	s, err := service.Open(t.Context(), service.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	wanted := map[string]bool{}
	for _, doing := range []string{"POST checkins", "PATCH checkins", "DELETE checkins", "GET checkins", "POST students", "POST alerts", "PATCH alerts", "GET alerts",
		"POST journal-sentiments", "POST checkin-sentiments", "POST form-downloads"} {
		wanted[doing] = true
	}
	var mu sync.Mutex // guards wanted
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		s.Handler().ServeHTTP(recorder, r)
		if recorder.Code >= 300 {
			t.Errorf("%s %s: %d %s", r.Method, r.URL, recorder.Code, recorder.Body)
		}
		mu.Lock()
		defer mu.Unlock()
		if delete(wanted, r.Method+" "+strings.Split(r.URL.Path, "/")[2]); len(wanted) == 0 {
			stop()
		}
		w.WriteHeader(recorder.Code)
		w.Write(recorder.Body.Bytes())
	}))
	defer server.Close()
	c := crowd.New(crowd.Config{URL: server.URL, Pause: time.Millisecond, Seed: 1, Logger: slog.New(slog.DiscardHandler)})
	if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v; left: %v", err, wanted)
	}
	if c.CheckIns() == 0 {
		t.Error("no check-in was counted")
	}
}

// A service that comes back is asked again.
func TestTheCrowdWaitsForTheService(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 2 {
			stop()
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	c := crowd.New(crowd.Config{URL: server.URL, Pause: time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}
