package identity

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/store"
)

// Search picks users who may act. With neither Text nor IDs it picks the first
// ones by id.
type Search struct {
	// Text is part of a name or an email, in whatever case, or an id.
	Text string
	// IDs are the users themselves; ids that no user has are left out.
	IDs   []string
	Limit int // default 20, at most 1,000
}

// Find gives users by id, without their roles. more says that there are others
// behind the last one.
func (i *Identity) Find(ctx context.Context, s Search) (found []belfry.User, more bool, err error) {
	if s.Limit <= 0 {
		s.Limit = 20
	}
	s.Limit = min(s.Limit, 1000)
	found = []belfry.User{}
	for _, part := range (Audience{IDs: s.IDs}).parts(0) {
		where, args := Audience{}.where(0, part)
		if text := strings.ToLower(strings.TrimSpace(s.Text)); text != "" {
			id, _ := parseID(text)
			n := len(args)
			args = append(args, id, "%"+strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)+"%")
			where += fmt.Sprintf(` AND (u.id = $%d OR u.email_key LIKE $%d ESCAPE '\' OR LOWER(u.name) LIKE $%d ESCAPE '\')`, n+1, n+2, n+2)
		}
		found, err = i.appendUsers(ctx, found, where, args, s.Limit+1-len(found))
		if err != nil {
			return nil, false, fmt.Errorf("find users: %w", err)
		}
		if len(found) > s.Limit {
			return found[:s.Limit], true, nil
		}
	}
	return found, false, nil
}

// RoleCount is a role and how many users who may act have it.
type RoleCount struct {
	Role  string `json:"role"`
	Users int    `json:"users"`
}

// maxRoleCounts bounds what RoleCounts gives.
const maxRoleCounts = 500

// RoleCounts gives the roles that somebody has, by name, the first 500.
func (i *Identity) RoleCounts(ctx context.Context) ([]RoleCount, error) {
	all := []RoleCount{}
	rows, err := i.db.Query(ctx, `SELECT r.role, COUNT(*) FROM user_roles r JOIN users u ON u.id = r.user_id WHERE NOT u.disabled
		GROUP BY r.role ORDER BY r.role LIMIT $1`, maxRoleCounts)
	err = store.Each(rows, err, func(rows *sql.Rows) error {
		var c RoleCount
		err := rows.Scan(&c.Role, &c.Users)
		all = append(all, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count roles: %w", err)
	}
	return all, nil
}
