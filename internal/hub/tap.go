package hub

import (
	"slices"
	"sync"
	"sync/atomic"
)

// taps are the listeners of Tap.
type taps struct {
	n atomic.Int32 // so that a hub without taps pays one load

	mu  sync.RWMutex // guards all
	all []*tap
}

type tap struct {
	app      string
	channels []string
	f        func(channel string, message []byte)
}

// Tap calls f with every message that goes to the subscribers of the named
// channels of an app, or of all of them when none is named, whether there are
// subscribers or not. It counts as no subscription. f is called under locks: it
// must not block, call the hub, or keep the message. stop ends it.
func (h *Hub) Tap(appID string, channels []string, f func(channel string, message []byte)) (stop func()) {
	t := &tap{appID, channels, f}
	h.taps.mu.Lock()
	h.taps.all = append(h.taps.all, t)
	h.taps.mu.Unlock()
	h.taps.n.Add(1)
	return sync.OnceFunc(func() {
		h.taps.mu.Lock()
		h.taps.all = slices.DeleteFunc(h.taps.all, func(o *tap) bool { return o == t })
		h.taps.mu.Unlock()
		h.taps.n.Add(-1)
	})
}

func (ts *taps) any() bool { return ts.n.Load() > 0 }

func (ts *taps) tell(topic *Topic, message []byte) {
	if !ts.any() {
		return
	}
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	for _, t := range ts.all {
		if t.app == topic.App && (len(t.channels) == 0 || slices.Contains(t.channels, topic.Name)) {
			t.f(topic.Name, message)
		}
	}
}
