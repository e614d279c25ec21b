// Command soak lets clients come and go on a server for a long time and then
// checks that it holds no more memory and goroutines than before:
//
//	go run ./bench/soak -for 1h
//
// Without -url it starts a server of its own in a second process. With -url it
// takes a running one, which must serve nobody else meanwhile and whose metrics
// address (-metrics) must be reachable from this machine.
//
// It exits 1 when the server did something that no client should see, when
// goroutines are left, or when the heap has grown beyond -growth; 2 on wrong use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Config says how to soak.
type Config struct {
	For     time.Duration // of churn that is measured
	Warm    time.Duration // of churn before the first measurement
	Workers int           // clients at a time
	Pause   time.Duration // longest pause of a client between two acts
	Growth  float64       // megabytes by which the live heap may grow
	Seed    uint64        // of the random choices

	// URL, Metrics, AppID, Key and Secret are a running server's; without URL
	// one is started. CacheTTL is the app's cache_ttl: so long after the last
	// client the server still remembers caches.
	URL, Metrics       string
	AppID, Key, Secret string
	CacheTTL           time.Duration
}

func main() {
	if os.Getenv(childVariable) != "" {
		exit(serveChild(os.Stdin, os.Stdout))
		return
	}
	cfg, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(soak(ctx, cfg, os.Stdout))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func parse(args []string) (Config, error) {
	var c Config
	f := flag.NewFlagSet("soak", flag.ExitOnError)
	f.DurationVar(&c.For, "for", time.Minute, "how long to soak after the warm-up")
	f.DurationVar(&c.Warm, "warm", 0, "length of the warm-up (default: a tenth of -for, 5s to 2m)")
	f.IntVar(&c.Workers, "workers", 100, "clients at a time")
	f.DurationVar(&c.Pause, "pause", 100*time.Millisecond, "longest pause of a client between two acts")
	f.Float64Var(&c.Growth, "growth", 2, "megabytes by which the live heap may grow")
	f.Uint64Var(&c.Seed, "seed", uint64(time.Now().UnixNano()), "seed of the random choices")
	f.StringVar(&c.URL, "url", "", "a running server, such as http://127.0.0.1:6001 (default: start one)")
	f.StringVar(&c.Metrics, "metrics", "http://127.0.0.1:9601", "that server's metrics address")
	f.StringVar(&c.AppID, "app-id", "", "its app's id")
	f.StringVar(&c.Key, "key", "", "its app's key")
	f.StringVar(&c.Secret, "secret", os.Getenv("PUSHER_APP_SECRET"), "its app's secret (default: PUSHER_APP_SECRET)")
	f.DurationVar(&c.CacheTTL, "cache-ttl", 30*time.Minute, "its app's cache_ttl, to wait for at the end")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	switch {
	case f.NArg() > 0:
		return c, fmt.Errorf("unknown argument %q", f.Arg(0))
	case c.For <= 0 || c.Workers <= 0:
		return c, errors.New("-for and -workers must be above zero")
	case c.URL != "" && (c.AppID == "" || c.Key == "" || c.Secret == ""):
		return c, errors.New("-url needs -app-id, -key and -secret too")
	}
	if c.Warm == 0 {
		c.Warm = min(max(c.For/10, 5*time.Second), 2*time.Minute)
	}
	return c, nil
}

// soak churns, measures before and after, and writes what it found. An error
// says what is wrong with the server, or that it could not be examined.
func soak(ctx context.Context, cfg Config, out io.Writer) (err error) {
	if cfg.URL == "" {
		c, failed := startChild(ctx)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, c.stop()) }()
		c.fill(&cfg)
	}
	churn := newChurn(cfg)
	meter := newMeter(cfg)
	defer meter.close()
	fmt.Fprintf(out, "server %s, %d clients, warm-up %s, soak %s, seed %d\n", cfg.URL, cfg.Workers, cfg.Warm, cfg.For, cfg.Seed)

	churn.run(ctx, cfg.Warm, out)
	before, err := meter.quiet(ctx, nil)
	if err != nil {
		return fmt.Errorf("after the warm-up: %w", err)
	}
	churn.run(ctx, cfg.For, out)
	after, err := meter.quiet(ctx, before)
	if err != nil {
		return fmt.Errorf("after the soak: %w", err)
	}
	churn.tally.write(out)
	writeTable(out, before, after)
	return errors.Join(churn.tally.faults(), compare(before, after, cfg.Growth))
}
