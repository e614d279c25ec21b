package dashboard

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/store"
)

// Default is the name of the dashboard that is meant when none is named.
const Default = "default"

// Own is what Spec.Database says for Belfry's own database.
const Own = "belfry"

// Kinds of figures.
const (
	KindNumber = "number" // one row with one column
	KindRows   = "rows"   // a list of objects
	KindSeries = "series" // rows with the columns time, value and perhaps series
)

// Buckets that the values of a series are summed into.
const (
	BucketHour = "hour"
	BucketDay  = "day"
	BucketWeek = "week"
	BucketAuto = "auto" // hours up to two days, days up to two months, else weeks
)

// Spec is a dashboard as the operator wrote it.
type Spec struct {
	// Name is 1 to 64 of a-z, 0-9, _ and -. Title is for people; default: Name.
	Name, Title string
	// Database is sqlite:///path, postgres://… or Own; required.
	Database string
	// Public has everybody see it, but for its figures that are personal.
	Public bool
	// Timezone is a name such as Europe/Berlin; default UTC.
	Timezone string
	// WeekStarts is monday (the default), sunday or saturday.
	WeekStarts string
	// Range is what is broadcast when a call names none; default this_week.
	Range string
	// Timeout bounds each figure; default 2 s.
	Timeout time.Duration
	// Refresh is how old figures may be when nobody tells of changes; default
	// 30 s.
	Refresh time.Duration
	// Rows bounds each figure; default 1000.
	Rows    int
	Figures []FigureSpec
}

// FigureSpec is one figure as the operator wrote it.
type FigureSpec struct {
	// Name is a lower-case letter and up to 63 of a-z, 0-9 and _. Title is for
	// people; default: Name.
	Name  string
	Title string
	// Kind is one of the kinds; required.
	Kind string
	// Unit is shown after a number. Better says which way is good: up, down, or
	// neither.
	Unit   string
	Better string
	// Compare has a number computed for the range before, too.
	Compare bool
	// Personal figures name people and are left out of public dashboards.
	Personal bool
	// Bucket is a series' own; default auto.
	Bucket string
	// SQL is one SELECT.
	SQL string
}

// Fault is one thing wrong with a Spec.
type Fault struct {
	// Dashboard counts from 0; so does Figure, which is -1 for a fault of the
	// dashboard itself.
	Dashboard, Figure int
	// Key is the setting, as in belfry.yaml.
	Key     string
	Message string
}

// Faults is all that is wrong; it is the error of Compile.
type Faults []Fault

// Error gives one fault a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		figure := ""
		if one.Figure >= 0 {
			figure = fmt.Sprintf(".figures[%d]", one.Figure)
		}
		lines[i] = fmt.Sprintf("dashboards[%d]%s.%s: %s", one.Dashboard, figure, one.Key, one.Message)
	}
	return strings.Join(lines, "\n")
}

// Set is a list of dashboards that holds. It is immutable and may be used
// concurrently.
type Set struct{ list []*plan }

// Len counts the dashboards.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.list)
}

// plan is a compiled dashboard. One that is public is without its personal
// figures.
type plan struct {
	Spec
	zone    *time.Location
	week    time.Weekday
	figures []figure
}

type figure struct {
	FigureSpec
	// sqlite and postgres are its SQL for either; which one is used is known when
	// the database is.
	statement map[store.Dialect]statement
}

// channel is the dashboard's own.
func (p *plan) channel() string {
	name := "dashboard"
	if p.Name != Default {
		name += "." + p.Name
	}
	if p.Public {
		return name
	}
	return "private-" + name
}

func weekdays() map[string]time.Weekday {
	return map[string]time.Weekday{"monday": time.Monday, "sunday": time.Sunday, "saturday": time.Saturday}
}

