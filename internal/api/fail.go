package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/httpx"
	"github.com/belfryhq/belfry/pusher"
)

// statuses is the one table from a kind of failure to its status (HTTP-80).
var statuses = map[belfry.Code]int{
	belfry.CodeInvalid:         http.StatusBadRequest,
	belfry.CodeUnauthenticated: http.StatusUnauthorized,
	belfry.CodeForbidden:       http.StatusForbidden,
	belfry.CodeNotFound:        http.StatusNotFound,
	belfry.CodeConflict:        http.StatusConflict,
	belfry.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	belfry.CodeRateLimited:     http.StatusTooManyRequests,
	belfry.CodeUnavailable:     http.StatusServiceUnavailable,
	belfry.CodeInternal:        http.StatusInternalServerError,
}

// methodError refuses a method on a known route.
type methodError struct{ allow string }

func (e *methodError) Error() string {
	return "method not allowed: this route takes " + e.allow
}

// codingError refuses an unknown content coding.
type codingError struct{ coding string }

func (e *codingError) Error() string {
	return "Content-Encoding " + strconv.Quote(clip(e.coding)) + " is not supported: send the body plain, or as gzip or deflate"
}

// rateError refuses a request over the rate.
type rateError struct {
	limit int
	retry time.Duration
}

func (e *rateError) Error() string {
	return "too many requests: this app may send " + strconv.Itoa(e.limit) + " a second"
}

// RetryAfter gives the pause until the next request is let in.
func (e *rateError) RetryAfter() time.Duration { return e.retry }

// explain gives the status of an error and the text that the caller may see.
func explain(err error) (status int, text string) {
	if e, ok := errors.AsType[*methodError](err); ok {
		return http.StatusMethodNotAllowed, e.Error()
	}
	if e, ok := errors.AsType[*codingError](err); ok {
		return http.StatusUnsupportedMediaType, e.Error()
	}
	if e, ok := errors.AsType[*rateError](err); ok {
		return http.StatusTooManyRequests, e.Error()
	}
	if e, ok := errors.AsType[*belfry.Error](err); ok {
		status, known := statuses[e.Code]
		if !known || status == http.StatusInternalServerError {
			return http.StatusInternalServerError, "internal error"
		}
		if e.Hint != "" {
			return status, e.Message + "; " + e.Hint
		}
		return status, e.Message
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return http.StatusServiceUnavailable, "the request was not finished in time: try again"
	}
	return http.StatusInternalServerError, "internal error"
}

// fail gives the answer to an error (HTTP-80, HTTP-81).
func (d *Door) fail(ctx context.Context, q *request, err error) Reply {
	status, text := explain(err)
	r := Reply{Status: status, Header: make([][2]string, 0, 3)}
	switch status {
	case http.StatusMethodNotAllowed:
		e, _ := errors.AsType[*methodError](err)
		r.add("Allow", e.allow)
	case http.StatusUnsupportedMediaType:
		r.add("Accept-Encoding", "gzip, deflate, identity")
	case http.StatusTooManyRequests:
		r.add("Retry-After", httpx.RetryAfter(err))
	case http.StatusServiceUnavailable:
		r.add("Retry-After", "1")
	}
	d.log(ctx, q, status, text, err)
	r.add("X-Content-Type-Options", "nosniff")
	if prefersText(q.accept) {
		r.add("Content-Type", "text/plain; charset=utf-8")
		r.Body = []byte(text)
		return r
	}
	r.add("Content-Type", jsonType)
	body := pusher.AppendString([]byte(`{"error":`), text)
	body = append(body, `,"code":`...)
	body = strconv.AppendInt(body, int64(status), 10)
	r.Body = append(body, '}')
	return r
}

// log keeps an internal fault's cause; a caller's mistake is for debugging.
func (d *Door) log(ctx context.Context, q *request, status int, text string, err error) {
	level := slog.LevelDebug
	if status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !d.cfg.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("method", q.method), slog.String("path", unescape(q.path)), slog.Int("status", status)}
	if status == http.StatusInternalServerError {
		attrs = append(attrs, slog.Any("error", err))
	} else {
		attrs = append(attrs, slog.String("reason", text))
	}
	d.cfg.Logger.LogAttrs(ctx, level, "api request failed", attrs...)
}

// prefersText reports whether Accept ranks text/plain above JSON. Equal ranks,
// "*/*" and no header mean JSON.
func prefersText(accept []string) bool {
	text, textAt := 0.0, -1
	json, jsonAt := 0.0, -1
	for _, header := range accept {
		for item := range strings.SplitSeq(header, ",") {
			kind, params, _ := strings.Cut(item, ";")
			q := quality(params)
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "text/plain":
				text, textAt = q, 2
			case "text/*":
				if textAt < 1 {
					text, textAt = q, 1
				}
			case "application/json":
				json, jsonAt = q, 2
			case "application/*":
				if jsonAt < 1 {
					json, jsonAt = q, 1
				}
			case "*/*":
				if textAt < 0 {
					text, textAt = q, 0
				}
				if jsonAt < 0 {
					json, jsonAt = q, 0
				}
			}
		}
	}
	return text > json
}

// quality reads the q of an Accept item; one when it has none or a bad one.
func quality(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(name, "q") {
			if q, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && q >= 0 && q <= 1 {
				return q
			}
		}
	}
	return 1
}
