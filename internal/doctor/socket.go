package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/belfryhq/belfry/pusher"
)

// socket is a page's connection.
type socket struct {
	conn *websocket.Conn
	id   string
}

func (s *socket) close() {
	if s != nil {
		s.conn.CloseNow()
	}
}

// frame is what a server sends.
type frame struct {
	Event   string          `json:"event"`
	Channel string          `json:"channel"`
	Data    json.RawMessage `json:"data"`
}

// text gives a frame's data, which is mostly a text of JSON.
func (f frame) text() []byte {
	var inner string
	if json.Unmarshal(f.Data, &inner) == nil {
		return []byte(inner)
	}
	return f.Data
}

// next reads the next frame that is no ping, which it answers.
func (s *socket) next(ctx context.Context) (f frame, err error) {
	for {
		_, b, err := s.conn.Read(ctx)
		if err != nil {
			return f, err
		}
		f = frame{}
		if err := json.Unmarshal(b, &f); err != nil {
			return f, fmt.Errorf("the server sent what is no JSON: %w", err)
		}
		if f.Event != "pusher:ping" {
			return f, nil
		}
		if err := s.conn.Write(ctx, websocket.MessageText, []byte(`{"event":"pusher:pong","data":{}}`)); err != nil {
			return f, err
		}
	}
}

// connect opens a connection as a page does.
func (e *examination) connect(ctx context.Context) Check {
	if e.Key == "" {
		return Skip("give the app's key")
	}
	scheme := map[string]string{"https": "wss"}[e.Scheme]
	if scheme == "" {
		scheme = "ws"
	}
	u := url.URL{Scheme: scheme, Host: e.authority(), Path: e.Path + "/app/" + e.Key, RawQuery: "protocol=7&client=belfry-doctor&version=1.0.0"}
	header := http.Header{}
	if e.Origin != "" {
		header.Set("Origin", e.Origin)
	}
	conn, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{HTTPClient: e.http, HTTPHeader: header})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // the library keeps so much of it
			if c, ok := e.between(resp, body); ok && c.Cause != APIRefused {
				return c
			}
			return Fail(UpgradeNotPassed, "have the proxy pass the upgrade: HTTP/1.1 with the headers Upgrade and Connection, on the path /app/; or mend the path",
				"the WebSocket's upgrade was answered with %s instead of 101", resp.Status)
		}
		return Fail(UpgradeNotPassed, "check scheme and port, and the proxy's log", "the WebSocket did not open: %s", plain(err))
	}
	conn.SetReadLimit(1 << 20)
	e.socket = &socket{conn: conn}
	f, err := e.socket.next(ctx)
	if err != nil {
		return Fail(SocketRefused, "see the server's log", "the connection ended before its greeting: %s", plain(err))
	}
	if f.Event == "pusher:error" {
		return e.refused(f)
	}
	var hello struct {
		SocketID        string  `json:"socket_id"`
		ActivityTimeout float64 `json:"activity_timeout"`
	}
	if f.Event != "pusher:connection_established" || json.Unmarshal(f.text(), &hello) != nil || hello.SocketID == "" {
		return Fail(SocketRefused, "is this a Pusher-compatible server?", "the server greets with %q", short(f.Event))
	}
	e.socket.id = hello.SocketID
	return Pass("connected as socket %s; activity timeout %.0f s", short(hello.SocketID), hello.ActivityTimeout)
}

// refused explains a pusher:error.
func (e *examination) refused(f frame) Check {
	var p struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	json.Unmarshal(f.text(), &p)
	said := fmt.Sprintf("the server closes the connection with %d: %s", p.Code, short(p.Message))
	switch {
	case p.Code == 4001:
		return Fail(NoSuchKey, "check the key on the page and on the server, and build the front end again after a change", "%s", said)
	case p.Code == 4003:
		return Fail(AppDisabled, "enable the app", "%s", said)
	case p.Code == 4009 && strings.Contains(p.Message, "origin"):
		return Fail(OriginRefused, "add the page's host to the app's allowed_origins; with such a list, name yours with --origin", "%s", said)
	}
	return Fail(SocketRefused, "see the troubleshooting guide for the code", "%s", said)
}

