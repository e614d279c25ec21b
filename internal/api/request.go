package api

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/internal/hub"
)

// request is what the door looks at of one request, however that came.
type request struct {
	method string
	path   string // as it stood on the wire, but for what an outer handler took off
	target string // the whole target as it came
	query  string // still escaped
	key    string // Idempotency-Key
	coding string // Content-Encoding
	peer   string // address or "host:port" of whoever asks
	accept []string
	length int64 // of the body, below zero when it is not known
	body   io.Reader
	// received is the body where it is in memory already; body is nil then.
	received []byte
}

func requestOf(r *http.Request, trusted []netip.Prefix) request {
	q := request{
		method: r.Method, path: rawPath(r.URL), target: r.RequestURI, query: r.URL.RawQuery,
		key: r.Header.Get("Idempotency-Key"), coding: strings.Join(r.Header["Content-Encoding"], ", "), accept: r.Header["Accept"],
		length: r.ContentLength,
	}
	if r.Body != nil {
		q.body = r.Body
	}
	if q.peer = r.RemoteAddr; len(trusted) > 0 {
		q.peer = httpx.WayOf(r, trusted).Address.String()
	}
	return q
}

// Post is a POST request of which everything is in memory. The door keeps
// nothing of Fields and Body.
type Post struct {
	Peer   string      // the address that it came from, "host:port"
	Target string      // as it stands in the request line
	Fields [][2][]byte // the header: names in any case, and values
	Body   []byte
}

// Reply is an answer, but for what belongs to the connection.
type Reply struct {
	Status int
	Header [][2]string
	Body   []byte
}

// Post answers a publish as ServeHTTP would, but does not wait for anything, nor
// do what takes long. Where it would have to, it gives later in place of an
// answer, which may be called elsewhere, once, and waits. ok is false for what is
// no plain publish: then nothing was done, and it is for ServeHTTP.
func (d *Door) Post(p Post) (reply Reply, later func(context.Context) Reply, ok bool) {
	q := request{method: http.MethodPost, target: p.Target, length: int64(len(p.Body)), received: p.Body, peer: p.Peer}
	if len(d.cfg.TrustedProxies) > 0 {
		q.peer = forwardedPeer(p, d.cfg.TrustedProxies)
	}
	q.path, q.query, _ = strings.Cut(p.Target, "?")
	if !strings.HasSuffix(q.path, "events") { // as the routes that publish do
		return Reply{}, nil, false
	}
	keyed := false
	for _, f := range p.Fields {
		switch len(f[0]) {
		case len("Content-Encoding"):
			if equalFold(f[0], "Content-Encoding") {
				return Reply{}, nil, false
			}
		case len("Idempotency-Key"):
			if !keyed && equalFold(f[0], "Idempotency-Key") {
				keyed, q.key = true, string(f[1])
			}
		case len("Accept"):
			if equalFold(f[0], "Accept") {
				q.accept = append(q.accept, string(f[1]))
			}
		}
	}
	ctx := context.Background()
	var got answer
	c, err := d.check(&q, nil)
	if err == nil {
		c.ctx, c.now = ctx, true
		got, err = d.carryOut(c)
	}
	if err == hub.ErrWouldWait { // nobody wraps it
		c.now, c.body = false, append([]byte(nil), c.body...)
		q.received = nil
		return Reply{}, func(ctx context.Context) Reply {
			c.ctx = ctx
			got, err := d.carryOut(c)
			return d.reply(ctx, &q, got, err)
		}, true
	}
	return d.reply(ctx, &q, got, err), nil, true
}

// forwardedPeer finds the client behind the trusted proxies.
func forwardedPeer(p Post, trusted []netip.Prefix) string {
	r := http.Request{RemoteAddr: p.Peer, Header: http.Header{}}
	for _, f := range p.Fields {
		if equalFold(f[0], "X-Forwarded-For") || equalFold(f[0], "Forwarded") {
			r.Header.Add(string(f[0]), string(f[1]))
		}
	}
	return httpx.WayOf(&r, trusted).Address.String()
}

func equalFold(b []byte, s string) bool { return strings.EqualFold(string(b), s) }

// reply gives the answer to what was done, or to an error.
func (d *Door) reply(ctx context.Context, q *request, got answer, err error) Reply {
	if err != nil {
		d.refuse(q, err)
		return d.fail(ctx, q, err)
	}
	r := Reply{Status: http.StatusOK, Header: make([][2]string, 0, 3), Body: emptyObject}
	r.add("Content-Type", jsonType)
	if got.eventIDs != "" {
		r.add("X-Belfry-Event-Id", got.eventIDs)
	}
	if got.replayed {
		r.add("Idempotency-Replayed", "true")
	}
	if got.status != 0 {
		r.Status = got.status
	}
	if got.body != nil {
		r.Body = got.body
	}
	return r
}

const jsonType = "application/json"

func (r *Reply) add(name, value string) { r.Header = append(r.Header, [2]string{name, value}) }

// write sends the answer; for HEAD net/http leaves the body out.
func (r Reply) write(w http.ResponseWriter) {
	h := w.Header()
	for i := range r.Header {
		field := &r.Header[i]
		h[field[0]] = field[1:] // all names are written as net/http has them
	}
	h["Content-Length"] = []string{strconv.Itoa(len(r.Body))} // for HEAD too
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body) // the caller is gone: nobody is left to tell
}
