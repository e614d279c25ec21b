package identity

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/internal/words"
)

// Audience picks users who may act. All that is set must hold.
type Audience struct {
	// IDs are the users themselves; nil for everybody.
	IDs []string
	// Roles: who has one of them; nil for everybody.
	Roles []string
	// ActiveSince: who has signed in since then; InactiveSince: who has not.
	ActiveSince, InactiveSince time.Time
}

// audiencePart is how many ids one statement names.
const audiencePart = 1000

// Next gives up to limit users of an audience by id, beginning behind the user
// after, "" for the first. Their roles are not read.
func (i *Identity) Next(ctx context.Context, a Audience, after string, limit int) (found []belfry.User, err error) {
	var from int64
	if after != "" {
		var ok bool
		if from, ok = parseID(after); !ok {
			return nil, belfry.Errorf(belfry.CodeInvalid, "%q is no user's id", words.Cut(after, 40))
		}
	}
	for _, part := range a.parts(from) {
		where, args := a.where(from, part)
		found, err = i.appendUsers(ctx, found, where, args, limit-len(found))
		if err != nil {
			return nil, fmt.Errorf("list an audience: %w", err)
		}
		if len(found) >= limit {
			break
		}
	}
	return found, nil
}

// appendUsers adds up to limit users u of a condition by id, without their roles.
func (i *Identity) appendUsers(ctx context.Context, found []belfry.User, where string, args []any, limit int) ([]belfry.User, error) {
	args = append(args, limit)
	rows, err := i.db.Query(ctx, `SELECT u.id, u.name, u.email FROM users u WHERE `+where+` ORDER BY u.id LIMIT $`+strconv.Itoa(len(args)), args...)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var id int64
		u := belfry.User{Roles: []string{}}
		err := rows.Scan(&id, &u.Name, &u.Email)
		u.ID = formatID(id)
		found = append(found, u)
		return err
	})
	return found, err
}

// Count counts the users of an audience.
func (i *Identity) Count(ctx context.Context, a Audience) (count int, err error) {
	for _, part := range a.parts(0) {
		where, args := a.where(0, part)
		var some int
		if err := i.db.QueryRow(ctx, `SELECT COUNT(*) FROM users u WHERE `+where, args...).Scan(&some); err != nil {
			return 0, fmt.Errorf("count an audience: %w", err)
		}
		count += some
	}
	return count, nil
}

// parts gives the ids above from, sorted, in pieces; one nil piece when ids do
// not matter.
func (a Audience) parts(from int64) [][]int64 {
	if a.IDs == nil {
		return [][]int64{nil}
	}
	var numbers []int64
	for _, id := range a.IDs {
		if number, ok := parseID(id); ok && number > from {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return slices.Collect(slices.Chunk(slices.Compact(numbers), audiencePart))
}

// where gives the condition on users u.
func (a Audience) where(from int64, part []int64) (string, []any) {
	var args []any
	put := func(value any) string {
		args = append(args, value)
		return "$" + strconv.Itoa(len(args))
	}
	where := `u.id > ` + put(from) + ` AND NOT u.disabled`
	if part != nil {
		where += ` AND u.id IN (` + join(part, put) + `)`
	}
	if a.Roles != nil {
		where += ` AND EXISTS (SELECT 1 FROM user_roles r WHERE r.user_id = u.id AND r.role IN (` + join(a.Roles, put) + `))`
	}
	if !a.ActiveSince.IsZero() {
		where += ` AND u.last_login >= ` + put(store.Millis(a.ActiveSince))
	}
	if !a.InactiveSince.IsZero() {
		where += ` AND u.last_login < ` + put(store.Millis(a.InactiveSince))
	}
	return where, args
}

func join[T any](values []T, put func(any) string) string {
	places := make([]string, len(values))
	for i, v := range values {
		places[i] = put(v)
	}
	return strings.Join(places, ", ")
}

// Unknown gives those ids and roles that no user has. Belfry's own roles are
// known always.
func (i *Identity) Unknown(ctx context.Context, ids, roles []string) (unknownIDs, unknownRoles []string, err error) {
	known := map[string]bool{}
	for _, part := range (Audience{IDs: append([]string{}, ids...)}).parts(0) {
		if err := i.known(ctx, `SELECT CAST(id AS TEXT) FROM users WHERE id IN`, part, known); err != nil {
			return nil, nil, err
		}
	}
	for _, id := range ids {
		if !known[id] {
			unknownIDs = append(unknownIDs, id)
		}
	}
	known = map[string]bool{belfry.RoleAdmin: true, belfry.RoleManager: true}
	for part := range slices.Chunk(roles, audiencePart) {
		clean := slices.DeleteFunc(slices.Clone(part), func(r string) bool { return !plainText(r) })
		if len(clean) == 0 {
			continue
		}
		var args []any
		if err := i.knownTexts(ctx, `SELECT DISTINCT role FROM user_roles WHERE role IN (`+join(clean, func(v any) string {
			args = append(args, v)
			return "$" + strconv.Itoa(len(args))
		})+`)`, args, known); err != nil {
			return nil, nil, err
		}
	}
	for _, role := range roles {
		if !known[role] {
			unknownRoles = append(unknownRoles, role)
		}
	}
	return unknownIDs, unknownRoles, nil
}

func (i *Identity) known(ctx context.Context, query string, numbers []int64, into map[string]bool) error {
	var args []any
	list := join(numbers, func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	})
	return i.knownTexts(ctx, query+` (`+list+`)`, args, into)
}

func (i *Identity) knownTexts(ctx context.Context, query string, args []any, into map[string]bool) error {
	rows, err := i.db.Query(ctx, query, args...)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var s string
		err := rows.Scan(&s)
		into[s] = true
		return err
	})
	if err != nil {
		return fmt.Errorf("look for users: %w", err)
	}
	return nil
}
