package service_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/jackc/pgx/v5"

	"github.com/belfryhq/belfry/examples"
)

// dashboard computes the figures of the example's belfry.yaml.
type dashboard struct {
	db      *sql.DB
	sqlite  bool
	zone    *time.Location
	figures []figure
}

type figure struct{ Name, Kind, SQL string }

func dashboardOf(t *testing.T, s *site, zone string) dashboard {
	t.Helper()
	var file struct {
		Dashboards []struct{ Figures []figure }
	}
	if err := yaml.Unmarshal(examples.CheckinsConfig, &file); err != nil {
		t.Fatal(err)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	d := dashboard{sqlite: s.database == "", zone: location, figures: file.Dashboards[0].Figures}
	driver, name := "pgx", s.database
	if d.sqlite {
		driver, name = "sqlite", "file:"+s.dir+"/checkins.db?mode=ro"
	}
	if d.db, err = sql.Open(driver, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.db.Close() })
	return d
}

// current gives numbers as float64, rows as lines, series by day and name.
func (d dashboard) current(t *testing.T, _ string, _, start, end time.Time) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, f := range d.figures {
		args := []any{pgx.NamedArgs{"start": start, "end": end}}
		if d.sqlite {
			const layout = "2006-01-02T15:04:05.000Z"
			args = []any{sql.Named("start", start.UTC().Format(layout)), sql.Named("end", end.UTC().Format(layout))}
		}
		rows, err := d.db.QueryContext(t.Context(), f.SQL, args...)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if all[f.Name], err = d.read(f.Kind, rows); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
	}
	return all
}

func (d dashboard) read(kind string, rows *sql.Rows) (any, error) {
	defer rows.Close()
	var number float64
	var lines []string
	days := map[string]float64{}
	for rows.Next() {
		var id int
		var at any
		var words [4]string
		var value float64
		var err error
		switch kind {
		case "number":
			err = rows.Scan(&number)
		case "rows":
			err = rows.Scan(&id, &words[0], &words[1], &words[2], &words[3], &at)
		case "series":
			err = rows.Scan(&at, &words[0], &value)
		}
		if err != nil {
			return nil, err
		}
		if kind == "number" {
			continue
		}
		moment, is := at.(time.Time)
		if !is {
			if moment, err = time.Parse(time.RFC3339, fmt.Sprint(at)); err != nil {
				return nil, err
			}
		}
		lines = append(lines, fmt.Sprint(id, words[0], words[1:], moment.UnixMilli()))
		days[moment.In(d.zone).Format(time.DateOnly)+" "+words[0]] += value
	}
	return map[string]any{"number": number, "rows": lines, "series": days}[kind], rows.Err()
}
