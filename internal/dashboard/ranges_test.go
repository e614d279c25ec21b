package dashboard_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/dashboard"
	"github.com/belfryhq/belfry/internal/store"
)

// zones are where days differ: in Santiago some have no midnight, in Havana some
// have two, in Kathmandu they begin at a quarter past.
var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "America/Santiago", "America/Havana", "Pacific/Apia", "Australia/Lord_Howe"}

// datesOf gives the dates of a range and of the one before, by the calendar
// alone: days are counted on dates, never on times.
func datesOf(name string, today time.Time, week time.Weekday) (in, before []string) {
	list := func(from, to time.Time) (dates []string) {
		for d := from; d.Before(to); d = d.AddDate(0, 0, 1) {
			dates = append(dates, d.Format(time.DateOnly))
		}
		return dates
	}
	day := func(n int) time.Time { return today.AddDate(0, 0, n) }
	monday := today
	for monday.Weekday() != week {
		monday = monday.AddDate(0, 0, -1)
	}
	first := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC)
	two := func(a, b, c time.Time) (in, before []string) { return list(b, c), list(a, b) }
	switch name {
	case "today":
		return two(day(-1), day(0), day(1))
	case "yesterday":
		return two(day(-2), day(-1), day(0))
	case "this_week":
		return two(monday.AddDate(0, 0, -7), monday, monday.AddDate(0, 0, 7))
	case "last_week":
		return two(monday.AddDate(0, 0, -14), monday.AddDate(0, 0, -7), monday)
	case "this_month":
		return two(first.AddDate(0, -1, 0), first, first.AddDate(0, 1, 0))
	case "last_month":
		return two(first.AddDate(0, -2, 0), first.AddDate(0, -1, 0), first)
	case "last_7_days":
		return two(day(-13), day(-6), day(1))
	case "last_30_days":
		return two(day(-59), day(-29), day(1))
	}
	panic(name)
}

// moments are the times at which ranges are looked at: both sides of midnight,
// of weeks' and months' ends, of each change of the clock, and some at random.
func moments(zone *time.Location, random *rand.Rand) (all []time.Time) {
	around := func(t time.Time) {
		all = append(all, t.Add(-time.Hour), t.Add(-time.Second), t.Add(-time.Millisecond), t, t.Add(time.Millisecond), t.Add(time.Hour))
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, zone)
	for range 3 {
		_, end := at.ZoneBounds()
		if end.IsZero() {
			break
		}
		for day := -1; day <= 1; day++ { // the change, and the midnights around it
			y, m, d := end.Date()
			around(time.Date(y, m, d+day, 0, 0, 0, 0, zone))
		}
		around(end)
		at = end.Add(time.Hour)
	}
	for _, d := range []time.Time{time.Date(2026, 3, 1, 0, 0, 0, 0, zone), time.Date(2027, 1, 1, 0, 0, 0, 0, zone), time.Date(2026, 11, 23, 0, 0, 0, 0, zone), time.Date(2024, 2, 29, 0, 0, 0, 0, zone)} {
		around(d)
	}
	for range 20 {
		all = append(all, time.UnixMilli(1_700_000_000_000+random.Int64N(100_000_000_000)))
	}
	return all
}

// A moment is in a range just when its date in the zone is one of the range's.
func TestRangesHoldTheMomentsOfTheirDates(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range zones {
		zone, err := time.LoadLocation(name)
		must(t, err)
		for _, now := range moments(zone, random) {
			y, m, d := now.In(zone).Date()
			today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
			for _, week := range []time.Weekday{time.Monday, time.Sunday, time.Saturday} {
				for _, rangeName := range dashboard.Ranges() {
					window, before := dashboard.WindowOf(rangeName, now, zone, week)
					in, past := datesOf(rangeName, today, week)
					for _, c := range []struct {
						window dashboard.Window
						dates  []string
					}{{window, in}, {before, past}} {
						for _, edge := range []time.Time{c.window.Start, c.window.End} {
							for _, off := range []time.Duration{-25 * time.Hour, -time.Hour, -time.Millisecond, 0, time.Millisecond, time.Hour, 25 * time.Hour} {
								at := edge.Add(off)
								want := slices.Contains(c.dates, at.In(zone).Format(time.DateOnly))
								if got := !at.Before(c.window.Start) && at.Before(c.window.End); got != want {
									t.Fatalf("%s in %s at %s, weeks from %s: %s is in: %v, want %v; window %s to %s", rangeName, name, now.In(zone), week, at.In(zone), got, want, c.window.Start, c.window.End)
								}
							}
						}
					}
				}
			}
		}
	}
}

