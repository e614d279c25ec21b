package socket_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/socket"
	"github.com/belfryhq/belfry/pusher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opening makes the engine that the suite is run against.
type opening func(cfg socket.Config) socket.Engine

// bench is a hub with one app, an engine, and an HTTP server before it.
type bench struct {
	t       testing.TB
	hub     *hub.Hub
	engine  socket.Engine
	address string
	tls     *tls.Config // the client's; nil for plain
	stop    func()      // ends the engine; idempotent
	notices *notices
}

const appKey = "demo-key"

func app() *belfry.App {
	return &belfry.App{ID: "1", Name: "demo", Keys: []belfry.Credential{{Key: appKey, Secret: "demo-secret"}}, Limits: belfry.DefaultLimits()}
}

// notices is an observer that keeps what it is told.
type notices struct {
	mu  sync.Mutex
	all []hub.Notice
}

func (n *notices) Notice(notice hub.Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, notice)
}

// address gives the address of the last connection.
func (n *notices) address() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := len(n.all) - 1; i >= 0; i-- {
		if n.all[i].Kind == hub.NoticeConnected {
			return n.all[i].Text
		}
	}
	return ""
}

// start runs an engine, without a listener.
func start(t testing.TB, open opening, cfg socket.Config, apps ...*belfry.App) *bench {
	t.Helper()
	return startWith(t, open, hub.Config{}, cfg, apps...)
}

// startWith runs an engine on a hub of the test's own.
func startWith(t testing.TB, open opening, hubCfg hub.Config, cfg socket.Config, apps ...*belfry.App) *bench {
	t.Helper()
	if apps == nil {
		apps = []*belfry.App{app()}
	}
	b := &bench{t: t, notices: &notices{}}
	hubCfg.Seal, hubCfg.Observers = socket.Seal, append(hubCfg.Observers, b.notices)
	b.hub = hub.New(hubCfg)
	cfg.Hub = b.hub
	b.engine = open(cfg)
	b.hub.SetApps(apps)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.engine.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

// listen runs an engine behind an HTTP server on a real socket.
func listen(t testing.TB, open opening, cfg socket.Config, apps ...*belfry.App) *bench {
	t.Helper()
	b := start(t, open, cfg, apps...)
	b.serve(nil)
	return b
}

// serve puts an HTTP server before the engine; with a certificate it speaks TLS.
func (b *bench) serve(certificate *tls.Certificate) {
	b.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	b.address = l.Addr().String()
	if certificate == nil {
		l = b.engine.Listener(l)
	}
	server := &http.Server{Handler: b.engine}
	ended := make(chan error, 1)
	go func() {
		if certificate == nil {
			ended <- server.Serve(l)
			return
		}
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*certificate}}
		ended <- server.ServeTLS(l, "", "")
	}()
	b.t.Cleanup(func() {
		server.Close()
		<-ended
	})
}

func event(channel, name, data string) []pusher.Event {
	return []pusher.Event{{Name: name, Channels: []string{channel}, Data: pusher.AppendString(nil, data), Size: len(data)}}
}

// publish publishes one event to the app's channel.
func (b *bench) publish(channel, name, data string) (hub.Receipt, error) {
	done, err := b.hub.Publish(context.Background(), "1", event(channel, name, data))
	if err != nil {
		return hub.Receipt{}, err
	}
	return done[0].Receipt, nil
}

func (b *bench) mustPublish(channel, name, data string) hub.Receipt {
	b.t.Helper()
	r, err := b.publish(channel, name, data)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// peer is a client that works on bytes.
type peer struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

// request is a correct opening handshake.
func request(target string, header ...string) string {
	head := "GET " + target + " HTTP/1.1\r\nHost: belfry.test\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, h := range header {
		head += h + "\r\n"
	}
	return head + "\r\n"
}

const target = "/app/" + appKey + "?protocol=7&client=js&version=8.4.0&flash=false"

// dial opens a transport connection.
func (b *bench) dial() *peer {
	b.t.Helper()
	var nc net.Conn
	var err error
	if b.tls != nil {
		nc, err = tls.Dial("tcp", b.address, b.tls)
	} else {
		nc, err = net.Dial("tcp", b.address)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return newPeer(b.t, nc)
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	return &peer{t: t, nc: nc, r: bufio.NewReader(nc)}
}

func (p *peer) write(b ...[]byte) {
	p.t.Helper()
	if _, err := p.nc.Write(bytes.Join(b, nil)); err != nil {
		p.t.Fatal(err)
	}
}

// answer reads the head of an HTTP answer.
func (p *peer) answer() *http.Response {
	p.t.Helper()
	response, err := http.ReadResponse(p.r, &http.Request{Method: "GET"})
	if err != nil {
		p.t.Fatal(err)
	}
	return response
}

// open dials and upgrades, without reading any frame.
func (b *bench) open(target string, header ...string) *peer {
	b.t.Helper()
	p := b.dial()
	p.write([]byte(request(target, header...)))
	p.switched()
	return p
}

func (p *peer) switched() {
	p.t.Helper()
	if r := p.answer(); r.StatusCode != http.StatusSwitchingProtocols || r.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		p.t.Fatalf("upgrade: %v", r)
	}
}

