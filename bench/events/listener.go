package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/test/pusherclient"
)

// channels are where events go, by their numbers in turn.
var channels = func() (names [50]string) {
	for i := range names {
		names[i] = "orders." + strconv.Itoa(i)
	}
	return names
}()

// listener is a subscriber to all channels that knows when each event came.
type listener struct {
	conn *pusherclient.Conn
	end  context.CancelFunc
	all  sync.WaitGroup

	mu     sync.Mutex // guards all below
	came   []time.Time
	first  int // the number of the first event that counts
	got    int
	faults []string
	whole  chan struct{} // closed when all have come, or the connection is gone
	closed bool
}

// listen connects to a server.
func listen(ctx context.Context, target pusherclient.Target) (*listener, error) {
	join, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pusherclient.Dial(join, target, nil)
	if err != nil {
		return nil, err
	}
	for _, channel := range channels {
		if err := conn.Join(join, channel, ""); err != nil {
			conn.Cut()
			return nil, fmt.Errorf("join %s: %w", channel, err)
		}
	}
	l := &listener{conn: conn}
	ctx, l.end = context.WithCancel(ctx)
	l.expect(0, 0)
	l.all.Go(func() { l.read(ctx) })
	return l, nil
}

// expect makes it wait for n events from the number first on.
func (l *listener) expect(first, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.came, l.first, l.got, l.whole, l.closed = make([]time.Time, n), first, 0, make(chan struct{}), false
}

func (l *listener) read(ctx context.Context) {
	for {
		m, err := l.conn.Read(ctx)
		now := time.Now()
		if err != nil {
			l.mu.Lock()
			l.finish(fmt.Sprintf("the connection ended: %v", err))
			l.mu.Unlock()
			return
		}
		if m.Event == eventName {
			l.arrived(m.Text(), now)
		}
	}
}

func (l *listener) arrived(data string, now time.Time) {
	number, _, _ := strings.Cut(strings.TrimPrefix(data, dataBefore), ",")
	n, err := strconv.Atoi(number)
	l.mu.Lock()
	defer l.mu.Unlock()
	i := n - l.first
	switch {
	case err != nil || i >= len(l.came):
		l.faults = append(l.faults, "came, and was not sent: "+data)
		return
	case i < 0:
		return // of an earlier measurement
	case !l.came[i].IsZero():
		l.faults = append(l.faults, fmt.Sprintf("event %d came twice", n))
		return
	}
	l.came[i] = now
	if l.got++; l.got == len(l.came) {
		l.finish("")
	}
}

// finish ends the wait. The caller holds mu.
func (l *listener) finish(fault string) {
	if l.closed {
		return
	}
	if l.closed = true; fault != "" {
		l.faults = append(l.faults, fault)
	}
	close(l.whole)
}

// await waits for all expected events and gives the time of each.
func (l *listener) await(ctx context.Context) ([]time.Time, error) {
	l.mu.Lock()
	whole := l.whole
	l.mu.Unlock()
	over := time.NewTimer(patience)
	defer over.Stop()
	select {
	case <-whole:
	case <-over.C:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.got < len(l.came) {
		l.faults = append(l.faults, fmt.Sprintf("%d of %d events came", l.got, len(l.came)))
	}
	if len(l.faults) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(l.faults[:min(len(l.faults), 10)], "; "))
	}
	return l.came, nil
}

func (l *listener) close() {
	l.end()
	l.conn.Cut()
	l.all.Wait()
}
