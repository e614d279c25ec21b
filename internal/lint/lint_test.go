package lint_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/belfryhq/belfry/internal/authz"
	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/lint"
	"github.com/belfryhq/belfry/test/services"
)

func codes(found []lint.Finding) (all []string) {
	for _, f := range found {
		all = append(all, string(f.Code)+" "+f.Key)
	}
	return all
}

func rules(pairs ...string) (all []authz.Rule) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, authz.Rule{Name: pairs[i], Allow: pairs[i+1]})
	}
	return all
}

func TestRules(t *testing.T) {
	for name, c := range map[string]struct {
		rules []authz.Rule
		want  string
	}{
		"the default ones":                  {authz.DefaultRules(), ""},
		"true for a name that is for all":   {rules("announcements", "true"), ""},
		"true for a name with a parameter":  {rules("system.{x}", "true"), "rule_lets_everyone_in channels[0].allow"},
		"an answer that is always true":     {rules("a", "true || user.id == 'x'"), "rule_lets_everyone_in channels[0].allow"},
		"all but one":                       {rules("a.{x}", "x != 'secret'"), "rule_lets_everyone_in channels[0].allow"},
		"a condition that all fulfil":       {rules("a.{x}", "user.id != ''"), "rule_lets_everyone_in channels[0].allow"},
		"a condition on the user":           {rules("a.{x}", "user.id == x || 'admin' in user.roles"), ""},
		"a claim that strangers have not":   {rules("a.{x}", "user.claims.team == x"), ""},
		"false":                             {rules("a", "false && user.id == 'x'"), "rule_never_matches channels[0].allow"},
		"what cannot be evaluated":          {rules("a", "1 / 0 == 1"), "rule_never_matches channels[0].allow"},
		"a dot in a parameter":              {rules("a.{x}", "x == 'b.c' && user.id == 'd'"), "rule_never_matches channels[0].allow"},
		"a space in a parameter":            {rules("a.{x}", "'b c' == x && user.id == 'd'"), "rule_never_matches channels[0].allow"},
		"a wide rule that allows all first": {rules("system", "true", "system", "'a' in user.roles"), "rule_shadowed channels[1].name"},
		"a narrow rule first":               {rules("a.b", "'x' in user.roles", "a.{c}", "user.id == c"), ""},
		"a wide rule that asks":             {rules("a.{c}", "user.id == c", "a.b", "'x' in user.roles"), ""},
		"other names of parameters":         {rules("a.{c}", "user.id == c", "a.{d}", "d in user.roles"), "rules_of_one_pattern channels[1].name"},
	} {
		got := strings.Join(codes(lint.Check(t.Context(), lint.Settings{Rules: c.rules, Listen: "127.0.0.1:1"}, nil)), "; ")
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestRulesThatShadowWithParameters(t *testing.T) {
	found := lint.Check(t.Context(), lint.Settings{Listen: "127.0.0.1:1", Rules: rules("{any}-x", "user.id != ''", "orders-{n}-x", "n in user.roles", "orders-{n}-y", "n in user.roles")}, nil)
	if got := codes(found); !slices.Equal(got, []string{"rule_lets_everyone_in channels[0].allow", "rule_shadowed channels[1].name"}) {
		t.Errorf("got %q", got)
	}
}

func TestFieldsThatLookPersonal(t *testing.T) {
	for key, is := range map[string]bool{
		"email": true, "customerEmail": true, "first_name": true, "firstName": true, "E-Mail": true, "birth_date": true, "homeAddress": true, "ip": true, "name": true,
		"id": false, "emailer": false, "email_count": false, "product_name": false, "total": false, "shipping": false, "status": false,
	} {
		found := lint.Check(t.Context(), lint.Settings{Listen: "127.0.0.1:1"}, []lint.Event{{App: "1", Channel: "c", Name: "e", Keys: []string{key}}})
		if len(found) == 1 != is {
			t.Errorf("%s: %v", key, found)
		}
	}
	quiet := []lint.Event{{Channel: "private-c", Keys: []string{"email"}}, {Channel: "presence-c", Keys: []string{"email"}}}
	if found := lint.Check(t.Context(), lint.Settings{Listen: "127.0.0.1:1"}, quiet); len(found) > 0 {
		t.Errorf("channels that need authorization: %v", found)
	}
}

func TestColumnsOfPublicFigures(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT email FROM people":                                          "email",
		"select p.email, count(*) from people p":                            "email",
		"SELECT count(email) AS n FROM people":                              "",
		"SELECT count(email) FROM people":                                   "",
		"WITH x AS (SELECT email FROM people) SELECT count(*) AS n FROM x":  "",
		`SELECT "Phone Number" FROM people -- email`:                        "Phone Number",
		"SELECT 'email' AS kind, id FROM people WHERE email = 'x'":          "",
		"SELECT CASE WHEN x THEN 1 ELSE 2 END AS phone, 2 * id AS n FROM p": "phone",
		"SELECT *":                          "*",
		"SELECT DISTINCT p.* FROM people p": "*",
	} {
		board := dashboard.Spec{Name: "default", Public: true, Database: "sqlite:///x", Figures: []dashboard.FigureSpec{{Name: "f", Kind: dashboard.KindRows, SQL: sql}}}
		found := lint.Check(t.Context(), lint.Settings{Listen: "127.0.0.1:1", WebhookSecrets: 1, Boards: []dashboard.Spec{board}}, nil)
		got := ""
		if len(found) > 0 {
			_, got, _ = strings.Cut(found[0].What, "looks personal: ")
			if found[0].Code == lint.PublicAllColumns {
				got = "*"
			}
		}
		if got != want || len(found) > 1 {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
}

func TestLintNamesARoleThatMayWrite(t *testing.T) {
	admin := services.Postgres(t)
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, statement := range []string{
		"CREATE TABLE checkins (id int)",
		"DROP ROLE IF EXISTS lint_reader", "DROP ROLE IF EXISTS lint_writer",
		"CREATE ROLE lint_reader LOGIN PASSWORD 'r'", "CREATE ROLE lint_writer LOGIN PASSWORD 'w'",
		"GRANT SELECT ON checkins TO lint_reader", "GRANT SELECT, UPDATE ON checkins TO lint_writer",
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	defer func() {
		for _, role := range []string{"lint_reader", "lint_writer"} {
			conn.Exec(context.WithoutCancel(t.Context()), "DROP OWNED BY "+role+"; DROP ROLE "+role)
		}
	}()
	as := func(role, password string) string {
		u, err := url.Parse(admin)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(role, password)
		return u.String()
	}
	look := func(address string) []lint.Finding {
		return lint.Check(t.Context(), lint.Settings{Listen: "127.0.0.1:1", WebhookSecrets: 1, Boards: []dashboard.Spec{{Name: "default", Database: address}}}, nil)
	}
	if found := look(as("lint_reader", "r")); len(found) > 0 {
		t.Errorf("a role that only reads: %v", found)
	}
	found := look(as("lint_writer", "w"))
	if len(found) != 1 || found[0].Code != lint.RoleWrites || !strings.Contains(found[0].What, `as "lint_writer", a role that may write to 1 tables, "checkins" among them`) {
		t.Errorf("a role that may write: %v", found)
	}
	if found := look(admin); len(found) != 1 || found[0].Code != lint.RoleWrites || !strings.Contains(found[0].What, "superuser") {
		t.Errorf("a superuser: %v", found)
	}
	found = look("postgres://nobody:secret-word@127.0.0.1:1/x")
	if len(found) != 1 || found[0].Code != lint.RoleUnknown || found[0].Severity != lint.Note || strings.Contains(found[0].What, "secret-word") {
		t.Errorf("no database: %v", found)
	}
}
