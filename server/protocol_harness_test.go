package server_test

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
	"github.com/belfryhq/belfry/server"
)

// The protocol tests speak to a whole server over real sockets with a client
// of their own, which does nothing that the test does not say: it answers no
// ping and follows no close.

const (
	appID     = "1001"
	appKey    = "app-key"
	appSecret = "app-secret"
	// patience is how long a test waits for what must come.
	patience = 10 * time.Second
)

// testApp is an app with everything switched on and the default limits.
func testApp(changes ...func(*belfry.App)) *belfry.App {
	app := &belfry.App{
		ID: appID, Keys: []belfry.Credential{{Key: appKey, Secret: appSecret}},
		ClientEvents: true, Watchlist: true, Limits: belfry.DefaultLimits(),
	}
	for _, change := range changes {
		change(app)
	}
	return app
}

// host is a running server.
type host struct {
	t      testing.TB
	server *server.Server
	addr   string
	http   *http.Client
	tls    *tls.Config // of its clients; nil on plain TCP
}

// serve runs a server with these apps until the test ends.
func serve(t testing.TB, apps ...*belfry.App) *host {
	t.Helper()
	return serveWith(t, func(*server.Config) {}, apps...)
}

// serveWith is serve with settings of the test's own.
func serveWith(t testing.TB, change func(*server.Config), apps ...*belfry.App) *host {
	t.Helper()
	cfg := server.Config{
		MetricsListen: "off", Apps: apps, ProbeEvery: -1,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	}
	change(&cfg)
	s := run(t, cfg)
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	t.Cleanup(client.CloseIdleConnections)
	return &host{t: t, server: s, addr: s.Addr().String(), http: client}
}

// sign gives "key:signature" of text under the app's first key.
func sign(app *belfry.App, text string) string {
	return app.Keys[0].Key + ":" + pusher.Sign(app.Keys[0].Secret, text)
}

// wire is one WebSocket connection, frame by frame.
type wire struct {
	t    testing.TB
	app  *belfry.App
	conn net.Conn
	r    *bufio.Reader
	head http.Header // of the upgrade's answer
	id   string      // the socket id, once established
}

// message is one text message of the server.
type message struct {
	Event, Channel string
	Data           json.RawMessage
	UserID         *string `json:"user_id"`
	raw            string
}

// text gives data as the string that it must be (WS-11).
func (m message) text(t testing.TB) (s string) {
	t.Helper()
	if err := json.Unmarshal(m.Data, &s); err != nil {
		t.Fatalf("data of %s is not a string", m.raw)
	}
	return s
}

