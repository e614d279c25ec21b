package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/belfryhq/belfry"
)

func (db *DB) wrap(err error) error { return Classify(err) }

// Classify gives err the code CodeUnavailable when it says that the database
// cannot be reached or is too busy, and leaves every other error as it is.
func Classify(err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled), belfry.CodeOf(err) == belfry.CodeUnavailable:
		return err
	case unreachable(err):
		return &belfry.Error{Code: belfry.CodeUnavailable, Message: "the database cannot be reached",
			Hint: "see that it runs and that DATABASE_URL names it; a server or worker that is running tries again by itself", Err: oneLine{err}}
	}
	return err
}

func unreachable(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		// connection exceptions, operator intervention, insufficient resources
		return strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "57P") || strings.HasPrefix(e.Code, "53")
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY:
			return true
		}
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) ||
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}

// IsDuplicate reports whether err says that a unique key stands already.
func IsDuplicate(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505"
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == lib.SQLITE_CONSTRAINT_UNIQUE || e.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// oneLine shows an error in one line: pgx gives each address that it tried one
// of its own, and each twice.
type oneLine struct{ error }

// Error implements error.
func (e oneLine) Error() string {
	var lines []string
	for line := range strings.Lines(e.error.Error()) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// Unwrap gives the error itself.
func (e oneLine) Unwrap() error { return e.error }
