package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/belfryhq/belfry"
)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 4 << 20

// Error is a request that failed: the server refused it, could not serve it, or
// was not reached.
type Error struct {
	// Status is the answer's HTTP status; 0 when there was none.
	Status int
	// Code says what kind of failure it is, as the server names it; without an
	// answer belfry.CodeUnavailable.
	Code belfry.Code
	// Message is a sentence that says what is wrong and what to do.
	Message string
	// RetryAfter is when the server wants to be asked again; 0 when it does not say.
	RetryAfter time.Duration
	// Err is the cause, if there is one besides the answer.
	Err error
}

// Error gives the message, then the cause.
func (e *Error) Error() string {
	text := e.Message
	if e.Status != 0 {
		text += " (" + strconv.Itoa(e.Status) + ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Temporary reports whether the same request may succeed later.
func (e *Error) Temporary() bool {
	switch e.Status {
	case 0:
		return e.Code == belfry.CodeUnavailable
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= 500
}

// ask makes a request, again if need be, and reads the answer into v.
func (c *Client) ask(ctx context.Context, method, path string, body []byte, key string, v any) (http.Header, error) {
	pause := c.cfg.Backoff
	for try := 1; ; try++ {
		head, err := c.once(ctx, method, path, body, key, v)
		if err == nil {
			return head, nil
		}
		if ctx.Err() != nil {
			return nil, ended(ctx, err)
		}
		wait := min(pause, c.cfg.LongestBackoff)
		wait = wait/2 + rand.N(wait/2+1)
		pause *= 2
		if err.RetryAfter > 0 {
			wait = err.RetryAfter
		}
		if !err.Temporary() || try >= c.cfg.Tries || wait > c.cfg.LongestBackoff {
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ended(ctx, err)
		}
	}
}

// ended is the error of a request whose context ended.
func ended(ctx context.Context, last *Error) error {
	cause := context.Cause(ctx)
	if errors.Is(last, cause) {
		return last
	}
	return fmt.Errorf("%w; the last try: %w", cause, last)
}

// once makes one try.
func (c *Client) once(ctx context.Context, method, path string, body []byte, key string, v any) (http.Header, *Error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Code: belfry.CodeInvalid, Message: "client: the request cannot be made", Err: err}
	}
	r.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	r.Header.Set("Accept", "application/json")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.cfg.HTTPClient.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, &Error{Code: belfry.CodeUnavailable, Message: "the server " + r.URL.Host + " did not answer", Err: err}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &Error{Code: belfry.CodeUnavailable, Message: "the server " + r.URL.Host + " broke off its answer", Err: err}
	}
	if resp.StatusCode/100 != 2 {
		return nil, refusal(resp, answer)
	}
	if err := json.Unmarshal(answer, v); err != nil {
		return nil, &Error{Status: resp.StatusCode, Code: belfry.CodeInternal, Message: "the answer of " + r.URL.Host + " is not Belfry's: check Config.URL", Err: err}
	}
	return resp.Header, nil
}

// refusal reads an answer that is none.
func refusal(resp *http.Response, answer []byte) *Error {
	e := &Error{Status: resp.StatusCode}
	var problem struct {
		Error string      `json:"error"`
		Code  belfry.Code `json:"code"`
	}
	if json.Unmarshal(answer, &problem) == nil && problem.Error != "" {
		e.Message, e.Code = problem.Error, problem.Code
	} else { // a proxy's page
		e.Message, e.Code = "the server answered "+http.StatusText(resp.StatusCode), belfry.CodeInternal
		if e.Temporary() {
			e.Code = belfry.CodeUnavailable
		}
		if to := resp.Header.Get("Location"); resp.StatusCode/100 == 3 && to != "" {
			e.Message = "the server redirects: put its real address into Config.URL"
		}
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 && seconds < 1<<31 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}
