package pushercast

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/belfryhq/belfry"
)

// maxAnswer bounds the answer that is read, in bytes.
const maxAnswer = 1 << 20

// call is the transport of one call of the client library. It adds what the
// library has no word for: the context and the Idempotency-Key, and keeps what
// the library gives as text.
type call struct {
	ctx  context.Context
	next http.RoundTripper
	key  string

	status int // 0: no answer
}

// RoundTrip implements http.RoundTripper.
func (c *call) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(c.ctx)
	if c.key != "" {
		r.Header.Set("Idempotency-Key", c.key)
	}
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	c.status = resp.StatusCode
	resp.Body = &bounded{Reader: io.LimitReader(resp.Body, maxAnswer), Closer: resp.Body}
	return resp, nil
}

type bounded struct {
	io.Reader
	io.Closer
}

// explain gives a failed call's error the code that says whether to try again,
// and a hint. What the target answered is the cause: it is for the log.
func (d *Driver) explain(c *call, err error) error {
	target := d.Target()
	fault := func(code belfry.Code, hint, format string, args ...any) error {
		return &belfry.Error{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint, Err: cause(err)}
	}
	switch s := c.status; {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case s == 0 && c.ctx.Err() != nil:
		return fault(belfry.CodeUnavailable, "see whether the target is up and reachable from here", "the broadcaster %s did not answer in time", target)
	case s == 0 && isNetwork(err):
		return fault(belfry.CodeUnavailable, "check PUSHER_HOST, PUSHER_PORT and PUSHER_SCHEME, and whether the target is up", "the broadcaster %s cannot be reached", target)
	case s == 0: // the library itself refused
		return fault(belfry.CodeInvalid, "", "the event cannot be sent to %s", target)
	case s == http.StatusUnauthorized:
		return fault(belfry.CodeForbidden, "check PUSHER_APP_KEY and PUSHER_APP_SECRET, and this machine's clock", "the broadcaster %s refused the credentials (401)", target)
	case s == http.StatusForbidden:
		return fault(belfry.CodeForbidden, "the app is disabled or over its quota there", "the broadcaster %s refused the event (403)", target)
	case s == http.StatusNotFound:
		return fault(belfry.CodeNotFound, "check PUSHER_APP_ID and PUSHER_APP_CLUSTER", "the broadcaster %s knows no app %q (404)", target, d.cfg.AppID)
	case s == http.StatusRequestEntityTooLarge:
		return fault(belfry.CodeTooLarge, "send less data, or raise the target's limit", "the event is too large for the broadcaster %s (413)", target)
	case s == http.StatusTooManyRequests:
		return fault(belfry.CodeRateLimited, "the app's rate there is used up for the moment", "the broadcaster %s takes no more events at the moment (429)", target)
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s >= 500:
		return fault(belfry.CodeUnavailable, "it is tried again by itself where the event is queued", "the broadcaster %s failed (%d)", target, s)
	case s >= 300 && s < 400:
		return fault(belfry.CodeInvalid, "check PUSHER_SCHEME and PUSHER_HOST: redirects are not followed", "the broadcaster %s redirects (%d)", target, s)
	case s >= 400:
		return fault(belfry.CodeInvalid, "the log has the target's reason", "the broadcaster %s refused the event (%d)", target, s)
	}
	return fault(belfry.CodeUnavailable, "check that PUSHER_HOST is a server of the Pusher protocol", "the answer of the broadcaster %s cannot be read", target)
}

// isNetwork tells an error of the exchange from one of the library's checks.
func isNetwork(err error) bool {
	_, ok := errors.AsType[*url.Error](err)
	return ok
}

// cause is err without the URL, which holds the signature.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	const most = 500
	if text := err.Error(); len(text) > most {
		return errors.New(strings.ToValidUTF8(text[:most], "") + "…")
	}
	return err
}