// dial upgrades and reads nothing. target is the path with its query.
func (h *host) dial(app *belfry.App, target string, headers ...string) *wire {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	if h.tls != nil {
		conn = tls.Client(conn, h.tls)
	}
	h.t.Cleanup(func() { conn.Close() })
	w := &wire{t: h.t, app: app, conn: conn, r: bufio.NewReader(conn)}
	request := "GET " + target + " HTTP/1.1\r\nHost: " + h.addr + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nSec-WebSocket-Version: 13\r\n"
	for _, header := range headers {
		request += header + "\r\n"
	}
	w.write([]byte(request + "\r\n"))
	conn.SetReadDeadline(time.Now().Add(patience))
	answer, err := http.ReadResponse(w.r, nil)
	if err != nil {
		h.t.Fatalf("upgrade of %s: %v", target, err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		h.t.Fatalf("upgrade of %s answered %s", target, answer.Status)
	}
	w.head = answer.Header
	return w
}

// connect is a connection of a protocol 7 client, established.
func (h *host) connect(app *belfry.App) *wire {
	h.t.Helper()
	return h.dial(app, "/app/"+app.Keys[0].Key+"?protocol=7&client=js&version=8.6.0&flash=false").established()
}

// connectAs is a connection with a query of its own, established.
func (h *host) connectAs(app *belfry.App, query string) *wire {
	h.t.Helper()
	return h.dial(app, "/app/"+app.Keys[0].Key+query).established()
}

func (w *wire) established() *wire {
	w.t.Helper()
	var data struct {
		SocketID        string  `json:"socket_id"`
		ActivityTimeout float64 `json:"activity_timeout"`
	}
	m := w.expect("pusher:connection_established", "")
	if err := json.Unmarshal([]byte(m.text(w.t)), &data); err != nil {
		w.t.Fatalf("%s: %v", m.raw, err)
	}
	if !pusher.ValidSocketID(data.SocketID) || data.ActivityTimeout <= 0 {
		w.t.Fatalf("established with %s", m.raw)
	}
	w.id = data.SocketID
	return w
}

func (w *wire) write(b []byte) {
	w.t.Helper()
	w.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := w.conn.Write(b); err != nil {
		w.t.Fatalf("write: %v", err)
	}
}

// frame sends one masked frame; first is its first byte (FIN and opcode).
func (w *wire) frame(first byte, payload []byte) {
	w.t.Helper()
	w.write(clientFrame(first, payload))
}

func clientFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	var mask [4]byte
	rand.Read(mask[:])
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// send sends one text message as it stands.
func (w *wire) send(text string) {
	w.t.Helper()
	w.frame(0x81, []byte(text))
}

// emit sends an event, its data as JSON; a nil data is left out.
func (w *wire) emit(event, channel string, data any) {
	w.t.Helper()
	m := map[string]any{"event": event}
	if channel != "" {
		m["channel"] = channel
	}
	if data != nil {
		m["data"] = data
	}
	w.send(asJSON(w.t, m))
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// read gives the next frame.
func (w *wire) read() (opcode byte, payload []byte, err error) {
	w.conn.SetReadDeadline(time.Now().Add(patience))
	var head [2]byte
	if _, err := io.ReadFull(w.r, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&0x70 != 0 || head[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("frame head %x has reserved bits or a mask", head)
	}
	if head[0]&0x80 == 0 {
		return 0, nil, fmt.Errorf("frame head %x is a fragment", head)
	}
	n := uint64(head[1])
	var long [8]byte
	switch n {
	case 126:
		_, err = io.ReadFull(w.r, long[6:])
		n = binary.BigEndian.Uint64(long[:])
	case 127:
		_, err = io.ReadFull(w.r, long[:])
		n = binary.BigEndian.Uint64(long[:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(w.r, payload)
	return head[0] & 15, payload, err
}

// next gives the next text message; anything else fails the test.
func (w *wire) next() message {
	w.t.Helper()
	opcode, payload, err := w.read()
	switch {
	case err != nil:
		w.t.Fatalf("waiting for a message: %v", err)
	case opcode == 8 && len(payload) >= 2:
		w.t.Fatalf("waiting for a message: closed with %d %q", binary.BigEndian.Uint16(payload), payload[2:])
	case opcode != 1:
		w.t.Fatalf("waiting for a message: frame with opcode %d", opcode)
	}
	m := message{raw: string(payload)}
	if err := json.Unmarshal(payload, &m); err != nil {
		w.t.Fatalf("message %s: %v", payload, err)
	}
	if m.Event == "" || m.Data == nil {
		w.t.Fatalf("message %s lacks event or data (WS-12, WS-15)", payload)
	}
	return m
}

// expect gives the next message, which must be that event on that channel.
func (w *wire) expect(event, channel string) message {
	w.t.Helper()
	m := w.next()
	if m.Event != event || m.Channel != channel {
		w.t.Fatalf("got %s, want %s on %q", m.raw, event, channel)
	}
	return m
}

// expectText expects a whole message, byte for byte.
func (w *wire) expectText(want string) {
	w.t.Helper()
	if m := w.next(); m.raw != want {
		w.t.Fatalf("got\n%s, want\n%s", m.raw, want)
	}
}

// expectError expects pusher:error with that code, 0 for null, and all of the
// words in its message, which it gives.
func (w *wire) expectError(code int, words ...string) string {
	w.t.Helper()
	m := w.expect("pusher:error", "")
	var data struct {
		Code    *int
		Message string
	}
	if err := json.Unmarshal(m.Data, &data); err != nil {
		w.t.Fatalf("%s: %v", m.raw, err)
	}
	if code == 0 && data.Code != nil || code != 0 && (data.Code == nil || *data.Code != code) {
		w.t.Fatalf("got %s, want code %d", m.raw, code)
	}
	for _, word := range words {
		if !strings.Contains(data.Message, word) {
			w.t.Errorf("message %q does not say %q", data.Message, word)
		}
	}
	w.noSecret(m.raw)
	return data.Message
}

// noSecret: a secret never appears in what a client sees (GEN-06).
func (w *wire) noSecret(text string) {
	w.t.Helper()
	for _, c := range w.app.Keys {
		if strings.Contains(text, c.Secret) {
			w.t.Errorf("%s shows a secret", text)
		}
	}
}

// expectClose expects a close frame with that code and gives its reason.
func (w *wire) expectClose(code int) string {
	w.t.Helper()
	opcode, payload, err := w.read()
	if err != nil || opcode != 8 || len(payload) < 2 {
		w.t.Fatalf("got opcode %d %q %v, want a close with %d", opcode, payload, err, code)
	}
	if got := int(binary.BigEndian.Uint16(payload)); got != code {
		w.t.Fatalf("closed with %d %q, want %d", got, payload[2:], code)
	}
	if len(payload) > 125 {
		w.t.Errorf("close reason of %d bytes (WS-36)", len(payload)-2)
	}
	return string(payload[2:])
}

// expectPing expects a ping frame and gives its payload.
func (w *wire) expectPing() []byte {
	w.t.Helper()
	opcode, payload, err := w.read()
	if err != nil || opcode != 9 {
		w.t.Fatalf("got opcode %d %q %v, want a ping frame", opcode, payload, err)
	}
	return payload
}

// quiet proves that nothing waits: the answer to a ping comes next.
func (w *wire) quiet() {
	w.t.Helper()
	w.send(`{"event":"pusher:ping"}`)
	w.expectText(`{"event":"pusher:pong","data":"{}"}`)
}

// auth signs a subscription of this connection.
func (w *wire) auth(channel, channelData string, withData bool) string {
	return sign(w.app, pusher.ChannelText(w.id, channel, channelData, withData))
}

// ask sends a subscribe for a public or private channel.
func (w *wire) ask(channel string) {
	w.t.Helper()
	auth := ""
	if pusher.KindOf(channel).NeedsAuth() {
		auth = w.auth(channel, "", false)
	}
	w.emit("pusher:subscribe", "", map[string]any{"channel": channel, "auth": auth})
}

// subscribe joins a channel without members; a cache channel's first event is
// left to be read.
func (w *wire) subscribe(channel string) {
	w.t.Helper()
	w.ask(channel)
	w.expectText(`{"event":"pusher_internal:subscription_succeeded","channel":"` + channel + `","data":"{}"}`)
}

// askAs sends a subscribe with channel_data.
func (w *wire) askAs(channel, channelData string) {
	w.t.Helper()
	w.emit("pusher:subscribe", "", map[string]any{"channel": channel, "auth": w.auth(channel, channelData, true), "channel_data": channelData})
}

// join joins a presence channel and gives the data of the success.
func (w *wire) join(channel, channelData string) string {
	w.t.Helper()
	w.askAs(channel, channelData)
	return w.expect("pusher_internal:subscription_succeeded", channel).text(w.t)
}

func (w *wire) unsubscribe(channel string) {
	w.t.Helper()
	w.emit("pusher:unsubscribe", "", map[string]any{"channel": channel})
}

// askSignin sends a sign-in.
func (w *wire) askSignin(userData string) {
	w.t.Helper()
	w.emit("pusher:signin", "", map[string]any{"auth": sign(w.app, pusher.UserText(w.id, userData)), "user_data": userData})
}

// signin signs in.
func (w *wire) signin(userData string) {
	w.t.Helper()
	w.askSignin(userData)
	var data struct {
		UserData string `json:"user_data"`
	}
	m := w.expect("pusher:signin_success", "")
	if err := json.Unmarshal([]byte(m.text(w.t)), &data); err != nil || data.UserData != userData {
		w.t.Fatalf("signed in with %s, %v", m.raw, err)
	}
}

// expectRefusal expects both frames of a refused subscription (CH-13): code is
// that of the error, 0 for null.
func (w *wire) expectRefusal(channel, kind string, status, code int, words ...string) {
	w.t.Helper()
	m := w.expect("pusher:subscription_error", channel)
	var data struct {
		Type, Error string
		Status      int
	}
	if err := json.Unmarshal([]byte(m.text(w.t)), &data); err != nil {
		w.t.Fatalf("%s: %v", m.raw, err)
	}
	if data.Type != kind || data.Status != status || data.Error == "" {
		w.t.Fatalf("refused with %s, want %s %d", m.raw, kind, status)
	}
	w.noSecret(m.raw)
	w.expectError(code, words...)
}

// close ends the connection as a client does: a close frame, then the server's.
func (w *wire) close() {
	w.t.Helper()
	w.frame(0x88, []byte{0x03, 0xe8})
	w.expectClose(1000)
	w.conn.Close()
}
