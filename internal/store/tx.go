package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Tx is a transaction. It is used by one goroutine at a time, and only inside
// the function that DB.Tx calls.
type Tx struct {
	db    *DB
	on    statements
	sql   *sql.Tx // SQLite only
	pgx   pgx.Tx  // PostgreSQL only
	after []func()

	relaxed bool // its commit need not be on the disk
}

type statements interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

type insideKey struct{}

var errInside = errors.New("the database was used inside a transaction other than through it, which would wait for itself")

// outside refuses a context that belongs to a transaction.
func outside(ctx context.Context) error {
	if ctx.Value(insideKey{}) != nil {
		return errInside
	}
	return nil
}

// Tx runs f in a transaction that commits when f returns nil and is undone
// otherwise. Under SQLite it holds the one writer from its beginning. The
// context that f gets marks everything that it is handed to as inside.
func (db *DB) Tx(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	return db.transact(ctx, f, false)
}

// RelaxedTx is Tx for what may be undone by a power cut, or by a crash of
// PostgreSQL, although it was committed: it does not wait for the disk. Others
// see it as they see any commit, it outlives this process, and the next commit of
// Tx carries it to the disk too.
func (db *DB) RelaxedTx(ctx context.Context, f func(ctx context.Context, tx *Tx) error) error {
	return db.transact(ctx, f, true)
}

func (db *DB) transact(ctx context.Context, f func(ctx context.Context, tx *Tx) error, relaxed bool) error {
	if err := outside(ctx); err != nil {
		return err
	}
	tx := &Tx{db: db, relaxed: relaxed}
	var err error
	if db.dialect == Postgres {
		err = db.withPgx(ctx, tx, f)
	} else {
		err = db.withSQL(ctx, tx, f)
	}
	if err != nil {
		return db.wrap(err)
	}
	for _, f := range tx.after {
		f()
	}
	return nil
}

func (db *DB) withSQL(ctx context.Context, tx *Tx, f func(context.Context, *Tx) error) (err error) {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if tx.relaxed {
		defer strict(context.WithoutCancel(ctx), conn)
		if _, err := conn.ExecContext(ctx, "PRAGMA synchronous = NORMAL"); err != nil {
			return err
		}
	}
	if tx.sql, err = conn.BeginTx(ctx, nil); err != nil {
		return err
	}
	defer tx.sql.Rollback() // nothing after a commit
	tx.on = tx.sql
	if err := f(context.WithValue(ctx, insideKey{}, tx), tx); err != nil {
		return err
	}
	return tx.sql.Commit()
}

// strict makes a connection wait for the disk again. One that does not obey is
// thrown away.
func strict(ctx context.Context, conn *sql.Conn) {
	if _, err := conn.ExecContext(ctx, "PRAGMA synchronous = FULL"); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// withPgx holds one connection and begins pgx's own transaction on it, which
// River wants; statements over database/sql on that connection are inside it.
func (db *DB) withPgx(ctx context.Context, tx *Tx, f func(context.Context, *Tx) error) error {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var options pgx.TxOptions
	if tx.relaxed {
		options.BeginQuery = "BEGIN; SET LOCAL synchronous_commit = off"
	}
	err = conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the driver gave a %T", driver)
		}
		tx.pgx, err = c.Conn().BeginTx(ctx, options)
		return err
	})
	if err != nil {
		return err
	}
	defer func() {
		// A cancelled context must not leave the transaction open.
		tx.pgx.Rollback(context.WithoutCancel(ctx)) // nothing after a commit
	}()
	tx.on = conn
	if err := f(context.WithValue(ctx, insideKey{}, tx), tx); err != nil {
		return err
	}
	return tx.pgx.Commit(ctx)
}

// Exec implements Querier.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	result, err := tx.on.ExecContext(ctx, query, args...)
	return result, tx.db.wrap(err)
}

// Query implements Querier. The rows must be read and closed before the next
// statement.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := tx.on.QueryContext(ctx, query, args...)
	return rows, tx.db.wrap(err)
}

// QueryRow implements Querier.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) Row {
	rows, err := tx.on.QueryContext(ctx, query, args...)
	return Row{rows: rows, err: err, db: tx.db}
}

// AfterCommit has f called once the transaction has committed, in the order of
// the calls; never when it is undone.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// DB gives the transaction's database.
func (tx *Tx) DB() *DB { return tx.db }

// SQLTx gives the transaction under SQLite, nil under PostgreSQL. Do not end it.
func (tx *Tx) SQLTx() *sql.Tx { return tx.sql }

// PgxTx gives the transaction under PostgreSQL, nil under SQLite. Do not end it.
func (tx *Tx) PgxTx() pgx.Tx { return tx.pgx }