// Compile checks dashboards. Its error is Faults, all of them. SQL is judged by
// its parameters alone: whether it is right is seen when it is first asked, and
// a figure whose SQL is wrong fails alone.
func Compile(specs []Spec) (*Set, error) {
	set, faults := &Set{}, Faults{}
	first := map[string]int{}
	for i, spec := range specs {
		add := func(key, format string, args ...any) {
			faults = append(faults, Fault{i, -1, key, fmt.Sprintf(format, args...)})
		}
		p := &plan{Spec: spec.withDefaults()}
		if before, twice := first[spec.Name]; twice {
			add("name", "%q stands twice, first as dashboards[%d]; give each its own", cut(spec.Name, 80), before)
		} else {
			first[spec.Name] = i
		}
		p.check(add)
		faults = append(faults, p.compileFigures(i)...)
		set.list = append(set.list, p)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return set, nil
}

func (s Spec) withDefaults() Spec {
	s.Title = cmp.Or(s.Title, s.Name)
	s.Timezone = cmp.Or(s.Timezone, "UTC")
	s.WeekStarts = cmp.Or(s.WeekStarts, "monday")
	s.Range = cmp.Or(s.Range, "this_week")
	s.Timeout = cmp.Or(s.Timeout, 2*time.Second)
	s.Refresh = cmp.Or(s.Refresh, 30*time.Second)
	s.Rows = cmp.Or(s.Rows, 1000)
	s.Figures = slices.Clone(s.Figures)
	for i := range s.Figures {
		f := &s.Figures[i]
		f.Title = cmp.Or(f.Title, f.Name)
		f.Bucket = cmp.Or(f.Bucket, BucketAuto)
	}
	return s
}

// check judges the dashboard itself.
func (p *plan) check(add func(key, format string, args ...any)) {
	if !named(p.Name, "abcdefghijklmnopqrstuvwxyz0123456789_-") {
		add("name", "is no name of a dashboard; use 1 to 64 of a-z, 0-9, _ and -")
	}
	if len(p.Title) > 200 {
		add("title", "has more than 200 bytes; make it shorter")
	}
	switch scheme, _, _ := strings.Cut(p.Database, "://"); {
	case p.Database == "":
		add("database", "is missing; write sqlite:///path, postgres://…, or belfry for Belfry's own database")
	case p.Database == Own, scheme == "sqlite", scheme == "postgres", scheme == "postgresql":
	default:
		add("database", "is not the address of a database; write sqlite:///path, postgres://…, or belfry for Belfry's own database")
	}
	var err error
	if p.zone, err = time.LoadLocation(p.Timezone); err != nil || p.Timezone == "Local" {
		add("timezone", "%q is not a time zone that is known here; write one such as Europe/Berlin, or UTC", cut(p.Timezone, 80))
	}
	var known bool
	if p.week, known = weekdays()[p.WeekStarts]; !known {
		add("week_starts", "%q is not a day that weeks begin with; write monday, sunday or saturday", cut(p.WeekStarts, 80))
	}
	if checkRange(p.Range) != nil {
		add("range", "%q is not a range; write one of %s", cut(p.Range, 80), strings.Join(Ranges(), ", "))
	}
	if p.Timeout < 10*time.Millisecond || p.Timeout > time.Minute {
		add("timeout", "is outside 10ms to 1m")
	}
	if p.Refresh < time.Second || p.Refresh > time.Hour {
		add("refresh", "is outside 1s to 1h")
	}
	if p.Rows < 1 || p.Rows > 100_000 {
		add("rows", "is outside 1 to 100000")
	}
	switch {
	case len(p.Figures) == 0:
		add("figures", "is missing; a dashboard has at least one figure")
	case len(p.Figures) > 100:
		add("figures", "holds more than 100 figures; part them over several dashboards")
	case p.Public && !slices.ContainsFunc(p.Figures, func(f FigureSpec) bool { return !f.Personal }):
		add("figures", "are all personal, and a public dashboard shows none of these; make it private, or add a figure")
	}
}

// named reports whether a name is of 1 to 64 of the letters.
func named(name, of string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, of) == "" && !strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(of, r) })
}

// compileFigures judges the figures and keeps those that may be shown.
func (p *plan) compileFigures(dashboard int) (faults Faults) {
	first := map[string]int{}
	for i, spec := range p.Figures {
		add := func(key, format string, args ...any) {
			faults = append(faults, Fault{dashboard, i, key, fmt.Sprintf(format, args...)})
		}
		if before, twice := first[spec.Name]; twice {
			add("name", "%q stands twice, first as figures[%d]; give each its own", cut(spec.Name, 80), before)
		} else {
			first[spec.Name] = i
		}
		spec.check(add)
		f := figure{spec, map[store.Dialect]statement{store.SQLite: compile(spec.SQL, store.SQLite), store.Postgres: compile(spec.SQL, store.Postgres)}}
		of := store.Postgres
		if strings.HasPrefix(p.Database, "sqlite") {
			of = store.SQLite
		}
		unknown := f.statement[of].unknown
		if p.Database == Own && len(f.statement[store.SQLite].unknown) < len(unknown) {
			unknown = f.statement[store.SQLite].unknown
		}
		for _, name := range slices.Compact(slices.Sorted(slices.Values(unknown))) {
			add("sql", "%s", unknownParameter(name))
		}
		if !p.Public || !spec.Personal {
			p.figures = append(p.figures, f)
		}
	}
	return faults
}

func (f FigureSpec) check(add func(key, format string, args ...any)) {
	switch {
	case !named(f.Name, "abcdefghijklmnopqrstuvwxyz0123456789_") || f.Name[0] < 'a':
		add("name", "is no name of a figure; use a letter of a-z and then up to 63 of a-z, 0-9 and _")
	case f.Name == "timestamp" || f.Name == "range":
		add("name", "%q has a meaning of its own among the figures; take another", f.Name)
	}
	if len(f.Title) > 200 {
		add("title", "has more than 200 bytes; make it shorter")
	}
	if len(f.Unit) > 40 {
		add("unit", "has more than 40 bytes; make it shorter")
	}
	kinds := map[string]bool{KindNumber: true, KindRows: true, KindSeries: true}
	if !kinds[f.Kind] {
		add("kind", "%q is not a kind of figure; write one of %s", cut(f.Kind, 80), strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	if !slices.Contains([]string{"", "up", "down"}, f.Better) {
		add("better", "%q is neither up nor down", cut(f.Better, 80))
	}
	if !slices.Contains([]string{BucketHour, BucketDay, BucketWeek, BucketAuto}, f.Bucket) {
		add("bucket", "%q is not a bucket; write hour, day, week or auto", cut(f.Bucket, 80))
	}
	switch {
	case strings.TrimSpace(f.SQL) == "":
		add("sql", "is missing; write one SELECT that gives the figure")
	case len(f.SQL) > 64<<10:
		add("sql", "has more than 64 KB; make it a view of the database")
	}
}