// Figures over random data equal those that are counted here, by dates, for
// every range, its predecessor and every bucket.
func TestFiguresEqualAnIndependentCount(t *testing.T) {
	eachShop(t, func(t *testing.T, s *shop) {
		random := rand.New(rand.NewPCG(3, 4))
		column := "TEXT"
		if s.dialect == store.Postgres {
			column = "TIMESTAMPTZ"
		}
		s.do("CREATE TABLE sales (at BIGINT NOT NULL, stamp " + column + " NOT NULL, price INTEGER NOT NULL, kind TEXT NOT NULL)")
		var sales []sale
		add := func(at time.Time) {
			sales = append(sales, sale{at, 1 + random.IntN(99), "kind " + strconv.Itoa(random.IntN(3))})
		}
		var nows []time.Time
		for _, name := range zones[:5] {
			zone, err := time.LoadLocation(name)
			must(t, err)
			_, change := time.Date(2026, 1, 1, 0, 0, 0, 0, zone).ZoneBounds()
			if change.IsZero() {
				change = time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
			}
			y, m, d := change.In(zone).Date()
			for _, now := range []time.Time{change, time.Date(y, m, d, 0, 0, 0, 0, zone), time.Date(y, m, d+1, 0, 0, 0, 0, zone), time.Date(y, m+1, 1, 0, 0, 0, 0, zone)} {
				nows = append(nows, now.Add(-time.Millisecond), now)
				for range 12 {
					add(now.Add(time.Duration(random.Int64N(int64(70*24*time.Hour))) - 60*24*time.Hour).Truncate(time.Millisecond))
					add(now.Add(time.Duration(random.IntN(5)-2) * time.Millisecond))
				}
			}
		}
		must(t, s.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			for _, one := range sales {
				var stamp any = one.at.UTC().Format("2006-01-02T15:04:05.000Z")
				if s.dialect == store.Postgres {
					stamp = one.at.UTC()
				}
				if _, err := tx.Exec(ctx, "INSERT INTO sales (at, stamp, price, kind) VALUES ($1, $2, $3, $4)", one.at.UnixMilli(), stamp, one.price, one.kind); err != nil {
					return err
				}
			}
			return nil
		}))
		const within, byStamp = " FROM sales WHERE at >= @start_ms AND at < @end_ms", " FROM sales WHERE stamp >= @start AND stamp < @end"
		figures := []dashboard.FigureSpec{
			{Name: "count", Kind: "number", Compare: true, SQL: "SELECT count(*)" + byStamp},
			{Name: "total", Kind: "number", Compare: true, SQL: "SELECT coalesce(sum(price), 0)" + within},
			{Name: "days", Kind: "series", Bucket: "day", SQL: "SELECT stamp AS time, kind AS series, price AS value" + byStamp},
			{Name: "hours", Kind: "series", Bucket: "hour", SQL: "SELECT at AS time, price AS value" + within},
			{Name: "weeks", Kind: "series", Bucket: "week", SQL: "SELECT at AS time, price AS value" + within},
		}
		var specs []dashboard.Spec
		for i, name := range zones[:5] {
			specs = append(specs, dashboard.Spec{Name: fmt.Sprint("zone", i), Database: s.address, Timezone: name, Timeout: 20 * time.Second, Rows: 10_000,
				WeekStarts: []string{"monday", "sunday", "saturday"}[i%3], Figures: figures})
		}
		e := newEngine(t, specs)
		for n, now := range nows {
			e.clock.set(now)
			for i, name := range zones[:5] {
				zone, _ := time.LoadLocation(name)
				week := []time.Weekday{time.Monday, time.Sunday, time.Saturday}[i%3]
				ranges := dashboard.Ranges()
				if n > 1 { // one of them, so that the test ends some day
					one := random.IntN(len(ranges))
					ranges = ranges[one : one+1]
				}
				for _, rangeName := range ranges {
					compareWith(t, e, specs[i].Name, rangeName, now, zone, week, sales)
				}
			}
		}
	})
}

type sale struct {
	at    time.Time
	price int
	kind  string
}

// compareWith counts a range by hand and compares.
func compareWith(t *testing.T, e *engine, name, rangeName string, now time.Time, zone *time.Location, week time.Weekday, sales []sale) {
	t.Helper()
	y, m, d := now.In(zone).Date()
	in, past := datesOf(rangeName, time.Date(y, m, d, 0, 0, 0, 0, time.UTC), week)
	var count, total, countPast, totalPast int
	days, hours, weeks := map[string]int{}, map[string]int{}, map[string]int{}
	for _, one := range sales {
		local := one.at.In(zone)
		date := local.Format(time.DateOnly)
		if slices.Contains(past, date) {
			countPast++
			totalPast += one.price
		}
		if !slices.Contains(in, date) {
			continue
		}
		count++
		total += one.price
		days[date+" "+one.kind] += one.price
		hours[local.Format("2006-01-02 15 -0700")] += one.price
		first := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
		for first.Weekday() != week {
			first = first.AddDate(0, 0, -1)
		}
		weeks[first.Format(time.DateOnly)] += one.price
	}
	v := e.current(t, name, rangeName)
	where := fmt.Sprintf("%s of %s at %s", rangeName, zone, now.In(zone))
	if len(v.Meta) > 0 {
		t.Fatalf("%s: %+v", where, e.Stats())
	}
	for figure, want := range map[string]int{"count": count, "total": total} {
		if got := statOf(v.Stats, figure); got != strconv.Itoa(want) {
			t.Errorf("%s: %s is %s, counted %d", where, figure, got, want)
		}
	}
	if string(v.Previous["count"]) != strconv.Itoa(countPast) || string(v.Previous["total"]) != strconv.Itoa(totalPast) {
		t.Errorf("%s: before %s, counted %d and %d", where, v.Previous, countPast, totalPast)
	}
	for figure, c := range map[string]struct {
		want   map[string]int
		layout string
	}{"days": {days, time.DateOnly}, "hours": {hours, "2006-01-02 15 -0700"}, "weeks": {weeks, time.DateOnly}} {
		var points []struct {
			Time   time.Time
			Series string
			Value  int
		}
		decode(t, statOf(v.Stats, figure), &points)
		got := map[string]int{}
		for i, p := range points {
			key := p.Time.In(zone).Format(c.layout)
			if p.Series != "" {
				key += " " + p.Series
			}
			got[key] = p.Value
			if i > 0 && p.Time.Before(points[i-1].Time) {
				t.Errorf("%s: %s is not in order", where, figure)
			}
		}
		if len(got) != len(points) || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %s\n got %v\nwant %v", where, figure, got, c.want)
		}
	}
}
