package store

import (
	"context"
	"database/sql"
	"sync/atomic"
)

// Statement is a statement that is used often, which SQLite parses and plans
// once instead of at each use; that costs it more than most statements do. On
// PostgreSQL it is like any other: pgx does so by itself. Its methods may be
// called concurrently. It ends with its database.
type Statement struct {
	db    *DB
	query string
	made  atomic.Pointer[sql.Stmt]
}

// Statement makes a Statement. It does not reach the database.
func (db *DB) Statement(query string) *Statement { return &Statement{db: db, query: query} }

// Exec is DB.Exec.
func (s *Statement) Exec(ctx context.Context, args ...any) (sql.Result, error) {
	if s.db.dialect == Postgres {
		return s.db.Exec(ctx, s.query, args...)
	}
	stmt, err := s.prepare(ctx)
	if err != nil {
		return nil, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	return result, s.db.wrap(err)
}

// Query is DB.Query, for statements that change nothing, and the like of it for
// those that do.
func (s *Statement) Query(ctx context.Context, args ...any) (*sql.Rows, error) {
	if s.db.dialect == Postgres {
		return s.db.Query(ctx, s.query, args...)
	}
	stmt, err := s.prepare(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	return rows, s.db.wrap(err)
}

// Prepare parses the statement, if that was not done. A transaction cannot: it
// holds the one connection that writes.
func (s *Statement) Prepare(ctx context.Context) error {
	if s.db.dialect == Postgres {
		return nil
	}
	_, err := s.prepare(ctx)
	return err
}

// QueryTx is Tx.Query. Only a statement that was prepared before saves anything.
func (s *Statement) QueryTx(ctx context.Context, tx *Tx, args ...any) (*sql.Rows, error) {
	stmt := s.made.Load()
	if stmt == nil || tx.sql == nil {
		return tx.Query(ctx, s.query, args...)
	}
	rows, err := tx.sql.StmtContext(ctx, stmt).QueryContext(ctx, args...)
	return rows, s.db.wrap(err)
}

func (s *Statement) prepare(ctx context.Context) (*sql.Stmt, error) {
	if err := outside(ctx); err != nil {
		return nil, err
	}
	if stmt := s.made.Load(); stmt != nil {
		return stmt, nil
	}
	pool := s.db.read
	if writes(s.query) {
		pool = s.db.write
	}
	stmt, err := pool.PrepareContext(ctx, s.query)
	if err != nil {
		return nil, s.db.wrap(err)
	}
	if !s.made.CompareAndSwap(nil, stmt) { // another was faster
		stmt.Close()
	}
	return s.made.Load(), nil
}
