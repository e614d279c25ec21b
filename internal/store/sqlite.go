package store

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/belfryhq/belfry"
)

// openSQLite opens the file, making it, readable by its owner only, if need be.
// Writes go over one connection: SQLite has one writer, and waiting for it in
// Go is fair and cheap, where SQLite's own waiting is neither.
func openSQLite(cfg Config, path string) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the database: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, &belfry.Error{Code: belfry.CodeUnavailable, Message: "the database file cannot be opened", Err: err}
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite", sqliteName(path, "_txlock=immediate"))
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	write.SetConnMaxIdleTime(0)
	read, err := sql.Open("sqlite", sqliteName(path, "_pragma=query_only(1)"))
	if err != nil {
		return nil, err
	}
	read.SetMaxOpenConns(8)
	read.SetMaxIdleConns(8)
	return &DB{dialect: SQLite, place: "sqlite " + path, log: cfg.Logger, write: write, read: read}, nil
}

// sqliteName makes the driver's name for the file. A commit is on disk when it
// is answered (synchronous FULL): what was acknowledged outlives a power cut.
func sqliteName(path, option string) string {
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() +
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&" + option
}
