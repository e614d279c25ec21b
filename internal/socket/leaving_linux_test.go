package socket_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket"
)

// slowFarewell is an observer that waits when it is told of the first end.
type slowFarewell struct{ told, proceed chan struct{} }

func (f *slowFarewell) Notice(n hub.Notice) {
	if n.Kind == hub.NoticeDisconnected {
		select {
		case f.told <- struct{}{}:
		default:
		}
		<-f.proceed
	}
}

// A crowd that leaves at once costs no goroutine for each, the hub is told of all in
// the order in which they left, and the engine ends behind that.
func TestManyLeaveAtOnce(t *testing.T) {
	slow := &slowFarewell{told: make(chan struct{}, 1), proceed: make(chan struct{})}
	b := startWith(t, sharded(t, 1), hub.Config{Observers: []hub.Observer{slow}}, socket.Config{})
	b.serve(nil)
	const crowd = 300
	peers := b.crowd(crowd, "news")
	order := b.notices.sockets(hub.NoticeConnected)
	before := runtime.NumGoroutine()
	for i, p := range peers {
		p.nc.Close()
		left := crowd - i - 1
		until(t, "the shard to let go", func() bool { return b.sharded().Load()[0] == left })
	}
	<-slow.told
	if n := runtime.NumGoroutine(); n > before+10 {
		t.Errorf("%d goroutines while %d connections leave, %d before", n, crowd, before)
	}
	if open := b.engine.Stats().Open; open != crowd {
		t.Errorf("%d connections are counted while the hub knows of %d", open, crowd)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.stop()
	}()
	until(t, "the engine to stop", b.sharded().Stopped)
	select {
	case <-ended:
		t.Error("the engine ended before the hub was told")
	default:
	}
	close(slow.proceed)
	<-ended
	if got := b.notices.sockets(hub.NoticeDisconnected); !slices.Equal(got, order) {
		t.Errorf("the hub was told of %d in another order: %v; want %v", len(got), got, order)
	}
	if s := b.engine.Stats(); s.Open != 0 {
		t.Errorf("%+v", s)
	}
}

// sockets gives the socket ids of the notices of a kind, in order.
func (n *notices) sockets(kind hub.NoticeKind) (ids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range n.all {
		if one.Kind == kind {
			ids = append(ids, one.Socket)
		}
	}
	return ids
}
