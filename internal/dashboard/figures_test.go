package dashboard_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/store"
)

func TestFiguresOfEachKind(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		s.stock(10, 20, 30)
		for _, c := range []struct{ kind, sql, want string }{
			{"number", "SELECT count(*) FROM sales", "3"},
			{"number", "SELECT sum(price) FROM sales WHERE at >= @start_ms AND at < @end_ms -- today's\n", "60"},
			{"number", "SELECT sum(price) FROM sales WHERE at >= @end_ms", "null"},
			{"number", "SELECT avg(price * 1.0) / 8 FROM sales", "2.5"},
			{"number", "SELECT 9007199254740993", "9007199254740993"},
			{"number", "  /* a; b */ select 1 ; -- the end; really\n ", "1"},
			{"number", "WITH a AS (SELECT 1 AS n UNION ALL SELECT 2) SELECT sum(n) FROM a", "3"},
			{"number", "VALUES (7)", "7"},
			{"rows", "SELECT kind, price AS \"the;price\", NULL AS blank FROM sales ORDER BY price DESC LIMIT 2",
				`[{"kind":"kind 0","the;price":30,"blank":null},{"kind":"kind 1","the;price":20,"blank":null}]`},
			{"rows", "SELECT kind FROM sales WHERE price = 0", `[]`},
			{"rows", "SELECT '@start ; -- ''' AS a", `[{"a":"@start ; -- '"}]`},
			{"rows", "SELECT @range AS r, @timezone AS z", `[{"r":"today","z":"UTC"}]`},
			{"series", "SELECT at AS time, kind AS series, price AS value FROM sales",
				`[{"time":"2026-11-18T12:00:00Z","series":"kind 0","value":40},{"time":"2026-11-18T12:00:00Z","series":"kind 1","value":20}]`},
			{"series", "SELECT '2026-11-18' AS time, 1.5 AS value", `[{"time":"2026-11-18T00:00:00Z","value":1.5}]`},
		} {
			got, state := s.ask(t, s.one(c.kind, c.sql))
			if got != c.want || state.Failing != "" {
				t.Errorf("%s:\n got %s (%s %s)\nwant %s", c.sql, got, state.Failing, state.Reason, c.want)
			}
		}
	})
}

func TestFiguresThatFail(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		s.stock(10, 20, 30)
		slow := "SELECT pg_sleep(60)"
		if s.dialect == store.SQLite {
			slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
		}
		for _, c := range []struct{ kind, sql, failing, says string }{
			{"number", "DELETE FROM sales", dashboard.FailedRefused, "begins with DELETE"},
			{"number", "ATTACH 'other.db' AS other", dashboard.FailedRefused, "begins with ATTACH"},
			{"number", "PRAGMA query_only = 0", dashboard.FailedRefused, "begins with PRAGMA"},
			{"number", "SELECT 1; SELECT 2", dashboard.FailedRefused, "more than one statement"},
			{"number", "SELECT 1; DELETE FROM sales", dashboard.FailedRefused, "more than one statement"},
			{"number", "SELECT 1) AS x, (SELECT 1", dashboard.FailedRefused, "parenthesis"},
			{"number", "SELECT 'a", dashboard.FailedRefused, "does not end a text"},
			{"number", "-- nothing", dashboard.FailedRefused, "no statement"},
			{"number", "SELECT count(*) FROM missing", dashboard.FailedSQL, "missing"},
			{"number", "SELEC 1", dashboard.FailedRefused, "SELEC"},
			{"number", "SELECT FROM WHERE", dashboard.FailedSQL, "syntax"},
			{"number", "SELECT price FROM sales", dashboard.FailedShape, "3 with 1"},
			{"number", "SELECT 1, 2", dashboard.FailedShape, "1 with 2"},
			{"number", "SELECT 'many'", dashboard.FailedShape, "a number is wanted"},
			{"rows", "SELECT a.price FROM sales a, sales b, sales c", dashboard.FailedShape, "more than 10 rows"},
			{"rows", "SELECT 1 AS a, 2 AS a", dashboard.FailedShape, ""},
			{"series", "SELECT at AS time FROM sales", dashboard.FailedShape, "the query gives time"},
			{"series", "SELECT 'soon' AS time, 1 AS value", dashboard.FailedShape, "a time is wanted"},
			{"number", slow, dashboard.FailedTimeout, "did not end"},
		} {
			spec := s.one(c.kind, c.sql)
			spec.Rows = 10
			if c.failing == dashboard.FailedTimeout {
				spec.Timeout = 300 * time.Millisecond
			}
			got, state := s.ask(t, spec)
			if s.dialect == store.SQLite && c.sql == "SELECT 1 AS a, 2 AS a" {
				continue // SQLite tells them apart by itself
			}
			if got != "null" || state.Failing != c.failing || !strings.Contains(state.Reason, c.says) {
				t.Errorf("%s: %s, %s %q, want %s %q", c.sql, got, state.Failing, state.Reason, c.failing, c.says)
			}
		}
		if got, _ := s.ask(t, s.one("number", "SELECT count(*) FROM sales")); got != "3" {
			t.Errorf("%s sales are left", got)
		}
	})
}

