package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/belfryhq/belfry"
)

// Source is somebody's database that is only read: its connections are its own
// and few, each statement is one SELECT, and nothing that it names can be
// written, attached or loaded. Its methods may be called concurrently.
type Source struct {
	dialect Dialect
	place   string
	db      *sql.DB
}

// Question is what Source.Read asks.
type Question struct {
	// SQL is one statement that gives rows, with $1, $2 … for Args. Read puts it
	// into another that bounds it, so it must not end in a semicolon.
	SQL  string
	Args []any
	// Timeout bounds it all; required.
	Timeout time.Duration
	// Rows and Bytes bound the answer: one row more is read than Rows, so that the
	// caller sees that there are too many. Bytes counts texts and bytes roughly;
	// beyond it Read gives CodeTooLarge. Both are required.
	Rows, Bytes int
}

// Table is an answer. Values are nil, bool, int64, float64, string, []byte or
// time.Time.
type Table struct {
	Columns []Column
	Rows    [][]any
}

// Column is a column of a Table.
type Column struct {
	Name string
	// Type is the database's own name of it, in capitals: NUMERIC, JSONB, DATE.
	// Empty for expressions on SQLite.
	Type string
}

// OpenSource prepares a database at sqlite:///path or postgres://…, with at
// most so many connections. It reaches nothing: the database may be away, and
// the file not be there yet.
func OpenSource(address string, connections int) (*Source, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	var s *Source
	switch scheme {
	case "sqlite":
		path, err := sqlitePath(rest)
		if err != nil {
			return nil, err
		}
		// Reading waits for a writer's lock a second at most; with WAL it does not
		// wait at all.
		name := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() +
			"?mode=ro&_pragma=busy_timeout(1000)&_pragma=query_only(1)&_pragma=trusted_schema(0)&_defensive=1"
		db, err := sql.Open("sqlite", name)
		if err != nil {
			return nil, err
		}
		s = &Source{dialect: SQLite, place: "sqlite " + path, db: db}
	case "postgres", "postgresql":
		settings, err := pgx.ParseConfig(address)
		if err != nil { // the parser's message may quote the address
			return nil, belfry.Errorf(belfry.CodeInvalid, "the database's address cannot be read: write postgres://USER:PASSWORD@HOST:5432/NAME, with %%-escapes for special characters")
		}
		settings.ConnectTimeout = cmp.Or(settings.ConnectTimeout, 5*time.Second)
		settings.RuntimeParams["application_name"] = cmp.Or(settings.RuntimeParams["application_name"], "belfry dashboards")
		if settings.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
			// Plans that are kept fail once when a table changes, and not every pooler
			// keeps them.
			settings.DefaultQueryExecMode = pgx.QueryExecModeExec
		}
		s = &Source{dialect: Postgres, db: stdlib.OpenDB(*settings),
			place: fmt.Sprintf("postgres %s:%d/%s", settings.Host, settings.Port, settings.Database)}
	default:
		return nil, belfry.Errorf(belfry.CodeInvalid, "the database's address begins with %q: use sqlite:///path or postgres://…", scheme)
	}
	s.db.SetMaxOpenConns(connections)
	s.db.SetMaxIdleConns(connections)
	s.db.SetConnMaxIdleTime(5 * time.Minute)
	return s, nil
}

// sqlitePath gives the path in what follows sqlite://.
func sqlitePath(rest string) (string, error) {
	path, err := url.PathUnescape(strings.TrimPrefix(rest, "/"))
	if err != nil || path == "" {
		return "", belfry.Errorf(belfry.CodeInvalid, "the database's address names no file: write sqlite:///path/to/belfry.db")
	}
	if strings.HasPrefix(rest, "//") { // sqlite:////absolute
		path = "/" + strings.TrimLeft(path, "/")
	} else if rest[0] == '/' && !filepath.IsAbs(path) {
		path = "/" + path
	}
	return filepath.FromSlash(path), nil
}

// Dialect gives the kind of database.
func (s *Source) Dialect() Dialect { return s.dialect }

// String says where the database is, without a password.
func (s *Source) String() string { return s.place }

// Close ends the connections, those in use when they are given back.
func (s *Source) Close() error { return s.db.Close() }

// Check reaches the database, or gives CodeUnavailable.
func (s *Source) Check(ctx context.Context) error {
	_, err := s.Read(ctx, Question{SQL: "SELECT 1", Timeout: 5 * time.Second, Rows: 1, Bytes: 100})
	return err
}

