package service_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/belfryhq/belfry/examples"
	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/dashboard"
)

// dashboardOf compiles the example's belfry.yaml for a service's database, as
// the server would.
func dashboardOf(t *testing.T, s *site, zone string) *dashboard.Set {
	t.Helper()
	file := filepath.Join(t.TempDir(), "belfry.yaml")
	if err := os.WriteFile(file, examples.CheckinsConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	database := s.database
	if database != "" {
		database += "&timezone=" + zone // of the session: the statements must not care
	} else {
		database = "sqlite://" + filepath.ToSlash(filepath.Join(s.dir, "checkins.db"))
	}
	cfg, err := config.Load(config.Options{File: file, Dir: t.TempDir(), Environ: []string{"CHECKINS_DATABASE_URL=" + database, "CHECKINS_TIMEZONE=" + zone}})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Dashboards) != 1 || cfg.Dashboards[0].Name != dashboard.Default {
		t.Fatalf("dashboards %+v", cfg.Dashboards)
	}
	d := cfg.Dashboards[0]
	spec := dashboard.Spec{Name: d.Name, Title: d.Title, Database: d.Database, Timezone: d.Timezone, WeekStarts: d.WeekStarts, Range: d.Range, Rows: d.Rows,
		Timeout: patience} // the machine may be busy
	for _, f := range d.Figures {
		spec.Figures = append(spec.Figures, dashboard.FigureSpec{Name: f.Name, Title: f.Title, Kind: f.Kind, Better: f.Better, Compare: f.Compare, Personal: f.Personal, Bucket: f.Bucket, SQL: f.SQL})
	}
	set, err := dashboard.Compile([]dashboard.Spec{spec})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// look opens the dashboard at a moment, for do.
func look(t *testing.T, set *dashboard.Set, now time.Time, do func(d *dashboard.Dashboards)) {
	t.Helper()
	d, err := dashboard.New(dashboard.Config{
		Set: set, Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
		Publish: func(context.Context, string, string, json.RawMessage, string) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	do(d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// current gives a range's figures: numbers as float64, rows as lines, series by
// day and name; and the numbers of the range before.
func current(t *testing.T, d *dashboard.Dashboards, rangeName string) (stats, previous map[string]any) {
	t.Helper()
	v, err := d.Current(t.Context(), "", rangeName)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Meta) > 0 {
		t.Fatalf("figures failed: %+v", d.Stats())
	}
	var all struct {
		StudentsMonitored float64 `json:"students_monitored"`
		CheckIns          float64 `json:"this_week_checkins"`
		OpenAppointments  float64 `json:"open_appointments"`
		HighRiskFlags     float64 `json:"high_risk_flags"`
		RecentAlerts      []struct {
			ID                             int
			Name, Severity, Status, Reason string
			Created                        time.Time `json:"created_at"`
		} `json:"recent_alerts"`
		ByMood []struct {
			Time, Series string
			Value        float64
		} `json:"checkins_by_mood"`
	}
	if err := json.Unmarshal(v.Stats, &all); err != nil {
		t.Fatalf("%v in %s", err, v.Stats)
	}
	lines, days := []string(nil), map[string]float64{}
	for _, a := range all.RecentAlerts {
		lines = append(lines, fmt.Sprint(a.ID, a.Name, [3]string{a.Severity, a.Status, a.Reason}, a.Created.UnixMilli()))
	}
	for _, p := range all.ByMood {
		days[p.Time[:len(time.DateOnly)]+" "+p.Series] += p.Value // the day of the dashboard's zone
	}
	text, err := json.Marshal(v.Previous)
	if err == nil {
		err = json.Unmarshal(text, &previous)
	}
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"students_monitored": all.StudentsMonitored, "this_week_checkins": all.CheckIns, "open_appointments": all.OpenAppointments,
		"high_risk_flags": all.HighRiskFlags, "recent_alerts": lines, "checkins_by_mood": days}, previous
}
