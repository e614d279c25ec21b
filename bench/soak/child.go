package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/server"
)

// childVariable tells a second process of this program to be the server, and
// where its webhooks go.
const childVariable = "BELFRY_SOAK_WEBHOOKS"

// The app of the server that soak starts.
const (
	childApp    = "1001"
	childKey    = "soak-key"
	childSecret = "soak-secret"
	childTTL    = 2 * time.Second
)

// ready is what the child writes when it serves.
type ready struct{ URL, Metrics string }

// serveChild runs a server until in ends, as it does when the parent is gone.
func serveChild(in io.Reader, out io.Writer) error {
	dir, err := os.MkdirTemp("", "belfry-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := server.New(server.Config{
		Listen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0", DataDir: dir, DrainWindow: -1,
		// Small, so that slow readers are found out often.
		SendBuffer:   64 << 10,
		WebhookAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Apps: []*belfry.App{{
			ID: childApp, Keys: []belfry.Credential{{Key: childKey, Secret: childSecret}},
			ClientEvents: true, SubscriptionCount: true, Watchlist: true, WebhookBatch: true,
			CacheTTL: childTTL, Limits: belfry.DefaultLimits(),
			Webhooks: []belfry.Webhook{{URL: os.Getenv(childVariable)}},
		}},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return err
	}
	if err := s.Listen(); err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(ready{s.URL(), "http://" + s.MetricsAddr().String()}); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(context.Background())
	go func() {
		io.Copy(io.Discard, in)
		stop(errors.New("the soak is over"))
	}()
	return s.Run(ctx)
}

// child is a server in a process of its own, and the receiver of its webhooks
// in this one.
type child struct {
	ready
	cmd  *exec.Cmd
	log  bytes.Buffer // errors alone; complete when the process has ended
	in   io.Closer
	sink *http.Server
	done chan struct{} // closed when the sink has ended
}

func startChild(ctx context.Context) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &child{done: make(chan struct{})}
	// Connections end soon, so that the server does not keep them through the
	// measurement.
	c.sink = &http.Server{IdleTimeout: time.Second, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
	})}
	go func() {
		c.sink.Serve(l)
		close(c.done)
	}()
	c.cmd = exec.CommandContext(ctx, program)
	c.cmd.Env = append(os.Environ(), childVariable+"=http://"+l.Addr().String())
	c.cmd.Stderr = &c.log
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(out).Decode(&c.ready); err != nil {
		return nil, fmt.Errorf("the server does not start: %w", errors.Join(err, c.stop()))
	}
	return c, nil
}

// stop ends the server and the receiver. A server that does not end in order, or
// that has logged errors, is an error.
func (c *child) stop() error {
	c.in.Close()
	err := c.cmd.Wait()
	if c.log.Len() > 0 {
		err = errors.Join(err, fmt.Errorf("the server logged errors:\n%s", c.log.Bytes()))
	}
	c.sink.Close()
	<-c.done
	return err
}

func (c *child) fill(cfg *Config) {
	cfg.URL, cfg.Metrics = c.URL, c.Metrics
	cfg.AppID, cfg.Key, cfg.Secret = childApp, childKey, childSecret
	cfg.CacheTTL = childTTL
}
