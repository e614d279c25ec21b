package appstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Kept is where the apps of commands are, as lists and messages name it.
const Kept = "the database"

// patience is how long a reading or a change waits for the database.
const patience = 10 * time.Second

// Store is the list of apps in a database. Its methods may be called
// concurrently, by several processes and servers too. Their errors have the
// code CodeUnavailable when the database cannot be reached.
type Store struct {
	db  *store.DB
	dir string
}

// Open gives the store of a database, which its opener migrates and closes.
// The apps that an earlier version kept in the data folder dir are taken over
// by the first Load or Update; an empty dir means that there are none.
func Open(db *store.DB, dir string) *Store { return &Store{db: db, dir: dir} }

// Load reads the apps in the order of their creation. An entry that does not
// parse is an error that names it, never left out.
func (s *Store) Load(ctx context.Context) ([]Record, error) {
	records, _, err := s.load(ctx)
	return records, err
}

// load gives the list's version too. The list may be newer than that.
func (s *Store) load(ctx context.Context) (records []Record, version int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer func() { err = s.unready(ctx, err) }()
	if err := s.takeOver(ctx); err != nil {
		return nil, 0, err
	}
	if version, err = s.version(ctx); err != nil {
		return nil, 0, err
	}
	rows, err := readRows(ctx, s.db)
	if err != nil {
		return nil, 0, err
	}
	for _, r := range rows {
		records = append(records, r.record)
	}
	return records, version, nil
}

// Update changes the list in one transaction, one at a time whoever makes it:
// change gets what the list holds and gives what it is to hold, or an error
// that leaves it as it is. change may be called in vain, so it must do nothing
// else.
func (s *Store) Update(ctx context.Context, change func([]Record) ([]Record, error)) error {
	_, err := s.update(ctx, change)
	return err
}

// update gives the version that the list has now.
func (s *Store) update(ctx context.Context, change func([]Record) ([]Record, error)) (version int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer func() { err = s.unready(ctx, err) }()
	if err := s.takeOver(ctx); err != nil {
		return 0, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		var err error
		version, err = s.change(ctx, tx, change)
		return err
	})
	return version, err
}

// change is update inside a transaction.
func (s *Store) change(ctx context.Context, tx *store.Tx, change func([]Record) ([]Record, error)) (version int64, err error) {
	// This comes first: it waits for whoever is changing the list.
	err = tx.QueryRow(ctx, `UPDATE app_list SET version = version + 1 WHERE one = 1 RETURNING version`).Scan(&version)
	if err != nil {
		return 0, wrap("lock apps", err)
	}
	rows, err := readRows(ctx, tx)
	if err != nil {
		return 0, err
	}
	before := map[string]row{}
	given := make([]Record, len(rows))
	next := int64(1)
	for i, r := range rows {
		before[r.record.ID] = r
		given[i] = r.record.clone()
		next = max(next, r.place+1)
	}
	after, err := change(given)
	if err != nil {
		return 0, err
	}
	for _, record := range after {
		old, known := before[record.ID]
		delete(before, record.ID)
		if !known {
			old.place = next
			next++
		}
		if err := writeRow(ctx, tx, old, record); err != nil {
			return 0, err
		}
	}
	for id := range before {
		if _, err := tx.Exec(ctx, `DELETE FROM apps WHERE id = $1`, id); err != nil {
			return 0, wrap("remove app", err)
		}
	}
	return version, nil
}

// peek gives the list's version, which each change counts up.
func (s *Store) peek(ctx context.Context) (version int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	version, err = s.version(ctx)
	return version, s.unready(ctx, err)
}

// unready gives an error that has no code the code CodeUnavailable when the
// database has not been migrated: it came back, and nobody has done that yet.
func (s *Store) unready(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*belfry.Error](err); ok || err == nil || ctx.Err() != nil {
		return err
	}
	if pending, _ := s.db.Pending(ctx); pending == 0 {
		return err
	}
	return &belfry.Error{
		Code:    belfry.CodeUnavailable,
		Message: "the database is not ready: its tables are older than this program",
		Hint:    "run: belfry db:migrate; a server that is starting does it by itself",
		Err:     err,
	}
}

func (s *Store) version(ctx context.Context) (version int64, err error) {
	err = s.db.QueryRow(ctx, `SELECT version FROM app_list WHERE one = 1`).Scan(&version)
	return version, wrap("read apps", err)
}

// row is an app as the table has it.
type row struct {
	record Record
	text   string
	place  int64
}

func readRows(ctx context.Context, q store.Querier) (all []row, err error) {
	rows, err := q.Query(ctx, `SELECT id, place, record FROM apps ORDER BY place, id`)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var id string
		var r row
		if err := rows.Scan(&id, &r.place, &r.text); err != nil {
			return err
		}
		// The decoder's message may quote a value, which may be a secret.
		if json.Unmarshal([]byte(r.text), &r.record) != nil || r.record.ID != id || !r.record.whole() {
			return &belfry.Error{
				Code:    belfry.CodeInvalid,
				Message: fmt.Sprintf("the entry of app %s in the database's table apps is damaged", id),
				Hint:    "mend its column record, or delete the row",
			}
		}
		all = append(all, r)
		return nil
	})
	return all, wrap("read apps", err)
}

// writeRow puts a record where old was, or to old's place in the order.
func writeRow(ctx context.Context, tx *store.Tx, old row, record Record) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	if string(text) == old.text {
		return nil
	}
	_, err = tx.Exec(ctx, `INSERT INTO apps (id, place, record, changed) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET record = excluded.record, changed = excluded.changed`,
		record.ID, old.place, string(text), store.Millis(time.Now()))
	return wrap("write app", err)
}

// wrap says what failed, unless the error says it itself.
func wrap(what string, err error) error {
	if _, ok := errors.AsType[*belfry.Error](err); ok || err == nil {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}
