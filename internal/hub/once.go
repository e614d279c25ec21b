package hub

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// A queued event may come twice: its job is tried again, or its worker died
// after the publish. The hub remembers what it delivered.
const (
	// onceFor is how long an id is remembered at least, unless more than
	// 2 × onceMost come in that time.
	onceFor  = 5 * time.Minute
	onceMost = 1 << 19
)

type onceKey [16]byte

// once remembers the ids of events that were delivered, in two halves: when the
// young one is full or old, it becomes the old one.
type once struct {
	mu         sync.Mutex // guards all below
	young, old map[onceKey]struct{}
	since      time.Time                 // of young
	underWay   map[onceKey]chan struct{} // closed when that publish has ended
}

// begin claims an id. It reports whether the id was delivered already; when
// another publish of it is under way it waits for that one's end.
func (o *once) begin(ctx context.Context, key onceKey, now time.Time) (delivered bool, err error) {
	for {
		o.mu.Lock()
		o.turn(now)
		_, young := o.young[key]
		_, old := o.old[key]
		if young || old {
			o.mu.Unlock()
			return true, nil
		}
		other := o.underWay[key]
		if other == nil {
			if o.underWay == nil {
				o.underWay = make(map[onceKey]chan struct{})
			}
			o.underWay[key] = make(chan struct{})
			o.mu.Unlock()
			return false, nil
		}
		o.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// end gives the claim back; delivered ids are remembered.
func (o *once) end(key onceKey, delivered bool, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if delivered {
		o.turn(now)
		o.young[key] = struct{}{}
	}
	close(o.underWay[key])
	delete(o.underWay, key)
}

func (o *once) turn(now time.Time) {
	if o.young != nil && now.Sub(o.since) < onceFor && len(o.young) < onceMost {
		return
	}
	if now.Sub(o.since) >= 2*onceFor {
		o.young = nil
	}
	o.young, o.old, o.since = make(map[onceKey]struct{}), o.young, now
}

// PublishOnce publishes an event under the id that it has from whoever accepted
// it, unless an event with that id was published here within the last five
// minutes: then repeat is true and nobody gets it again. Otherwise it is
// Publish for one event.
func (h *Hub) PublishOnce(ctx context.Context, appID, id string, event pusher.Event) (p Published, repeat bool, err error) {
	a, err := h.app(appID)
	if err != nil {
		return Published{}, false, err
	}
	sum := sha256.Sum256([]byte(id))
	key := onceKey(sum[:16])
	if repeat, err = a.once.begin(ctx, key, h.clock.Now()); repeat || err != nil {
		return Published{ID: id}, repeat, err
	}
	delivered := false
	defer func() { a.once.end(key, delivered, h.clock.Now()) }()
	done, err := h.publishAs(ctx, a, []pusher.Event{event}, id)
	if belfry.CodeOf(err) == belfry.CodeUnavailable && done != nil {
		delivered = true // here at least
	}
	if err != nil {
		return Published{}, false, err
	}
	delivered = true
	return done[0], false, nil
}
