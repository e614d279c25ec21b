package dashboard

import (
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
)

// Ranges gives the names of all ranges, in the order of a picker.
func Ranges() []string {
	return []string{"today", "yesterday", "this_week", "last_week", "this_month", "last_month", "last_7_days", "last_30_days"}
}

// Window is the time that a range stands for: from Start up to, without, End.
type Window struct{ Start, End time.Time }

func (w Window) equal(o Window) bool { return w.Start.Equal(o.Start) && w.End.Equal(o.End) }

// WindowOf gives a range's window, and that of the range before it, as they are
// at a moment in a time zone. Days begin at the first moment that has their
// date there, which is not midnight everywhere. The range must be one of
// Ranges.
func WindowOf(name string, now time.Time, zone *time.Location, weekStarts time.Weekday) (window, before Window) {
	y, m, d := now.In(zone).Date()
	week := d - (int(now.In(zone).Weekday())-int(weekStarts)+7)%7
	days := func(from, to int) Window { return Window{dayStart(y, m, from, zone), dayStart(y, m, to, zone)} }
	months := func(from int) Window {
		return Window{dayStart(y, m+time.Month(from), 1, zone), dayStart(y, m+time.Month(from+1), 1, zone)}
	}
	switch name {
	case "today":
		return days(d, d+1), days(d-1, d)
	case "yesterday":
		return days(d-1, d), days(d-2, d-1)
	case "this_week":
		return days(week, week+7), days(week-7, week)
	case "last_week":
		return days(week-7, week), days(week-14, week-7)
	case "this_month":
		return months(0), months(-1)
	case "last_month":
		return months(-1), months(-2)
	case "last_7_days":
		return days(d-6, d+1), days(d-13, d-6)
	case "last_30_days":
		return days(d-29, d+1), days(d-59, d-29)
	}
	return Window{}, Window{}
}

// checkRange gives CodeInvalid for a name that is no range.
func checkRange(name string) error {
	if slices.Contains(Ranges(), name) {
		return nil
	}
	return &belfry.Error{Code: belfry.CodeInvalid, Message: "there is no such range", Hint: "use one of " + strings.Join(Ranges(), ", ")}
}

// dayStart gives the first moment that has a date in a zone. The date is
// normalised, as time.Date does. Of a day that a zone left out it is the
// beginning of the next.
func dayStart(y int, m time.Month, d int, zone *time.Location) time.Time {
	utc := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	// Offsets lie within 15 hours; between two changes of the clock they stand.
	for at := utc.Add(-15 * time.Hour); ; {
		_, offset := at.In(zone).Zone()
		_, until := at.In(zone).ZoneBounds()
		midnight := utc.Add(-time.Duration(offset) * time.Second)
		start := at
		if midnight.After(at) {
			start = midnight
		}
		if (until.IsZero() || start.Before(until)) && start.Before(midnight.Add(24*time.Hour)) {
			return start.In(zone)
		}
		if until.IsZero() || until.After(utc.Add(40*time.Hour)) {
			return dayStart(y, m, d+1, zone)
		}
		at = until
	}
}

// bucketStart gives the beginning of the hour, day or week that a moment lies
// in.
func bucketStart(bucket string, t time.Time, zone *time.Location, weekStarts time.Weekday) time.Time {
	local := t.In(zone)
	y, m, d := local.Date()
	switch bucket {
	case BucketHour: // by what has passed of it, since an hour may come twice
		return local.Add(-time.Duration(local.Minute())*time.Minute - time.Duration(local.Second())*time.Second - time.Duration(local.Nanosecond()))
	case BucketWeek:
		d -= (int(local.Weekday()) - int(weekStarts) + 7) % 7
	}
	return dayStart(y, m, d, zone)
}

// bucketOf gives the bucket in effect: what the figure says, or hours for up to
// two days, days up to two months, weeks beyond.
func bucketOf(bucket string, w Window) string {
	if bucket != BucketAuto {
		return bucket
	}
	switch length := w.End.Sub(w.Start); {
	case length <= 49*time.Hour:
		return BucketHour
	case length <= 62*24*time.Hour:
		return BucketDay
	}
	return BucketWeek
}
