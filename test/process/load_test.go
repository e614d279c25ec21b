//go:build unix

package process_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry/test/pusherclient"
)

// load is a crowd of listening clients, and publishers that number their
// events: publisher p publishes 1, 2, 3 and so on to the channel load-p, each
// once the one before is accepted, until a publish fails.
type load struct {
	listeners  []*listener
	publishers []*publisher

	stop    context.CancelFunc
	running sync.WaitGroup
}

type publisher struct {
	channel  string
	accepted atomic.Int64 // the last number that was answered with 200
	err      error        // of the publish after it
}

// listener is a client on one publisher's channel.
type listener struct {
	conn *pusherclient.Conn
	from *publisher

	last    int64 // the last number that came
	gap     string
	end     error // of the connection
	endedAt time.Time
}

// startLoad connects so many clients, spread over so many publishers, and lets
// the publishers publish.
func startLoad(h *host, target pusherclient.Target, clients, publishers int) *load {
	h.t.Helper()
	l := &load{}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(context.Background())
	for i := range publishers {
		l.publishers = append(l.publishers, &publisher{channel: fmt.Sprintf("load-%d", i)})
	}
	for i := range clients {
		from := l.publishers[i%publishers]
		l.listeners = append(l.listeners, &listener{from: from, conn: h.connect(target, from.channel)})
	}
	for _, li := range l.listeners {
		l.running.Go(func() { li.listen(ctx) })
	}
	for _, p := range l.publishers {
		transport := &http.Transport{}
		api := &pusherclient.API{Target: target, Client: &http.Client{Transport: transport, Timeout: patience}}
		l.running.Go(func() {
			defer transport.CloseIdleConnections()
			p.publish(ctx, api)
		})
	}
	return l
}

func (p *publisher) publish(ctx context.Context, api *pusherclient.API) {
	for n := int64(1); ; n++ {
		if p.err = api.Publish(ctx, "numbered", strconv.FormatInt(n, 10), p.channel); p.err != nil {
			return
		}
		p.accepted.Store(n)
	}
}

func (l *listener) listen(ctx context.Context) {
	for {
		m, err := l.conn.Read(ctx)
		if err != nil {
			l.end, l.endedAt = err, time.Now()
			return
		}
		if m.Event != "numbered" {
			continue
		}
		n, err := strconv.ParseInt(m.Text(), 10, 64)
		if (err != nil || n != l.last+1) && l.gap == "" {
			l.gap = fmt.Sprintf("after %d came %s", l.last, m.Text())
		}
		l.last = n
	}
}

// flows waits until every publisher has had so many more events accepted.
func (l *load) flows(t testing.TB, events int64) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for _, p := range l.publishers {
		goal := p.accepted.Load() + events
		for tick := time.NewTicker(time.Millisecond); p.accepted.Load() < goal; <-tick.C {
			if time.Now().After(deadline) {
				t.Fatalf("publishing to %s does not come forward: %d", p.channel, p.accepted.Load())
			}
		}
	}
}

// accepted gives what each publisher has had accepted so far.
func (l *load) accepted() map[*publisher]int64 {
	all := map[*publisher]int64{}
	for _, p := range l.publishers {
		all[p] = p.accepted.Load()
	}
	return all
}

// wait waits until all connections and publishers have ended.
func (l *load) wait(t testing.TB) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		l.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		l.stop()
		<-done
		t.Fatal("some clients' connections do not end")
	}
	l.stop()
}
