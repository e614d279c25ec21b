package socket

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
)

// Request is a POST to the HTTP API of which everything has come. Fields and
// Body are the engine's: they are not to be kept.
type Request struct {
	Peer   string      // the address that it came from, "host:port"
	Target string      // as it stands in the request line
	Fields [][2][]byte // the header: names in any case, and values
	Body   []byte
}

// Answer is what goes back, but for what belongs to the connection: its length,
// the date, and whether the connection ends.
type Answer struct {
	Status int
	Header [][2]string
	Body   []byte
}

// Express answers requests where they are read, among the connections of a shard,
// so it must not wait. For a request that would have to, it gives later, which is
// called once, elsewhere, and may wait until ctx ends. ok is false for a request
// that is for the HTTP server after all; then it has done nothing. It may be
// called concurrently.
type Express func(r Request) (a Answer, later func(ctx context.Context) Answer, ok bool)

const (
	// maxExpress bounds a request that a shard takes, head and body.
	maxExpress = 32 << 10
	// maxFields bounds its header.
	maxFields = 64
)

// posts says how the requests begin that may be answered by Express: those that
// lie under {prefix}/apps/ for the HTTP server too.
func (c *Config) posts() []string {
	if c.Express == nil {
		return nil
	}
	all := []string{"POST /apps/"}
	ours := c.PathPrefix == "/app" || strings.HasPrefix(c.PathPrefix, "/app/") // of WebSockets, so is all below it
	if c.PathPrefix != "" && !ours && plainPath([]byte(c.PathPrefix)) && !strings.Contains(c.PathPrefix, "%") {
		all = append(all, "POST "+c.PathPrefix+"/apps/")
	}
	return all
}

// begins says whether b begins with want, or may when there is more of it.
func begins(b []byte, want string) (yes, perhaps bool) {
	n := min(len(b), len(want))
	same := string(b[:n]) == want[:n]
	return same && n == len(want), same
}

// postHead is the head of a POST. Its slices point into what was read, and are
// used again by the next parse.
type postHead struct {
	target []byte
	fields [][2][]byte
	length int  // of the body
	closes bool // the peer wants no further answer
}

// parse reads a head up to and with its empty line. It is stricter than HTTP: it
// takes only what every server reads in the same way, and reports false for all
// else, be it wrong or unusual.
func (p *postHead) parse(head []byte) bool {
	line, rest, ok := cutLine(head)
	if !ok {
		return false
	}
	line, ok = bytes.CutPrefix(line, []byte("POST "))
	if !ok {
		return false
	}
	if p.target, ok = bytes.CutSuffix(line, []byte(" HTTP/1.1")); !ok || !plainTarget(p.target) {
		return false
	}
	p.fields, p.length, p.closes = p.fields[:0], -1, false
	hosts, connections := 0, 0
	for {
		var name, value []byte
		if name, value, rest, ok = cutField(rest); !ok || len(p.fields) == maxFields {
			return false
		}
		if name == nil {
			return len(rest) == 0 && hosts == 1 && p.length >= 0
		}
		switch len(name) {
		case 4:
			if is(name, "host") {
				if hosts++; len(value) == 0 || !all(value, hostByte) {
					return false
				}
			}
		case 6, 7, 17:
			if is(name, "expect") || is(name, "upgrade") || is(name, "trailer") || is(name, "transfer-encoding") {
				return false
			}
		case 10:
			if is(name, "connection") {
				p.closes = is(value, "close")
				if connections++; connections > 1 || !p.closes && !is(value, "keep-alive") {
					return false
				}
			}
		case 14:
			if is(name, "content-length") {
				if p.length >= 0 {
					return false
				}
				if p.length, ok = digits(value); !ok {
					return false
				}
			}
		}
		p.fields = append(p.fields, [2][]byte{name, value})
	}
}

// cutLine cuts a line off that ends as it must.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, false
	}
	return b[:i-1], b[i+1:], true
}

// cutField cuts a field of a header off; name is nil for the empty line behind the
// last. It takes only what every server reads in the same way.
func cutField(b []byte) (name, value, rest []byte, ok bool) {
	line, rest, ok := cutLine(b)
	if !ok || len(line) == 0 {
		return nil, nil, rest, ok
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return nil, nil, nil, false
	}
	name, value = line[:colon], bytes.Trim(line[colon+1:], " \t")
	return name, value, rest, all(name, tokenByte) && all(value, valueByte)
}

// bareLine reports whether a line ends in a line feed alone.
func bareLine(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return false
		}
		if i == 0 || b[i-1] != '\r' {
			return true
		}
		b = b[i+1:]
	}
}

// is compares with a word in lower case.
func is(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

func digits(b []byte) (n int, ok bool) {
	if len(b) == 0 || len(b) > 6 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// plainTarget reports whether a target is a path, and perhaps a query, that is
// read in one way only.
func plainTarget(target []byte) bool {
	path, query, _ := bytes.Cut(target, []byte("?"))
	return plainPath(path) && all(query, queryByte)
}

func plainPath(path []byte) bool {
	if len(path) == 0 || path[0] != '/' || !all(path, pathByte) {
		return false
	}
	for {
		i := bytes.IndexByte(path, '%')
		if i < 0 {
			return true
		}
		if i+2 >= len(path) || byteKinds[path[i+1]]&hexByte == 0 || byteKinds[path[i+2]]&hexByte == 0 {
			return false
		}
		path = path[i+3:]
	}
}

// The kinds of bytes in a head.
const (
	tokenByte = 1 << iota
	valueByte
	hostByte
	pathByte
	queryByte
	hexByte
	plainByte // never escaped
)

// byteKinds has the kinds of every byte.
var byteKinds = func() (kinds [256]byte) {
	set := func(kind byte, of string) {
		for i := range len(of) {
			kinds[of[i]] |= kind
		}
	}
	const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	set(tokenByte, alnum+"!#$%&'*+-.^_`|~")
	set(hostByte, alnum+".:-_[]")
	set(pathByte, alnum+"-._~!$&'()*+,;=:@/%")
	set(plainByte, alnum+"-._~")
	set(hexByte, "0123456789abcdefABCDEF")
	for c := 0x20; c < 0x7f; c++ {
		kinds[c] |= valueByte
		if c != ' ' && c != '#' {
			kinds[c] |= queryByte
		}
	}
	kinds['\t'] |= valueByte
	return kinds
}()

func all(b []byte, kind byte) bool {
	for _, c := range b {
		if byteKinds[c]&kind == 0 {
			return false
		}
	}
	return true
}

// appendAnswer appends an answer as it goes out.
func appendAnswer(dst []byte, a *Answer, date string, closes bool) []byte {
	if a.Status == http.StatusOK {
		dst = append(dst, "HTTP/1.1 200 OK\r\n"...)
	} else {
		dst = append(dst, "HTTP/1.1 "...)
		dst = strconv.AppendInt(dst, int64(a.Status), 10)
		dst = append(dst, ' ')
		dst = append(dst, http.StatusText(a.Status)...)
		dst = append(dst, "\r\n"...)
	}
	for i := range a.Header {
		dst = append(dst, a.Header[i][0]...)
		dst = append(dst, ": "...)
		dst = append(dst, a.Header[i][1]...)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, "Date: "...)
	dst = append(dst, date...)
	if closes {
		dst = append(dst, "\r\nConnection: close"...)
	}
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(a.Body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, a.Body...)
}
