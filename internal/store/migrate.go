package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the schema up to this program's, and gives the names of the
// steps that it took, none when there was nothing to do. Several processes may
// call it at once.
func (db *DB) Migrate(ctx context.Context) (taken []string, err error) {
	for try := 0; ; try++ {
		taken, err = db.migrate(ctx)
		if err == nil || try == 4 || ctx.Err() != nil {
			break
		}
		// Another process took the same step under SQLite: look again.
		db.log.Debug("migrating again", "error", err)
	}
	if err != nil {
		return nil, db.wrap(fmt.Errorf("migrate the database: %w", err))
	}
	return taken, nil
}

func (db *DB) migrate(ctx context.Context) (taken []string, err error) {
	p, err := db.migrator()
	if err != nil {
		return nil, err
	}
	done, err := p.Up(ctx)
	for _, step := range done {
		taken = append(taken, step.Source.Path)
	}
	return taken, err
}

// Pending counts the steps that Migrate would take.
func (db *DB) Pending(ctx context.Context) (int, error) {
	p, err := db.migrator()
	if err != nil {
		return 0, err
	}
	states, err := p.Status(ctx)
	if err != nil {
		return 0, db.wrap(err)
	}
	n := 0
	for _, s := range states {
		if s.State == goose.StatePending {
			n++
		}
	}
	return n, nil
}

// Step is one step of the schema.
type Step struct {
	Name  string
	Taken time.Time // zero: not yet
}

// Steps lists the steps of this program's schema in their order.
func (db *DB) Steps(ctx context.Context) ([]Step, error) {
	p, err := db.migrator()
	if err != nil {
		return nil, err
	}
	states, err := p.Status(ctx)
	if err != nil {
		return nil, db.wrap(err)
	}
	steps := make([]Step, len(states))
	for i, s := range states {
		steps[i] = Step{Name: s.Source.Path}
		if s.State != goose.StatePending {
			steps[i].Taken = s.AppliedAt
		}
	}
	return steps, nil
}

func (db *DB) migrator() (*goose.Provider, error) {
	steps, err := fs.Sub(migrations, "migrations/"+string(db.dialect))
	if err != nil {
		return nil, err
	}
	// goose closes nothing that it did not open.
	options := []goose.ProviderOption{goose.WithSlog(slog.New(slog.DiscardHandler))}
	dialect := goose.DialectSQLite3
	if db.dialect == Postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(dialect, db.write, steps, options...)
}

// NoRows reports whether err says that there was no row.
func NoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
