package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/webhook"
)

// fake is a receiver without a network, for tests whose clock is not the
// world's.
type fake struct {
	start time.Time
	takes time.Duration // how long it thinks

	mu      sync.Mutex // guards what follows
	answers []int      // of the next calls; then 200; 0 is no answer
	calls   []call
}

type call struct {
	at         time.Duration // since the start
	reason, id string
	body       string
	header     http.Header
	status     int
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	text, _ := io.ReadAll(r.Body)
	var told struct{ Reason string }
	json.Unmarshal(text, &told)
	f.mu.Lock()
	c := call{at: time.Since(f.start), reason: told.Reason, id: r.Header.Get("Webhook-Id"), body: string(text), header: r.Header, status: 200}
	if len(f.answers) > 0 {
		c.status, f.answers = f.answers[0], f.answers[1:]
	}
	f.calls = append(f.calls, c)
	f.mu.Unlock()
	if f.takes > 0 {
		select {
		case <-time.After(f.takes):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if c.status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: c.status, Header: http.Header{"Retry-After": {strconv.Itoa(c.status - 503)}}, Body: io.NopCloser(strings.NewReader("said"))}, nil
}

func (f *fake) got() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]call{}, f.calls...)
}

// sender starts one on f, whose clock begins now.
func (f *fake) sender(t *testing.T, change func(*webhook.Config)) *webhook.Sender {
	t.Helper()
	f.start = time.Now()
	cfg := webhook.Config{URL: "http://receiver.test/", Secrets: []string{"s3cret"}, Client: &http.Client{Transport: f}, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	s, err := webhook.NewSender(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func notify(t *testing.T, s *webhook.Sender, reasons ...string) {
	t.Helper()
	for _, r := range reasons {
		if err := s.Notify(r); err != nil {
			t.Fatal(err)
		}
	}
}

func finish(t *testing.T, s *webhook.Sender) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestSender_FirstAtOnceLastAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := f.sender(t, nil)
		for i := range 10 { // in 180 ms
			notify(t, s, "change "+strconv.Itoa(i))
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Second)
		calls := f.got()
		if len(calls) != 2 || calls[0].at != 0 || calls[0].reason != "change 0" || calls[1].at != 300*time.Millisecond || calls[1].reason != "change 9" {
			t.Errorf("calls: %+v", calls)
		}
		if want := `{"reason":"change 0","stats":null,"range":"this_week"}`; calls[0].body != want {
			t.Errorf("body %s, want %s", calls[0].body, want)
		}
		notify(t, s, "after a quiet time")
		synctest.Wait()
		if calls = f.got(); len(calls) != 3 || calls[2].at != 1200*time.Millisecond {
			t.Errorf("calls: %+v", calls)
		}
		finish(t, s)
		if st := s.Stats(); st.Changes != 11 || st.Sent != 3 || st.Waiting {
			t.Errorf("%+v", st)
		}
	})
}

func TestSender_ChangeDuringAnAttemptIsSentAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{takes: 2 * time.Second}
		s := f.sender(t, nil)
		notify(t, s, "first")
		time.Sleep(time.Second)
		notify(t, s, "second", "third")
		time.Sleep(5 * time.Second)
		calls := f.got()
		if len(calls) != 2 || calls[1].reason != "third" || calls[1].at != 2*time.Second || calls[0].id == calls[1].id {
			t.Errorf("calls: %+v", calls)
		}
		finish(t, s)
	})
}

func TestSender_TriesAgainWithTheSameID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: []int{0, 500, 503 + 7, 408}}
		s := f.sender(t, nil)
		notify(t, s, "x")
		time.Sleep(time.Minute)
		calls := f.got()
		if len(calls) != 5 {
			t.Fatalf("%d calls: %+v", len(calls), calls)
		}
		for i, c := range calls[1:] {
			pause := c.at - calls[i].at
			if c.id != calls[0].id || c.body != calls[0].body {
				t.Errorf("attempt %d is another message", i+2)
			}
			if most := 200 * time.Millisecond << i; i != 2 && (pause < most/2 || pause > most) {
				t.Errorf("pause %d: %s, want %s to %s", i+1, pause, most/2, most)
			}
		}
		if pause := calls[3].at - calls[2].at; pause != 7*time.Second {
			t.Errorf("pause %s, the receiver asked for 7 s", pause)
		}
		finish(t, s)
		if st := s.Stats(); st.Sent != 1 || st.Failures != 4 || st.LastErr != "" {
			t.Errorf("%+v", st)
		}
	})
}

func TestSender_LaterChangeTakesThePlaceOfOneThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: []int{0}}
		s := f.sender(t, nil)
		notify(t, s, "first")
		synctest.Wait()
		notify(t, s, "second")
		time.Sleep(time.Second)
		calls := f.got()
		if len(calls) != 2 || calls[1].reason != "second" || calls[1].id == calls[0].id {
			t.Errorf("calls: %+v", calls)
		}
		finish(t, s)
	})
}

func TestSender_ArrivesAfterTenSecondsOfSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: make([]int, 1000)}
		s := f.sender(t, nil)
		notify(t, s, "x")
		time.Sleep(10 * time.Second)
		f.mu.Lock()
		f.answers, f.calls = nil, nil
		f.mu.Unlock()
		time.Sleep(10 * time.Second)
		if calls := f.got(); len(calls) != 1 {
			t.Errorf("calls: %+v", calls)
		}
		finish(t, s)
	})
}

func TestSender_GivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		answers []int
		limit   time.Duration
		most    int
	}{
		"what is refused for good": {[]int{422}, 0, 1},
		"what grew too old":        {[]int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, time.Second, 9},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{answers: c.answers}
				var log bytes.Buffer
				s := f.sender(t, func(cfg *webhook.Config) {
					cfg.Limit = c.limit
					cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
				})
				notify(t, s, "x")
				time.Sleep(time.Minute)
				if n := len(f.got()); n > c.most {
					t.Errorf("%d attempts, want at most %d", n, c.most)
				}
				finish(t, s)
				if st := s.Stats(); st.GivenUp != 1 || st.Waiting {
					t.Errorf("%+v", st)
				}
				if n := strings.Count(log.String(), "level=ERROR"); n != 1 || strings.Contains(log.String(), "s3cret") {
					t.Errorf("log: %s", log.String())
				}
			})
		})
	}
}

func TestSender_WaitsLongWhereTheReceiverHasToBeSetUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: []int{403}}
		s := f.sender(t, nil)
		notify(t, s, "x")
		time.Sleep(time.Minute)
		calls := f.got()
		if len(calls) != 2 || calls[1].at < 5*time.Second || calls[1].at > 10*time.Second {
			t.Errorf("calls: %+v", calls)
		}
		finish(t, s)
	})
}

func TestSender_CloseSendsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := f.sender(t, func(cfg *webhook.Config) { cfg.Debounce = time.Hour })
		notify(t, s, "first")
		synctest.Wait()
		notify(t, s, "second")
		finish(t, s)
		if calls := f.got(); len(calls) != 2 || calls[1].at != 0 {
			t.Errorf("calls: %+v", calls)
		}
		if err := s.Notify("third"); !errors.Is(err, webhook.ErrClosed) {
			t.Errorf("Notify after Close: %v", err)
		}
		finish(t, s) // again
	})
}

func TestSender_CloseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: make([]int, 1000)}
		s := f.sender(t, nil)
		notify(t, s, "x")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := s.Close(ctx); !errors.Is(err, webhook.ErrUnsent) {
			t.Errorf("Close: %v", err)
		}
		if off := time.Since(f.start); off != 3*time.Second {
			t.Errorf("Close took %s", off)
		}
	})
}

func TestSender_CloseCutsAPauseShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answers: []int{403}}
		s := f.sender(t, nil)
		notify(t, s, "x")
		synctest.Wait()
		finish(t, s)
		if calls := f.got(); len(calls) != 2 || calls[1].at != 0 {
			t.Errorf("calls: %+v", calls)
		}
	})
}

func TestSender_SaysOnceWhatIsMissing(t *testing.T) {
	for _, c := range []struct{ url, secret, says string }{
		{"", "", "LARAVEL_WEBHOOK_URL (or BELFRY_WEBHOOK_URL) SERVICES_WEBHOOK_SHARED_SECRET"},
		{"http://receiver.test", " ", "[SERVICES_WEBHOOK_SHARED_SECRET]"},
		{"", "s3cret", "[LARAVEL_WEBHOOK_URL (or BELFRY_WEBHOOK_URL)]"},
	} {
		t.Setenv("LARAVEL_WEBHOOK_URL", "")
		t.Setenv("BELFRY_WEBHOOK_URL", c.url)
		t.Setenv("SERVICES_WEBHOOK_SHARED_SECRET", c.secret)
		var log bytes.Buffer
		cfg := webhook.FromEnv()
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		s, err := webhook.NewSender(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := s.Notify("x"); !errors.Is(err, webhook.ErrNotConfigured) {
				t.Errorf("Notify: %v", err)
			}
		}
		finish(t, s)
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "level=ERROR") || !strings.Contains(text, c.says) {
			t.Errorf("log: %s", text)
		}
	}
}

func TestFromEnv(t *testing.T) {
	t.Setenv("LARAVEL_WEBHOOK_URL", "http://one.test")
	t.Setenv("BELFRY_WEBHOOK_URL", "http://two.test")
	t.Setenv("SERVICES_WEBHOOK_SHARED_SECRET", "new, old")
	if cfg := webhook.FromEnv(); cfg.URL != "http://one.test" || len(cfg.Secrets) != 2 || cfg.Secrets[1] != "old" {
		t.Errorf("%+v", cfg)
	}
}

func TestSender_BoundsTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := f.sender(t, nil)
		notify(t, s, strings.Repeat("é", 5000))
		finish(t, s)
		if n := len(f.got()[0].reason); n > 510 {
			t.Errorf("the reason has %d bytes", n)
		}
	})
}
