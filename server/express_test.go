package server_test

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
	"github.com/belfryhq/belfry/server"
)

// Publishes on plain TCP are answered by the engine's shards where there are any.
// Nobody is to see by which way a request came.

// bothEngines gives two servers that differ in their engines alone.
func bothEngines(t testing.TB, change func(*server.Config), app func() *belfry.App) (shards, portable *host) {
	t.Helper()
	shards = serveWith(t, change, app())
	portable = serveWith(t, func(c *server.Config) {
		change(c)
		c.PortableEngine = true
	}, app())
	return shards, portable
}

// signedQuery is the query of a signed POST.
func signedQuery(path string, body []byte) string {
	sum := md5.Sum(body)
	query := "auth_key=" + appKey + "&auth_timestamp=" + strconv.FormatInt(time.Now().Unix(), 10) + "&auth_version=1.0&body_md5=" + hex.EncodeToString(sum[:])
	return query + "&auth_signature=" + pusher.Sign(appSecret, pusher.RequestText("POST", path, pusher.ParseQuery(query, false), false))
}

const eventsPath = "/apps/" + appID + "/events"

// fill puts a signed query and the body's length into the head of a request.
func fill(head string, body []byte) string {
	return strings.NewReplacer("@query", signedQuery(eventsPath, body), "@length", strconv.Itoa(len(body))).Replace(head)
}

// answers sends bytes on a connection of their own, ends it, and gives what comes
// back, without what differs from one moment to the next. cut says that the server
// ended the connection before it had read all, which may lose what it answered.
func (h *host) answers(t testing.TB, request []byte) (all []string, cut bool) {
	t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	go func() {
		conn.Write(request) // a server may not want it all
		conn.(*net.TCPConn).CloseWrite()
	}()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return all, errors.Is(err, syscall.ECONNRESET)
		}
		body, err := io.ReadAll(r.Body)
		if errors.Is(err, syscall.ECONNRESET) {
			return all, true
		}
		var fields []string
		for name, values := range r.Header {
			if name == "Date" || name == "X-Belfry-Event-Id" {
				values = []string{"some"}
			}
			fields = append(fields, name+": "+strings.Join(values, ", "))
		}
		slices.Sort(fields)
		all = append(all, fmt.Sprintf("%s %q close=%v %s %v", r.Status, fields, r.Close, body, err))
	}
}

const plainEvent = `{"name":"e","channel":"c","data":"d"}`

// sameSeeds are heads, with a body each.
var sameSeeds = [][2]string{
	{"POST /apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length: @length\r\n\r\n", plainEvent},
	{"POST /real/apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length: @length\r\n\r\n", plainEvent},
	{"POST /apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length: @length\r\nIdempotency-Key: k\r\nConnection: close\r\n\r\n", plainEvent},
	{"POST /apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length: @length\r\nAccept: text/plain\r\n\r\n", `{"name":"e"}`},
	{"POST /apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length: @length\r\nContent-Encoding: gzip\r\n\r\n", plainEvent},
	{"POST /apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", ""},
	{"POST /apps/1001/events?@query HTTP/1.0\r\nHost: x\r\nContent-Length: @length\r\n\r\n", plainEvent},
	{"POST /apps/1001/events?auth_key=x HTTP/1.1\r\nHost: x\r\nContent-Length: @length\r\n\r\n", plainEvent},
	{"POST /apps/7/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length: @length\r\n\r\n", plainEvent},
	{"POST /apps/1001/nothing?@query HTTP/1.1\r\nHost: x\r\nContent-Length: @length\r\n\r\n", plainEvent},
	{"POST /apps/1001/users/u/terminate_connections?@query HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", ""},
	{"GET /apps/1001/events HTTP/1.1\r\nHost: x\r\n\r\nPOST /apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length: @length\r\n\r\n", plainEvent},
	{"POST /apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length: @length\r\nContent-Length: @length\r\n\r\n", plainEvent},
	{"POST /apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length : @length\r\n\r\n", plainEvent},
	{"POST /apps/1001/events?@query HTTP/1.1\nHost: x\nContent-Length: @length\n\n", plainEvent},
	{"POST /apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length: +@length\r\n\r\n", plainEvent},
	{"POST /apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n", plainEvent},
	{"POST /apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n", plainEvent},
	{"POST /apps/1001/events?@query HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n", strings.Repeat(" ", 30000)},
	{"POST /apps/1001/batch_events HTTP/1.1\r\nHost: x\r\n\r\n", ""},
	{"POST /apps/%31001/events?a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", ""},
	{"POST /apps/", ""},
}

