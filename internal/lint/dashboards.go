package lint

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/store"
)

// dashboards looks at what is shown to everybody, and at the roles that
// databases are asked as.
func (l *linter) dashboards(ctx context.Context) {
	asked := map[string]bool{}
	for i, b := range l.Boards {
		path := fmt.Sprintf("dashboards[%d]", i)
		if b.Public {
			for j, f := range b.Figures {
				if !f.Personal {
					l.figure(fmt.Sprintf("%s.figures[%d].sql", path, j), b.Name, f)
				}
			}
		}
		if strings.HasPrefix(b.Database, "postgres") && !asked[b.Database] {
			asked[b.Database] = true
			l.role(ctx, path+".database", b)
		}
	}
}

// figure looks at a figure that everybody sees.
func (l *linter) figure(path, board string, f dashboard.FigureSpec) {
	if f.Kind == dashboard.KindNumber {
		return
	}
	var fields []string
	for _, column := range columns(f.SQL) {
		switch {
		case column == "*":
			l.add(Warning, PublicAllColumns, path, fmt.Sprintf("the dashboard %q is public, and its figure %q gives every column of a table, those too that the table gets later", board, f.Name),
				"name the columns, or mark the figure personal: true")
		case personal(column):
			fields = append(fields, column)
		}
	}
	if len(fields) > 0 {
		l.add(Warning, PublicPersonal, path, fmt.Sprintf("the dashboard %q is public, and its figure %q gives what looks personal: %s", board, f.Name, short(strings.Join(fields, ", "))),
			"mark the figure personal: true, which leaves it out, or leave the columns out")
	}
}

// columns gives the names of what a SELECT gives, as far as its text tells, and
// "*" for all columns of a table.
func columns(text string) (names []string) {
	depth, listing, last := 0, false, ""
	end := func() {
		if last != "" && !slices.Contains(names, last) {
			names = append(names, last)
		}
		last = ""
	}
	for _, token := range tokens(text) {
		word := strings.ToUpper(token)
		switch {
		case token == "(":
			depth++
		case token == ")":
			if depth--; depth == 0 && listing {
				last = "" // of a call without a name
			}
		case depth > 0:
		case !listing:
			listing = word == "SELECT"
		case word == "FROM", word == "UNION", word == "WHERE", word == "EXCEPT", word == "INTERSECT":
			end()
			listing = false
		case token == ",":
			end()
		case word == "DISTINCT", word == "ALL", word == "END":
		case token == "*":
			if last == "" || last == "." {
				last = "*"
			}
		default:
			last = token
		}
	}
	if listing {
		end()
	}
	return names
}

// tokens parts SQL into names, texts left out, and marks. A name's quotes are
// taken off.
func tokens(text string) (list []string) {
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case strings.HasPrefix(text[i:], "--"):
			i = next(text, i, "\n")
		case strings.HasPrefix(text[i:], "/*"):
			i = next(text, i+2, "*/")
		case c == '\'':
			i = next(text, i+1, "'")
			list = append(list, "")
		case c == '"' || c == '`':
			to := next(text, i+1, string(c))
			list = append(list, strings.Trim(text[i:to], "\"`"))
			i = to
		case letter(c):
			to := i
			for to < len(text) && (letter(text[to]) || text[to] >= '0' && text[to] <= '9') {
				to++
			}
			list = append(list, text[i:to])
			i = to
		case strings.IndexByte("(),*.", c) >= 0:
			list = append(list, string(c))
			i++
		default:
			i++
		}
	}
	return list
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

// next gives where what follows the next end begins.
func next(text string, from int, end string) int {
	if i := strings.Index(text[min(from, len(text)):], end); i >= 0 {
		return from + i + len(end)
	}
	return len(text)
}

// roleQuestion counts what the role may write to in the schemas of people.
const roleQuestion = `SELECT
	coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), false) AS super,
	count(*) FILTER (WHERE has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS writable,
	coalesce(min(c.relname::text) FILTER (WHERE has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')), '') AS one,
	current_user::text AS role
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'`

// role asks a database what the dashboard's role may do there.
func (l *linter) role(ctx context.Context, path string, b dashboard.Spec) {
	source, err := store.OpenSource(b.Database, 1)
	if err != nil {
		return // refused where settings are read
	}
	defer source.Close()
	table, err := source.Read(ctx, store.Question{SQL: roleQuestion, Timeout: databaseTime, Rows: 1, Bytes: 4096})
	if err != nil || len(table.Rows) != 1 {
		l.add(Note, RoleUnknown, path, fmt.Sprintf("what the role of the dashboard %q may do could not be asked: %s cannot be reached", b.Name, source), "try again where the database can be reached")
		return
	}
	row := table.Rows[0]
	super, _ := row[0].(bool)
	writable, _ := row[1].(int64)
	one, role := fmt.Sprint(row[2]), fmt.Sprint(row[3])
	const fix = "make a role that only reads: CREATE ROLE belfry_reader LOGIN PASSWORD '…'; GRANT pg_read_all_data TO belfry_reader; and name it in the dashboard's address"
	switch {
	case super:
		l.add(Warning, RoleWrites, path, fmt.Sprintf("the dashboard %q reads as %q, a superuser; its queries are read-only, and a mistake elsewhere would not be", b.Name, short(role)), fix)
	case writable > 0:
		l.add(Warning, RoleWrites, path, fmt.Sprintf("the dashboard %q reads as %q, a role that may write to %d tables, %q among them", b.Name, short(role), writable, short(one)), fix)
	}
}