// A statement that is slow only after its first row is stopped too, and rows
// keep their order.
func TestRowsAreBoundedAndOrdered(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		s.stock(10)
		late := "SELECT n, pg_sleep(CASE WHEN n > 1 THEN 60 ELSE 0 END) FROM generate_series(1, 3) AS n"
		order := "SELECT n FROM generate_series(1, 500) AS n ORDER BY n * 7919 % 503"
		endless := "SELECT n FROM generate_series(1, 100000) AS n"
		wide := "SELECT repeat('x', 1000) AS x FROM generate_series(1, 1000)"
		if s.dialect == store.SQLite {
			const counting = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < %d) "
			late = fmt.Sprintf(counting, 1_000_000_000_000) + "SELECT n FROM n WHERE n = 1 OR n < 0"
			order = fmt.Sprintf(counting, 500) + "SELECT n FROM n ORDER BY n * 7919 % 503"
			endless = fmt.Sprintf(counting, 1_000_000_000_000) + "SELECT n FROM n"
			wide = fmt.Sprintf(counting, 1000) + "SELECT hex(zeroblob(500)) AS x FROM n"
		}
		spec := s.one("rows", late)
		spec.Timeout = 300 * time.Millisecond
		began := time.Now()
		if _, state := s.ask(t, spec); state.Failing != dashboard.FailedTimeout || time.Since(began) > patience/2 {
			t.Errorf("late: %+v after %s", state, time.Since(began))
		}
		if _, state := s.ask(t, s.one("rows", endless)); state.Failing != dashboard.FailedShape || !strings.Contains(state.Reason, "more than 1000 rows") {
			t.Errorf("endless: %+v", state)
		}
		if _, state := s.ask(t, s.one("rows", wide)); state.Failing != dashboard.FailedShape || !strings.Contains(state.Reason, "bytes") {
			t.Errorf("wide: %+v", state)
		}
		many := s.one("series", "SELECT "+fmt.Sprint(start.UnixMilli())+" + n AS time, 'some series' AS series, 1 AS value FROM ("+strings.Replace(order, "500", "20000", 1)+") AS n")
		many.Rows = 30_000
		if got, state := s.ask(t, many); got != `[{"time":"2026-11-18T12:00:00Z","series":"some series","value":20000}]` {
			t.Errorf("many: %.200s %+v", got, state)
		}
		got, state := s.ask(t, s.one("rows", order))
		var want strings.Builder
		for place := 1; place < 503; place++ {
			for n := 1; n <= 500; n++ {
				if n*7919%503 == place {
					fmt.Fprintf(&want, `,{"n":%d}`, n)
				}
			}
		}
		if got != "["+want.String()[1:]+"]" {
			t.Errorf("order: %.200s %+v", got, state)
		}
	})
}
