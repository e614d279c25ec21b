package service

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// FileName is the name of the SQLite file in the service's folder.
const FileName = "checkins.db"

// database is where the service keeps all it has. Statements are the same text
// for SQLite and PostgreSQL; how a time is written is not.
type database struct {
	dialect     string  // sqlite or postgres
	write, read *sql.DB // the same on PostgreSQL
}

// openDatabase opens the database of an address and brings its schema up. An
// empty address is SQLite in dir.
func openDatabase(ctx context.Context, address, dir string) (db *database, err error) {
	switch scheme, rest, _ := strings.Cut(address, "://"); scheme {
	case "":
		db, err = openSQLite(filepath.Join(dir, FileName))
	case "sqlite":
		file, unescaped := url.PathUnescape(rest)
		if unescaped != nil || strings.Trim(file, "/") == "" {
			return nil, errors.New("the database's address names no file: write sqlite:///path/to/" + FileName)
		}
		if strings.HasPrefix(file, "/") {
			file = "/" + strings.TrimLeft(file, "/")
		}
		db, err = openSQLite(filepath.FromSlash(file))
	case "postgres", "postgresql":
		db = &database{dialect: "postgres"}
		if db.write, err = sql.Open("pgx", address); err != nil {
			// The driver's message may quote the address, which may hold a password.
			return nil, errors.New("the database's address cannot be read: write postgres://USER:PASSWORD@HOST:5432/NAME")
		}
		db.write.SetMaxOpenConns(8)
		db.write.SetMaxIdleConns(8)
		db.read = db.write
	default:
		return nil, errors.New("the database's address begins with something else than sqlite:/// or postgres://")
	}
	if err != nil {
		return nil, err
	}
	if err := db.migrate(ctx); err != nil {
		db.close()
		return nil, fmt.Errorf("bring the schema up: %w", err)
	}
	return db, nil
}

// openSQLite opens the file, making it, for its owner only, if need be. Writes
// go over one connection, since SQLite has one writer.
func openSQLite(file string) (*database, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the database: %w", err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	name := "file:" + (&url.URL{Path: filepath.ToSlash(file)}).EscapedPath() +
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&"
	db := &database{dialect: "sqlite"}
	if db.write, err = sql.Open("sqlite", name+"_txlock=immediate"); err != nil {
		return nil, err
	}
	if db.read, err = sql.Open("sqlite", name+"_pragma=query_only(1)"); err != nil {
		return nil, err
	}
	db.write.SetMaxOpenConns(1)
	db.read.SetMaxOpenConns(4)
	db.read.SetMaxIdleConns(4)
	return db, nil
}

func (db *database) close() error {
	err := db.write.Close()
	if db.read != db.write {
		err = cmp.Or(db.read.Close(), err)
	}
	return err
}

//go:embed migrations
var migrations embed.FS

// migrate takes the steps that this database has not taken yet, each with its
// note in one transaction.
func (db *database) migrate(ctx context.Context) error {
	folder := path.Join("migrations", db.dialect)
	files, err := migrations.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, file := range files {
		number, err := strconv.Atoi(file.Name()[:4])
		if err != nil {
			return fmt.Errorf("%s has no number", file.Name())
		}
		statements, err := migrations.ReadFile(path.Join(folder, file.Name()))
		if err != nil {
			return err
		}
		if err := db.step(ctx, number, string(statements)); err != nil {
			return fmt.Errorf("%s: %w", file.Name(), err)
		}
	}
	return nil
}

// migrating is the number of the lock under which PostgreSQL's schema changes.
const migrating = 7_220_118_010

func (db *database) step(ctx context.Context, number int, statements string) error {
	return db.transaction(ctx, func(tx *sql.Tx) error {
		if db.dialect == "postgres" {
			if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrating)); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS checkins_schema (step INTEGER PRIMARY KEY)"); err != nil {
			return err
		}
		var taken int
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM checkins_schema WHERE step = $1", number).Scan(&taken)
		if err != nil || taken > 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, statements); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO checkins_schema (step) VALUES ($1)", number)
		return err
	})
}

func (db *database) transaction(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing after a commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// textTime is a time as SQLite has it.
const textTime = "2006-01-02T15:04:05.000Z"

// time gives a time as the database takes it.
func (db *database) time(t time.Time) any {
	t = t.UTC().Truncate(time.Millisecond)
	if db.dialect == "sqlite" {
		return t.Format(textTime)
	}
	return t
}

// moment reads a time of either database.
type moment struct{ time.Time }

// Scan implements sql.Scanner.
func (m *moment) Scan(value any) (err error) {
	switch v := value.(type) {
	case time.Time:
		m.Time = v.UTC()
	case string:
		m.Time, err = time.Parse(textTime, v)
	default:
		err = fmt.Errorf("a time is a %T", value)
	}
	return err
}
