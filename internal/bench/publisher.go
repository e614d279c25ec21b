package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/socket/wsframe"
	"github.com/belfryhq/belfry/pusher"
)

// event is what one publish brings to one channel.
type event struct {
	channel int
	mark    mark
}

// publisher publishes events, one request at a time. An error means that it is
// not known to be published.
type publisher interface {
	publish(ctx context.Context, events []event) error
	close()
}

// refused is an answer other than 200: nothing was published.
type refused struct {
	status int
	body   string
}

func (e *refused) Error() string { return fmt.Sprintf("HTTP %d: %s", e.status, e.body) }

// httpPublisher sends signed requests over one connection that is kept.
type httpPublisher struct {
	target *endpoint
	event  message
	conn   net.Conn
	in     *bufio.Reader
	body   []byte
	out    []byte
}

// patience is how long one request may take. A server may hold a publisher back
// for some seconds.
const patience = 20 * time.Second

func (p *httpPublisher) publish(ctx context.Context, events []event) error {
	path := p.target.prefix + "/apps/" + url.PathEscape(p.target.AppID) + "/events"
	p.body = p.body[:0]
	if len(events) == 1 {
		p.appendEvent(events[0])
	} else {
		path = strings.TrimSuffix(path, "events") + "batch_events"
		p.body = append(p.body, `{"batch":[`...)
		for i, e := range events {
			if i > 0 {
				p.body = append(p.body, ',')
			}
			p.appendEvent(e)
		}
		p.body = append(p.body, "]}"...)
	}
	p.request(path)
	reused := p.conn != nil
	err := p.exchange(ctx)
	if err == errStale && reused {
		err = p.exchange(ctx) // an idle connection may have been closed meanwhile
	}
	return err
}

func (p *httpPublisher) appendEvent(e event) {
	p.body = append(p.body, `{"name":"`+eventName+`","channel":"`...)
	p.body = append(p.body, p.event.channel(e.channel)...)
	p.body = append(p.body, `","data":`...)
	at := len(p.body) + p.event.markAt
	p.body = append(p.body, p.event.token...)
	e.mark.put(p.body[at:])
	p.body = append(p.body, '}')
}

// request writes the head and the signed query for p.body.
func (p *httpPublisher) request(path string) {
	sum := md5.Sum(p.body)
	query := "auth_key=" + strings.ReplaceAll(url.QueryEscape(p.target.Key), "+", "%20") + "&auth_timestamp=" + strconv.FormatInt(time.Now().Unix(), 10) +
		"&auth_version=1.0&body_md5=" + hex.EncodeToString(sum[:])
	// Key and the rest are signed as they are, not as they are escaped.
	signed := pusher.RequestText(http.MethodPost, path, pusher.ParseQuery(query, false), false)
	p.out = append(p.out[:0], "POST "...)
	p.out = append(p.out, path...)
	p.out = append(p.out, '?')
	p.out = append(p.out, query...)
	p.out = append(p.out, "&auth_signature="...)
	p.out = append(p.out, pusher.Sign(p.target.Secret, signed)...)
	p.out = append(p.out, " HTTP/1.1\r\nHost: "...)
	p.out = append(p.out, p.target.host...)
	p.out = append(p.out, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	p.out = strconv.AppendInt(p.out, int64(len(p.body)), 10)
	p.out = append(p.out, "\r\n\r\n"...)
	p.out = append(p.out, p.body...)
}

// errStale says that a kept connection was closed before anything was answered.
var errStale = fmt.Errorf("publish: the server closed the connection")

func (p *httpPublisher) exchange(ctx context.Context) error {
	if p.conn == nil {
		if err := p.connect(ctx); err != nil {
			return err
		}
	}
	p.conn.SetDeadline(time.Now().Add(patience))
	if _, err := p.conn.Write(p.out); err != nil {
		p.close()
		return errStale
	}
	status, body, keep, err := readAnswer(p.in)
	if err != nil || !keep {
		p.close()
	}
	if err == io.EOF {
		return errStale
	}
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if status/100 != 2 {
		return &refused{status, strings.TrimSpace(string(body))}
	}
	return nil
}

func (p *httpPublisher) connect(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", p.target.address.String())
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if p.target.tls != nil {
		conn = tls.Client(conn, p.target.tls.config())
	}
	p.conn, p.in = conn, bufio.NewReader(conn)
	return nil
}

func (p *httpPublisher) close() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}

// readAnswer reads one answer. The common form is read here, since the
// publisher is not to cost more than the server; what is unusual goes the long
// way. io.EOF means that nothing came at all.
func readAnswer(in *bufio.Reader) (status int, body []byte, keep bool, err error) {
	if _, err := in.Peek(1); err != nil {
		return 0, nil, false, err
	}
	for {
		head, err := in.Peek(in.Buffered())
		if err != nil {
			return 0, nil, false, err
		}
		if end := bytes.Index(head, []byte("\r\n\r\n")); end >= 0 {
			if status, size, plain := parseHead(head[:end+2]); plain && end+4+size <= in.Size() {
				if head, err = in.Peek(end + 4 + size); err != nil {
					return 0, nil, false, io.ErrUnexpectedEOF
				}
				if status/100 != 2 {
					body = bytes.Clone(head[end+4:])
				}
				in.Discard(end + 4 + size)
				return status, body, true, nil
			}
			break
		}
		if in.Buffered() == in.Size() {
			break
		}
		if _, err := in.Peek(in.Buffered() + 1); err != nil {
			return 0, nil, false, io.ErrUnexpectedEOF
		}
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, nil, false, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, body, !resp.Close, err
}

// parseHead reads status and length of an answer that says nothing unusual
// about its connection or body.
func parseHead(head []byte) (status, size int, plain bool) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if len(line) < 12 || string(line[:9]) != "HTTP/1.1 " {
		return 0, 0, false
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, 0, false
	}
	size = -1
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || size < 0 {
				return 0, 0, false
			}
		case bytes.EqualFold(name, []byte("Connection")), bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return 0, 0, false
		}
	}
	return status, size, size >= 0
}

// floorPublisher hands ready frames to bench/floor.
type floorPublisher struct {
	mu    *sync.Mutex // guards the pipe: frames are written whole
	to    io.Writer
	event message
	out   []byte
}

func (p *floorPublisher) publish(_ context.Context, events []event) error {
	for _, e := range events {
		text := p.event.onWire(e.channel)
		at := bytes.Index(text, []byte(markText))
		e.mark.put(text[at:])
		p.out = binary.LittleEndian.AppendUint32(p.out[:0], uint32(e.channel))
		p.out = append(p.out, 0, 0, 0, 0)
		p.out = wsframe.Append(p.out, wsframe.Text, text)
		binary.LittleEndian.PutUint32(p.out[4:], uint32(len(p.out)-8))
		p.mu.Lock()
		_, err := p.to.Write(p.out)
		p.mu.Unlock()
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	return nil
}

func (p *floorPublisher) close() {}