// FuzzSameAnswers: the same bytes get the same answers from a shard as from the
// HTTP server.
func FuzzSameAnswers(f *testing.F) {
	shards, portable := bothEngines(f, func(c *server.Config) { c.PathPrefix = "real" }, func() *belfry.App {
		return testApp(func(a *belfry.App) { a.Limits.HTTPBody = 20_000 })
	})
	for _, seed := range sameSeeds {
		f.Add(seed[0], []byte(seed[1]), false)
		f.Add(seed[0], []byte(seed[1]), true)
	}
	next := []byte("GET /up HTTP/1.1\r\nHost: x\r\n\r\n")
	f.Fuzz(func(t *testing.T, head string, body []byte, twice bool) {
		one := append([]byte(fill(head, body)), body...)
		request := append(bytes.Clone(one), next...)
		if twice {
			request = append(bytes.Clone(one), request...)
		}
		got, cut := shards.answers(t, request)
		want, alsoCut := portable.answers(t, request)
		if cut || alsoCut {
			n := min(len(got), len(want))
			got, want = got[:n], want[:n]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q\n got %q\nwant %q", request, got, want)
		}
	})
}

// Requests are counted and timed, limited, and remembered by their keys, whichever
// way they come.
func TestExpressCountsAndLimits(t *testing.T) {
	shards, portable := bothEngines(t, func(c *server.Config) { c.MetricsListen = "127.0.0.1:0" }, func() *belfry.App {
		return testApp(func(a *belfry.App) { a.Limits.HTTPRequestsPerSecond = 4 })
	})
	for name, h := range map[string]*host{"shards": shards, "portable": portable} {
		conn, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(patience))
		in := bufio.NewReader(conn)
		post := func(body, key string) *http.Response {
			head := "POST " + eventsPath + "?@query HTTP/1.1\r\nHost: x\r\nContent-Length: @length\r\n" + key + "\r\n"
			if _, err := conn.Write([]byte(fill(head, []byte(body)) + body)); err != nil {
				t.Fatal(err)
			}
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, r.Body)
			return r
		}
		id := textproto.CanonicalMIMEHeaderKey("X-Belfry-Event-Id")
		first, second := post(plainEvent, "Idempotency-Key: k\r\n"), post(plainEvent, "idempotency-key: k\r\n")
		if first.StatusCode != 200 || second.Header.Get(id) != first.Header.Get(id) || second.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: %v, %v", name, first, second)
		}
		if r := post(`{}`, ""); r.StatusCode != 400 {
			t.Errorf("%s: %d for an event without a name", name, r.StatusCode)
		}
		limited := 0
		for range 20 {
			if r := post(plainEvent, ""); r.StatusCode == 429 && r.Header.Get("Retry-After") == "1" {
				limited++
			}
		}
		if limited == 0 {
			t.Errorf("%s: nothing is limited", name)
		}
		_, metrics := get(t, "http://"+h.server.MetricsAddr().String()+"/metrics", nil)
		for _, line := range []string{`belfry_http_requests_total{code="400",door="api"} 1`, `belfry_http_request_seconds_count{door="api"} 23`} {
			if !strings.Contains(metrics, "\n"+line+"\n") {
				t.Errorf("%s: the metrics do not have %s:\n%s", name, line, grep(metrics, `door="api"`))
			}
		}
	}
}

func grep(text, word string) (lines string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			lines += line
		}
	}
	return lines
}
