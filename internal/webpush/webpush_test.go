package webpush_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/webpush"
	"github.com/belfryhq/belfry/internal/webpush/webpushtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var seed = bytes.Repeat([]byte{7}, webpush.KeySize)

func sender(t testing.TB, client *http.Client, subject string) *webpush.Sender {
	t.Helper()
	s, err := webpush.New(seed, webpush.Config{Subject: subject, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func subscription(b *webpushtest.Browser) webpush.Subscription {
	return webpush.Subscription{Endpoint: b.Endpoint, P256DH: b.P256DH, Auth: b.Auth}
}

func TestABrowserReadsWhatWasSent(t *testing.T) {
	service := webpushtest.Start(t)
	for subject, want := range map[string]string{
		"mailto:ops@example.test": "mailto:ops@example.test",
		"ops@example.test":        "mailto:ops@example.test",
		"https://example.test":    "https://example.test",
	} {
		b := service.Subscribe()
		s := sender(t, service.Client(), subject)
		for _, payload := range []string{`{"title":"Grüße"}`, "", strings.Repeat("x", webpush.MaxPayload)} {
			m := webpush.Message{Payload: []byte(payload), TTL: 90 * time.Second, Urgency: webpush.UrgencyHigh, Topic: "abc"}
			if answer := s.Send(t.Context(), subscription(b), m); answer.Result != webpush.Sent || answer.Err != nil {
				t.Fatalf("%+v", answer)
			}
			all := b.Messages()
			got := all[len(all)-1]
			if got.Payload != payload || got.TTL != 90 || got.Urgency != "high" || got.Topic != "abc" || got.Key != s.PublicKey() || got.Subject != want {
				t.Errorf("the browser got %+v", got)
			}
		}
	}
}

func TestAnswersOfPushServices(t *testing.T) {
	service := webpushtest.Start(t)
	b, s := service.Subscribe(), sender(t, service.Client(), "https://example.test")
	for _, c := range []struct {
		status int
		after  string
		want   webpush.Result
		wait   time.Duration
	}{
		{200, "", webpush.Sent, 0}, {202, "5", webpush.Sent, 0},
		{404, "", webpush.Gone, 0}, {410, "7", webpush.Gone, 0},
		{429, "17", webpush.Later, 17 * time.Second}, {503, "", webpush.Later, 0}, {500, "soon", webpush.Later, 0}, {408, "-3", webpush.Later, 0},
		{429, "99999999", webpush.Later, 24 * time.Hour}, {503, "Sun, 06 Nov 1994 08:49:37 GMT", webpush.Later, 0},
		{400, "", webpush.Refused, 0}, {401, "", webpush.Refused, 0}, {403, "", webpush.Refused, 0}, {413, "", webpush.Refused, 0}, {307, "", webpush.Refused, 0},
	} {
		service.Answer(func(*webpushtest.Browser) (int, string) { return c.status, c.after })
		answer := s.Send(t.Context(), subscription(b), webpush.Message{})
		if answer.Result != c.want || answer.After != c.wait || (answer.Err == nil) != (c.want == webpush.Sent) {
			t.Errorf("%d %q: %+v", c.status, c.after, answer)
		}
		if answer.Err != nil && strings.Contains(answer.Err.Error(), b.Endpoint) {
			t.Errorf("the error names the endpoint: %v", answer.Err)
		}
	}
}

func TestAServiceThatIsAwayIsTriedAgain(t *testing.T) {
	away := httptest.NewTLSServer(http.NotFoundHandler())
	client := away.Client()
	away.Close()
	b := webpushtest.Start(t).Subscribe()
	to := subscription(b)
	to.Endpoint = away.URL + "/push/secret"
	answer := sender(t, client, "https://example.test").Send(t.Context(), to, webpush.Message{})
	if answer.Result != webpush.Later || answer.Err == nil || strings.Contains(answer.Err.Error(), "secret") {
		t.Errorf("%+v", answer)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if answer := sender(t, client, "https://example.test").Send(ctx, to, webpush.Message{}); !errors.Is(answer.Err, context.Canceled) {
		t.Errorf("%+v", answer)
	}
	large := webpush.Message{Payload: make([]byte, webpush.MaxPayload+1)}
	if answer := sender(t, client, "https://example.test").Send(t.Context(), to, large); answer.Result != webpush.Refused {
		t.Errorf("%+v", answer)
	}
}

// Every server that has the seed has the same pair; every seed makes one.
func TestKeysFollowFromTheSeed(t *testing.T) {
	first := sender(t, nil, "").PublicKey()
	if first != sender(t, nil, "").PublicKey() || len(first) != 87 {
		t.Errorf("keys %q", first)
	}
	for _, odd := range [][]byte{make([]byte, webpush.KeySize), bytes.Repeat([]byte{0xff}, webpush.KeySize)} {
		if s, err := webpush.New(odd, webpush.Config{}); err != nil || s.PublicKey() == "" {
			t.Errorf("%v", err)
		}
	}
	if _, err := webpush.New([]byte("short"), webpush.Config{}); err == nil {
		t.Error("a short seed is taken")
	}
}

func TestFaultsOfSubscriptions(t *testing.T) {
	good := subscription(webpushtest.Start(t).Subscribe())
	if normal, found := good.Normal(); len(found) > 0 || normal != good {
		t.Errorf("%v, %v", normal, found)
	}
	padded := good
	padded.P256DH, padded.Auth = good.P256DH+"=", good.Auth+"=="
	if normal, found := padded.Normal(); len(found) > 0 || normal != good {
		t.Errorf("with padding: %v, %v", normal, found)
	}
	for endpoint, says := range map[string]string{
		"": "missing", "http://push.example.test/x": "https", "https://": "address", "https:///x": "address", "javascript:alert(1)": "address",
		"https://u:p@push.example.test/x": "address", "https://push.example.test/x#y": "address", "https://push.example.test/ x": "address",
		"https://push.example.test/\x00": "address", "https://push.example.test/ü": "address", "https://push.example.test/" + strings.Repeat("x", 2048): "long",
	} {
		s := good
		s.Endpoint = endpoint
		if _, found := s.Normal(); len(found) != 1 || !strings.Contains(found["endpoint"], says) {
			t.Errorf("%q: %v", endpoint, found)
		}
	}
	bad := webpush.Subscription{Endpoint: "x", P256DH: good.Auth, Auth: good.P256DH}
	if _, found := bad.Normal(); len(found) != 3 || found["keys.p256dh"] == "" || found["keys.auth"] == "" {
		t.Errorf("%v", found)
	}
	off := []byte(strings.Repeat("B", 87)) // 65 bytes that are no point
	if _, found := (webpush.Subscription{Endpoint: good.Endpoint, P256DH: string(off), Auth: good.Auth}).Normal(); found["keys.p256dh"] == "" {
		t.Error("a point off the curve is taken")
	}
}