// subscribe joins a private channel, signed here.
func (e *examination) subscribe(ctx context.Context) Check {
	if e.Secret == "" {
		return Skip("give the app's secret to test a private channel and an event")
	}
	auth := e.Key + ":" + pusher.Sign(e.Secret, pusher.ChannelText(e.socket.id, e.channel, "", false))
	b, _ := json.Marshal(map[string]any{"event": "pusher:subscribe", "data": map[string]string{"channel": e.channel, "auth": auth}})
	if err := e.socket.conn.Write(ctx, websocket.MessageText, b); err != nil {
		return Fail(ChannelRefused, "see the server's log", "the subscription could not be sent: %s", plain(err))
	}
	for {
		f, err := e.socket.next(ctx)
		switch {
		case err != nil:
			return Fail(ChannelRefused, "see the server's log", "the subscription was not answered: %s", plain(err))
		case f.Event == "pusher_internal:subscription_succeeded":
			return Pass("a private channel takes this secret's signature")
		case f.Event == "pusher:subscription_error", f.Event == "pusher:error":
			said := e.said(e.message(f))
			if strings.Contains(strings.ToLower(said), "signature") {
				return Fail(WrongSecret, "compare the secret with the server's", "the server refuses a private channel that is signed with this secret: %s", said)
			}
			return Fail(ChannelRefused, "see the app's limits, and the server's log", "the server refuses a private channel of the name %s: %s", e.channel, said)
		}
	}
}

// message gives the words of a refusal.
func (e *examination) message(f frame) []byte {
	var p struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	json.Unmarshal(f.text(), &p)
	if p.Error == "" {
		p.Error = p.Message
	}
	return []byte(p.Error)
}

// event publishes over the HTTP API and waits on the socket.
func (e *examination) event(ctx context.Context) Check {
	body, _ := json.Marshal(map[string]any{"name": "belfry.doctor", "channels": []string{e.channel}, "data": `{"from":"belfry doctor"}`})
	began := time.Now()
	resp, answer, err := e.do(ctx, http.MethodPost, e.Path+"/apps/"+url.PathEscape(e.AppID)+"/events", body, true)
	if err != nil {
		return Fail(APIRefused, "see the server's log", "the publish gave no answer: %s", plain(err))
	}
	if resp.StatusCode != http.StatusOK {
		return Fail(APIRefused, "see the server's log, and the app's limits", "the publish was answered with %s: %s", resp.Status, e.said(answer))
	}
	for {
		f, err := e.socket.next(ctx)
		if err != nil {
			return Fail(EventLost, "where several servers share the load, do they share their events? See: belfry explain", "the event was accepted and did not arrive: %s", plain(err))
		}
		if f.Event == "belfry.doctor" && f.Channel == e.channel {
			return Pass("an event went from the HTTP API to the page in %.1f ms", float64(time.Since(began).Microseconds())/1000)
		}
	}
}

// idle leaves the connection alone, as a page in the background does, but for
// answers to pings.
func (e *examination) idle(ctx context.Context) Check {
	if e.Idle <= 0 {
		return Skip("not measured; --idle 90 leaves a connection alone for 90 s")
	}
	e.socket.close() // its reads may have been given up
	if c := e.connect(ctx); c.Status != Passed {
		return c
	}
	began := time.Now()
	quiet, cancel := context.WithTimeout(ctx, e.Idle)
	defer cancel()
	for {
		_, err := e.socket.next(quiet)
		lasted := time.Since(began)
		switch {
		case err == nil:
		case quiet.Err() != nil && ctx.Err() == nil:
			return Pass("the connection stood for %s, with nothing but the server's pings", e.Idle)
		default:
			return Fail(IdleClosed, "raise the idle limit of the proxy on the way (proxy_read_timeout in nginx, timeout tunnel in HAProxy) over 60 s, or lower server.ping_after",
				"the connection was cut after %.1f s of silence: %s", lasted.Seconds(), plain(err))
		}
	}
}
