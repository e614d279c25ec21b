package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/client"
)

// serve stands in for a Belfry server.
func serve(status int, answer string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
}

// An event is accepted and will be sent by the server's workers.
func ExampleClient_Publish() {
	server := serve(202, `{"id": "06h3k2v9", "status": "queued"}`)
	defer server.Close()

	c, err := client.New(client.Config{URL: server.URL, Token: "belfry_3_secret"})
	if err != nil {
		log.Fatal(err)
	}
	done, err := c.Publish(context.Background(), client.Event{
		Name:     "order.shipped",
		Channels: []string{"private-user.7"},
		Data:     map[string]any{"order": 42},
		Key:      "order-42-shipped", // a second Publish changes nothing
	})
	fmt.Println(done.ID, done.Status, err)
	// Output: 06h3k2v9 queued <nil>
}

// With Now the answer tells how many subscribers the event reached.
func ExampleClient_Publish_now() {
	server := serve(200, `{"id": "06h3k2v9", "status": "sent", "receipt": {"matched": 3, "written": 3, "waiting": 0, "dropped": 0}}`)
	defer server.Close()

	c, err := client.New(client.Config{URL: server.URL, Token: "belfry_3_secret"})
	if err != nil {
		log.Fatal(err)
	}
	done, err := c.Publish(context.Background(), client.Event{Name: "ping", Channels: []string{"status"}, Now: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(done.Receipt.Matched, "subscribers")
	// Output: 3 subscribers
}

// A refusal says what is wrong and what to do.
func ExampleError() {
	server := serve(403, `{"error": "channels: this API token may not publish to \"private-admin\"", "code": "forbidden"}`)
	defer server.Close()

	c, err := client.New(client.Config{URL: server.URL, Token: "belfry_3_secret"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.Publish(context.Background(), client.Event{Name: "e", Channels: []string{"private-admin"}})
	if refused, ok := errors.AsType[*client.Error](err); ok && refused.Code == belfry.CodeForbidden {
		fmt.Println(refused)
	}
	// Output: channels: this API token may not publish to "private-admin" (403)
}
