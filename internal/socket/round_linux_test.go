package socket_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket"
)

// Fan-outs go round: what is published while one is under way joins in.

// A message that is published while a fan-out is under way leaves together with
// the one before from there on.
func TestMessagesJoinTheRound(t *testing.T) {
	const crowd, began, seen = 200, socket.YieldAfter - 1, 3*socket.YieldAfter - 1
	stops, goOn, free := make(chan struct{}), make(chan struct{}), make(chan struct{})
	yield := func() {
		select {
		case stops <- struct{}{}:
			<-goOn
		case <-free:
		}
	}
	b := listen(t, sharded(t, 1, func(e *socket.Sharded) { e.OnYield(yield) }), socket.Config{})
	t.Cleanup(sync.OnceFunc(func() { close(free) }))
	peers := b.crowd(crowd, "news")
	b.mustPublish("news", "n", "1")
	<-stops
	b.mustPublish("news", "n", "2")
	goOn <- struct{}{}
	<-stops
	goOn <- struct{}{}
	<-stops
	for _, p := range peers[began:seen] {
		p.wantEvents("1", "2")
	}
	for _, p := range peers[:began] {
		p.wantEvents("1")
		p.wantNothing()
	}
	for _, p := range peers[seen:] {
		p.wantNothing()
	}
	goOn <- struct{}{}
	<-stops // on the way round
	goOn <- struct{}{}
	for _, p := range peers[:began] {
		p.wantEvents("2")
	}
	for _, p := range peers[seen:] {
		p.wantEvents("1", "2")
	}
	for _, p := range peers {
		p.wantNothing()
	}
}

// A topic whose messages never end leaves other topics and closed connections
// their turn.
func TestRoundsEndForOthers(t *testing.T) {
	const crowd, others, flood, half = 200, socket.Few + 8, 60, 30
	var engine *bench
	var closing *hub.Client
	yields := 0
	yield := func() { // the hub may be called, as nothing of it is held
		if yields++; yields > flood {
			return
		}
		engine.mustPublish("loud", "n", fmt.Sprint(yields))
		switch yields {
		case 1:
			engine.mustPublish("quiet", "n", "end")
		case half:
			closing.Conn().Close(4009, "gone", nil)
		}
	}
	engine = listen(t, sharded(t, 1, func(e *socket.Sharded) { e.OnYield(yield) }), socket.Config{})
	both := engine.crowd(others, "loud", "quiet")
	leaver, c := engine.client()
	closing = c
	leaver.subscribe("loud")
	crowded := engine.crowd(crowd-others-1, "loud")
	engine.mustPublish("loud", "n", "0")
	for _, p := range both {
		got, err := p.read(1)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(got["loud"]); n > 3 {
			t.Errorf("the other topic had its turn behind %d messages", n)
		}
	}
	events := 0
	for {
		op, payload, err := leaver.next()
		if err != nil {
			t.Fatal(err)
		}
		if op == 8 {
			break
		}
		if events++; events > half+3 {
			t.Fatalf("the connection is open behind message %d: %s", events, payload)
		}
	}
	until(t, "the rounds to be over", func() bool {
		return engine.engine.Stats().PendingBytes == 0 && socket.Idle(engine.sharded().Shards()[0])
	})
	for n := range flood + 1 {
		crowded[0].wantEvents(fmt.Sprint(n))
	}
}

// Whatever happens while rounds are under way, everybody gets what is published
// while they are subscribed: all of it, once, in order.
func TestRounds(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { playRounds(t, seed) })
	}
}

// stay is one stay of a peer among the subscribers.
type stay struct{ from, to int } // messages; to is -1 while it lasts

type member struct {
	*peer
	client *hub.Client
	sub    *hub.Subscription // nil while it is not subscribed
	stays  []stay
	got    []int
}

func playRounds(t *testing.T, seed uint64) {
	const crowd, steps = 150, 400
	rng := rand.New(rand.NewPCG(seed, 7))
	topic := &hub.Topic{Slots: make([]any, 1)}
	var outlet hub.Outlet
	var members []*member
	published, left := 0, atomic.Int32{}
	publish := func() {
		text := fmt.Sprint(published, " ")
		if rng.IntN(12) == 0 {
			text += strings.Repeat("x", rng.IntN(40<<10))
		}
		published++ // before: the writing goroutine goes on from here
		outlet.Publish(topic, hub.Delivery{Message: sealed(text)})
	}
	join := func(m *member) {
		m.sub = &hub.Subscription{Topic: topic, Client: m.client}
		outlet.Join(m.sub, nil)
		m.stays = append(m.stays, stay{published, -1})
	}
	leave := func(m *member) {
		outlet.Leave(m.sub)
		m.sub = nil
		m.stays[len(m.stays)-1].to = published
	}
	churn := rng.IntN(30)
	step := func() { // only the writing goroutine does, while it yields
		if left.Load() == 0 {
			return
		}
		left.Add(-1)
		for range rng.IntN(3) {
			publish()
		}
		for range rng.IntN(1 + churn) {
			if m := members[rng.IntN(crowd)]; m.sub == nil {
				join(m)
			} else {
				leave(m)
			}
		}
		if rng.IntN(100) == 0 {
			for _, m := range members {
				if m.sub != nil && rng.IntN(10) > 0 {
					leave(m)
				}
			}
		}
		if left.Load() == 0 {
			publish()
		}
	}
	b := listen(t, sharded(t, 1, func(e *socket.Sharded) { e.OnYield(step) }), socket.Config{SendBuffer: 64 << 20})
	for range crowd {
		p, c := b.client()
		outlet = socket.OutletOf(c)
		members = append(members, &member{peer: p, client: c})
	}
	for _, m := range members {
		join(m)
	}
	left.Store(steps)
	var reading sync.WaitGroup
	for _, m := range members {
		reading.Go(func() { m.readRounds(t) })
	}
	for left.Load() > 0 { // a round may end without another message, or all have left
		for _, m := range members {
			if m.sub == nil {
				join(m)
			}
		}
		publish()
		until(t, "the rounds to be over", func() bool { return socket.Idle(outlet) })
	}
	if rest := socket.Leftover(outlet, topic); rest != "" {
		t.Error(rest)
	}
	for _, m := range members { // who is not there sees the end too
		m.client.Conn().Send(sealed("end"))
	}
	reading.Wait()
	for i, m := range members {
		m.check(t, i, published)
	}
}

func (m *member) readRounds(t *testing.T) {
	for {
		_, payload, err := m.next()
		if err != nil {
			t.Error(err)
			return
		}
		if string(payload) == "end" {
			return
		}
		var n int
		fmt.Sscan(string(payload), &n)
		m.got = append(m.got, n)
	}
}

// check fails unless a member got all of its last stay, if that lasts, and of
// earlier ones a beginning.
func (m *member) check(t *testing.T, i, published int) {
	got := m.got
	for _, s := range m.stays {
		to := s.to
		if to < 0 {
			to = published
		}
		n := 0
		for n < len(got) && got[n] == s.from+n && got[n] < to {
			n++
		}
		if s.to < 0 && n != published-s.from {
			t.Errorf("member %d got %d of the %d messages of its last stay", i, n, published-s.from)
		}
		got = got[n:]
	}
	if len(got) > 0 {
		t.Errorf("member %d got %v beyond its stays %v", i, got[:min(10, len(got))], m.stays)
	}
	if !slices.IsSorted(m.got) {
		t.Errorf("member %d got %v", i, m.got)
	}
}
