package api

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"sync"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/pusher"
)

// bodyBuffer holds a request's body as received and, if it was compressed, as
// decoded. Buffers are pooled.
type bodyBuffer struct{ received, decoded bytes.Buffer }

// keepBuffer is the largest buffer that goes back into the pool.
const keepBuffer = 64 << 10

func (b *bodyBuffer) free(pool *sync.Pool) {
	if b.received.Cap() > keepBuffer || b.decoded.Cap() > keepBuffer {
		return
	}
	b.received.Reset()
	b.decoded.Reset()
	pool.Put(b)
}

// bodyLimit is the largest body that the app may send.
func (d *Door) bodyLimit(app *belfry.App) int {
	if limit := app.Limits.HTTPBody; limit != belfry.Unlimited {
		return min(limit, d.cfg.MaxBody)
	}
	return d.cfg.MaxBody
}

// read takes in the body, no more than limit bytes of it (HTTP-09, LIMIT-14).
func (b *bodyBuffer) read(q *request, limit int) ([]byte, error) {
	if q.length > int64(limit) {
		return nil, bodyTooLarge(q.length, limit)
	}
	if q.length == 0 || q.body == nil {
		return q.received, nil
	}
	if q.length > 0 {
		b.received.Grow(int(q.length) + bytes.MinRead)
	}
	n, err := b.received.ReadFrom(io.LimitReader(q.body, int64(limit)+1))
	switch {
	case n > int64(limit):
		return nil, bodyTooLarge(n, limit)
	case err != nil:
		return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: "the body did not arrive whole: send it again", Err: err}
	}
	return b.received.Bytes(), nil
}

// decode undoes the body's content coding. The MD5 covers the bytes as received
// (HTTP-08), so it comes after the signature. The decoded body is bounded like
// a plain one.
func (b *bodyBuffer) decode(coding string, received []byte, limit int) ([]byte, error) {
	coding = strings.ToLower(strings.TrimSpace(coding))
	var open func(io.Reader) (io.ReadCloser, error)
	switch coding {
	case "", "identity":
		return received, nil
	case "gzip", "x-gzip":
		open = func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }
	case "deflate":
		open = zlib.NewReader
	default:
		return nil, &codingError{coding}
	}
	if len(received) == 0 {
		return nil, nil
	}
	malformed := func(err error) error {
		return &belfry.Error{Code: belfry.CodeInvalid, Message: "body: not valid " + coding + " as Content-Encoding says", Err: err}
	}
	reader, err := open(bytes.NewReader(received))
	if err != nil {
		return nil, malformed(err)
	}
	defer reader.Close()
	n, err := b.decoded.ReadFrom(io.LimitReader(reader, int64(limit)+1))
	switch {
	case n > int64(limit):
		return nil, bodyTooLarge(n, limit)
	case err != nil:
		return nil, malformed(err)
	}
	return b.decoded.Bytes(), nil
}

// bodyTooLarge refuses a body of which size bytes are known.
func bodyTooLarge(size int64, limit int) error {
	cause := &pusher.OverLimit{Limit: "http_body", Size: size, Max: int64(limit)}
	if limit == 0 {
		return &belfry.Error{Code: belfry.CodeForbidden, Message: "switched off for this app: limits.http_body is 0", Err: cause}
	}
	e := belfry.Errorf(belfry.CodeTooLarge, "the request body is too large: it has at least %d bytes, %d are allowed", size, limit)
	e.Err = cause
	return e
}
