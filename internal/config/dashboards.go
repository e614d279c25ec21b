package config

import (
	"fmt"
	"time"
)

// Dashboard is a live dashboard.
type Dashboard struct {
	// Name, 1 to 64 of `a-z 0-9 _ -`. Pages that name none get `default`.
	Name string `yaml:"name" required:"true" example:"default"`
	// Title for people; the default is the name.
	Title string `yaml:"title" example:"Check-ins"`
	// Database that the figures are read from: `sqlite:///path` or `postgres://…`,
	// best of a role that may only read; `belfry` for Belfry's own database.
	Database string `yaml:"database" kind:"database-own" required:"true" example:"sqlite:///srv/checkins/checkins.db"`
	// Whether everybody may see it, on the public channel `dashboard` or
	// `dashboard.{name}`; figures marked `personal` are then left out. Otherwise the
	// channel is `private-dashboard` or `private-dashboard.{name}`, and the rules of
	// `channels` say who may see it.
	Public bool `yaml:"public" default:"false"`
	// Time zone that its days begin and end in.
	Timezone string `yaml:"timezone" default:"UTC"`
	// Day that its weeks begin with: `monday`, `sunday` or `saturday`.
	WeekStarts string `yaml:"week_starts" default:"monday" kind:"enum monday sunday saturday"`
	// Range that is broadcast when a webhook names none: `today`, `yesterday`,
	// `this_week`, `last_week`, `this_month`, `last_month`, `last_7_days` or
	// `last_30_days`.
	Range string `yaml:"range" default:"this_week" kind:"enum today yesterday this_week last_week this_month last_month last_7_days last_30_days"`
	// Time after which the query of a figure is stopped.
	Timeout time.Duration `yaml:"timeout" default:"2s" min:"10ms" max:"1m"`
	// How old figures may be for those who ask, when no webhook told of a change.
	Refresh time.Duration `yaml:"refresh" default:"30s" min:"1s" max:"1h"`
	// Most rows that the query of a figure may give.
	Rows int `yaml:"rows" default:"1000"`
	// What it shows.
	Figures []Figure `yaml:"figures"`
}

// Figure is one figure of a dashboard.
type Figure struct {
	// Name, a letter of `a-z` and up to 63 of `a-z 0-9 _`.
	Name string `yaml:"name" required:"true" example:"checkins"`
	// Title for people; the default is the name.
	Title string `yaml:"title" example:"Check-ins"`
	// What the query gives: `number` (one row with one column), `rows` (a list of
	// objects) or `series` (the columns `time`, `value` and perhaps `series`).
	Kind string `yaml:"kind" kind:"enum number rows series" required:"true" example:"number"`
	// Shown after the number.
	Unit string `yaml:"unit" example:"\"%\""`
	// Whether a rise is good: `up`, `down`, or left out for neither.
	Better string `yaml:"better" kind:"enum up down" example:"up"`
	// Whether a number is computed for the range before, too.
	Compare bool `yaml:"compare" default:"true"`
	// Whether it names people, and is left out where the dashboard is public.
	Personal bool `yaml:"personal" default:"false"`
	// What the values of a series are summed into: `hour`, `day`, `week`, or `auto`:
	// hours for up to two days, else days.
	Bucket string `yaml:"bucket" default:"auto" kind:"enum hour day week auto"`
	// One `SELECT`. It may name `@start` and `@end` (the end is not part of the
	// range), `@start_ms` and `@end_ms` in Unix milliseconds, `@timezone` and
	// `@range`. SQLite gets times as texts such as `2026-11-22T00:00:00.000Z`.
	SQL string `yaml:"sql" kind:"expression" required:"true" example:"\"SELECT count(*) FROM checkins WHERE created_at >= @start AND created_at < @end\""`
}

// DashboardFault is one thing wrong with a dashboard, as their compiler found
// it.
type DashboardFault struct {
	// Dashboard counts from 0; so does Figure, which is -1 for the dashboard
	// itself.
	Dashboard, Figure int
	Key, Message      string
}

// DashboardError puts the faults of dashboards to where they stand in the file.
// It gives an *Error, or nil when there are none.
func (c *Config) DashboardError(list []DashboardFault) error {
	var faults faults
	for _, f := range list {
		path := fmt.Sprintf("dashboards[%d].", f.Dashboard)
		if f.Figure >= 0 {
			path += fmt.Sprintf("figures[%d].", f.Figure)
		}
		path += f.Key
		faults.at(c.source(path), path, "%s", f.Message)
	}
	return faults.err()
}
