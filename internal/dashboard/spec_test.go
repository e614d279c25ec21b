package dashboard_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/dashboard"
)

func TestFaultsOfDashboards(t *testing.T) {
	number := func(name, sql string) dashboard.FigureSpec {
		return dashboard.FigureSpec{Name: name, Kind: "number", SQL: sql}
	}
	good := []dashboard.FigureSpec{number("a", "SELECT 1")}
	_, err := dashboard.Compile([]dashboard.Spec{
		{Name: "Default.1", Database: "mysql://h/db", Timezone: "Europe/Berlln", WeekStarts: "friday", Range: "next_week", Figures: good},
		{Name: "twice", Database: "belfry", Timezone: "Local", Timeout: time.Hour, Refresh: time.Millisecond, Rows: -1, Figures: good},
		{Name: "twice"},
		{Name: "open", Database: "postgres://h/db", Public: true, Figures: []dashboard.FigureSpec{{Name: "a", Kind: "rows", Personal: true, SQL: "SELECT 1"}}},
		{Name: "figures", Database: "sqlite:///a.db", Figures: []dashboard.FigureSpec{
			number("a", "SELECT @strat, @start, @strat"), number("a", "SELECT 1"), number("1st", "SELECT 1"), number("timestamp", "SELECT 1"),
			{Name: "gauge", Kind: "gauge", Better: "maybe", Bucket: "year"}, number("fine", "SELECT 'a@b', \"@c\", `@d`, [@e] -- @f\n /* @g */"),
		}},
		{Name: "postgres", Database: "postgres://h/db", Figures: []dashboard.FigureSpec{number("fine", "SELECT $$ @a $$, $t$ @b $ $t$, E'\\'@c', '{}'::jsonb @> '{}', 1 /* /* @d */ @e */")}},
	})
	found, ok := errors.AsType[dashboard.Faults](err)
	if !ok {
		t.Fatal(err)
	}
	want := []string{
		"dashboards[0].name: is no name", "dashboards[0].database: is not the address", `dashboards[0].timezone: "Europe/Berlln" is not`,
		`dashboards[0].week_starts: "friday"`, `dashboards[0].range: "next_week" is not a range; write one of today, `,
		`dashboards[1].timezone: "Local"`, "dashboards[1].timeout: is outside 10ms to 1m", "dashboards[1].refresh: is outside 1s to 1h", "dashboards[1].rows: is outside 1 to 100000",
		`dashboards[2].name: "twice" stands twice, first as dashboards[1]`, "dashboards[2].database: is missing", "dashboards[2].figures: is missing",
		"dashboards[3].figures: are all personal",
		"dashboards[4].figures[0].sql: names @strat, which there is not; there are @start, @end, @start_ms, @end_ms, @timezone and @range",
		`dashboards[4].figures[1].name: "a" stands twice, first as figures[0]`, "dashboards[4].figures[2].name: is no name", `dashboards[4].figures[3].name: "timestamp" has a meaning`,
		`dashboards[4].figures[4].kind: "gauge" is not a kind`, `dashboards[4].figures[4].better: "maybe"`, `dashboards[4].figures[4].bucket: "year"`, "dashboards[4].figures[4].sql: is missing",
	}
	got := strings.Split(err.Error(), "\n")
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("no fault %q", want[i])
		case i >= len(want) || !strings.HasPrefix(got[i], want[i]):
			t.Errorf("fault %d: %q", i, got[i])
		}
	}
	if len(found) != len(got) || found[0].Key != "name" || found[0].Figure != -1 {
		t.Errorf("%+v", found[0])
	}
	set, err := dashboard.Compile(nil)
	if err != nil || set.Len() != 0 {
		t.Errorf("none: %v", err)
	}
}

func TestNamesOfDashboardsAndRanges(t *testing.T) {
	open := counting("lobby")
	open.Public, open.Range, open.Title = true, "today", "The lobby"
	e := newEngine(t, []dashboard.Spec{counting("default"), open})
	if got := fmt.Sprint(e.Names()); got != "[{default default private-dashboard false} {lobby The lobby dashboard.lobby true}]" {
		t.Errorf("names %s", got)
	}
	for _, c := range [][4]string{{"", "", "default", "this_week"}, {"default", "last_30_days", "default", "last_30_days"}, {"lobby", "", "lobby", "today"}} {
		if name, in, err := e.Resolve(c[0], c[1]); err != nil || name != c[2] || in != c[3] {
			t.Errorf("%q: %s %s %v", c, name, in, err)
		}
	}
	for name, c := range map[string]struct{ name, in, code string }{
		"no dashboard": {"none", "", "not_found"}, "no range": {"", "next_week", "invalid"}, "another spelling": {"Default", "", "not_found"},
	} {
		_, _, err := e.Resolve(c.name, c.in)
		wantCode(t, err, codeOf(c.code))
		wantCode(t, e.Changed(c.name, c.in, ""), codeOf(c.code))
		_, err = e.Current(t.Context(), c.name, c.in)
		wantCode(t, err, codeOf(c.code))
		t.Log(name)
	}
	if _, ok := e.Find("none"); ok {
		t.Error("one that there is not is found")
	}
}
