package server_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/server"
)

// A server is a value: it runs until its context ends, and then stops in order.
func Example() {
	dir, err := os.MkdirTemp("", "belfry-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	srv, err := server.New(server.Config{
		Listen:        "127.0.0.1:0",
		MetricsListen: "off",
		DataDir:       dir,
		Apps: []*belfry.App{{
			ID:     "1001",
			Keys:   []belfry.Credential{{Key: "demo-key", Secret: "demo-secret"}},
			Limits: belfry.DefaultLimits(),
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := srv.Listen(); err != nil { // a taken port is known here
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()

	client := pusher.Client{
		AppID: "1001", Key: "demo-key", Secret: "demo-secret", Host: srv.Addr().String(),
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	fmt.Println("publish:", client.Trigger("orders", "shipped", map[string]int{"id": 42}))

	stop()
	fmt.Println("end:", <-ended)
	// Output:
	// publish: <nil>
	// end: <nil>
}

// A program with an HTTP server of its own serves Belfry under it. Run must be
// running too; it listens on an address that nobody else need know.
func ExampleServer_Handler() {
	dir, err := os.MkdirTemp("", "belfry-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	srv, err := server.New(server.Config{Listen: "127.0.0.1:0", MetricsListen: "off", DataDir: dir})
	if err != nil {
		log.Fatal(err)
	}
	if err := srv.Listen(); err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()

	mux := http.NewServeMux()
	mux.Handle("/app/", srv.Handler())  // WebSockets
	mux.Handle("/apps/", srv.Handler()) // the HTTP API
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the program's own") })
	own := httptest.NewServer(mux)

	resp, err := own.Client().Get(own.URL + "/apps/1/channels")
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println(resp.Status)

	own.Close()
	stop()
	fmt.Println("end:", <-ended)
	// Output:
	// 404 Not Found
	// end: <nil>
}
