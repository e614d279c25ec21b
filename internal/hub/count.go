package hub

import (
	"time"

	"github.com/belfryhq/belfry/pusher"
)

const (
	countBusy     = 100             // subscriptions above which counts are spaced (CH-51)
	countInterval = 5 * time.Second // the space between them
	missInterval  = time.Minute     // between two cache_miss notices (HOOK-20)
)

var zeroTime time.Time

// countState spaces a busy channel's subscription counts.
type countState struct {
	last  time.Time
	timer Timer
}

func (s *countState) stop() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// countChanged tells how many subscribe, as the owner (CH-50): at once, or, on
// a busy channel, at most every five seconds and the last value always (CH-51).
// The channel is locked.
func (ch *channel) countChanged() {
	if !ch.app.settings.Load().SubscriptionCount || ch.kind&(pusher.Presence|pusher.ServerToUser) != 0 {
		return
	}
	now := ch.app.hub.clock.Now()
	wait := countInterval - now.Sub(ch.counts.last)
	if ch.ledger.subscriptions <= countBusy || wait <= 0 {
		ch.counts.stop()
		ch.sendCount(now)
		return
	}
	if ch.counts.timer == nil {
		ch.counts.timer = ch.app.hub.clock.AfterFunc(wait, ch.countDue)
	}
}

func (ch *channel) countDue() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.counts.timer == nil || ch.gone {
		return
	}
	ch.counts.timer = nil
	ch.sendCount(ch.app.hub.clock.Now())
}

func (ch *channel) sendCount(now time.Time) {
	ch.counts.last = now
	n := ch.ledger.subscriptions
	if n > 0 {
		m := ch.app.hub.seal(pusher.AppendSubscriptionCount(begin(128), ch.topic.Name, n))
		ch.cast(m, pusher.SocketID{}, ch.kind.Is(pusher.Encrypted))
	}
	ch.app.notice(Notice{Kind: NoticeSubscriptionCount, Channel: ch.topic.Name, Count: n})
}

// missIsNews reports whether a cache_miss is to be told, once a minute for each
// channel until it is filled (HOOK-20). The channel is locked.
func (ch *channel) missIsNews() bool {
	now := ch.app.hub.clock.Now()
	if !ch.ledger.missed.IsZero() && now.Sub(ch.ledger.missed) < missInterval {
		return false
	}
	ch.ledger.missed = now
	return true
}
