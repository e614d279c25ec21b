package socket_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/socket"
)

// Everything at once: crowds that come, go, vanish, stall and are thrown out,
// while many publish. Nothing of it is left in the end.
func TestChurn(t *testing.T) {
	before := descriptors(t)
	b := listen(t, sharded(t, 3), socket.Config{SendBuffer: 32 << 10})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var work sync.WaitGroup
	for n := range 40 {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(n)))
			for ctx.Err() == nil {
				live(t, b.address, rng, ctx)
			}
		})
	}
	for n := range 4 {
		work.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				channel := fmt.Sprintf("channel-%d", (i+n)%3)
				if _, err := b.publish(channel, "n", strings.Repeat("x", 1000)); err != nil && belfry.CodeOf(err) != belfry.CodeUnavailable && belfry.CodeOf(err) != belfry.CodeNotFound {
					t.Error(err)
				}
			}
		})
	}
	work.Go(func() { // all are thrown out now and then
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
				b.hub.SetApps(nil)
				b.hub.SetApps([]*belfry.App{app()})
			}
		}
	})
	work.Wait()
	late := b.crowd(40, "channel-0")
	b.mustPublish("channel-0", "n", "last")
	drain, end := context.WithTimeout(t.Context(), 10*time.Second)
	defer end()
	if err := b.hub.Drain(drain, 100*time.Millisecond); err != nil {
		t.Errorf("drain: %v", err)
	}
	for _, p := range late {
		p.wantEvents("last")
		p.wantClose(4200)
		p.nc.Close()
	}
	b.stop()
	if s := b.engine.Stats(); s.Open != 0 || s.PendingBytes != 0 {
		t.Errorf("left: %+v", s)
	}
	if left, _ := b.hub.Channels(t.Context(), "1", ""); len(left) != 0 {
		t.Errorf("channels left: %v", left)
	}
	// The listener and its poller are still there.
	until(t, "the descriptors to be closed", func() bool { return descriptors(t) <= before+2 })
}

// live is one connection's life.
func live(t *testing.T, address string, rng *rand.Rand, ctx context.Context) {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(4 * time.Second))
	fate := rng.IntN(8)
	if fate == 0 { // not even a request
		nc.Write([]byte(request(target))[:rng.IntN(60)])
		return
	}
	if fate == 1 { // by way of the HTTP server
		nc.Write([]byte("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"))
	}
	packet := [][]byte{[]byte(request(target))}
	for range rng.IntN(6) {
		packet = append(packet, subscription([]string{"subscribe", "unsubscribe"}[rng.IntN(2)], fmt.Sprintf("channel-%d", rng.IntN(3))))
	}
	nc.Write(bytes.Join(packet, nil))
	if fate == 2 { // does not read
		nc.(*net.TCPConn).SetReadBuffer(4 << 10)
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.IntN(400)) * time.Millisecond):
		}
		return
	}
	buf := make([]byte, 8<<10)
	for range rng.IntN(200) {
		if _, err := nc.Read(buf); err != nil || ctx.Err() != nil {
			return
		}
		if rng.IntN(10) == 0 {
			nc.Write(subscription([]string{"subscribe", "unsubscribe"}[rng.IntN(2)], fmt.Sprintf("channel-%d", rng.IntN(3))))
		}
	}
	switch fate {
	case 3:
		nc.Write(closing(1000, ""))
	case 4:
		nc.(*net.TCPConn).SetLinger(0)
	case 5:
		nc.Write(frame(0x82, "binary"))
	case 6:
		nc.(*net.TCPConn).CloseWrite()
	}
}
