package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/belfryhq/belfry"
)

// FileName is the name of the SQLite file in the data folder.
const FileName = "belfry.db"

// Config says which database. The zero value is SQLite in the working
// directory.
type Config struct {
	// URL is sqlite:///path or postgres://…; empty means SQLite in Dir.
	URL string
	// Dir is the data folder.
	Dir string
	// Connections bounds the connections to PostgreSQL; default 16.
	Connections int
	Logger      *slog.Logger // default: nothing is logged
}

// Dialect is the kind of database.
type Dialect string

// The kinds.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Querier runs statements: a DB or a Tx.
type Querier interface {
	// Exec runs a statement that gives no rows.
	Exec(ctx context.Context, query string, args ...any) (sql.Result, error)
	// Query gives rows, which the caller closes. On SQLite a DB takes it to a
	// connection that only reads.
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	// QueryRow gives the first row, or sql.ErrNoRows from its Scan. It may
	// write, as with RETURNING.
	QueryRow(ctx context.Context, query string, args ...any) Row
}

// DB is one database. Its methods may be called concurrently. Errors that say
// that the database cannot be reached have the code CodeUnavailable.
type DB struct {
	dialect Dialect
	place   string // for people, without a password
	log     *slog.Logger
	write   *sql.DB
	read    *sql.DB
	pool    *pgxpool.Pool // PostgreSQL only
}

// Open prepares the database. It makes a SQLite file, and connects to
// PostgreSQL no earlier than the first statement does, so that a server can
// start while PostgreSQL is down.
func Open(cfg Config) (*DB, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	scheme, rest, _ := strings.Cut(cfg.URL, "://")
	switch scheme {
	case "":
		return openSQLite(cfg, filepath.Join(cfg.Dir, FileName))
	case "sqlite":
		path, err := sqlitePath(rest)
		if err != nil {
			return nil, err
		}
		return openSQLite(cfg, path)
	case "postgres", "postgresql":
		return openPostgres(cfg)
	}
	return nil, belfry.Errorf(belfry.CodeInvalid, "the database's address begins with %q: use sqlite:///path or postgres://…", scheme)
}

// Dialect gives the kind of database.
func (db *DB) Dialect() Dialect { return db.dialect }

// String says where the database is, without a password.
func (db *DB) String() string { return db.place }

// SQL gives the pool that may write, for drivers that bring their own
// statements. On SQLite it has one connection.
func (db *DB) SQL() *sql.DB { return db.write }

// Pool gives the connections to PostgreSQL, nil on SQLite.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Check reaches the database, or says why it cannot.
func (db *DB) Check(ctx context.Context) error {
	_, err := db.Exec(ctx, "SELECT 1")
	return err
}

// Close ends all connections.
func (db *DB) Close() error {
	err := db.write.Close()
	if db.read != db.write {
		err = cmp.Or(db.read.Close(), err)
	}
	if db.pool != nil {
		db.pool.Close()
	}
	return err
}

// Exec implements Querier.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := outside(ctx); err != nil {
		return nil, err
	}
	result, err := db.write.ExecContext(ctx, query, args...)
	return result, db.wrap(err)
}

// Query implements Querier.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := outside(ctx); err != nil {
		return nil, err
	}
	rows, err := db.read.QueryContext(ctx, query, args...)
	return rows, db.wrap(err)
}

// QueryRow implements Querier.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) Row {
	if err := outside(ctx); err != nil {
		return Row{err: err}
	}
	from := db.read
	if writes(query) {
		from = db.write
	}
	rows, err := from.QueryContext(ctx, query, args...)
	return Row{rows: rows, err: err, db: db}
}

// writes reports whether a statement that gives rows changes something too.
func writes(query string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(query), " ")
	return !strings.EqualFold(word, "SELECT")
}

// Row is the first row of an answer.
type Row struct {
	rows *sql.Rows
	err  error
	db   *DB
}

// Scan puts the row's columns into dest, or gives sql.ErrNoRows.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.wrap(r.err)
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return r.wrap(err)
		}
		return sql.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	return r.wrap(r.rows.Close())
}

func (r Row) wrap(err error) error {
	if r.db == nil {
		return err
	}
	return r.db.wrap(err)
}

// Places gives the places of a row's values in an INSERT of several rows, "($8,
// $9)": count of them, behind those of before values.
func Places(before, count int) string {
	places := make([]string, count)
	for i := range places {
		places[i] = "$" + strconv.Itoa(before+i+1)
	}
	return "(" + strings.Join(places, ", ") + ")"
}

// Each calls scan for every row and closes rows. It is the loop that every
// list needs; err is what Query gave with rows.
func Each(rows *sql.Rows, err error, scan func(rows *sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return Classify(rows.Err())
}

// Millis is how a time is stored: milliseconds since 1970, 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time is the time that Millis stored, in UTC.
func Time(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

var _ io.Closer = (*DB)(nil)
var _ fmt.Stringer = (*DB)(nil)
