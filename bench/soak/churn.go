package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/test/pusherclient"
)

// churn is a crowd of clients that come and go.
type churn struct {
	cfg    Config
	target pusherclient.Target
	tally  *tally
	round  uint64 // of run, so that each has other random choices
}

func newChurn(cfg Config) *churn {
	return &churn{cfg: cfg, tally: newTally(),
		target: pusherclient.Target{URL: cfg.URL, AppID: cfg.AppID, Key: cfg.Key, Secret: cfg.Secret}}
}

// run lets the crowd live for d and returns when all are gone.
func (c *churn) run(ctx context.Context, d time.Duration, out io.Writer) {
	transport := &http.Transport{MaxIdleConnsPerHost: c.cfg.Workers, MaxIdleConns: c.cfg.Workers}
	defer transport.CloseIdleConnections()
	api := &pusherclient.API{Target: c.target, Client: &http.Client{Transport: transport, Timeout: patience}}
	c.round++
	over, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var crowd sync.WaitGroup
	for i := range c.cfg.Workers {
		w := &worker{
			churn: c, api: api, pause: c.cfg.Pause,
			rng: rand.New(rand.NewPCG(c.cfg.Seed+c.round, uint64(i))),
		}
		crowd.Go(func() {
			for over.Err() == nil {
				w.live(over)
			}
		})
	}
	for bench.Pause(over, time.Minute) == nil {
		fmt.Fprintln(out, time.Now().Format(time.TimeOnly), c.tally.line())
	}
	crowd.Wait()
}

// patience is how long the server may take for anything.
const patience = 30 * time.Second

// worker is one client at a time.
type worker struct {
	*churn
	api   *pusherclient.API
	rng   *rand.Rand
	pause time.Duration
}

// live is the life of one client, from its connection to its end. It ends
// early, but in the client's own way, when ctx ends.
func (w *worker) live(ctx context.Context) {
	if w.rng.IntN(200) == 0 {
		w.lag(ctx)
		return
	}
	conn, err := w.dial(&pusherclient.Options{})
	if err != nil {
		w.tally.fault("connecting: %v", err)
		bench.Pause(ctx, time.Second) // best effort: ctx ends the loop anyway
		return
	}
	w.tally.count("connections")
	l := &life{worker: w, conn: conn, joined: map[string]bool{}, gone: make(chan struct{})}
	reading, stop := context.WithCancel(context.Background())
	defer stop()
	var reader sync.WaitGroup
	reader.Go(func() { l.read(reading) })

	for range 1 + w.rng.IntN(40) {
		l.act(ctx)
		select {
		case <-l.gone:
		default:
			if bench.Pause(ctx, time.Duration(w.rng.Int64N(int64(w.pause)+1))) == nil {
				continue
			}
		}
		break
	}
	l.leave(stop)
	reader.Wait()
}

func (w *worker) dial(o *pusherclient.Options) (*pusherclient.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return pusherclient.Dial(ctx, w.target, o)
}

// lag is the life of a client that does not read while much is published to
// it: the server must cut it off and publishers must not notice for long.
func (w *worker) lag(ctx context.Context) {
	small := &net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(shrinkReceiveBuffer)
	}}
	conn, err := w.dial(&pusherclient.Options{Transport: &http.Transport{DialContext: small.DialContext}})
	if err != nil {
		w.tally.fault("connecting: %v", err)
		return
	}
	w.tally.count("connections")
	w.tally.count("slow readers")
	channel := fmt.Sprintf("lagging-%d", w.rng.Uint64())
	joining, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := conn.Join(joining, channel, ""); err != nil {
		w.tally.fault("joining as a slow reader: %v", err)
		conn.Cut()
		return
	}
	// Kernel buffers and the server's own are full after this.
	for i := 0; i < 400 && ctx.Err() == nil; i++ {
		if w.publish(channel) {
			break
		}
	}
	if w.rng.IntN(2) == 0 {
		conn.Cut()
		return
	}
	for { // reads at last, to the close frame
		_, err := conn.Read(joining)
		if err == nil {
			continue
		}
		if code := pusherclient.CloseCode(err); code != 0 {
			w.tally.count(fmt.Sprintf("closed with %d", code))
		}
		conn.Cut() // one that the end of the soak saved from being cut is still open
		return
	}
}
