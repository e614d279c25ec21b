package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/test/services"
)

// each runs a test on a fresh database of each kind.
func each(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, store.Config{Dir: t.TempDir()})) })
	t.Run("postgres", func(t *testing.T) { test(t, open(t, store.Config{URL: services.Postgres(t)})) })
}

func open(t *testing.T, cfg store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, db *store.DB) (n int) {
	t.Helper()
	must(t, db.QueryRow(t.Context(), `SELECT count(*) FROM things`).Scan(&n))
	return n
}

func things(t *testing.T, db *store.DB) {
	t.Helper()
	_, err := db.Exec(t.Context(), `CREATE TABLE things (name TEXT PRIMARY KEY, at BIGINT NOT NULL, good BOOLEAN NOT NULL)`)
	must(t, err)
}

func insert(ctx context.Context, q store.Querier, name string) error {
	_, err := q.Exec(ctx, `INSERT INTO things (name, at, good) VALUES ($1, $2, $3)`, name, store.Millis(time.UnixMilli(1700)), true)
	return err
}

func TestMigrateIsDoneOnceByMany(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		pending, err := db.Pending(t.Context())
		must(t, err)
		var group sync.WaitGroup
		steps := make(chan int, 4)
		for range cap(steps) {
			group.Go(func() {
				taken, err := db.Migrate(t.Context())
				if err != nil {
					t.Error(err)
				}
				steps <- len(taken)
			})
		}
		group.Wait()
		close(steps)
		sum := 0
		for n := range steps {
			sum += n
		}
		if pending == 0 || sum != pending {
			t.Errorf("%d steps taken, %d were pending", sum, pending)
		}
		if pending, err = db.Pending(t.Context()); err != nil || pending != 0 {
			t.Errorf("%d pending afterwards, %v", pending, err)
		}
	})
}

func TestKeysAreSharedAndKept(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		_, err := db.Migrate(t.Context())
		must(t, err)
		first, err := db.Key(t.Context(), "session", 32)
		must(t, err)
		again, err := db.Key(t.Context(), "session", 32)
		must(t, err)
		other, err := db.Key(t.Context(), "other", 32)
		must(t, err)
		if len(first) != 32 || string(first) != string(again) || string(first) == string(other) {
			t.Errorf("keys %x, %x, %x", first, again, other)
		}
	})
}

// A relaxed transaction does not wait for the disk; all others do.
func TestRelaxedTxRelaxesItselfOnly(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		things(t, db)
		query, relaxed, strict := "PRAGMA synchronous", "1", "2"
		if db.Dialect() == store.Postgres {
			query, relaxed, strict = "SHOW synchronous_commit", "off", "on"
		}
		setting := func(ctx context.Context, q interface {
			QueryRow(ctx context.Context, query string, args ...any) store.Row
		}) (s string) {
			must(t, q.QueryRow(ctx, query).Scan(&s))
			return s
		}
		refused := errors.New("refused")
		for name, answer := range map[string]error{"kept": nil, "undone": refused} {
			err := db.RelaxedTx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				if got := setting(ctx, tx); got != relaxed {
					t.Errorf("inside it is %s, want %s", got, relaxed)
				}
				must(t, insert(ctx, tx, name))
				return answer
			})
			if !errors.Is(err, answer) {
				t.Errorf("%v, want %v", err, answer)
			}
			must(t, db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				if got := setting(ctx, tx); got != strict {
					t.Errorf("after it, it is %s, want %s", got, strict)
				}
				return nil
			}))
		}
		if n := count(t, db); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestTxIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		things(t, db)
		var told []string
		refused := errors.New("refused")
		err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			tx.AfterCommit(func() { told = append(told, "undone") })
			must(t, insert(ctx, tx, "a"))
			return refused
		})
		if !errors.Is(err, refused) || count(t, db) != 0 || len(told) > 0 {
			t.Errorf("undone: %v, %d rows, told %q", err, count(t, db), told)
		}
		must(t, db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			tx.AfterCommit(func() { told = append(told, "first") })
			tx.AfterCommit(func() { told = append(told, "second") })
			if (tx.PgxTx() != nil) != (db.Dialect() == store.Postgres) || (tx.SQLTx() != nil) != (db.Dialect() == store.SQLite) {
				t.Error("the transaction is not that of its database")
			}
			if err := insert(ctx, tx, "a"); err != nil {
				return err
			}
			var at int64
			var good bool
			if err := tx.QueryRow(ctx, `SELECT at, good FROM things WHERE name = $1`, "a").Scan(&at, &good); err != nil {
				return err
			}
			if !store.Time(at).Equal(time.UnixMilli(1700)) || !good {
				t.Errorf("read back %v, %v", store.Time(at), good)
			}
			return nil
		}))
		if count(t, db) != 1 || strings.Join(told, " ") != "first second" {
			t.Errorf("committed: %d rows, told %q", count(t, db), told)
		}
	})
}

