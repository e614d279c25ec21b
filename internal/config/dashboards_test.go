package config_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/config"
)

const dashboards = `dashboards:
  - name: default
    database: sqlite:///srv/checkins.db
    timezone: Europe/Berlin
    timeout: 500ms
    figures:
      - {name: checkins, kind: number, better: up, sql: "SELECT 1"}
      - name: alerts
        kind: rows
        compare: false
        personal: true
        sql: |
          SELECT *
          FROM alerts
  - {name: own, database: belfry, public: true}
`

func TestDashboards(t *testing.T) {
	c := load(t, dashboards)
	want := []config.Dashboard{
		{Name: "default", Database: "sqlite:///srv/checkins.db", Timezone: "Europe/Berlin", WeekStarts: "monday", Range: "this_week",
			Timeout: 500 * time.Millisecond, Refresh: 30 * time.Second, Rows: 1000, Figures: []config.Figure{
				{Name: "checkins", Kind: "number", Better: "up", Compare: true, Bucket: "auto", SQL: "SELECT 1"},
				{Name: "alerts", Kind: "rows", Personal: true, Bucket: "auto", SQL: "SELECT *\nFROM alerts\n"},
			}},
		{Name: "own", Database: "belfry", Public: true, Timezone: "UTC", WeekStarts: "monday", Range: "this_week",
			Timeout: 2 * time.Second, Refresh: 30 * time.Second, Rows: 1000},
	}
	if !reflect.DeepEqual(c.Dashboards, want) {
		t.Errorf("%+v", c.Dashboards)
	}
	for _, change := range config.Diff(load(t, ""), c) {
		if change.NeedsRestart {
			t.Errorf("%s needs a restart", change.Key)
		}
	}
}

func TestFaultsOfDashboards(t *testing.T) {
	dir := folder(t, map[string]string{"belfry.yaml": `dashboards:
  - name: default
    database: mysql://host/db
    week_starts: friday
    timeout: 2h
    figurs: []
    figures:
      - {name: a, kind: gauge, better: maybe, sql: "SELECT 1"}
      - {kind: number}
`})
	got := strings.Join(faultsOf(t, config.Options{Dir: dir}), "\n")
	for _, want := range []string{
		"belfry.yaml:3:15: dashboards[0].database: ", "belfry.yaml:4:18: dashboards[0].week_starts: ", "belfry.yaml:5:14: dashboards[0].timeout: ",
		`did you mean "figures"?`, "dashboards[0].figures[0].kind: ", "dashboards[0].figures[0].better: ",
		"dashboards[0].figures[1].name: is missing", "dashboards[0].figures[1].sql: is missing",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

// What the compiler of dashboards finds is told with its place.
func TestDashboardErrorsHaveTheirPlace(t *testing.T) {
	c := load(t, dashboards)
	err := c.DashboardError([]config.DashboardFault{
		{Dashboard: 0, Figure: -1, Key: "timezone", Message: "is wrong"},
		{Dashboard: 0, Figure: 1, Key: "sql", Message: "is wrong"},
		{Dashboard: 1, Figure: -1, Key: "figures", Message: "is missing"},
	})
	found, ok := errors.AsType[*config.Error](err)
	if !ok || len(found.Faults) != 3 {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"belfry.yaml:4:15: dashboards[0].timezone: is wrong", "dashboards[0].figures[1].sql: is wrong", "belfry.yaml:15:5: dashboards[1].figures: is missing"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if c.DashboardError(nil) != nil {
		t.Error("no faults are an error")
	}
}
