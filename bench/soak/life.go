package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/belfryhq/belfry/test/pusherclient"
)

// life is one client while it is connected.
type life struct {
	*worker
	conn    *pusherclient.Conn
	user    string // signed in as
	joined  map[string]bool
	leaving atomic.Bool   // the end of the connection is this client's doing
	gone    chan struct{} // closed when nothing can be read any more
}

// The channels that clients meet on: a few of each kind, so that they are
// shared, and one for each client and moment, so that names never end.
var kinds = []string{"", "private-", "presence-", "cache-", "private-cache-", "presence-cache-", "private-encrypted-", "private-encrypted-cache-"}

func (w *worker) channel() string {
	kind := kinds[w.rng.IntN(len(kinds))]
	if w.rng.IntN(4) == 0 {
		return fmt.Sprintf("%sonce-%d", kind, w.rng.Uint64())
	}
	return fmt.Sprintf("%sshared-%d", kind, w.rng.IntN(8))
}

func (w *worker) someUser() string { return fmt.Sprintf("user-%d", w.rng.IntN(50)) }

// read reads until the end and judges it.
func (l *life) read(ctx context.Context) {
	defer close(l.gone)
	n := 0
	for {
		m, err := l.conn.Read(ctx)
		if err == nil {
			n++
			if m.Event == "pusher:error" {
				l.tally.count("errors told to clients")
			}
			continue
		}
		l.tally.add("messages received", n)
		switch code := pusherclient.CloseCode(err); {
		case l.leaving.Load():
		case code == 4009: // terminated
			l.tally.count("closed with 4009")
		case code == 4100: // was slow: this machine is
			l.tally.count("closed with 4100")
		default:
			l.tally.fault("the connection ended by itself: %v", err)
		}
		return
	}
}

// act does one thing, at random.
func (l *life) act(ctx context.Context) {
	sending, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch n := l.rng.IntN(100); {
	case n < 25 || len(l.joined) == 0:
		channel := l.channel()
		l.joined[channel] = true
		l.tally.count("subscribes")
		l.try(l.conn.Subscribe(sending, channel, l.someUser()))
	case n < 40:
		for channel := range l.joined { // any one
			delete(l.joined, channel)
			l.tally.count("unsubscribes")
			l.try(l.conn.Unsubscribe(sending, channel))
			break
		}
	case n < 65:
		l.publish(l.channel())
	case n < 85:
		l.clientEvent(sending)
	case n < 88:
		l.user = l.someUser()
		l.tally.count("sign-ins")
		l.try(l.conn.SignIn(sending, l.user))
	case n < 91:
		l.tally.count("pings")
		l.try(l.conn.Send(sending, "pusher:ping", "", struct{}{}))
	case n < 93:
		l.tally.count("bad requests")
		l.try(l.conn.Send(sending, "pusher:subscribe", "", map[string]string{"channel": "private-x", "auth": "no:good"}))
	case n < 97:
		l.ask()
	case n < 98 && l.user != "":
		l.tally.count("terminations")
		l.call(http.MethodPost, "/users/"+l.user+"/terminate_connections", []byte("{}"))
	default:
		l.batch()
	}
}

// try judges a write: it may fail only when the reader knows why.
func (l *life) try(err error) {
	if err != nil {
		<-l.gone
	}
}

func (l *life) clientEvent(ctx context.Context) {
	for channel := range l.joined {
		if strings.HasPrefix(channel, "private-encrypted-") || !strings.HasPrefix(channel, "pr") {
			continue
		}
		l.tally.count("client events")
		l.try(l.conn.Send(ctx, "client-moved", channel, map[string]int{"x": l.rng.IntN(1000)}))
		return
	}
}

// leave ends the connection in one of the ways that there are.
func (l *life) leave(stopReading func()) {
	l.leaving.Store(true)
	switch l.rng.IntN(4) {
	case 0:
		l.tally.count("resets")
		l.conn.Cut()
	case 1:
		l.tally.count("ends without a goodbye")
		stopReading() // closes the connection
		<-l.gone
		l.conn.Cut()
	default:
		l.tally.count("goodbyes")
		l.conn.Close()
	}
}

// publish publishes an event of any size, and reports whether the server
// refused because subscribers lag.
func (w *worker) publish(channel string) (busy bool) {
	size := w.rng.IntN(200)
	if w.rng.IntN(20) == 0 || strings.HasPrefix(channel, "lagging-") {
		size = 9 << 10
	}
	data := strings.Repeat("x", size)
	if strings.HasPrefix(channel, "private-encrypted-") {
		data = `{"nonce":"bm9uY2U=","ciphertext":"Y2lwaGVy"}`
	}
	body, err := json.Marshal(map[string]any{"name": "made", "channel": channel, "data": data})
	if err != nil {
		w.tally.fault("%v", err)
	}
	w.tally.count("publishes")
	return w.call(http.MethodPost, "/events", body)
}

func (w *worker) batch() {
	var events []map[string]string
	for range 1 + w.rng.IntN(10) {
		channel := "shared-" + fmt.Sprint(w.rng.IntN(8))
		events = append(events, map[string]string{"name": "made", "channel": channel, "data": "in a batch"})
	}
	body, err := json.Marshal(map[string]any{"batch": events})
	if err != nil {
		w.tally.fault("%v", err)
	}
	w.tally.count("batches")
	w.call(http.MethodPost, "/batch_events", body)
}

// ask asks about channels.
func (w *worker) ask() {
	w.tally.count("questions")
	switch w.rng.IntN(3) {
	case 0:
		w.call(http.MethodGet, "/channels", nil)
	case 1:
		w.call(http.MethodGet, "/channels/"+w.channel(), nil)
	default:
		w.call(http.MethodGet, fmt.Sprintf("/channels/presence-shared-%d/users", w.rng.IntN(8)), nil)
	}
}

// call calls the HTTP API. A 503 is an honest answer of a busy server; anything
// else but 200 is a fault.
func (w *worker) call(method, path string, body []byte) (busy bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := w.api.Do(ctx, method, path, body)
	if err == nil {
		return false
	}
	if e, ok := errors.AsType[*pusherclient.StatusError](err); ok && e.Status == http.StatusServiceUnavailable {
		w.tally.count("answers 503")
		return true
	}
	path, _, _ = strings.Cut(path, "once-")
	w.tally.fault("%s %s: %v", method, path, err)
	return false
}