func TestTheDatabaseIsNotUsedPastItsTransaction(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		things(t, db)
		must(t, db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			var n int
			_, exec := db.Exec(ctx, `DELETE FROM things`)
			_, query := db.Query(ctx, `SELECT 1`)
			for what, err := range map[string]error{
				"Exec":     exec,
				"Query":    query,
				"QueryRow": db.QueryRow(ctx, `SELECT 1`).Scan(&n),
				"Tx":       db.Tx(ctx, func(context.Context, *store.Tx) error { return nil }),
			} {
				if err == nil || !strings.Contains(err.Error(), "inside a transaction") {
					t.Errorf("%s inside a transaction: %v", what, err)
				}
			}
			return nil
		}))
	})
}

func TestConcurrentTransactionsWait(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		things(t, db)
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					return insert(ctx, tx, string(rune('a'+i)))
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if n := count(t, db); n != 20 {
			t.Errorf("%d rows, want 20", n)
		}
	})
}

func TestReturningAndNoRows(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		things(t, db)
		var name string
		must(t, db.QueryRow(t.Context(), `INSERT INTO things (name, at, good) VALUES ($1, 1, false) RETURNING name`, "x").Scan(&name))
		if name != "x" {
			t.Errorf("returned %q", name)
		}
		err := db.QueryRow(t.Context(), `SELECT name FROM things WHERE name = $1`, "y").Scan(&name)
		if !errors.Is(err, sql.ErrNoRows) || !store.NoRows(err) {
			t.Errorf("no row: %v", err)
		}
		if err := insert(t.Context(), db, "x"); !store.IsDuplicate(err) {
			t.Errorf("a second x: %v", err)
		}
	})
}

func TestCancelledTransactionLeavesTheConnectionFree(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		things(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			must(t, insert(ctx, tx, "a"))
			cancel()
			return ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows of a cancelled transaction", n)
		}
		must(t, insert(t.Context(), db, "b"))
	})
}

func TestSQLiteFileIsTheOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // its rights are not in the file's mode
	}
	dir := filepath.Join(t.TempDir(), "data")
	db := open(t, store.Config{Dir: dir})
	must(t, db.Check(t.Context()))
	info, err := os.Stat(filepath.Join(dir, store.FileName))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestAddresses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.ToSlash(filepath.Join(dir, "a b.db"))
	db := open(t, store.Config{URL: "sqlite://" + strings.ReplaceAll(path, " ", "%20")})
	must(t, db.Check(t.Context()))
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	for url, says := range map[string]string{
		"mysql://x":                          "mysql",
		"sqlite://":                          "no file",
		"postgres://u:hunter2@h:notaport/db": "cannot be read",
	} {
		_, err := store.Open(store.Config{URL: url, Dir: dir})
		if belfry.CodeOf(err) != belfry.CodeInvalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestPostgresAwayIsUnavailableAndComesBack(t *testing.T) {
	server := services.OwnPostgres(t)
	db := open(t, store.Config{URL: server.Database(t)})
	must(t, db.Check(t.Context()))
	server.Stop()
	err := db.Check(t.Context())
	if belfry.CodeOf(err) != belfry.CodeUnavailable {
		t.Errorf("while it is away: %v", err)
	}
	err = db.Tx(t.Context(), func(context.Context, *store.Tx) error { return nil })
	if belfry.CodeOf(err) != belfry.CodeUnavailable {
		t.Errorf("a transaction while it is away: %v", err)
	}
	server.Start()
	must(t, db.Check(t.Context()))
}

func TestPostgresAwayAtTheStart(t *testing.T) {
	db := open(t, store.Config{URL: "postgres://belfry:hunter2@127.0.0.1:1/belfry"})
	_, err := db.Migrate(t.Context())
	if belfry.CodeOf(err) != belfry.CodeUnavailable {
		t.Errorf("migrate: %v", err)
	}
	if strings.Contains(db.String()+err.Error(), "hunter2") {
		t.Errorf("the password is shown: %s, %v", db, err)
	}
}

// A statement may be used by many, inside and outside of transactions, before
// and after it was prepared.
func TestStatement(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB) {
		put := db.Statement(`INSERT INTO things (name, at, good) VALUES ($1, 0, TRUE)`)
		take := db.Statement(`DELETE FROM things WHERE name = $1 RETURNING name`)
		if _, err := put.Exec(t.Context(), "early"); err == nil {
			t.Error("there is no table yet")
		}
		things(t, db)
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				if _, err := put.Exec(t.Context(), fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		taken := func(rows *sql.Rows, err error) (names []string) {
			must(t, store.Each(rows, err, func(rows *sql.Rows) error {
				names = append(names, "")
				return rows.Scan(&names[len(names)-1])
			}))
			return names
		}
		for i := range 3 {
			must(t, db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				rows, err := take.QueryTx(ctx, tx, fmt.Sprint(i))
				if got := taken(rows, err); len(got) != 1 || got[0] != fmt.Sprint(i) {
					t.Errorf("took %q of %d", got, i)
				}
				if _, err := put.Exec(ctx, "inside"); err == nil {
					t.Error("a statement waits for its own transaction")
				}
				return nil
			}))
			must(t, take.Prepare(t.Context()))
		}
		rows, err := take.Query(t.Context(), "7")
		if got := taken(rows, err); len(got) != 1 || count(t, db) != 4 {
			t.Errorf("took %q, %d are left", got, count(t, db))
		}
	})
}
