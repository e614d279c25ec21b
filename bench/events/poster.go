package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/bench"
)

// What events are: a name and about 200 bytes of data.
const (
	eventName  = "order.shipped"
	dataBefore = `{"n":`
)

var dataAfter = `,"order":4711,"text":"` + strings.Repeat("x", 150) + `"}`

// poster posts events over one connection, one at a time. It is a bare client,
// since it shares the machine with the server.
type poster struct {
	conn  net.Conn
	r     *bufio.Reader
	head  string
	bytes []byte
}

func (p *place) poster(s *bench.Process) (*poster, error) {
	conn, err := net.DialTimeout("tcp", s.Address, patience)
	if err != nil {
		return nil, err
	}
	head := "POST /api/events HTTP/1.1\r\nHost: " + s.Address + "\r\nAuthorization: Bearer " + p.token + "\r\nContent-Type: application/json\r\nContent-Length: "
	return &poster{conn: conn, r: bufio.NewReader(conn), head: head}, nil
}

// posters gives n posters, and a function that closes them.
func (p *place) posters(s *bench.Process, n int) (all []*poster, end func(), err error) {
	end = func() {
		for _, one := range all {
			one.conn.Close()
		}
	}
	for range n {
		one, err := p.poster(s)
		if err != nil {
			end()
			return nil, nil, err
		}
		all = append(all, one)
	}
	return all, end, nil
}

// post posts event n, and gives the time just before and after.
func (p *poster) post(n int) (before, after time.Time, err error) {
	body := `{"event":"` + eventName + `","channels":["` + channels[n%len(channels)] + `"],"data":` + dataBefore + strconv.Itoa(n) + dataAfter + `}`
	p.bytes = append(p.bytes[:0], p.head...)
	p.bytes = strconv.AppendInt(p.bytes, int64(len(body)), 10)
	p.bytes = append(append(p.bytes, "\r\n\r\n"...), body...)
	before = time.Now()
	if err := p.conn.SetDeadline(before.Add(patience)); err != nil {
		return before, before, err
	}
	if _, err := p.conn.Write(p.bytes); err != nil {
		return before, before, err
	}
	resp, err := http.ReadResponse(p.r, nil)
	if err != nil {
		return before, before, fmt.Errorf("post event %d: %w", n, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("post event %d: the server answered %s: %s", n, resp.Status, answer)
	}
	return before, time.Now(), err
}

// warm posts events until the first has come, so that no measurement contains a
// start.
func (p *place) warm(ctx context.Context, s *bench.Process, l *listener) error {
	const n = 20
	one, err := p.poster(s)
	if err != nil {
		return err
	}
	defer one.conn.Close()
	l.expect(0, n)
	for i := range n {
		if _, _, err := one.post(i); err != nil {
			return err
		}
	}
	_, err = l.await(ctx)
	return err
}
