package httpx

import (
	"errors"
	"strconv"
	"time"
)

// RetryAfter gives the value of the header Retry-After for an error: the pause
// of the first in its chain that has one, in whole seconds, at least one.
func RetryAfter(err error) string {
	var wait time.Duration
	if e, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err); ok {
		wait = e.RetryAfter()
	}
	return strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second)))
}
