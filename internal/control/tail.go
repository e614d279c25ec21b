package control

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// What may wait for one reader of a subscription, until events are left out.
const (
	maxBacklog      = 4096
	maxBacklogBytes = 8 << 20
)

// backlog is what waits for one reader. Putting never blocks: what finds no
// room is counted, in its place among the others.
type backlog struct {
	wake chan struct{} // has an element when there is something to take

	mu    sync.Mutex // guards all below
	items []item
	bytes int
}

type item struct {
	at     time.Time
	raw    []byte
	missed int
}

func newBacklog() *backlog { return &backlog{wake: make(chan struct{}, 1)} }

func (b *backlog) put(raw []byte) {
	b.mu.Lock()
	switch n := len(b.items); {
	case n < maxBacklog && b.bytes+len(raw) <= maxBacklogBytes:
		b.items = append(b.items, item{at: time.Now(), raw: append([]byte(nil), raw...)})
		b.bytes += len(raw)
	case n > 0 && b.items[n-1].missed > 0:
		b.items[n-1].missed++
	default:
		b.items = append(b.items, item{at: time.Now(), missed: 1})
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take gives all that waits.
func (b *backlog) take() []item {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items, b.bytes = nil, 0
	return items
}

// subscribe streams the events of channels, one JSON object a line, until the
// command goes or the server stops. A command on another machine also gets an
// empty line now and then, and is told when it has lost its right.
func (b Backend) subscribe(w http.ResponseWriter, r *http.Request) (any, error) {
	app, err := b.app(r)
	if err != nil {
		return nil, err
	}
	channels := r.URL.Query()["channel"]
	naming := pusher.Naming{Limits: app.Limits, Strict: app.StrictNames}
	for _, name := range channels {
		if !pusher.ValidName(name, naming.MaxChannelName()) {
			return nil, belfry.Errorf(belfry.CodeInvalid, "%q is not a channel's name: letters, digits and _-=@,.; make one, %d at most", name, naming.MaxChannelName())
		}
	}
	about(r, app.ID, "channels", channels)
	waiting := newBacklog()
	stop := b.Hub.Tap(app.ID, channels, func(_ string, message []byte) { waiting.put(message) })
	defer stop()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	if out.Flush() != nil { // says that events from now on will come
		return nil, nil
	}
	closing, _ := r.Context().Value(closingKey{}).(<-chan struct{})
	far := callOf(r)
	far.began()
	lines := json.NewEncoder(w)
	for {
		select {
		case <-waiting.wake:
		case <-far.beat(): // on the link there is none
			if _, err := w.Write([]byte("\n")); err != nil {
				return nil, nil
			}
		case <-r.Context().Done():
			return nil, nil
		case <-closing:
			if why := far.why(); why != "" && lines.Encode(Message{Time: time.Now(), End: why}) == nil {
				_ = out.Flush() // a reader who has gone needs no reason
			}
			return nil, nil
		}
		for _, it := range waiting.take() {
			if lines.Encode(it.message()) != nil {
				return nil, nil
			}
		}
		if out.Flush() != nil {
			return nil, nil
		}
	}
}

// message reads what the hub published.
func (it item) message() Message {
	m := Message{Time: it.at, Missed: it.missed}
	if it.missed > 0 {
		return m
	}
	var frame struct {
		Event   string          `json:"event"`
		Channel string          `json:"channel"`
		Data    json.RawMessage `json:"data"`
		UserID  string          `json:"user_id"`
	}
	if json.Unmarshal(it.raw, &frame) != nil { // cannot be: the hub wrote it
		m.Data = string(it.raw)
		return m
	}
	m.Event, m.Channel, m.UserID = frame.Event, frame.Channel, frame.UserID
	if json.Unmarshal(frame.Data, &m.Data) != nil {
		m.Data = string(frame.Data)
	}
	return m
}