// Read asks one question and waits for the answer. The errors have the codes
// CodeUnavailable (the database cannot be reached or is busy), CodeTooLarge
// (see Question.Bytes), CodeForbidden (the statement would write) and
// CodeRateLimited (it ran out of time); another one is the database's own.
func (s *Source) Read(ctx context.Context, q Question) (Table, error) {
	limited, cancel := context.WithTimeout(ctx, q.Timeout)
	defer cancel()
	table, err := s.read(limited, q)
	// Connections that the server, or something before it, has ended since their
	// last use say so only now.
	for range s.db.Stats().MaxOpenConnections {
		if !isBroken(err) || limited.Err() != nil {
			break
		}
		table, err = s.read(limited, q)
	}
	switch {
	case err == nil, ctx.Err() != nil:
		return table, cmp.Or(ctx.Err(), err)
	case isState(err, "57014"), limited.Err() != nil && belfry.CodeOf(err) != belfry.CodeTooLarge:
		return Table{}, &belfry.Error{Code: belfry.CodeRateLimited, Message: fmt.Sprintf("the query did not end within %s and was stopped", q.Timeout), Err: err}
	case isState(err, "25006"), isReadOnly(err):
		return Table{}, &belfry.Error{Code: belfry.CodeForbidden, Message: "the query would write, which is refused", Err: err}
	}
	return Table{}, Classify(err)
}

func (s *Source) read(ctx context.Context, q Question) (t Table, err error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		// Not having come this far in time is no fault of the query.
		return t, &belfry.Error{Code: belfry.CodeUnavailable, Message: "the database cannot be reached", Err: oneLine{err}}
	}
	defer conn.Close()
	if s.dialect == Postgres {
		return s.readPostgres(ctx, conn, q)
	}
	for id, most := range map[int]int{lib.SQLITE_LIMIT_ATTACHED: 0, lib.SQLITE_LIMIT_LENGTH: 16 << 20} {
		if _, err := sqlite.Limit(conn, id, most); err != nil {
			return t, err
		}
	}
	// The driver can stop a statement only until its first row, so all rows are
	// made before that.
	text := fmt.Sprintf("WITH figure AS MATERIALIZED (SELECT * FROM (%s\n) LIMIT %d) SELECT * FROM figure", q.SQL, q.Rows+1)
	rows, err := conn.QueryContext(ctx, text, q.Args...)
	if err != nil {
		return t, err
	}
	return tableOf(rows, q.Bytes)
}

// readPostgres reads in a transaction that cannot write and is always undone.
// Times without a zone are taken for UTC.
func (s *Source) readPostgres(ctx context.Context, conn *sql.Conn, q Question) (t Table, err error) {
	err = conn.Raw(func(held any) error {
		c, ok := held.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the driver gave a %T", held)
		}
		_, err := c.Conn().Exec(ctx, fmt.Sprintf("BEGIN READ ONLY; SET LOCAL statement_timeout = %d; SET LOCAL timezone = 'UTC'", max(1, q.Timeout.Milliseconds())))
		return err
	})
	if err != nil {
		return t, err
	}
	rows, err := conn.QueryContext(ctx, fmt.Sprintf("SELECT * FROM (%s\n) AS figure LIMIT %d", q.SQL, q.Rows+1), q.Args...)
	if err == nil {
		t, err = tableOf(rows, q.Bytes)
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Raw(func(held any) error {
		if _, undone := held.(*stdlib.Conn).Conn().Exec(undo, "ROLLBACK"); undone != nil {
			return driver.ErrBadConn // thrown away, with its transaction
		}
		return nil
	})
	return t, err
}

// tableOf reads and closes rows.
func tableOf(rows *sql.Rows, most int) (t Table, err error) {
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return t, err
	}
	for _, c := range types {
		t.Columns = append(t.Columns, Column{Name: c.Name(), Type: strings.ToUpper(c.DatabaseTypeName())})
	}
	size := 0
	for rows.Next() {
		values, into := make([]any, len(types)), make([]any, len(types))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return t, err
		}
		for _, v := range values {
			switch v := v.(type) {
			case string:
				size += len(v)
			case []byte:
				size += len(v)
			}
			size += 8
		}
		if size > most {
			return Table{}, belfry.Errorf(belfry.CodeTooLarge, "the query gives more than %d bytes", most)
		}
		t.Rows = append(t.Rows, values)
	}
	return t, rows.Err()
}

// isBroken reports whether a connection that stood has ended.
func isBroken(err error) bool {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	if err == nil || connecting {
		return false
	}
	return isState(err, "57P01") || pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func isState(err error, state string) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == state
}

func isReadOnly(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == lib.SQLITE_READONLY
}
