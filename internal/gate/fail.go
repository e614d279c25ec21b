package gate

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/httpx"
)

// StatusCSRF is the status of CodeCSRF.
const StatusCSRF = 419

// status is the one table from a kind of failure to its HTTP status, for all
// that is not Pusher's API.
func status(code belfry.Code) int {
	switch code {
	case belfry.CodeInvalid:
		return http.StatusBadRequest
	case belfry.CodeUnauthenticated:
		return http.StatusUnauthorized
	case belfry.CodeForbidden:
		return http.StatusForbidden
	case CodeCSRF:
		return StatusCSRF
	case belfry.CodeNotFound:
		return http.StatusNotFound
	case belfry.CodeConflict:
		return http.StatusConflict
	case belfry.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case belfry.CodeRateLimited:
		return http.StatusTooManyRequests
	case belfry.CodeUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Problem is the body of an answer that refuses or fails.
type Problem struct {
	Error string      `json:"error"` // a sentence: what is wrong and what to do
	Code  belfry.Code `json:"code"`
}

// Explain gives the status and body for an error. What has no code, and the
// cause of what has one, is not shown.
func Explain(err error) (int, Problem) {
	if e, ok := errors.AsType[*belfry.Error](err); ok && status(e.Code) != http.StatusInternalServerError {
		text := e.Message
		if e.Hint != "" {
			text += "; " + e.Hint
		}
		return status(e.Code), Problem{text, e.Code}
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge, Problem{"the body is larger than " + strconv.FormatInt(e.Limit, 10) + " bytes", belfry.CodeTooLarge}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return http.StatusServiceUnavailable, Problem{"the request was not finished in time: try again", belfry.CodeUnavailable}
	}
	return http.StatusInternalServerError, Problem{"internal error; the server's log says more", belfry.CodeInternal}
}

// Fail answers a request with an error as JSON and logs it: the server's own
// faults as errors, refusals with who, what and why. c may be the zero Caller.
func (g *Gate) Fail(w http.ResponseWriter, r *http.Request, c Caller, err error) {
	code, problem := Explain(err)
	h := w.Header()
	switch code {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="belfry"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", httpx.RetryAfter(err))
	}
	g.logFailure(r, c, code, err)
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(problem) // the caller is gone: nobody is left to tell
}

func (g *Gate) logFailure(r *http.Request, c Caller, code int, err error) {
	level, message := slog.LevelDebug, "request failed"
	switch code {
	case http.StatusInternalServerError:
		level = slog.LevelError
	case http.StatusServiceUnavailable:
		level = slog.LevelWarn
	case http.StatusUnauthorized, http.StatusForbidden, StatusCSRF, http.StatusTooManyRequests:
		level, message = slog.LevelInfo, "request refused"
	}
	if r.Context().Err() != nil {
		level = slog.LevelDebug // the client went away
	}
	address := c.Address
	if !address.IsValid() {
		address = g.Address(r)
	}
	attrs := []slog.Attr{slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", code), slog.String("address", address.String())}
	if c.User != nil {
		attrs = append(attrs, slog.String("user", c.User.ID), slog.String("by", string(c.Kind)))
	}
	g.log.LogAttrs(r.Context(), level, message, append(attrs, slog.Any("error", err))...)
}
