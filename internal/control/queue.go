package control

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"sync"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// Bell tells the worker processes of a data folder that jobs came, so that
// none of them waits for its next look. The zero value is ready.
type Bell struct {
	mu    sync.Mutex // guards ropes
	ropes map[chan struct{}]struct{}
}

// Ring tells everybody who listens. It never blocks; rings that come while one
// is still unheard are one.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for rope := range b.ropes {
		select {
		case rope <- struct{}{}:
		default:
		}
	}
}

func (b *Bell) listen() (rung <-chan struct{}, stop func()) {
	rope := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ropes == nil {
		b.ropes = make(map[chan struct{}]struct{})
	}
	b.ropes[rope] = struct{}{}
	return rope, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.ropes, rope)
	}
}

func (b Backend) queue(handle register) {
	handle("POST /v1/queue/poke", b.Poke != nil, func(http.ResponseWriter, *http.Request) (any, error) {
		b.Poke()
		return struct{}{}, nil
	})
	handle("GET /v1/queue/pokes", b.Bell != nil, func(w http.ResponseWriter, r *http.Request) (any, error) {
		rung, stop := b.Bell.listen()
		defer stop()
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusOK)
		out := http.NewResponseController(w)
		closing, _ := r.Context().Value(closingKey{}).(<-chan struct{})
		for out.Flush() == nil {
			select {
			case <-rung:
				if _, err := w.Write([]byte("\n")); err != nil {
					return nil, nil
				}
			case <-r.Context().Done():
				return nil, nil
			case <-closing:
				return nil, nil
			}
		}
		return nil, nil
	})
}

// publish publishes an event, whose body is that of the HTTP API, once if it
// comes with an id.
func (b Backend) publish(r *http.Request) (any, error) {
	app, err := b.app(r)
	if err != nil {
		return nil, err
	}
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	event, err := pusher.ParseEvent(body, pusher.Naming{Limits: app.Limits, Strict: app.StrictNames})
	if err != nil {
		return nil, err
	}
	if id := r.URL.Query().Get("id"); id != "" {
		p, repeat, err := b.Hub.PublishOnce(r.Context(), app.ID, id, event)
		if err != nil {
			return nil, err
		}
		return Published{ID: p.ID, Receipt: p.Receipt, Repeat: repeat}, nil
	}
	done, err := b.Hub.Publish(r.Context(), app.ID, []pusher.Event{event})
	if err != nil {
		return nil, err
	}
	return Published{ID: done[0].ID, Receipt: done[0].Receipt}, nil
}

// PublishOnce publishes an event under the id that it was accepted with; the
// answer says when it was delivered before. An empty app is the default one.
func (c *Client) PublishOnce(ctx context.Context, app, id string, event pusher.Event) (Published, error) {
	body := []byte(`{"name":`)
	body = pusher.AppendString(body, event.Name)
	body = append(body, `,"channels":[`...)
	for i, name := range event.Channels {
		if i > 0 {
			body = append(body, ',')
		}
		body = pusher.AppendString(body, name)
	}
	body = append(append(body, `],"data":`...), event.Data...)
	if event.SocketID != "" {
		body = pusher.AppendString(append(body, `,"socket_id":`...), event.SocketID)
	}
	body = append(body, '}')
	var p Published
	return p, c.call(ctx, http.MethodPost, "/v1/events", url.Values{"app": {app}, "id": {id}}, body, &p)
}

// Poke says that jobs came, to the server and to its other worker processes.
func (c *Client) Poke(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/v1/queue/poke", nil, nil, &struct{}{})
}

// Pokes calls f at once, and then each time that jobs came, until ctx ends,
// whose error it gives, or the server stops.
func (c *Client) Pokes(ctx context.Context, f func()) error {
	resp, err := c.do(ctx, http.MethodGet, "/v1/queue/pokes", nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f() // what came before the stream stood
	lines := bufio.NewReader(resp.Body)
	for {
		if _, err := lines.ReadByte(); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &belfry.Error{Code: belfry.CodeUnavailable, Message: "the server has stopped", Err: err}
		}
		f()
	}
}
