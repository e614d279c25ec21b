package socket_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/belfryhq/belfry/internal/socket"
)

func testControlFrames(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	p := b.connect()
	p.write(frame(0x89, "are you there"))
	p.wantFrame(10, "are you there") // WS-21
	p.write(frame(0x8A, "unasked"))  // nothing
	p.write(frame(0x01, `{"event":"pusher:`), frame(0x89, strings.Repeat("p", 125)), frame(0x80, `ping"}`))
	p.wantFrame(10, strings.Repeat("p", 125))
	p.wantFrame(1, `{"event":"pusher:pong","data":"{}"}`) // WS-20
}

// Each breach of RFC 6455 ends the connection with its code, and the
// connection's membership with it.
func testBreaches(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{MaxMessage: 20_000})
	tests := []struct {
		name string
		in   []byte
		code int
	}{
		{"reserved bit", frame(0xC1, "x"), 1002},
		{"reserved opcode", frame(0x87, "x"), 1002},
		{"no mask", []byte{0x81, 1, 'x'}, 1002},
		{"continuation of nothing", frame(0x80, "x"), 1002},
		{"message inside a message", bytes.Join([][]byte{frame(0x01, "x"), frame(0x81, "y")}, nil), 1002},
		{"fragmented ping", frame(0x09, "x"), 1002},
		{"long ping", frame(0x89, strings.Repeat("x", 126)), 1002},
		{"long length", append([]byte{0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1}, "maskx"...), 1002},
		{"close of one byte", frame(0x88, "x"), 1002},
		{"close code 1006", closing(1006, ""), 1002},
		{"close code 2000", closing(2000, ""), 1002},
		{"close reason not UTF-8", closing(1000, "\xff"), 1007},
		{"binary", frame(0x82, "x"), 1003},
		{"invalid text", frame(0x81, `{"event":"`+"\xc3\x28"+`"}`), 1007},
		{"invalid text over fragments", bytes.Join([][]byte{frame(0x01, "\xe2\x82"), frame(0x80, "(")}, nil), 1007},
		{"too large", frame(0x81, strings.Repeat("x", 20_001)), 1009},
		{"too large by its header", append([]byte{0x81, 0xFF}, binary.BigEndian.AppendUint64(nil, 1<<40)...), 1009},
		{"too large in fragments", bytes.Join([][]byte{frame(0x01, strings.Repeat("x", 20_000)), frame(0x80, "x")}, nil), 1009},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := b.subscribed("news")
			p.write(test.in)
			if reason := p.wantClose(test.code); reason == "" {
				t.Error("no reason")
			}
			if s, err := b.hub.Channel(context.Background(), "1", "news"); err != nil || s.Occupied {
				t.Errorf("still subscribed after the close frame: %+v, %v", s, err)
			}
			p.wantEnd()
		})
	}
}

func testOneByteAtATime(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	p := b.connect()
	for _, c := range bytes.Join([][]byte{
		frame(0x01, `{"event":"pusher:subscribe",`), frame(0x89, "x"), frame(0x80, `"data":{"channel":"news"}}`),
	}, nil) {
		p.write([]byte{c})
	}
	p.wantFrame(10, "x")
	if m := p.message(); m.Channel != "news" {
		t.Errorf("%+v", m)
	}
}

// coder/websocket agrees about what a WebSocket is.
func testForeignClient(t *testing.T, open opening) {
	b := listen(t, open, socket.Config{})
	ctx := t.Context()
	c, _, err := websocket.Dial(ctx, "ws://"+b.address+target, &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	read := func() string {
		t.Helper()
		kind, data, err := c.Read(ctx)
		if err != nil || kind != websocket.MessageText {
			t.Fatal(kind, err)
		}
		return string(data)
	}
	if got := read(); !strings.Contains(got, "connection_established") {
		t.Error(got)
	}
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"event":"pusher:subscribe","data":{"channel":"news"}}`)); err != nil {
		t.Fatal(err)
	}
	if got := read(); !strings.Contains(got, "subscription_succeeded") {
		t.Error(got)
	}
	for _, n := range []int{0, 100, 125, 126, 10_000} {
		b.mustPublish("news", "n", strings.Repeat("x", n))
		if got := read(); len(got) < n || !strings.Contains(got, strings.Repeat("x", n)) {
			t.Errorf("%d bytes: %.60s", n, got)
		}
	}
	if err := c.Close(websocket.StatusNormalClosure, "done"); err != nil {
		t.Errorf("close: %v", err)
	}
}
