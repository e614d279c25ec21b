package docs_test

import (
	"encoding/json"
	"net"
	"strings"
	"testing"

	"github.com/belfryhq/belfry"
)

const guide = "docs/guide.md"

// freePort gives a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// on puts a port of the test's in the place of the one that a snippet listens on.
func on(port, text string) string {
	return strings.NewReplacer("listen(3000)", "listen("+port+", '127.0.0.1')", "127.0.0.1:3000", "127.0.0.1:"+port).Replace(text)
}

// accepts waits until something listens on the port.
func accepts(t *testing.T, port string) {
	t.Helper()
	within(t, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, "nothing listens on port "+port)
}

func TestGuide_AuthorizationEndpointAndClient(t *testing.T) {
	s := serve(t, nil)
	port := freePort(t)
	start(t, node(t, on(port, s.snippet(guide, "auth-endpoint"))))
	accepts(t, port)
	client := start(t, node(t, on(port, s.snippet(guide, "private-client"))))
	client.says(t, "(?m)^refused 403$")
	client.says(t, "(?m)^members 1 Ada$")
	s.occupied(t, "private-orders", 1)
	if err := s.sdk.Trigger("private-orders", "shipped", map[string]int{"id": 42}); err != nil {
		t.Fatal(err)
	}
	client.says(t, "(?m)^order 42$")

	other := s.connect(t, "orders")
	if err := other.Join(limited(t), "presence-room", "8"); err != nil {
		t.Fatal(err)
	}
	client.says(t, "(?m)^came 8$")
	if err := other.Send(limited(t), "client-typing", "presence-room", map[string]string{"text": "hello"}); err != nil {
		t.Fatal(err)
	}
	client.says(t, "(?m)^8 types hello$")
	if err := other.Unsubscribe(limited(t), "presence-room"); err != nil {
		t.Fatal(err)
	}
	client.says(t, "(?m)^left 8$")

	// The sign-in has no frame that the client would write about: ask until it
	// has happened.
	within(t, func() bool {
		if err := s.sdk.SendToUser("7", "note", map[string]string{"text": "hello"}); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(client.text(), "note hello")
	}, "the user gets no event")
}

func TestGuide_WebhookReceiver(t *testing.T) {
	port := freePort(t)
	s := serve(t, func(app *belfry.App) {
		app.Webhooks = []belfry.Webhook{{URL: "http://127.0.0.1:" + port + "/", Events: []string{"channel_occupied"}}}
	})
	receiver := start(t, node(t, on(port, s.snippet(guide, "webhook"))))
	accepts(t, port)
	s.connect(t, "orders")
	receiver.says(t, "(?m)^channel_occupied orders$")
}

func TestGuide_Receipt(t *testing.T) {
	s := serve(t, nil)
	s.connect(t, "orders")
	for _, attempt := range []string{"first", "repeated"} {
		var answer struct {
			ID      string `json:"id"`
			Receipt struct{ Matched, Written, Waiting, Dropped int }
		}
		out := finish(t, shell(t, s.snippet(guide, "receipt")))
		if err := json.Unmarshal([]byte(out), &answer); err != nil {
			t.Fatalf("%s: %v in %s", attempt, err, out)
		}
		if answer.ID == "" || answer.Receipt.Matched != 1 {
			t.Errorf("%s: %s", attempt, out)
		}
	}
}

func TestGuide_EmbeddingCompiles(t *testing.T) {
	s := serve(t, nil)
	finish(t, goCommand(t, s.snippet(guide, "embed"), "vet"))
}
