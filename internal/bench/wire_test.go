package bench_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
	"github.com/belfryhq/belfry/internal/socket/wsframe"
	"github.com/belfryhq/belfry/pusher"
)

// Every frame that the server's codec writes is read, however it is cut.
func TestFramesOfTheServerAreRead(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 70000} {
		payload := bytes.Repeat([]byte("x"), size)
		whole := wsframe.Append(nil, wsframe.Text, payload)
		for _, cut := range []int{0, 1, 2, 3, 4, 9, 10, len(whole) - 1} {
			if cut >= len(whole) {
				continue
			}
			if _, _, rest, ok, err := bench.NextFrame(whole[:cut]); ok || err != nil || len(rest) != cut {
				t.Errorf("%d of %d bytes: ok %v, error %v, %d left", cut, len(whole), ok, err, len(rest))
			}
		}
		more := append(bytes.Clone(whole), 0x8A, 0x00)
		op, got, rest, ok, err := bench.NextFrame(more)
		if op != wsframe.Text || !bytes.Equal(got, payload) || !ok || err != nil {
			t.Errorf("size %d: op %d, %d bytes, ok %v, error %v", size, op, len(got), ok, err)
		}
		if op, _, rest, ok, _ = bench.NextFrame(rest); op != wsframe.Pong || !ok || len(rest) != 0 {
			t.Errorf("size %d: the frame behind it is lost", size)
		}
	}
}

func TestFramesThatNoServerSends(t *testing.T) {
	for name, p := range map[string][]byte{
		"masked":    {0x81, 0x80, 0, 0, 0, 0},
		"fragment":  {0x01, 0x01, 'x'},
		"extension": {0xC1, 0x01, 'x'},
		"huge":      {0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0},
	} {
		if _, _, _, ok, err := bench.NextFrame(p); ok || err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// What this client sends is what the server's strict reader takes.
func TestFramesOfTheClientAreTaken(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte("y"), size)
		var r wsframe.Reader
		m, rest, ok, err := r.Next(bench.AppendFrame(nil, wsframe.Text, payload), 1<<20)
		if err != nil || !ok || m.Op != wsframe.Text || !bytes.Equal(m.Payload, payload) || len(rest) != 0 {
			t.Errorf("size %d: op %d, %d bytes, ok %v, error %v", size, m.Op, len(m.Payload), ok, err)
		}
	}
}

func TestMessagesHaveTheirSizeAndMark(t *testing.T) {
	for _, size := range []int{200, 245, 1024, 9000} {
		text, stream, number, due, err := bench.OnWire(size, 7, 1<<31, 1<<60)
		if err != nil || len(text) != size {
			t.Errorf("size %d: %d bytes, error %v", size, len(text), err)
		}
		if stream != 7 || number != 1<<31 || due != 1<<60 {
			t.Errorf("size %d: read back %d, %d, %d", size, stream, number, due)
		}
	}
	if _, _, _, _, err := bench.OnWire(100, 0, 0, 0); err == nil {
		t.Error("a message of 100 bytes holds no mark")
	}
}

// The request is one that the API's own check lets in.
func TestPublishesAreSigned(t *testing.T) {
	for _, prefix := range []string{"", "/real time"} {
		prefix = strings.ReplaceAll(prefix, " ", "%20")
		out, err := bench.Request(bench.Target{AppID: "12", Key: "a+b c", Secret: "s"}, "example.test", prefix)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(out)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Fatal(err)
		}
		signed := pusher.Request{Method: req.Method, Paths: []string{req.URL.EscapedPath()}, RawQuery: req.URL.RawQuery, Body: body}
		if _, err := signed.Verify(time.Now(), func(key string) []string {
			if key != "a+b c" {
				t.Errorf("key %q", key)
			}
			return []string{"s"}
		}); err != nil {
			t.Error(err)
		}
		if _, err := pusher.ParseEvent(body, pusher.Naming{Limits: limits()}); err != nil {
			t.Error(err)
		}
	}
}

func TestAnswersAreRead(t *testing.T) {
	for _, c := range []struct {
		text, body string
		status     int
		keep       bool
		err        error
	}{
		{text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", status: 200, keep: true},
		{text: "HTTP/1.1 503 no\r\ncontent-length:4\r\n\r\nbusy", status: 503, body: "busy", keep: true},
		{text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", status: 200, body: "{}", keep: true},
		{text: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", status: 200, body: "{}"},
		{text: "HTTP/1.1 400 no\r\nContent-Length: 9000\r\n\r\n" + strings.Repeat("x", 9000), status: 400, body: strings.Repeat("x", 9000), keep: true},
		{text: "", err: io.EOF},
		{text: "HTTP/1.1 200 OK\r\nContent-Len", err: io.ErrUnexpectedEOF},
		{text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", err: io.ErrUnexpectedEOF},
	} {
		in := bufio.NewReader(oneByte{strings.NewReader(c.text)})
		status, body, keep, err := bench.ReadAnswer(in)
		if !errors.Is(err, c.err) || err == nil && (status != c.status || keep != c.keep || string(body) != c.body) {
			t.Errorf("%.40q: status %d, body %.20q, keep %v, error %v", c.text, status, body, keep, err)
		}
		if c.err == nil && in.Buffered() != 0 {
			t.Errorf("%.40q: %d bytes are left", c.text, in.Buffered())
		}
	}
}

// oneByte gives one byte a read.
type oneByte struct{ io.Reader }

func (r oneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:1]) }

func TestSourcesChangeBeforePortsRunOut(t *testing.T) {
	used := bench.Sources(40_000)
	if len(used) < 2 {
		t.Errorf("%d addresses for 40,000 connections", len(used))
	}
	for a, n := range used {
		if n > 20_000 || !a.IsLoopback() {
			t.Errorf("%d connections from %s", n, a)
		}
	}
}

// The ratio of the ticks divides the exact time.
func TestCPUIsSplitByTicks(t *testing.T) {
	got := bench.Since(3*time.Second, time.Second, 3*time.Second, 1e6)
	if got.Total != 3 || got.User != 0.75 || got.System != 2.25 {
		t.Errorf("%+v", got)
	}
	if got := bench.Since(3*time.Second, 0, 0, 0); got != nil {
		t.Errorf("%+v for nothing", got)
	}
}