// connect opens a connection and reads the established message.
func (b *bench) connect() *peer {
	b.t.Helper()
	p := b.open(target)
	if m := p.message(); m.Event != "pusher:connection_established" {
		b.t.Fatalf("first message: %+v", m)
	}
	return p
}

// subscribed opens a connection that is subscribed to public channels.
func (b *bench) subscribed(channels ...string) *peer {
	b.t.Helper()
	p := b.connect()
	p.subscribe(channels...)
	return p
}

func (p *peer) subscribe(channels ...string) {
	p.t.Helper()
	for _, channel := range channels {
		p.send(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":%q}}`, channel))
		if m := p.message(); m.Event != "pusher_internal:subscription_succeeded" || m.Channel != channel {
			p.t.Fatalf("subscribe: %+v", m)
		}
	}
}

// frame builds a client's frame.
func frame(first byte, payload string) []byte {
	mask := [4]byte{1, 2, 3, 4}
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i&3])
	}
	return b
}

func closing(code int, reason string) []byte {
	return frame(0x88, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

func (p *peer) send(text string) { p.t.Helper(); p.write(frame(0x81, text)) }

// next reads one frame of the server, which must be whole and unmasked.
func (p *peer) next() (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&0xF0 != 0x80 || head[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("frame begins with %x", head)
	}
	n := uint64(head[1])
	var long [8]byte
	switch n {
	case 126:
		_, err = io.ReadFull(p.r, long[6:])
		n = binary.BigEndian.Uint64(long[:])
	case 127:
		_, err = io.ReadFull(p.r, long[:])
		n = binary.BigEndian.Uint64(long[:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(p.r, payload)
	return head[0] & 0xF, payload, err
}

// message is a text message of the server.
type message struct {
	Event, Channel string
	Data           json.RawMessage
}

func (m message) text() (s string) { json.Unmarshal(m.Data, &s); return s }

// message reads a text frame.
func (p *peer) message() (m message) {
	p.t.Helper()
	op, payload, err := p.next()
	if err != nil || op != 1 {
		p.t.Fatalf("got opcode %d, %q, %v; want a text message", op, payload, err)
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		p.t.Fatalf("%q: %v", payload, err)
	}
	return m
}

// wantFrame reads a frame and compares it.
func (p *peer) wantFrame(op byte, payload string) {
	p.t.Helper()
	gotOp, got, err := p.next()
	if err != nil || gotOp != op || string(got) != payload {
		p.t.Fatalf("got opcode %d, %q, %v; want %d, %q", gotOp, got, err, op, payload)
	}
}

// wantError reads a pusher:error with that code.
func (p *peer) wantError(code int) {
	p.t.Helper()
	m := p.message()
	var data struct {
		Code    int
		Message string
	}
	if err := json.Unmarshal(m.Data, &data); err != nil || m.Event != "pusher:error" || data.Code != code || data.Message == "" {
		p.t.Fatalf("got %+v, %s, %v; want pusher:error %d", m, m.Data, err, code)
	}
}

// wantClose reads a close frame with that code.
func (p *peer) wantClose(code int) (reason string) {
	p.t.Helper()
	op, payload, err := p.next()
	if err != nil || op != 8 || len(payload) < 2 || int(binary.BigEndian.Uint16(payload)) != code {
		p.t.Fatalf("got opcode %d, %q, %v; want a close frame with %d", op, payload, err, code)
	}
	return string(payload[2:])
}

// wantEnd waits for the end of the connection.
func (p *peer) wantEnd() {
	p.t.Helper()
	if b, err := p.r.ReadByte(); err == nil {
		p.t.Fatalf("got byte %x, want the end", b)
	} else if errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "timeout") {
		p.t.Fatalf("the connection did not end: %v", err)
	}
}

// until waits for a condition that other goroutines bring about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// disconnected says how many connections the hub saw end.
func (n *notices) disconnected() (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, notice := range n.all {
		if notice.Kind == hub.NoticeDisconnected {
			count++
		}
	}
	return count
}
