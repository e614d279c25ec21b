package service

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// errNone means that there is no row of the id.
var errNone = errors.New("there is none")

// record is one row.
type record struct {
	resource         *resource
	id               int64
	values           []any // as resource.fields
	created, updated time.Time
}

// MarshalJSON gives the members in the order of the fields.
func (r *record) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"id":%d`, r.id)
	add := func(name string, value any) error {
		text, err := json.Marshal(value)
		if err == nil {
			fmt.Fprintf(&b, `,%q:%s`, name, text)
		}
		return err
	}
	for i, f := range r.resource.fields {
		if err := add(f.name, r.values[i]); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(&b, `,"created_at":%q,"updated_at":%q}`, r.created.Format(textTime), r.updated.Format(textTime))
	return b.Bytes(), nil
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// columns are those of a row, in the order of scan.
func (r *resource) columns() string {
	return "id, " + r.names() + ", created_at, updated_at"
}

// scan reads a row with the columns of columns.
func (r *resource) scan(scan func(...any) error) (*record, error) {
	texts, ids, truths := make([]sql.NullString, len(r.fields)), make([]sql.NullInt64, len(r.fields)), make([]sql.NullBool, len(r.fields))
	var created, updated moment
	row := &record{resource: r, values: make([]any, len(r.fields))}
	into := []any{&row.id}
	for i, f := range r.fields {
		into = append(into, [...]any{text: &texts[i], integer: &ids[i], boolean: &truths[i]}[f.kind])
	}
	if err := scan(append(into, &created, &updated)...); err != nil {
		return nil, err
	}
	for i := range r.fields {
		switch {
		case texts[i].Valid:
			row.values[i] = texts[i].String
		case ids[i].Valid:
			row.values[i] = ids[i].Int64
		case truths[i].Valid:
			row.values[i] = truths[i].Bool
		}
	}
	row.created, row.updated = created.Time, updated.Time
	return row, nil
}

func (db *database) one(ctx context.Context, q querier, r *resource, id int64) (*record, error) {
	row, err := r.scan(q.QueryRowContext(ctx, "SELECT "+r.columns()+" FROM "+r.table+" WHERE id = $1", id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNone
	}
	return row, err
}

// add adds a row of the time at, which is also given in full.
func (db *database) add(ctx context.Context, q querier, r *resource, values map[string]any, at time.Time) (*record, error) {
	args, places := []any{}, []string{}
	for _, f := range r.fields {
		args = append(args, values[f.name])
		places = append(places, "$"+strconv.Itoa(len(args)))
	}
	args = append(args, db.time(at))
	when := "$" + strconv.Itoa(len(args))
	query := "INSERT INTO " + r.table + " (" + r.names() + ", created_at, updated_at) VALUES (" +
		strings.Join(places, ", ") + ", " + when + ", " + when + ") RETURNING " + r.columns()
	row, err := r.scan(q.QueryRowContext(ctx, query, args...).Scan)
	if err != nil {
		return nil, cmp.Or(db.missing(ctx, r, values), err)
	}
	return row, nil
}

// change gives fields of a row other values.
func (db *database) change(ctx context.Context, r *resource, id int64, values map[string]any, at time.Time) (*record, error) {
	args, sets := []any{id, db.time(at)}, []string{"updated_at = $2"}
	for _, f := range r.fields {
		if value, is := values[f.name]; is {
			args = append(args, value)
			sets = append(sets, f.name+" = $"+strconv.Itoa(len(args)))
		}
	}
	query := "UPDATE " + r.table + " SET " + strings.Join(sets, ", ") + " WHERE id = $1 RETURNING " + r.columns()
	row, err := r.scan(db.write.QueryRowContext(ctx, query, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNone
	}
	if err != nil {
		return nil, cmp.Or(db.missing(ctx, r, values), err)
	}
	return row, nil
}

func (db *database) remove(ctx context.Context, r *resource, id int64) error {
	result, err := db.write.ExecContext(ctx, "DELETE FROM "+r.table+" WHERE id = $1", id)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return cmp.Or(err, errNone)
	}
	return nil
}

// missing says, after a failure, which values refer to nothing.
func (db *database) missing(ctx context.Context, r *resource, values map[string]any) error {
	bad := invalid{}
	for _, f := range r.fields {
		id, is := values[f.name].(int64)
		if f.of == "" || !is {
			continue
		}
		var n int
		if err := db.read.QueryRowContext(ctx, "SELECT count(*) FROM "+f.of+" WHERE id = $1", id).Scan(&n); err == nil && n == 0 {
			bad[f.name] = fmt.Sprintf("names %d, which is not there", id)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return bad
}

// listing is what a list is narrowed by.
type listing struct {
	equal  map[string]any // fields and their values
	from   time.Time      // zero: the beginning
	to     time.Time      // exclusive; zero: no end
	before *place         // where the page before ended
	limit  int
}

// place is one of a list, whose order is from the newest to the oldest.
type place struct {
	at time.Time
	id int64
}

// list gives the newest rows that fit, and the place to go on from, nil at the
// end.
func (db *database) list(ctx context.Context, r *resource, l listing) (rows []*record, next *place, err error) {
	where, args := []string{"1 = 1"}, []any{}
	add := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		where = append(where, condition)
	}
	for _, name := range r.filters {
		if value, is := l.equal[name]; is {
			add(name+" = ?", value)
		}
	}
	if !l.from.IsZero() {
		add("created_at >= ?", db.time(l.from))
	}
	if !l.to.IsZero() {
		add("created_at < ?", db.time(l.to))
	}
	if l.before != nil {
		add("(created_at, id) < (?, ?)", db.time(l.before.at), l.before.id)
	}
	found, err := db.read.QueryContext(ctx, "SELECT "+r.columns()+" FROM "+r.table+" WHERE "+strings.Join(where, " AND ")+
		" ORDER BY created_at DESC, id DESC LIMIT "+strconv.Itoa(l.limit+1), args...)
	if err != nil {
		return nil, nil, err
	}
	defer found.Close()
	rows = []*record{}
	for found.Next() {
		row, err := r.scan(found.Scan)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, row)
	}
	if len(rows) > l.limit {
		rows = rows[:l.limit]
		last := rows[l.limit-1]
		next = &place{last.created, last.id}
	}
	return rows, next, found.Err()
}
