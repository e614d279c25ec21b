package trace

import (
	"sync"
	"time"

	"github.com/belfryhq/belfry"
)

// Entry is one record, of an event or of a connection, for a live log. It holds
// no payload.
type Entry struct {
	At       time.Time       `json:"at"`
	What     string          `json:"what"`
	App      string          `json:"app,omitempty"`
	ID       string          `json:"id,omitempty"` // the event's
	Event    string          `json:"event,omitempty"`
	Channel  string          `json:"channel,omitempty"`
	Channels []string        `json:"channels,omitempty"`
	Socket   string          `json:"socket_id,omitempty"`
	User     string          `json:"user_id,omitempty"`
	By       string          `json:"by,omitempty"`
	Address  string          `json:"address,omitempty"`
	Queue    string          `json:"queue,omitempty"`
	Text     string          `json:"text,omitempty"` // error or reason
	Code     string          `json:"code,omitempty"`
	Target   string          `json:"target,omitempty"`
	Size     int64           `json:"size,omitempty"`
	Status   int64           `json:"status,omitempty"` // close code, HTTP status
	Receipt  *belfry.Receipt `json:"receipt,omitempty"`
}

func (r *record) entry() Entry {
	e := Entry{At: r.time(), What: names[r.kind], App: r.app, ID: r.id, Event: r.name, Channel: r.channel, Channels: r.channels, Socket: r.socket,
		User: r.user, By: r.who, Address: r.address, Queue: r.queue, Text: r.text, Code: r.code, Target: r.target, Size: r.size, Status: r.status}
	if r.counted {
		receipt := r.receipt
		e.Receipt = &receipt
	}
	return e
}

type tap struct{ f func(Entry) }

// Tail calls f with each record from now on, until stop is called. f must not
// block, nor call the Trace: it is called while events are on their way. Its
// slices are shared and must not be changed.
func (t *Trace) Tail(f func(Entry)) (stop func()) {
	one := &tap{f}
	t.mu.Lock()
	t.tail[one] = struct{}{}
	t.mu.Unlock()
	t.taps.Add(1)
	return sync.OnceFunc(func() {
		t.taps.Add(-1)
		t.mu.Lock()
		delete(t.tail, one)
		t.mu.Unlock()
	})
}

// tell tells those who listen.
func (t *Trace) tell(r *record) {
	if t.taps.Load() == 0 {
		return
	}
	e := r.entry()
	t.mu.Lock()
	defer t.mu.Unlock()
	for one := range t.tail {
		one.f(e)
	}
}
