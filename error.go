package belfry

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an Error is. Doors translate it: one table to
// HTTP statuses, one to protocol codes.
type Code string

// The kinds of failure. An error without a code counts as CodeInternal.
const (
	CodeInternal        Code = "internal"
	CodeInvalid         Code = "invalid"
	CodeUnauthenticated Code = "unauthenticated"
	CodeForbidden       Code = "forbidden"
	CodeNotFound        Code = "not_found"
	CodeConflict        Code = "conflict"
	CodeTooLarge        Code = "too_large"
	CodeRateLimited     Code = "rate_limited"
	CodeUnavailable     Code = "unavailable"
)

// Error is a failure with a message that may be shown to whoever caused it.
// The cause, if any, is for the log alone.
type Error struct {
	Code    Code
	Message string // a sentence that says what is wrong, never a secret
	Hint    string // what to do about it; may be empty
	Err     error  // the cause; may be nil
}

// Error gives the message, then the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of the given kind whose message is the formatted text.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf gives the code of the first Error in err's chain: CodeInternal when
// there is none, the empty code for a nil error.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// Public gives the text that an outsider may see: the message of the first
// Error in err's chain, or "internal error".
func Public(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Code != CodeInternal {
		return e.Message
	}
	return "internal error"
}
